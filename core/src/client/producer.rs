//! The sending side of a client, whatever the protocol of its endpoint.

use std::time::Duration;

use async_channel::Sender as Questions;

use super::receipt::SendReceipt;
use super::sender::{Sender, Target};
use super::transaction::{TransactionCheck, TransactionResolution};
use super::{Instance, TransactionChecks, grpc, http};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Message, MessageQueue, check_group};
use crate::options::{ProducerOptions, Protocol};

/// Questions about transactions that may wait for somebody who takes them.
const WAITING_CHECKS: usize = 1024;

/// A producer of one protocol.
pub(crate) enum ProducerClient {
    Remoting(Sender),
    Grpc(grpc::Sender),
    Http(http::Sender),
}

impl ProducerClient {
    /// Checks the options and connects. The second is where questions about transactions are taken.
    ///
    /// # Errors
    /// `InvalidArgument`; those of the protocol's start.
    pub(crate) async fn start(options: ProducerOptions) -> Result<(Self, TransactionChecks)> {
        check_options(&options)?;
        let (questions, checks) = TransactionChecks::channel(WAITING_CHECKS);
        let client = match options.client.endpoint.protocol {
            Protocol::Remoting => Self::Remoting(start_remoting(options, questions).await?),
            Protocol::Grpc => Self::Grpc(grpc::Sender::start(options, questions).await?),
            Protocol::Http => Self::Http(http::Sender::start(options, questions, checks.wanted()).await?),
        };
        Ok((client, checks))
    }

    /// Sends one message; `timeout`: that of the options when absent.
    pub(crate) async fn send(
        &self,
        message: Message,
        target: Target<'_>,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        match self {
            Self::Remoting(sender) => sender.send_message(message, target, timeout).await,
            Self::Grpc(sender) => sender.send_message(message, target, timeout).await,
            Self::Http(sender) => sender.send_message(message, target, timeout).await,
        }
    }

    /// Sends messages of one topic as one batch.
    pub(crate) async fn send_batch(
        &self,
        messages: Vec<Message>,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        match self {
            Self::Remoting(sender) => sender.send_batch(messages, timeout).await,
            Self::Grpc(sender) => sender.send_batch(messages, timeout).await,
            Self::Http(_) => Err(Protocol::Http.lacks("send", "batch")),
        }
    }

    /// Hands a message to a connection and does not wait for the server.
    pub(crate) async fn send_one_way(&self, message: Message) -> Result<()> {
        match self {
            Self::Remoting(sender) => sender.send_message_one_way(message).await,
            Self::Grpc(sender) => sender.send_one_way(message).await,
            Self::Http(_) => Err(Protocol::Http.lacks("send", "send without an answer")),
        }
    }

    /// Sends the half message of a transaction.
    pub(crate) async fn send_half(&self, message: Message) -> Result<SendReceipt> {
        match self {
            Self::Remoting(sender) => sender.send_half(message).await,
            Self::Grpc(sender) => sender.send_half(message).await,
            Self::Http(sender) => sender.send_half(message).await,
        }
    }

    /// Ends the transaction of the half message with this receipt.
    pub(crate) async fn end_transaction(
        &self,
        half: &SendReceipt,
        resolution: TransactionResolution,
    ) -> Result<()> {
        match self {
            Self::Remoting(sender) => sender.end_transaction(half, resolution).await,
            Self::Grpc(sender) => sender.end_transaction(half, resolution).await,
            Self::Http(sender) => sender.end_transaction(half, resolution).await,
        }
    }

    /// Takes a scheduled message back; the id of the message.
    pub(crate) async fn recall(&self, topic: &str, handle: &str) -> Result<String> {
        match self {
            Self::Remoting(sender) => sender.recall(topic, handle).await,
            Self::Grpc(sender) => sender.recall(topic, handle).await,
            Self::Http(_) => Err(Protocol::Http.lacks("recall", "recall")),
        }
    }

    /// The queues that messages for `topic` can go to.
    pub(crate) async fn queues(&self, topic: &str) -> Result<Vec<MessageQueue>> {
        match self {
            Self::Remoting(sender) => sender.queues(topic).await,
            Self::Grpc(sender) => sender.queues(topic).await,
            Self::Http(_) => Err(Protocol::Http.lacks("queues", "list of queues")),
        }
    }

    /// The client id in use.
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::Remoting(sender) => sender.instance().client_id(),
            Self::Grpc(sender) => sender.agent().client_id(),
            Self::Http(sender) => sender.client_id(),
        }
    }

    /// Signs off and closes the connections. Idempotent.
    pub(crate) async fn shutdown(&self) {
        match self {
            Self::Remoting(sender) => sender.shutdown().await,
            Self::Grpc(sender) => sender.agent().shutdown().await,
            Self::Http(sender) => sender.shutdown().await,
        }
    }
}

fn check_options(options: &ProducerOptions) -> Result<()> {
    check_group(&options.group)?;
    let invalid = |text: &str| Err(Error::new(ErrorKind::InvalidArgument, "start", text));
    if options.default_topic_queues < 1 {
        return invalid("default_topic_queues has to be at least 1");
    }
    if !(1..=9).contains(&options.compress_level) {
        return invalid("compress_level has to be 1..=9");
    }
    Ok(())
}

async fn start_remoting(options: ProducerOptions, questions: Questions<TransactionCheck>) -> Result<Sender> {
    let instance = Instance::start(options.client.clone()).await?;
    let sender = Sender::new(instance, options, questions);
    if let Err(error) = sender.look_up_topics().await {
        sender.shutdown().await;
        return Err(error);
    }
    Ok(sender)
}
