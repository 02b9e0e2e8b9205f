//! Transactions and recall over gRPC: half messages, their end, and the questions of proxies about those without one.

use std::sync::{Arc, Weak};

use async_channel::{Receiver, Sender as Channel};
use tokio::runtime::Handle;

use super::agent::Agent;
use super::sender::Sender;
use super::session::ServerCommand;
use crate::client::{SendReceipt, Target, TransactionCheck, TransactionResolution};
use crate::codec::grpc::decode_message;
use crate::codec::grpc::proto::{
    EndTransactionRequest, Message as WireMessage, RecallMessageRequest,
    TransactionResolution as WireResolution, TransactionSource,
};
use crate::codec::remoting::RecallHandle;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Message;

const OPERATION: &str = "end transaction";

impl Sender {
    /// Sends the half message of a transaction.
    ///
    /// # Errors
    /// `InvalidMessage` if it is scheduled, or in a group; those of [`Sender::send_message`].
    pub(crate) async fn send_half(&self, message: Message) -> Result<SendReceipt> {
        let deadline = self.deadline(None);
        self.agent.check_open("send")?;
        self.send(self.pack(message, Target::Any, true)?, deadline).await
    }

    /// Ends the transaction of the half message with this receipt, at the proxy that took it: no other knows it.
    ///
    /// # Errors
    /// `InvalidArgument` for a receipt of something else; `Server` if the proxy does not know the transaction (any
    /// more); those of the call: then the server asks later.
    pub(crate) async fn end_transaction(
        &self,
        half: &SendReceipt,
        resolution: TransactionResolution,
    ) -> Result<()> {
        self.agent.check_open(OPERATION)?;
        let (Some(address), Some(transaction_id)) = (&half.taken_by, &half.transaction_id) else {
            let text = format!("{:?} is no receipt of a half message", half.message_id);
            return Err(Error::new(ErrorKind::InvalidArgument, OPERATION, text));
        };
        let end = End {
            topic: half.queue.topic.clone(),
            message_id: half.message_id.clone(),
            transaction_id: transaction_id.clone(),
            source: TransactionSource::SourceClient,
        };
        end.tell(&self.agent, address, resolution).await
    }

    /// Takes a scheduled message back; the id of the message.
    ///
    /// # Errors
    /// `Server` or `InvalidArgument` if there is nothing to take back; those of the route and of the call.
    pub(crate) async fn recall(&self, topic: &str, handle: &str) -> Result<String> {
        self.agent.check_open("recall")?;
        let deadline = self.agent.request_deadline();
        let route = self.agent.route("recall", topic, deadline).await?;
        // Handles are the server's own; those of the open source name the broker.
        let place = RecallHandle::parse(handle);
        let resource = self.agent.resource(topic);
        if let Some(place) = place.as_ref().filter(|place| place.topic != resource.name) {
            let text = format!("the recall handle is one of topic {:?}, not {topic:?}", place.topic);
            return Err(Error::new(ErrorKind::InvalidArgument, "recall", text));
        }
        let unreadable = place.is_none();
        let holder = place.and_then(|place| route.gate_of(&place.broker, self.agent.health()));
        let Some(gate) = holder.or_else(|| route.select(self.agent.health(), None).cloned()) else {
            let text = format!("topic {topic:?} has no queue that can be written");
            return Err(Error::new(ErrorKind::BrokerUnreachable, "recall", text));
        };
        let request = RecallMessageRequest { topic: Some(resource), recall_handle: handle.to_owned() };
        match self.agent.call("recall", &gate.address, &request, deadline).await {
            Err(error) if error.kind() == ErrorKind::Server && unreadable => {
                let text = format!("{handle:?} is no recall handle; see SendReceipt::recall_handle");
                let code = error.response_code().unwrap_or_default();
                Err(Error::new(ErrorKind::InvalidArgument, "recall", text).with_response_code(code))
            }
            answered => Ok(answered?.message_id),
        }
    }
}

/// What is said of a transaction that ends.
struct End {
    /// By its own name.
    topic: String,
    message_id: String,
    transaction_id: String,
    source: TransactionSource,
}

impl End {
    async fn tell(self, agent: &Agent, address: &Arc<str>, resolution: TransactionResolution) -> Result<()> {
        let resolution = match resolution {
            TransactionResolution::Unknown => return Ok(()),
            TransactionResolution::Commit => WireResolution::Commit,
            TransactionResolution::Rollback => WireResolution::Rollback,
        };
        let request = EndTransactionRequest {
            topic: Some(agent.resource(&self.topic)),
            message_id: self.message_id,
            transaction_id: self.transaction_id,
            resolution: resolution.into(),
            source: self.source.into(),
            trace_context: String::new(),
        };
        agent.call(OPERATION, address, &request, agent.request_deadline()).await.map(drop)
    }
}

/// Passes the questions of proxies about transactions on, until the agent ends. Where nobody takes them, or too many
/// wait, nothing is said, and the proxy asks again.
pub(super) async fn take_questions(
    agent: Weak<Agent>,
    commands: Receiver<ServerCommand>,
    questions: Channel<TransactionCheck>,
) {
    while let Ok(command) = commands.recv().await {
        let ServerCommand::RecoverTransaction { address, message, transaction_id } = command else {
            continue;
        };
        let Some(check) = question(&agent, address, message, transaction_id) else { return };
        if let Err(async_channel::TrySendError::Full(check)) = questions.try_send(check) {
            tracing::warn!(topic = check.message.topic, "too many questions about transactions wait");
        }
    }
}

/// The question of `address`; `None` if the agent has ended.
fn question(
    agent: &Weak<Agent>,
    address: Arc<str>,
    message: WireMessage,
    transaction_id: String,
) -> Option<TransactionCheck> {
    let mut view = decode_message(message, "").view;
    view.topic = agent.upgrade()?.namespace().strip(&view.topic).into_owned();
    let end = End {
        topic: view.topic.clone(),
        message_id: view.message_id.clone(),
        transaction_id,
        source: TransactionSource::SourceServerCheck,
    };
    let (agent, runtime) = (Weak::clone(agent), Handle::current());
    Some(TransactionCheck::new(view, move |resolution| {
        let Some(agent) = agent.upgrade() else { return };
        runtime.spawn(async move {
            if let Err(error) = end.tell(&agent, &address, resolution).await {
                tracing::warn!(%error, "the end of a transaction could not be told; the server asks again");
            }
        });
    }))
}
