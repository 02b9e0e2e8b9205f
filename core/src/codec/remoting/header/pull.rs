//! The header of a pull (11) and of its answer.

use super::super::ExtFields;
use super::{HeaderError, number, text};

/// Bits of [`PullHeader::sys_flag`].
pub mod pull_flag {
    /// `commit_offset` is to be stored.
    pub const COMMIT_OFFSET: i32 = 1;
    /// The broker may hold the request until there is a message.
    pub const SUSPEND: i32 = 2;
    /// The subscription is in this request instead of the heartbeat.
    pub const SUBSCRIPTION: i32 = 4;
}

/// Header of a pull.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullHeader {
    /// Consumer group.
    pub consumer_group: String,
    /// Topic.
    pub topic: String,
    /// Queue.
    pub queue_id: i32,
    /// Offset of the first message wanted.
    pub queue_offset: i64,
    /// Most messages wanted.
    pub max_msg_nums: i32,
    /// See [`pull_flag`].
    pub sys_flag: i32,
    /// Offset to store, if the flag says so.
    pub commit_offset: i64,
    /// How long the broker may hold the request, ms.
    pub suspend_timeout_millis: i64,
    /// Filter expression.
    pub subscription: Option<String>,
    /// Version of the subscription.
    pub sub_version: i64,
    /// `TAG` or `SQL92`.
    pub expression_type: Option<String>,
}

impl PullHeader {
    /// Reads the header of a request.
    pub fn read(ext: &ExtFields) -> Result<Self, HeaderError> {
        Ok(Self {
            consumer_group: text(ext, "consumerGroup")?,
            topic: text(ext, "topic")?,
            queue_id: number(ext, "queueId")?,
            queue_offset: number(ext, "queueOffset")?,
            max_msg_nums: number(ext, "maxMsgNums")?,
            sys_flag: number(ext, "sysFlag")?,
            commit_offset: number(ext, "commitOffset")?,
            suspend_timeout_millis: number(ext, "suspendTimeoutMillis")?,
            subscription: ext.get("subscription").map(str::to_owned),
            sub_version: number(ext, "subVersion")?,
            expression_type: ext.get("expressionType").map(str::to_owned),
        })
    }

    /// Writes the header.
    pub fn into_ext(self) -> ExtFields {
        let mut ext = ExtFields::default();
        ext.push("consumerGroup", self.consumer_group);
        ext.push("topic", self.topic);
        ext.push("queueId", self.queue_id.to_string());
        ext.push("queueOffset", self.queue_offset.to_string());
        ext.push("maxMsgNums", self.max_msg_nums.to_string());
        ext.push("sysFlag", self.sys_flag.to_string());
        ext.push("commitOffset", self.commit_offset.to_string());
        ext.push("suspendTimeoutMillis", self.suspend_timeout_millis.to_string());
        ext.push("subVersion", self.sub_version.to_string());
        if let Some(subscription) = self.subscription {
            ext.push("subscription", subscription);
        }
        if let Some(kind) = self.expression_type {
            ext.push("expressionType", kind);
        }
        ext
    }
}

/// Header of the answer to a pull, complete with every code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullReplyHeader {
    /// Offset to pull next.
    pub next_begin_offset: i64,
    /// Lower bound of the queue.
    pub min_offset: i64,
    /// Upper bound of the queue.
    pub max_offset: i64,
    /// Broker id to pull from next: 0 the master.
    pub suggest_which_broker_id: i64,
}

impl PullReplyHeader {
    /// Reads the header of an answer.
    pub fn read(ext: &ExtFields) -> Result<Self, HeaderError> {
        Ok(Self {
            next_begin_offset: number(ext, "nextBeginOffset")?,
            min_offset: number(ext, "minOffset")?,
            max_offset: number(ext, "maxOffset")?,
            suggest_which_broker_id: ext.parse("suggestWhichBrokerId").unwrap_or(0),
        })
    }

    /// Writes the header.
    pub fn into_ext(self) -> ExtFields {
        let mut ext = ExtFields::default();
        ext.push("nextBeginOffset", self.next_begin_offset.to_string());
        ext.push("minOffset", self.min_offset.to_string());
        ext.push("maxOffset", self.max_offset.to_string());
        ext.push("suggestWhichBrokerId", self.suggest_which_broker_id.to_string());
        ext
    }
}
