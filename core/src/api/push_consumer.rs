//! The push consumer: a listener, or a stream of deliveries for those (the bindings) that bring their own threads.

use crate::error::Result;
use crate::message::MessageView;
use crate::options::{ConsumeResult, FilterExpression, PushConsumerOptions};

/// Consumes topics as a member of a group. Cloning shares the consumer.
#[derive(Debug, Clone)]
pub struct PushConsumer {}

impl PushConsumer {
    /// Starts and calls `listener` for every message, at most [`PushConsumerOptions::concurrency`] at the same time.
    /// A listener that panics counts as `RetryLater`.
    pub async fn start<L, F>(options: PushConsumerOptions, listener: L) -> Result<Self>
    where
        L: Fn(MessageView) -> F + Send + Sync + 'static,
        F: Future<Output = ConsumeResult> + Send + 'static,
    {
        let _ = (options, listener);
        todo!()
    }

    /// Starts and returns the deliveries as a stream.
    pub async fn start_stream(options: PushConsumerOptions) -> Result<(Self, Deliveries)> {
        let _ = options;
        todo!()
    }

    /// Adds or replaces a subscription.
    pub async fn subscribe(&self, topic: &str, filter: FilterExpression) -> Result<()> {
        let _ = (topic, filter);
        todo!()
    }

    /// Ends a subscription.
    pub async fn unsubscribe(&self, topic: &str) -> Result<()> {
        let _ = topic;
        todo!()
    }

    /// Stops pulling until [`PushConsumer::resume`]; what is under way goes on.
    pub fn suspend(&self) {
        todo!()
    }

    /// Pulls again.
    pub fn resume(&self) {
        todo!()
    }

    /// Queues this consumer holds now.
    pub fn assigned_queues(&self) -> Vec<crate::message::MessageQueue> {
        todo!()
    }

    /// The client id in use.
    pub fn client_id(&self) -> &str {
        todo!()
    }

    /// Stops pulling, waits for running listeners (at most 5 s), stores the offsets and signs off. Idempotent.
    pub async fn shutdown(&self) {
        todo!()
    }
}

/// Deliveries of one consumer. Ends when the consumer is shut down. May be shared by many tasks.
#[derive(Debug, Clone)]
pub struct Deliveries {}

impl Deliveries {
    /// Waits for at least one delivery and takes up to `max`; empty when the consumer has ended. Cancel-safe: a
    /// dropped call takes nothing.
    pub async fn next(&self, max: usize) -> Vec<Delivery> {
        let _ = max;
        todo!()
    }
}

/// A delivered message that wants to be settled. Dropping it unsettled means `RetryLater`.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: MessageView,
    /// What settles it; take it out to keep the message longer than the settlement.
    pub settlement: Settlement,
}

impl Delivery {
    /// Says what became of the message; returns at once, the answer travels in the background.
    pub fn settle(self, result: ConsumeResult) {
        self.settlement.settle(result);
    }
}

/// The duty to settle one delivered message. Dropping it means `RetryLater`.
#[derive(Debug)]
pub struct Settlement {}

impl Settlement {
    /// See [`Delivery::settle`].
    pub fn settle(self, result: ConsumeResult) {
        let _ = result;
        todo!()
    }
}
