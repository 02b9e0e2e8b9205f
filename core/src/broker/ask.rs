//! What the broker asks clients of the gRPC protocol when somebody wants it to.

use super::{Broker, handlers};
use crate::codec::grpc::proto::telemetry_command::Command;
use crate::codec::grpc::proto::{
    Code, PrintThreadStackTraceCommand, ReconnectEndpointsCommand, VerifyMessageCommand,
};
use crate::codec::remoting::record::StoredMessage;
use crate::error::{Error, ErrorKind, Result};
use crate::message::properties;

const ASK: &str = "ask client";

/// What a client of the gRPC protocol can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCommand {
    /// Consume this message once more, and say how it went.
    VerifyMessage {
        /// Its topic.
        topic: String,
        /// The producer's unique id.
        message_id: String,
    },
    /// Tell what the threads are doing.
    PrintThreadStackTrace,
    /// Connect anew. There is no answer to wait for.
    ReconnectEndpoints,
}

/// What a client answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientReply {
    /// gRPC status code: 20000 is success, 60000 a message that could not be consumed, 50100 a client that does not know
    /// the command.
    pub code: i32,
    /// The text of the status, or the stack trace.
    pub text: String,
}

impl Broker {
    /// Asks the client with this id on its telemetry stream, and waits for its answer for as long as it is connected.
    ///
    /// # Errors
    /// `InvalidArgument`: no such client is connected, or there is no such message. `ConnectionClosed`: the client left
    /// before it answered.
    pub async fn ask_client(&self, client_id: &str, command: ClientCommand) -> Result<ClientReply> {
        let answer = self.question(client_id, command)?;
        let Some(answer) = answer else {
            return Ok(ClientReply { code: Code::Ok.into(), text: String::new() });
        };
        let left = |_| {
            let text = format!("client {client_id} left before it answered");
            Error::new(ErrorKind::ConnectionClosed, ASK, text)
        };
        answer.await.map_err(left)
    }

    fn question(
        &self,
        client_id: &str,
        command: ClientCommand,
    ) -> Result<Option<tokio::sync::oneshot::Receiver<ClientReply>>> {
        let invalid = |text: String| Error::new(ErrorKind::InvalidArgument, ASK, text);
        let mut state = self.node.state();
        let awaited = command != ClientCommand::ReconnectEndpoints;
        let answer = match command {
            ClientCommand::VerifyMessage { topic, message_id } => {
                let is_it = |message: &StoredMessage| {
                    message.properties.get(properties::UNIQ_KEY) == Some(message_id.as_str())
                };
                let Some(message) = state.store.find(&topic, 1, message_id.as_bytes(), is_it).pop() else {
                    return Err(invalid(format!("topic {topic} has no message {message_id}")));
                };
                let message = Some(handlers::to_proto(message));
                state.clients.ask(client_id, |nonce| {
                    Command::VerifyMessageCommand(VerifyMessageCommand { nonce, message })
                })
            }
            ClientCommand::PrintThreadStackTrace => state.clients.ask(client_id, |nonce| {
                Command::PrintThreadStackTraceCommand(PrintThreadStackTraceCommand { nonce })
            }),
            ClientCommand::ReconnectEndpoints => state.clients.ask(client_id, |nonce| {
                Command::ReconnectEndpointsCommand(ReconnectEndpointsCommand { nonce })
            }),
        };
        let answer =
            answer.ok_or_else(|| invalid(format!("no client {client_id} is connected over gRPC")))?;
        Ok(awaited.then_some(answer))
    }
}
