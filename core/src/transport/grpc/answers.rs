//! Calls: requests out, answers and the closing status in, framed by tonic.

use std::error::Error as _;
use std::pin::Pin;

use futures_util::{FutureExt, stream};
use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::Refused;
use super::connection::Connection;
use super::refusal::rpc_fault;
use super::streams::Broken;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::transport::Fault;

/// A longer answer is not one of RocketMQ's.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

type Asking<T> = Pin<Box<dyn Future<Output = Result<Response<Streaming<T>>, Status>> + Send>>;

/// The answers of one call, as they arrive. Dropping it cancels the call.
pub(crate) struct Answers<T> {
    operation: &'static str,
    connection: Connection,
    state: State<T>,
}

#[expect(clippy::large_enum_variant, reason = "one a call; a box would be one allocation more")]
enum State<T> {
    Asked(Asking<T>),
    Reading(Streaming<T>),
    Ended,
}

impl<T: Message + Default + Send + 'static> Answers<T> {
    /// Begins a call: what there is of the requests has left when this returns.
    ///
    /// # Errors
    /// `Refused`: the connection takes no more.
    pub(super) fn begin<Q: Message + Send + 'static>(
        operation: &'static str,
        connection: &Connection,
        path: &'static str,
        metadata: MetadataMap,
        requests: impl stream::Stream<Item = Q> + Send + 'static,
    ) -> Result<Self, Refused> {
        let mut grpc = Grpc::with_origin(connection.clone(), connection.origin())
            .max_decoding_message_size(LONGEST_ANSWER);
        let request = Request::from_parts(metadata, http::Extensions::new(), requests);
        let mut asking: Asking<T> = Box::pin(async move {
            grpc.streaming(request, PathAndQuery::from_static(path), ProstCodec::<Q, T>::default()).await
        });
        let mut call = Self { operation, connection: connection.clone(), state: State::Ended };
        // The first poll opens the stream and sends; the answer takes longer.
        match asking.as_mut().now_or_never() {
            None => call.state = State::Asked(asking),
            Some(Ok(response)) => call.state = State::Reading(response.into_inner()),
            Some(Err(status)) => match broken(&status) {
                Some(Broken::Refused(fault)) => return Err(Refused(fault.clone())),
                _ => call.state = State::Asked(Box::pin(std::future::ready(Err(status)))),
            },
        }
        Ok(call)
    }

    /// The next answer; `None` when the call has ended well. Cancel-safe.
    ///
    /// # Errors
    /// How the call or the connection ended otherwise: the request may have been handled, unless the server says that
    /// it was not.
    pub(crate) async fn next(&mut self) -> Result<Option<T>> {
        let answer = self.advance().await;
        if !matches!(answer, Ok(Some(_))) {
            self.state = State::Ended;
        }
        answer.map_err(|status| self.error(&status))
    }

    async fn advance(&mut self) -> Result<Option<T>, Status> {
        loop {
            match &mut self.state {
                State::Asked(asking) => {
                    let response = asking.await;
                    if !matches!(response.as_ref().map_err(broken), Err(Some(_))) {
                        self.connection.answered();
                    }
                    self.state = State::Reading(response?.into_inner());
                }
                State::Reading(answers) => return answers.message().await,
                State::Ended => return Ok(None),
            }
        }
    }

    /// What ended the call: the connection, if that ended, or what the server says. A server that goes away in good order
    /// names the streams it did not look at.
    fn error(&self, status: &Status) -> Error {
        let address = crate::transport::Connection::address(&self.connection);
        let (fault, outcome) = match broken(status) {
            Some(Broken::Refused(fault)) => (fault.clone(), Outcome::NotSent),
            Some(Broken::Http2(error)) => {
                let unseen = error.is_remote()
                    && (error.reason() == Some(h2::Reason::REFUSED_STREAM)
                        || error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR));
                let outcome = if unseen { Outcome::NotSent } else { Outcome::MaybeSent };
                (self.connection.fault(&error.to_string()), outcome)
            }
            Some(not @ Broken::NotGrpc(_)) => {
                let text = format!("{address}: {not}; give the gRPC port of a RocketMQ proxy");
                (Fault::new(ErrorKind::WrongProtocol, text), Outcome::NotSent)
            }
            Some(no @ Broken::NoStatus) => {
                (Fault::new(ErrorKind::ConnectionClosed, format!("{address}: {no}")), Outcome::MaybeSent)
            }
            None if is_unreadable(status) => (
                Fault::new(ErrorKind::Protocol, format!("{address}: {}", status.message())),
                Outcome::MaybeSent,
            ),
            None => rpc_fault(status.code().into(), status.message(), address),
        };
        fault.error(self.operation, outcome)
    }
}

/// What broke the call, if it was not the server that ended it.
fn broken(status: &Status) -> Option<&Broken> {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(broken) = error.downcast_ref() {
            return Some(broken);
        }
        cause = error.source();
    }
    None
}

/// Whether `status` is tonic's own, about an answer that cannot be read.
fn is_unreadable(status: &Status) -> bool {
    let text = status.message();
    match status.code() {
        Code::Internal => UNREADABLE.iter().any(|start| text.starts_with(start)),
        Code::OutOfRange => text.contains("decoded message length too large"),
        _ => false,
    }
}

/// How tonic begins to say so.
const UNREADABLE: [&str; 2] = ["protocol error: received message", "failed to decode Protobuf message"];

/// A call whose requests go on while answers arrive: they leave as the answers are waited for.
pub(crate) struct Conversation<Q, T> {
    requests: UnboundedSender<Q>,
    pub(crate) answers: Answers<T>,
}

impl<Q: Message + Send + 'static, T: Message + Default + Send + 'static> Conversation<Q, T> {
    /// What is said, as it is said.
    pub(super) fn requests() -> (UnboundedSender<Q>, impl stream::Stream<Item = Q> + Send + 'static) {
        let (requests, said) = unbounded_channel();
        let next =
            |mut said: UnboundedReceiver<Q>| async { said.recv().await.map(|request| (request, said)) };
        (requests, stream::unfold(said, next))
    }

    pub(super) fn new(requests: UnboundedSender<Q>, answers: Answers<T>) -> Self {
        Self { requests, answers }
    }

    /// Says `request`; whether it arrives shows in the answers.
    ///
    /// # Errors
    /// The call has ended.
    pub(crate) fn say(&mut self, request: Q) -> Result<()> {
        self.requests.send(request).map_err(|_| {
            let fault = self.answers.connection.fault("the call has ended");
            fault.error(self.answers.operation, Outcome::NotSent)
        })
    }
}
