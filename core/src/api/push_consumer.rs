//! The push consumer: a listener, or a stream of deliveries for those (the bindings) that bring their own threads.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use crate::client::PushClient;
pub use crate::client::{Deliveries, Delivery, Settlement};
use crate::error::Result;
use crate::message::{MessageQueue, MessageView};
use crate::options::{ConsumeResult, FilterExpression, PushConsumerOptions};

/// Consumes topics as a member of a group. Cloning shares the consumer. When the last clone is dropped without a
/// [`PushConsumer::shutdown`], the consumer ends at once and the servers notice by its closed connections.
#[derive(Clone)]
pub struct PushConsumer(Arc<PushClient>);

impl PushConsumer {
    /// Starts and calls `listener` for every message, at most [`PushConsumerOptions::concurrency`] at the same time.
    /// A listener that panics counts as `RetryLater`.
    ///
    /// # Errors
    /// `InvalidArgument`, also for an SQL92 expression that the broker cannot read; `Unsupported` if it takes none;
    /// `NameServerUnreachable`, `WrongProtocol` or `Tls` if no name server can be talked to; `PermissionDenied` if a broker
    /// refuses the credentials. Over gRPC and ApsaraMQ HTTP also
    /// `BrokerUnreachable` and `Timeout` for proxies and the service, `Unsupported` for broadcasting and for beginning at a
    /// time; over gRPC `InvalidArgument` if order is asked for and the group does not keep it; over ApsaraMQ HTTP
    /// `Unsupported` for an SQL92 expression. A topic that does not exist is waited for.
    pub async fn start<L, F>(options: PushConsumerOptions, listener: L) -> Result<Self>
    where
        L: Fn(MessageView) -> F + Send + Sync + 'static,
        F: Future<Output = ConsumeResult> + Send + 'static,
    {
        let handlers = options.concurrency;
        let (consumer, deliveries) = Self::start_stream(options).await?;
        let listener = Arc::new(listener);
        for _ in 0..handlers {
            consumer.0.spawn(handle(deliveries.clone(), Arc::clone(&listener)));
        }
        Ok(consumer)
    }

    /// Starts and returns the deliveries as a stream.
    ///
    /// # Errors
    /// As [`PushConsumer::start`].
    pub async fn start_stream(options: PushConsumerOptions) -> Result<(Self, Deliveries)> {
        let (consumer, deliveries) = PushClient::start(options).await?;
        Ok((Self(Arc::new(consumer)), deliveries))
    }

    /// Adds or replaces a subscription.
    ///
    /// # Errors
    /// `InvalidArgument` for an illegal topic or an expression that cannot be read; `Unsupported` if the broker takes no
    /// SQL92 expressions; `Closed`.
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

    /// Stops pulling until [`PushConsumer::resume`]; what is under way goes on.
    pub fn suspend(&self) {
        self.0.suspend(true);
    }

    /// Pulls again.
    pub fn resume(&self) {
        self.0.suspend(false);
    }

    /// Queues this consumer holds now. Over gRPC, id −1 stands for all queues of a broker; over ApsaraMQ HTTP, which names
    /// none, for all of a topic.
    pub fn assigned_queues(&self) -> Vec<MessageQueue> {
        self.0.assigned_queues()
    }

    /// The client id in use.
    pub fn client_id(&self) -> &str {
        self.0.client_id()
    }

    /// Stops pulling, waits for running listeners (at most 5 s), stores the offsets (over gRPC: sends the last
    /// acknowledgements, and gives back what no listener had; over ApsaraMQ HTTP that comes again after 300 s) and signs
    /// off. Idempotent.
    pub async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

/// One of the handlers of a listener.
async fn handle<L, F>(deliveries: Deliveries, listener: Arc<L>)
where
    L: Fn(MessageView) -> F,
    F: Future<Output = ConsumeResult>,
{
    while let Some(Delivery { message, settlement }) = deliveries.next(1).await.pop() {
        let id = message.message_id.clone();
        // A panic between the call and the first await is one of the listener too.
        let result = AssertUnwindSafe(async { listener(message).await }).catch_unwind().await;
        if result.is_err() {
            tracing::error!(message_id = id, "the listener panicked; the message comes again");
        }
        settlement.settle(result.unwrap_or(ConsumeResult::RetryLater));
    }
}

impl fmt::Debug for PushConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PushConsumer").field(&self.client_id()).finish()
    }
}
