//! The calls of ApsaraMQ HTTP as its document has them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{SendReceipt, TransactionResolution};
use crate::client::http::Service;
pub use crate::client::http::{ConsumeMode, Consumed, HttpConsume};
use crate::error::Result;
use crate::message::Message;
use crate::options::ClientOptions;

/// A client of an ApsaraMQ HTTP service (`http://` or `https://` endpoint) that does what its document describes, call by
/// call: publish, consume, acknowledge, and the ends of transactions by receipt handle. [`Producer`](super::Producer),
/// [`SimpleConsumer`](super::SimpleConsumer) and [`PushConsumer`](super::PushConsumer) stand on the same calls and work
/// over every protocol.
///
/// Cloning is cheap and shares the connections; all methods may be called from many tasks. At most 64 requests are under way
/// at a time, consumes not counted; the others take turns, within their deadlines. A call that is dropped is given
/// up: its connection is closed, and what it asked for may have been done. The instance id is
/// [`ClientOptions::namespace`].
#[derive(Clone)]
pub struct HttpClient(Arc<Service>);

impl HttpClient {
    /// Checks the options. Nothing is sent and no task begins before the first call.
    ///
    /// # Errors
    /// `InvalidArgument`; `Unsupported` for an endpoint of another protocol.
    pub fn new(options: ClientOptions) -> Result<Self> {
        Ok(Self(Arc::new(Service::new(options)?)))
    }

    /// Publishes a message once; `timeout`: [`ClientOptions::request_timeout`] when absent. The tag, keys, delivery time
    /// and sharding key are those of the message; with the property `__TransCheckT` (10 to 300 s) it is the half message
    /// of a transaction, whose receipt handle is [`SendReceipt::transaction_id`].
    ///
    /// # Errors
    /// `InvalidMessage`, also for a body or property that XML cannot carry; `InvalidDeliveryTime`; `DelayUnsupported`
    /// for a delay level. Then `TopicNotFound`, `PermissionDenied`, `ClockSkew`, `Busy`, `Server`, … as the server
    /// answers ([`Error::refusal`](crate::error::Error::refusal) has its words), or `BrokerUnreachable`, `ConnectionClosed`,
    /// `Timeout`, whose outcome says whether the message may be stored.
    pub async fn publish(&self, message: Message, timeout: Option<Duration>) -> Result<SendReceipt> {
        self.0.publish(message, timeout).await
    }

    /// Takes up to `max` messages, hidden from the group until [`Received::invisible_until_ms`](super::Received).
    /// The answer has to come within the wait and [`ClientOptions::request_timeout`]. It is never repeated: an answer that
    /// gets lost leaves its messages hidden until then.
    ///
    /// # Errors
    /// `InvalidArgument` for a `max` outside of 1..=16, or a wait of more than 30 s or a part of a second;
    /// `MessageNotFound` if none came; those of [`HttpClient::publish`].
    pub async fn consume(&self, wanted: &HttpConsume) -> Result<Consumed> {
        self.0.consume(wanted).await
    }

    /// Acknowledges 1 to 16 messages by their handles; one result a handle, in their order, of which the errors
    /// are `InvalidReceipt`, or `MessageNotFound` if the message is gone.
    ///
    /// # Errors
    /// Of the whole request: `InvalidArgument` for no or too many handles; those of [`HttpClient::publish`].
    pub async fn ack(&self, topic: &str, group: &str, handles: &[String]) -> Result<Vec<Result<()>>> {
        self.0.ack(topic, group, handles).await
    }

    /// Ends the transaction of a half message by the handle of its publish, or of a consume of half messages. `Unknown`
    /// does nothing.
    ///
    /// # Errors
    /// `InvalidReceipt` if the handle is none or expired; those of [`HttpClient::publish`].
    pub async fn end_transaction(
        &self,
        topic: &str,
        group: &str,
        handle: &str,
        resolution: TransactionResolution,
    ) -> Result<()> {
        self.0.end_transaction(topic, group, handle, resolution).await
    }

    /// Closes the connections; calls under way end with `Closed`. Idempotent.
    pub async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpClient").field(&self.0.address()).finish()
    }
}
