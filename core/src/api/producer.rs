//! The producer.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::Transaction;
use crate::client::{ProducerClient, Target, TransactionCheck, TransactionChecks, TransactionResolution};
pub use crate::client::{SendReceipt, SendStatus};
use crate::error::Result;
use crate::message::{Message, MessageQueue, MessageView};
use crate::options::ProducerOptions;

/// Sends messages. Cloning is cheap and shares the connection; all methods may be called from many tasks.
#[derive(Clone)]
pub struct Producer(Arc<ProducerClient>);

impl Producer {
    /// Checks the options, connects to a name server (remoting) or proxy (gRPC) and starts the background work on the
    /// current tokio runtime. Servers that ask about unfinished transactions are told that nothing is known. Over
    /// ApsaraMQ HTTP, which has no words for a start, it only connects: a wrong key or topic shows at the first send.
    ///
    /// # Errors
    /// `InvalidArgument`; `NameServerUnreachable`, `BrokerUnreachable`, `WrongProtocol`, `Tls` or `Timeout` if no server
    /// answers as it should; `TopicNotFound` for one of [`ProducerOptions::topics`]; `PermissionDenied`.
    pub async fn start(options: ProducerOptions) -> Result<Self> {
        Ok(Self::start_with_checks(options).await?.0)
    }

    /// Starts and calls `checker`, one question at a time, when a server asks how a transaction ended that was neither
    /// committed nor rolled back. A checker that panics counts as `Unknown`. Over ApsaraMQ HTTP no server asks: the
    /// producer fetches those transactions of its group, in [`ProducerOptions::topics`] and the topics it has sent half
    /// messages to.
    ///
    /// # Errors
    /// As [`Producer::start`].
    pub async fn start_with_checker<C, F>(options: ProducerOptions, checker: C) -> Result<Self>
    where
        C: Fn(MessageView) -> F + Send + Sync + 'static,
        F: Future<Output = TransactionResolution> + Send + 'static,
    {
        let (producer, checks) = Self::start_with_checks(options).await?;
        // Ends with the producer, which ends the questions.
        tokio::spawn(async move {
            while let Some(TransactionCheck { message, answer }) = checks.next(1).await.pop() {
                let said = AssertUnwindSafe(async { checker(message).await }).catch_unwind().await;
                if said.is_err() {
                    tracing::error!("the transaction checker panicked; the server asks again");
                }
                answer.resolve(said.unwrap_or(TransactionResolution::Unknown));
            }
        });
        Ok(producer)
    }

    /// Starts and returns the questions about unfinished transactions as a stream. When it is dropped, servers are told
    /// that nothing is known. Over ApsaraMQ HTTP the questions are fetched from the first [`TransactionChecks::next`] on.
    ///
    /// # Errors
    /// As [`Producer::start`].
    pub async fn start_with_checks(options: ProducerOptions) -> Result<(Self, TransactionChecks)> {
        let (client, checks) = ProducerClient::start(options).await?;
        Ok((Self(Arc::new(client)), checks))
    }

    /// Sends and waits for the receipt, with the deadline of [`ProducerOptions::send_timeout`]. What fails is tried again
    /// ([`ProducerOptions::retries`]); over ApsaraMQ HTTP only what the server did not get or had no room for, unless
    /// [`ProducerOptions::allow_duplicates`] says otherwise.
    ///
    /// # Errors
    /// Before anything is sent: `InvalidMessage` (over ApsaraMQ HTTP also for text that XML or its properties cannot
    /// carry), `InvalidDeliveryTime`, `DelayUnsupported`, `TopicTypeMismatch`, `Unsupported`, `Closed`. Then those of the
    /// last attempt: `TopicNotFound`, `PermissionDenied`, `MessageRefused`, `InvalidDeliveryTime`, `Busy`, `ClockSkew`,
    /// `Server`, `BrokerUnreachable`, `ConnectionClosed`, `Timeout`, …; [`Error::outcome`](crate::error::Error::outcome) says
    /// whether any attempt may have been stored.
    pub async fn send(&self, message: Message) -> Result<SendReceipt> {
        self.0.send(message, Target::Any, None).await
    }

    /// Sends with a deadline of `timeout` from now, shared by all attempts.
    ///
    /// # Errors
    /// As [`Producer::send`].
    pub async fn send_timeout(&self, message: Message, timeout: Duration) -> Result<SendReceipt> {
        self.0.send(message, Target::Any, Some(timeout)).await
    }

