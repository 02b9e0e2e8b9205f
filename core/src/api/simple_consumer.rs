//! The simple consumer: receive, work, acknowledge, at the program's own pace.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::client::SimpleClient;
pub use crate::client::{ReceiptHandle, Received};
use crate::error::Result;
use crate::options::{FilterExpression, SimpleConsumerOptions};

/// Receives messages when asked and hides them from the rest of the group for a while; what is not acknowledged by then
/// comes again. Cloning shares the consumer; all methods may be called from many tasks.
///
/// Over gRPC and ApsaraMQ HTTP; over remoting the start fails with `Unsupported`.
#[derive(Clone)]
pub struct SimpleConsumer(Arc<SimpleClient>);

impl SimpleConsumer {
    /// Checks the options and connects. Over ApsaraMQ HTTP nothing is asked for yet: a topic or key that is wrong shows with
    /// the first receive.
    ///
    /// # Errors
    /// `InvalidArgument`, also if order is asked for over gRPC and the group does not keep it; `Unsupported` where the
    /// protocol has no such consumer, or no such filter; `BrokerUnreachable`, `WrongProtocol`, `Tls` or `Timeout` if no
    /// server answers as it should; `TopicNotFound`; `PermissionDenied`.
    pub async fn start(options: SimpleConsumerOptions) -> Result<Self> {
        Ok(Self(Arc::new(SimpleClient::start(options).await?)))
    }

    /// Takes up to `max` (1..=32) messages, hidden for `invisible` (10 s to 12 h). Waits at most `wait` for the first
    /// one, or [`SimpleConsumerOptions::await_duration`]; no message is no error. With several topics or brokers it asks one
    /// after the other, each for five seconds.
    ///
    /// A call that waits for less than the server does, or is dropped, leaves its request standing for the next call with
    /// the same `invisible`, and at least its `max`: messages then stay hidden for three quarters of `invisible` at least.
    /// What nobody takes over is given back.
    ///
    /// Over ApsaraMQ HTTP one call takes 16 messages at most, and each stays hidden until
    /// [`Received::invisible_until_ms`]: the service hides for 300 s whatever is asked, so a shorter `invisible` changes
    /// nothing, and a longer one is refused. The server waits for the whole seconds of `wait`, 30 at a time, and the rest is
    /// asked for in short polls. With several topics it looks at each once, also if `wait` is 0, and then waits for one
    /// after the other, a second each. To `wait` comes the time of the last answer. Only a call that is dropped leaves its
    /// request standing; what nobody takes over within 75 s comes again when the service says.
    ///
    /// # Errors
    /// `InvalidArgument`, `Closed`, `Busy` when the server limits the flow, `Unsupported` for a longer `invisible` than
    /// the service has, or why the server cannot be asked. A receive over ApsaraMQ HTTP that fails with the outcome
    /// `MaybeSent` is never repeated by itself, and may have hidden messages.
    pub async fn receive(
        &self,
        max: usize,
        invisible: Duration,
        wait: Option<Duration>,
    ) -> Result<Vec<Received>> {
        self.0.receive(max, invisible, wait).await
    }

    /// Tells the server that a message was consumed. Over ApsaraMQ HTTP, one that is gone counts as acknowledged, so that an
    /// acknowledgement can be repeated.
    ///
    /// # Errors
    /// `InvalidReceipt` if the handle is expired, was replaced (as far as this consumer did it: Apache's server says
    /// nothing about that), or is none: the message comes again. `Closed`, or why the
    /// server cannot be asked.
    pub async fn ack(&self, receipt: &ReceiptHandle) -> Result<()> {
        self.0.ack(std::slice::from_ref(receipt)).await.pop().unwrap_or(Ok(()))
    }

    /// The same for many, with one request a broker, over ApsaraMQ HTTP one for 16 of a topic; one result a receipt, in
    /// their order.
    pub async fn ack_all(&self, receipts: &[ReceiptHandle]) -> Vec<Result<()>> {
        self.0.ack(receipts).await
    }

    /// Hides a received message until `invisible` from now (0: it comes again at once; at most 12 h), and puts the new
    /// handle into `receipt`; the old one ends.
    ///
    /// # Errors
    /// As [`SimpleConsumer::ack`]; `InvalidArgument`; `Unsupported` over ApsaraMQ HTTP.
    pub async fn change_invisible(&self, receipt: &mut ReceiptHandle, invisible: Duration) -> Result<()> {
        self.0.change_invisible(receipt, invisible).await
    }

    /// Adds or replaces a subscription.
    ///
    /// # Errors
    /// `InvalidArgument` for an illegal topic or an empty expression; `TopicNotFound` (over ApsaraMQ HTTP the next receive
    /// says that); `Unsupported` for an SQL92 expression there; `Closed`.
    pub async fn subscribe(&self, topic: &str, filter: FilterExpression) -> Result<()> {
        self.0.subscribe(topic, &filter).await
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// `Closed`.
    pub async fn unsubscribe(&self, topic: &str) -> Result<()> {
        self.0.unsubscribe(topic).await
    }

    /// The client id in use.
    pub fn client_id(&self) -> &str {
        self.0.client_id()
    }

    /// Signs off and closes the connections; receives under way end with `Closed`. Idempotent. What was not
    /// acknowledged comes again.
    pub async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

impl fmt::Debug for SimpleConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimpleConsumer").field(&self.client_id()).finish()
    }
}
