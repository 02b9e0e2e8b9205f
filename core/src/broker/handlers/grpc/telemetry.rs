//! The telemetry stream: the client's settings, and what the broker asks the client.

use futures_util::{FutureExt, stream};
use tokio::sync::mpsc;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::super::Refusal;
use super::super::meet::Ending;
use super::call::{Answer, Service};
use super::{Reply, settings, status};
use crate::broker::{ClientReply, TELEMETRY};
use crate::codec::grpc::metadata;
use crate::codec::grpc::proto::telemetry_command::Command;
use crate::codec::grpc::proto::{Settings, TelemetryCommand};
use crate::codec::remoting::Language;

/// One telemetry stream.
struct Telemetry {
    service: Service,
    metadata: MetadataMap,
    client_id: String,
    /// Tells it from an earlier stream of the same client.
    number: u64,
    received: Streaming<TelemetryCommand>,
    /// What the client is to be told, and who may add to it.
    commands: mpsc::UnboundedReceiver<TelemetryCommand>,
    sender: mpsc::UnboundedSender<TelemetryCommand>,
    ending: Ending,
    failed: bool,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let node = &self.service.node;
        let mut state = node.state();
        if state.clients.disconnect(&self.client_id, self.number) {
            state.release(&self.client_id, node.clock.now_ms());
        }
    }
}

/// Telemetry.
pub(super) async fn open(
    service: &Service,
    request: Request<Streaming<TelemetryCommand>>,
) -> Result<Response<Reply<TelemetryCommand>>, Status> {
    let (metadata, _, received) = request.into_parts();
    // A server that swallows takes the stream and says nothing on it.
    let Some(ending) = service.receive(TELEMETRY).now_or_never() else {
        return Ok(Response::new(Box::pin(stream::pending())));
    };
    let admitted = ending.and_then(|ending| Ok((ending, service.call(&metadata)?.client_id.to_owned())));
    let (ending, client_id) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => {
            let only = TelemetryCommand::refused(status::of(&refusal));
            return Ok(Response::new(Box::pin(stream::iter([Ok(only)]))));
        }
    };
    let (sender, commands) = mpsc::unbounded_channel();
    let number = service.node.next_session();
    let service = service.clone();
    let telemetry =
        Telemetry { service, metadata, client_id, number, received, commands, sender, ending, failed: false };
    Ok(Response::new(Box::pin(stream::unfold(telemetry, Telemetry::next))))
}

impl Telemetry {
    /// The next command for the client; what it says meanwhile is handled. Ends when the client has ended its side.
    async fn next(mut self) -> Option<(Result<TelemetryCommand, Status>, Self)> {
        while !self.failed {
            let received = tokio::select! {
                biased;
                Some(command) = self.commands.recv() => return Some((Ok(command), self)),
                received = self.received.message() => received.ok().flatten()?,
            };
            let handled = self.handle(received);
            if self.ending == Ending::Cut {
                match self.service.cut().await {}
            }
            if let Err(status) = handled {
                self.failed = true;
                return Some((Err(status), self));
            }
        }
        None
    }

    fn handle(&self, received: TelemetryCommand) -> Result<(), Status> {
        let status = received.status.unwrap_or_default();
        match received.command {
            Some(Command::Settings(settings)) => return self.agree(settings),
            Some(Command::VerifyMessageResult(result)) => {
                self.answered(&result.nonce, ClientReply { code: status.code, text: status.message });
            }
            Some(Command::ThreadStackTrace(trace)) => {
                let text = trace.thread_stack_trace.unwrap_or(status.message);
                self.answered(&trace.nonce, ClientReply { code: status.code, text });
            }
            other => tracing::debug!(client = self.client_id, ?other, "a command that is not for servers"),
        }
        Ok(())
    }

    fn answered(&self, nonce: &str, reply: ClientReply) {
        self.service.node.state().clients.answered(&self.client_id, nonce, reply);
    }

    /// Keeps the client's settings, and answers with what has become of them.
    fn agree(&self, settings: Settings) -> Result<(), Status> {
        let language = self.metadata.get(metadata::LANGUAGE).and_then(|name| name.to_str().ok());
        if !language.is_some_and(Language::is_known) {
            let name = language.unwrap_or_default();
            return Err(Status::internal(format!(
                "metadata {}: no language is called {name:?}",
                metadata::LANGUAGE
            )));
        }
        let refused =
            |refusal: Refusal| Status::invalid_argument(format!("{}: {}", refusal.code, refusal.remark));
        let call = self.service.call(&self.metadata).map_err(refused)?;
        let client = settings::agree(&call, settings).map_err(refused)?;
        let command = Some(Command::Settings(client.settings.clone()));
        let mut state = self.service.node.state();
        state.clients.agree(&self.client_id, client, self.number, self.sender.clone());
        // Its receiver lives as long as this does.
        let _ = self.sender.send(TelemetryCommand { status: status::ok(), command });
        Ok(())
    }
}