    /// Sends messages of equal `key` to the same queue (while the number of queues stays). Over gRPC, where the proxy
    /// chooses the queue, the key becomes the message group of a message that has none: the topic has to be a FIFO one. So
    /// it does over ApsaraMQ HTTP (`__SHARDINGKEY`).
    ///
    /// # Errors
    /// As [`Producer::send`]; no other queue is tried, and the same one only while nothing may have been stored.
    pub async fn send_by_key(
        &self,
        message: Message,
        key: &str,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        self.0.send(message, Target::Key(key), timeout).await
    }

    /// Sends to one queue; no other queue is tried.
    ///
    /// # Errors
    /// As [`Producer::send_by_key`]; `InvalidArgument` if the topic has no such queue; `Unsupported` over gRPC and
    /// ApsaraMQ HTTP.
    pub async fn send_to_queue(
        &self,
        message: Message,
        queue: &MessageQueue,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        self.0.send(message, Target::Queue(queue), timeout).await
    }

    /// Sends messages of one topic as one batch (not scheduled).
    ///
    /// # Errors
    /// As [`Producer::send`]; `InvalidMessage` too for an empty batch, several topics or a scheduled message;
    /// `Unsupported` over ApsaraMQ HTTP.
    pub async fn send_batch(&self, messages: Vec<Message>, timeout: Option<Duration>) -> Result<SendReceipt> {
        self.0.send_batch(messages, timeout).await
    }

    /// Hands the message to the connection and does not wait for the server. The gRPC protocol knows no such sends: there
    /// the server does answer, and nobody hears of it.
    ///
    /// # Errors
    /// As [`Producer::send`], as far as they are known before the server answers; `Unsupported` over ApsaraMQ HTTP.
    pub async fn send_one_way(&self, message: Message) -> Result<()> {
        self.0.send_one_way(message).await
    }

    /// The queues that messages for `topic` can go to.
    ///
    /// # Errors
    /// `TopicNotFound`, `Closed`, or why no name server can be asked; `Unsupported` over ApsaraMQ HTTP.
    pub async fn queues(&self, topic: &str) -> Result<Vec<MessageQueue>> {
        self.0.queues(topic).await
    }

    /// Sends the half message of a transaction: consumers get it when it is committed. Without a commit or rollback the
    /// server asks a producer of this group (remoting) or topic (gRPC) how it ended; over ApsaraMQ HTTP the producer asks
    /// for it after [`ProducerOptions::transaction_check_after`], until when the transaction can be ended by its receipt.
    ///
    /// # Errors
    /// As [`Producer::send`]; `InvalidMessage` if the message is scheduled too; `Server` with the outcome `Done` if an
    /// ApsaraMQ HTTP server took it as a plain message.
    pub async fn send_transaction(&self, message: Message) -> Result<Transaction> {
        let receipt = self.0.send_half(message).await?;
        Ok(Transaction::new(self.clone(), receipt))
    }

    /// Ends the transaction of the half message that `half` is the receipt of; [`Transaction`] does it too. `Unknown`
    /// says nothing to the server, which asks later.
    ///
    /// # Errors
    /// `Server` (over ApsaraMQ HTTP `InvalidReceipt` or `MessageNotFound`) if the server knows no such transaction (any
    /// more); `Closed`, or why it cannot be told: then it asks later.
    pub async fn end_transaction(&self, half: &SendReceipt, resolution: TransactionResolution) -> Result<()> {
        self.0.end_transaction(half, resolution).await
    }

    /// Takes back a scheduled message of `topic` that is not delivered yet, by [`SendReceipt::recall_handle`]; returns
    /// its message id.
    ///
    /// # Errors
    /// `InvalidArgument` for a handle that is none; `Server` if the message is gone or the server has recall switched
    /// off; `Unsupported` over ApsaraMQ HTTP; `Closed`, or why the server cannot be asked.
    pub async fn recall(&self, topic: &str, recall_handle: &str) -> Result<String> {
        self.0.recall(topic, recall_handle).await
    }

    /// The client id in use.
    pub fn client_id(&self) -> &str {
        self.0.client_id()
    }

    /// Signs off at the brokers and closes the connections; waits at most 3 s. Over ApsaraMQ HTTP sends under way end with
    /// `Closed`. Idempotent. Later sends fail with `Closed`.
    pub async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Producer").field(&self.client_id()).finish()
    }
}
