//! The producer.

use std::time::Duration;

use crate::error::Result;
use crate::message::{Message, MessageQueue};
use crate::options::ProducerOptions;

/// How durable the stored message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum SendStatus {
    /// Stored as configured.
    Ok = 0,
    /// Stored; flushing to disk timed out (response code 10).
    FlushDiskTimeout = 1,
    /// Stored; copying to the replica timed out (response code 12).
    FlushSlaveTimeout = 2,
    /// Stored; no replica was there (response code 11).
    SlaveNotAvailable = 3,
}

/// What the server said about a stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReceipt {
    /// Durability.
    pub status: SendStatus,
    /// The unique id the client made (comma-joined for a batch).
    pub message_id: String,
    /// The server's id (comma-joined for a batch).
    pub offset_message_id: String,
    /// Queue it went to.
    pub queue: MessageQueue,
    /// Position in that queue (in the timer's queue for a scheduled message).
    pub queue_offset: i64,
    /// Transaction id, if the server gave one.
    pub transaction_id: Option<String>,
    /// Handle for recalling a scheduled message, where the server offers it.
    pub recall_handle: Option<String>,
    /// Region of the server.
    pub region: Option<String>,
}

/// Sends messages. Cloning is cheap and shares the connection; all methods may be called from many tasks.
#[derive(Debug, Clone)]
pub struct Producer {}

impl Producer {
    /// Checks the options, connects to a name server and starts the background work on the current tokio runtime.
    ///
    /// # Errors
    /// `InvalidArgument`; `NameServerUnreachable`, `WrongProtocol` or `Tls` if no name server can be talked to.
    pub async fn start(_options: ProducerOptions) -> Result<Self> {
        todo!()
    }

    /// Sends and waits for the receipt, with the deadline of [`ProducerOptions::send_timeout`].
    pub async fn send(&self, message: Message) -> Result<SendReceipt> {
        let _ = message;
        todo!()
    }

    /// Sends with a deadline of `timeout` from now, shared by all attempts.
    pub async fn send_timeout(&self, message: Message, timeout: Duration) -> Result<SendReceipt> {
        let _ = (message, timeout);
        todo!()
    }

    /// Sends messages of equal `key` to the same queue (while the number of queues stays).
    pub async fn send_by_key(&self, message: Message, key: &str, timeout: Option<Duration>) -> Result<SendReceipt> {
        let _ = (message, key, timeout);
        todo!()
    }

    /// Sends to one queue; no other queue is tried.
    pub async fn send_to_queue(
        &self,
        message: Message,
        queue: &MessageQueue,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        let _ = (message, queue, timeout);
        todo!()
    }

    /// Sends messages of one topic as one batch (not scheduled).
    pub async fn send_batch(&self, messages: Vec<Message>, timeout: Option<Duration>) -> Result<SendReceipt> {
        let _ = (messages, timeout);
        todo!()
    }

    /// Hands the message to the connection and does not wait for the server.
    pub async fn send_one_way(&self, message: Message) -> Result<()> {
        let _ = message;
        todo!()
    }

    /// The queues that messages for `topic` can go to.
    pub async fn queues(&self, topic: &str) -> Result<Vec<MessageQueue>> {
        let _ = topic;
        todo!()
    }

    /// The client id in use.
    pub fn client_id(&self) -> &str {
        todo!()
    }

    /// Signs off at the brokers and closes the connections; waits at most 3 s. Idempotent. Later sends fail with `Closed`.
    pub async fn shutdown(&self) {
        todo!()
    }
}
