//! Calls of a client: on the connection to an address, or to whichever answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::agent::Agent;
use crate::clock;
use crate::codec::grpc::proto::{Code, ReceiveMessageRequest, ReceiveMessageResponse};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::transport::Fault;
use crate::transport::grpc::{Answer, Answers, Connection, Metadata, Refused, Rpc, refusal};

impl Agent {
    /// Sends `request` to one of the addresses of the endpoint, in turn, until one answers.
    ///
    /// # Errors
    /// As [`Agent::call`]; if nobody answers, what tells most about the fault.
    pub(crate) async fn ask_any<R: Rpc>(
        &self,
        operation: &'static str,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Answer> {
        let count = self.access.len();
        let first = self.current.load(Ordering::Relaxed);
        let mut last = None;
        for turn in 0..count {
            let at = (first + turn) % count;
            let now = clock::instant();
            let share = deadline.saturating_duration_since(now) / (count - turn) as u32;
            match self.call(operation, &self.access[at], request, now + share).await {
                Err(error) if error.response_code().is_none() && error.kind() != ErrorKind::Closed => {
                    last = Some(error);
                }
                answered => {
                    self.current.store(at, Ordering::Relaxed);
                    return answered;
                }
            }
        }
        Err(last.unwrap_or_else(|| Error::new(ErrorKind::InvalidArgument, operation, "there is no address")))
    }

    /// Sends `request` to `address`; its answer has status OK, or several results.
    ///
    /// # Errors
    /// Those of [`Agent::ask`]; the server's refusal.
    pub(crate) async fn call<R: Rpc>(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Answer> {
        let answer = self.ask(operation, address, request, deadline).await?;
        match answer.status() {
            Some(status) if status.code == Code::Ok as i32 || status.code == Code::MultipleResults as i32 => {
                Ok(answer)
            }
            Some(status) => Err(refusal(operation, status, request.resource())),
            None => {
                let text = format!("{address} answered without a status");
                Err(Error::new(ErrorKind::Protocol, operation, text).with_outcome(Outcome::MaybeSent))
            }
        }
    }

    /// Sends `request` to `address` and waits for its answer, whatever its status. Dropping the future cancels the call.
    ///
    /// # Errors
    /// `Closed` after the shutdown; those of dialling and of the connection; `Timeout`.
    pub(crate) async fn ask<R: Rpc>(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Answer> {
        self.check_open(operation)?;
        self.ask_always(operation, address, request, deadline).await
    }

    /// The same, in the shutdown too.
    pub(super) async fn ask_always<R: Rpc>(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Answer> {
        let metadata = &self.core.metadata;
        let begin = |connection: &Connection| connection.begin(operation, request, metadata, deadline);
        let (connection, answers) = self.begin(operation, address, deadline, begin).await?;
        connection.finish(operation, answers, deadline).await
    }

    /// Begins to receive from `address`, once it has agreed on settings. The answers end with an error after `deadline`
    /// at the latest, by the server; dropping them cancels the call at once.
    ///
    /// # Errors
    /// As [`Agent::ask`], as far as they are known before the first answer.
    pub(crate) async fn receive(
        &self,
        address: &Arc<str>,
        request: &ReceiveMessageRequest,
        deadline: Instant,
    ) -> Result<Answers<ReceiveMessageResponse>> {
        const OPERATION: &str = "receive";
        self.check_open(OPERATION)?;
        self.agree(OPERATION, std::slice::from_ref(address), deadline).await?;
        let metadata = &self.core.metadata;
        let begin = |connection: &Connection| connection.receive(OPERATION, request, metadata, deadline);
        Ok(self.begin(OPERATION, address, deadline, begin).await?.1)
    }

    /// Begins a call on the connection to `address`; on a new one, if that takes no more.
    pub(super) async fn begin<T>(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        deadline: Instant,
        begin: impl Fn(&Connection) -> Result<Answers<T>, Refused>,
    ) -> Result<(Connection, Answers<T>)> {
        let mut refused = None;
        for _ in 0..2 {
            let connection = self.core.pool.get(operation, address, deadline).await?;
            match begin(&connection) {
                Ok(answers) => return Ok((connection, answers)),
                Err(Refused(fault)) => {
                    self.core.pool.retire(&connection);
                    refused = Some(fault);
                }
            }
        }
        let fault = refused.unwrap_or_else(|| Fault::new(ErrorKind::ConnectionClosed, "no connection"));
        Err(fault.error(operation, Outcome::NotSent))
    }

    /// What calls travel with.
    pub(super) fn metadata(&self) -> &Metadata {
        &self.core.metadata
    }
}
