//! The producer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::{Instance, Parcel, Sender, Sent, Target};
use crate::codec::remoting::codes::response;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Message, MessageQueue, check_group, properties};
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
#[derive(Clone)]
pub struct Producer(Arc<Sender>);

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Producer").field(&self.client_id()).finish()
    }
}

impl Producer {
    /// Checks the options, connects to a name server and starts the background work on the current tokio runtime.
    ///
    /// # Errors
    /// `InvalidArgument`; `NameServerUnreachable`, `WrongProtocol` or `Tls` if no name server can be talked to;
    /// `PermissionDenied` if a broker refuses the credentials.
    pub async fn start(options: ProducerOptions) -> Result<Self> {
        check_group(&options.group)?;
        let invalid = |text: &str| Err(Error::new(ErrorKind::InvalidArgument, "start", text));
        if options.default_topic_queues < 1 {
            return invalid("default_topic_queues has to be at least 1");
        }
        if !(1..=9).contains(&options.compress_level) {
            return invalid("compress_level has to be 1..=9");
        }
        let instance = Instance::start(options.client.clone()).await?;
        Ok(Self(Arc::new(Sender::new(instance, options))))
    }

    /// Sends and waits for the receipt, with the deadline of [`ProducerOptions::send_timeout`].
    ///
    /// # Errors
    /// Before anything is sent: `InvalidMessage`, `InvalidDeliveryTime`, `DelayUnsupported`, `Closed`. Then those of the
    /// last attempt: `TopicNotFound`, `PermissionDenied`, `MessageRefused`, `InvalidDeliveryTime`, `Busy`, `Server`,
    /// `BrokerUnreachable`, `ConnectionClosed`, `Timeout`, …; [`Error::outcome`] says whether any attempt may have
    /// been stored.
    pub async fn send(&self, message: Message) -> Result<SendReceipt> {
        self.send_one(message, Target::Any, None).await
    }

    /// Sends with a deadline of `timeout` from now, shared by all attempts.
    ///
    /// # Errors
    /// As [`Producer::send`].
    pub async fn send_timeout(&self, message: Message, timeout: Duration) -> Result<SendReceipt> {
        self.send_one(message, Target::Any, Some(timeout)).await
    }

    /// Sends messages of equal `key` to the same queue (while the number of queues stays).
    ///
    /// # Errors
    /// As [`Producer::send`]; no other queue is tried, and the same one only while nothing may have been stored.
    pub async fn send_by_key(
        &self,
        message: Message,
        key: &str,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        self.send_one(message, Target::Key(key), timeout).await
    }

    /// Sends to one queue; no other queue is tried.
    ///
    /// # Errors
    /// As [`Producer::send_by_key`]; `InvalidArgument` if the topic has no such queue.
    pub async fn send_to_queue(
        &self,
        message: Message,
        queue: &MessageQueue,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        self.send_one(message, Target::Queue(queue), timeout).await
    }

    /// Sends messages of one topic as one batch (not scheduled).
    ///
    /// # Errors
    /// As [`Producer::send`]; `InvalidMessage` too for an empty batch, several topics or a scheduled message.
    pub async fn send_batch(&self, messages: Vec<Message>, timeout: Option<Duration>) -> Result<SendReceipt> {
        let deadline = self.0.deadline(timeout);
        let parcel = self.0.pack_batch(messages)?;
        self.send_parcel(parcel, Target::Any, deadline).await
    }

    /// Hands the message to the connection and does not wait for the server.
    ///
    /// # Errors
    /// As [`Producer::send`], as far as they are known before the server answers.
    pub async fn send_one_way(&self, message: Message) -> Result<()> {
        let deadline = self.0.deadline(None);
        let mut parcel = self.0.pack(message).await?;
        self.0.send_one_way(&mut parcel, deadline).await
    }

    /// The queues that messages for `topic` can go to.
    ///
    /// # Errors
    /// `TopicNotFound`, `Closed`, or why no name server can be asked.
    pub async fn queues(&self, topic: &str) -> Result<Vec<MessageQueue>> {
        let instance = self.0.instance();
        instance.check_open("queues")?;
        let wrapped = instance.namespace().wrap(topic);
        let route = self.0.route("queues", &wrapped, instance.request_deadline()).await?;
        let queue = |q: &crate::route::WriteQueue| MessageQueue {
            topic: topic.to_owned(),
            broker: q.broker.as_ref().to_owned(),
            id: q.id,
        };
        Ok(route.writable().iter().map(queue).collect())
    }

    /// The client id in use.
    pub fn client_id(&self) -> &str {
        self.0.instance().client_id()
    }

    /// Signs off at the brokers and closes the connections; waits at most 3 s. Idempotent. Later sends fail with `Closed`.
    pub async fn shutdown(&self) {
        self.0.instance().shutdown().await;
    }

    async fn send_one(
        &self,
        message: Message,
        target: Target<'_>,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        let deadline = self.0.deadline(timeout);
        let parcel = self.0.pack(message).await?;
        self.send_parcel(parcel, target, deadline).await
    }

    async fn send_parcel(
        &self,
        mut parcel: Parcel,
        target: Target<'_>,
        deadline: Instant,
    ) -> Result<SendReceipt> {
        let sent = self.0.send(&mut parcel, target, deadline).await?;
        Ok(self.receipt(parcel, sent))
    }

    fn receipt(&self, parcel: Parcel, sent: Sent) -> SendReceipt {
        let Sent { answer, broker, queue } = sent;
        let text = |name| answer.ext.get(name).map(str::to_owned);
        SendReceipt {
            status: match answer.code {
                response::FLUSH_DISK_TIMEOUT => SendStatus::FlushDiskTimeout,
                response::FLUSH_SLAVE_TIMEOUT => SendStatus::FlushSlaveTimeout,
                response::SLAVE_NOT_AVAILABLE => SendStatus::SlaveNotAvailable,
                _ => SendStatus::Ok,
            },
            offset_message_id: text("msgId").unwrap_or_default(),
            queue: MessageQueue {
                topic: self.0.instance().namespace().strip(&parcel.topic).into_owned(),
                broker: broker.as_ref().to_owned(),
                id: queue,
            },
            message_id: parcel.ids,
            queue_offset: answer.ext.parse("queueOffset").unwrap_or(-1),
            transaction_id: text("transactionId"),
            recall_handle: text("recallHandle"),
            region: text(properties::MSG_REGION),
        }
    }
}
