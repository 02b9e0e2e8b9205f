//! gRPC: one HTTP/2 connection an address, calls as its streams.

mod answers;
mod connection;
mod metadata;
mod refusal;
mod rpc;
mod socket;

use std::time::Instant;

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
        self.start(operation, R::PATH, request, metadata, deadline)
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
        self.start(operation, rpc::RECEIVE, request, metadata, deadline)
    }

    fn start<T: prost::Message + Default>(
        &self,
        operation: &'static str,
        path: &'static str,
        request: &impl prost::Message,
        metadata: &Metadata,
        deadline: Instant,
    ) -> Result<Answers<T>, Refused> {
        let timeout = deadline.saturating_duration_since(clock::instant());
        let headers = metadata.headers(Some(timeout)).map_err(|e| Refused(Fault::new(e.kind(), e.text())))?;
        let (response, mut requests) = self.open(path, headers).map_err(Refused)?;
        // A connection that ends from here on shows in the answers.
        let _ = requests.send_data(answers::frame(request), true);
        Ok(Answers::new(operation, self.clone(), response))
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
        let headers = metadata.headers(None).map_err(|e| Refused(Fault::new(e.kind(), e.text())))?;
        let (response, requests) = self.open(rpc::TELEMETRY, headers).map_err(Refused)?;
        Ok(Conversation::new(requests, Answers::new(operation, self.clone(), response)))
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
