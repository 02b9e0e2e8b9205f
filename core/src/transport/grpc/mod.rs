//! gRPC: one HTTP/2 connection an address, calls as its streams.

mod answers;
mod connection;
mod metadata;
mod refusal;
mod rpc;
mod socket;
mod streams;

use std::time::Instant;

use futures_util::stream;
use prost::Message;
use tokio::time::timeout_at;

pub(crate) use answers::{Answers, Conversation};
pub(crate) use connection::{Connection, Dialer};
pub(crate) use metadata::{Metadata, VERSION, uuid};
pub(crate) use refusal::refusal;
pub(crate) use rpc::{Answer, Rpc};

use super::Fault;
use crate::clock;
use crate::codec::grpc::proto::{ReceiveMessageRequest, ReceiveMessageResponse, TelemetryCommand};
use crate::error::{Error, ErrorKind, Outcome, Result};

/// What both sides of the telemetry stream say.
pub(crate) type Telemetry = Conversation<TelemetryCommand, TelemetryCommand>;

/// A connection that takes no more requests: nothing was sent, another one may do.
pub(crate) struct Refused(pub(crate) Fault);

impl Connection {
    /// Begins a call: the request is on its way when this returns.
    ///
    /// # Errors
    /// `Refused`: the connection takes no more.
    pub(crate) fn begin<R: Rpc>(
        &self,
        operation: &'static str,
        request: &R,
        metadata: &Metadata,
        deadline: Instant,
    ) -> Result<Answers<R::Answer>, Refused> {
        self.asked();
        self.start(operation, R::PATH, request.clone(), metadata, deadline)
    }

    /// Begins to receive messages.
    ///
    /// # Errors
    /// `Refused`: the connection takes no more.
    pub(crate) fn receive(
        &self,
        operation: &'static str,
        request: &ReceiveMessageRequest,
        metadata: &Metadata,
        deadline: Instant,
    ) -> Result<Answers<ReceiveMessageResponse>, Refused> {
        self.start(operation, rpc::RECEIVE, request.clone(), metadata, deadline)
    }

    fn start<Q: Message + Send + Sync + 'static, T: Message + Default + Send + Sync + 'static>(
        &self,
        operation: &'static str,
        path: &'static str,
        request: Q,
        metadata: &Metadata,
        deadline: Instant,
    ) -> Result<Answers<T>, Refused> {
        let timeout = deadline.saturating_duration_since(clock::instant());
        let metadata =
            metadata.of_call(Some(timeout)).map_err(|e| Refused(Fault::new(e.kind(), e.text())))?;
        Answers::begin(operation, self, path, metadata, stream::iter([request]))
    }

    /// Opens the telemetry stream.
    ///
    /// # Errors
    /// `Refused`: the connection takes no more.
    pub(crate) fn telemetry(
        &self,
        operation: &'static str,
        metadata: &Metadata,
    ) -> Result<Telemetry, Refused> {
        let metadata = metadata.of_call(None).map_err(|e| Refused(Fault::new(e.kind(), e.text())))?;
        let (requests, said) = Telemetry::requests();
        let answers = Answers::begin(operation, self, rpc::TELEMETRY, metadata, said)?;
        Ok(Telemetry::new(requests, answers))
    }

    /// Waits for the one answer of a call until `deadline`.
    ///
    /// # Errors
    /// `Timeout`, or how call or connection ended otherwise; the outcome says whether the request may have been handled.
    pub(crate) async fn finish<T: Answer>(
        &self,
        operation: &'static str,
        mut answers: Answers<T>,
        deadline: Instant,
    ) -> Result<T> {
        let address = super::Connection::address(self);
        let whole = async {
            let answer = answers.next().await?;
            while answers.next().await?.is_some() {}
            Ok(answer)
        };
        match timeout_at(deadline.into(), whole).await {
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(Ok(None)) => {
                let text = format!("{address} ended the call without an answer");
                Err(Error::new(ErrorKind::Protocol, operation, text).with_outcome(Outcome::MaybeSent))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.gave_up();
                let text = format!("no answer from {address} before the deadline");
                Err(Error::new(ErrorKind::Timeout, operation, text).with_outcome(Outcome::MaybeSent))
            }
        }
    }
}
