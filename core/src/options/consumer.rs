//! Settings of a push consumer.

use std::time::{Duration, SystemTime};

use super::ClientOptions;
use crate::error::Result;

/// Which messages of a topic a group wants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterExpression {
    /// Tags separated by `||`; `*` is all.
    Tag(String),
    /// An SQL92 expression over properties (the broker must have it enabled).
    Sql92(String),
}

impl FilterExpression {
    /// Every message.
    pub fn all() -> Self {
        Self::Tag("*".into())
    }
}

/// Who of a group gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageModel {
    /// One consumer of the group.
    #[default]
    Clustering,
    /// Every consumer of the group.
    Broadcasting,
}

/// Where a group without a stored offset starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConsumeFrom {
    /// After what is there at the start (default, as all RocketMQ clients). Servers begin with the first message all the
    /// same where a queue still has it, so that a group that comes up with its topic misses nothing.
    #[default]
    LastOffset,
    /// At the oldest message.
    FirstOffset,
    /// At the first message stored at or after this time.
    Timestamp(SystemTime),
}

/// What became of a delivered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumeResult {
    /// Done.
    Success,
    /// Deliver it again later; the broker's schedule decides when (10 s, 30 s, 1 min, …; over gRPC the group's: 1 s, 5 s,
    /// 10 s, …). Over ApsaraMQ HTTP nothing can be said of a message but that it was consumed: it comes again when its
    /// handle expires, after 300 s; in order it is tried again here before (1 s, 2 s, 4 s, … 30 s).
    RetryLater,
    /// Deliver it again after this delay level 1..=18; over ApsaraMQ HTTP as `RetryLater`, and only in order after this
    /// level.
    RetryAfterLevel(u8),
    /// Give it up: move it to the group's dead letter queue. Over ApsaraMQ HTTP only the server does that: the message
    /// comes again as with `RetryLater`, in order with those behind it.
    DeadLetter,
}

/// How a push consumer consumes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PushConsumerOptions {
    /// Connection settings.
    pub client: ClientOptions,
    /// Consumer group.
    pub group: String,
    /// Topics and filters; more can be subscribed after the start.
    pub subscriptions: Vec<(String, FilterExpression)>,
    /// Default clustering; gRPC and ApsaraMQ HTTP have no other.
    pub model: MessageModel,
    /// Keep the order within a queue (one message of a queue at a time, queues locked at the broker). Default false. Over
    /// gRPC the order within a message group, which is a property of the consumer group at the server: groups that keep it
    /// keep it anyway, and asking it of another one is refused. Over ApsaraMQ HTTP the order within a message group too,
    /// and every receive asks for it.
    pub orderly: bool,
    /// Default last offset. Over gRPC and ApsaraMQ HTTP the server decides, as for the last offset; a timestamp is refused
    /// there.
    pub consume_from: ConsumeFrom,
    /// Messages handled at the same time. Default 20.
    pub concurrency: usize,
    /// Retries before a message becomes a dead letter. Default 16. Negative: 16, or without limit if orderly, as other
    /// clients mean it. Over gRPC at most as many as the group has at the server; of no use over ApsaraMQ HTTP, where the
    /// server alone decides.
    pub max_reconsume_times: i32,
    /// A message not settled for this long is given back for retry. Default 15 min. Over ApsaraMQ HTTP messages come again
    /// after 300 s: to this consumer, which then only renews its handle, or to another member of the group, which consumes
    /// it too. Handlers that take longer need a group of one consumer, or must bear that.
    pub consume_timeout: Duration,
    /// Messages of one pull. Default 32; over ApsaraMQ HTTP at most 16.
    pub pull_batch: i32,
    /// Unsettled messages kept per queue; over gRPC, of the whole consumer; so over ApsaraMQ HTTP, and at most 48 more than
    /// [`PushConsumerOptions::concurrency`], because their handles expire meanwhile. Default 1024.
    pub cached_messages_per_queue: usize,
    /// Bytes of unsettled bodies kept per queue; over gRPC and ApsaraMQ HTTP, of the whole consumer. Default 64 MiB.
    pub cached_bytes_per_queue: usize,
    /// How long the broker may hold a pull without messages. Default 15 s; over gRPC 5 s at least, over ApsaraMQ HTTP whole
    /// seconds from 1 to 30.
    pub long_poll: Duration,
    /// How often offsets are stored at the broker. Default 5 s; of no use over gRPC and ApsaraMQ HTTP.
    pub offset_commit_interval: Duration,
    /// How often queues are shared out anew without a notice from the broker. Default 20 s; over gRPC 5 s at most; of no
    /// use over ApsaraMQ HTTP, which knows no queues.
    pub rebalance_interval: Duration,
}

impl PushConsumerOptions {
    /// Options with defaults for `endpoint` and `group`.
    pub fn new(endpoint: &str, group: impl Into<String>) -> Result<Self> {
        Ok(Self::with_client(ClientOptions::new(endpoint)?, group))
    }

    /// Options with defaults over `client`.
    pub fn with_client(client: ClientOptions, group: impl Into<String>) -> Self {
        Self {
            client,
            group: group.into(),
            subscriptions: Vec::new(),
            model: MessageModel::default(),
            orderly: false,
            consume_from: ConsumeFrom::default(),
            concurrency: 20,
            max_reconsume_times: 16,
            consume_timeout: Duration::from_secs(15 * 60),
            pull_batch: 32,
            cached_messages_per_queue: 1024,
            cached_bytes_per_queue: 64 * 1024 * 1024,
            long_poll: Duration::from_secs(15),
            offset_commit_interval: Duration::from_secs(5),
            rebalance_interval: Duration::from_secs(20),
        }
    }

    /// Adds a subscription.
    pub fn subscribe(mut self, topic: impl Into<String>, filter: FilterExpression) -> Self {
        self.subscriptions.push((topic.into(), filter));
        self
    }
}
