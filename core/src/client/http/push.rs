//! The push consumer: its subscriptions, its beginning and its end.

use std::sync::Arc;

use super::receiver::{LARGEST_BATCH, Receiver, tag_of};
use super::source::{PushSource, queue_of};
use crate::client::delivery::Deliveries;
use crate::client::instance::check_runtime;
use crate::client::receive::{Engine, Limits, Tuning};
use crate::error::Result;
use crate::message::MessageQueue;
use crate::options::{ConsumeFrom, FilterExpression, MessageModel, Protocol, PushConsumerOptions};

/// Batches kept beyond what handlers have at a time: what waits for them must not wait until its handle expires.
const BATCHES_AHEAD: usize = 3;

/// A push consumer. Dropped without a shutdown it ends at once.
pub(crate) struct Push {
    engine: Engine<PushSource>,
    source: Arc<PushSource>,
}

impl Push {
    /// Asks for the first messages. A topic that does not exist is waited for.
    ///
    /// # Errors
    /// `Unsupported` for broadcasting, for beginning at a time and for an SQL92 expression; `InvalidArgument`; why no
    /// server can be asked.
    pub(crate) async fn start(options: PushConsumerOptions) -> Result<(Self, Deliveries)> {
        check_runtime()?;
        if options.model == MessageModel::Broadcasting {
            return Err(Protocol::Http.lacks("start", "broadcasting"));
        }
        if matches!(options.consume_from, ConsumeFrom::Timestamp(_)) {
            return Err(Protocol::Http.lacks("start", "way to begin at a time"));
        }
        let receiver = Receiver::new(options.client, options.group.clone(), options.orderly)?;
        let source = PushSource::new(receiver, options.orderly, options.long_poll);
        for (topic, filter) in &options.subscriptions {
            source.set_tag(topic, Some(&tag_of("start", filter)?));
        }
        let batch = usize::try_from(options.pull_batch).unwrap_or(1).clamp(1, LARGEST_BATCH);
        let ahead = options.concurrency.saturating_add(BATCHES_AHEAD * LARGEST_BATCH);
        let messages = options.cached_messages_per_queue.min(ahead);
        let topics: Vec<_> = options.subscriptions.into_iter().map(|(topic, _)| topic).collect();
        if let Err(error) = source.ask_first(batch.min(messages / topics.len().max(1)).max(1)).await {
            source.receiver.shutdown().await;
            return Err(error);
        }
        let tuning = Tuning {
            group: options.group,
            fifo: options.orderly,
            batch,
            limits: Limits { messages, bytes: options.cached_bytes_per_queue },
            consume_timeout: options.consume_timeout,
        };
        let source = Arc::new(source);
        let (engine, deliveries) = Engine::start(Arc::clone(&source), tuning);
        for topic in topics {
            engine.assign(&topic, &[queue_of(&topic)]);
        }
        Ok((Self { engine, source }, deliveries))
    }

    /// Adds or replaces a subscription whose topic and expression were checked. What came by the earlier one and no
    /// handler has is not delivered; it comes again.
    ///
    /// # Errors
    /// `Unsupported` for an SQL92 expression; `Closed`.
    pub(crate) fn subscribe(&self, topic: &str, filter: &FilterExpression) -> Result<()> {
        self.source.receiver.check_open("subscribe")?;
        if self.source.set_tag(topic, Some(&tag_of("subscribe", filter)?)) {
            self.engine.forget(topic);
            self.engine.assign(topic, &[queue_of(topic)]);
        }
        Ok(())
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn unsubscribe(&self, topic: &str) -> Result<()> {
        self.source.receiver.check_open("unsubscribe")?;
        self.source.set_tag(topic, None);
        self.engine.forget(topic);
        Ok(())
    }

    /// Stops receiving, or goes on.
    pub(crate) fn suspend(&self, suspended: bool) {
        self.engine.suspend(suspended);
    }

    /// One queue a topic, without a broker, of id −1.
    pub(crate) fn assigned_queues(&self) -> Vec<MessageQueue> {
        self.engine.assigned()
    }

    /// Runs `task` until the consumer ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.engine.spawn(task);
    }

    /// The client id: nobody but this program knows it.
    pub(crate) fn client_id(&self) -> &str {
        self.source.receiver.client_id()
    }

    /// Stops receiving, waits for handlers and acknowledges what they consumed. Idempotent.
    pub(crate) async fn shutdown(&self) {
        self.source.receiver.close();
        self.engine.shutdown().await;
        self.source.receiver.shutdown().await;
    }
}
