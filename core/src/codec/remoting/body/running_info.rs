//! What a consumer tells of itself when a server asks (221, 307, 309).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SubscriptionData;

/// Body of the answer to 307. Keys of the queue table are [`super::QueueKey::to_key`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerRunningInfo {
    /// Stack traces; none here.
    pub jstack: String,
    /// What each assigned queue has under way.
    pub mq_table: BTreeMap<String, ProcessQueueInfo>,
    /// `PROP_…` settings.
    pub properties: BTreeMap<String, String>,
    /// Rates by topic; none here.
    pub status_table: BTreeMap<String, serde_json::Value>,
    /// Subscriptions.
    pub subscription_set: Vec<SubscriptionData>,
}

/// One assigned queue. Times are Unix ms, 0 for never.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProcessQueueInfo {
    /// Offset that may be stored.
    pub commit_offset: i64,
    /// Lowest offset under way.
    pub cached_msg_min_offset: i64,
    /// Highest offset under way.
    pub cached_msg_max_offset: i64,
    /// Messages under way.
    pub cached_msg_count: usize,
    /// Their size in MiB.
    pub cached_msg_size_in_mi_b: usize,
    /// Whether the queue is locked for orderly consumption.
    pub locked: bool,
    /// Whether the queue is given up.
    pub droped: bool,
}

/// Body of the answer to 221. Keys are [`super::QueueKey::to_key`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerStatus {
    /// Offset of each queue.
    pub message_queue_table: BTreeMap<String, i64>,
    /// Of other clients; empty.
    pub consumer_table: BTreeMap<String, BTreeMap<String, i64>>,
}

/// Body of the answer to 309.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeDirectlyResult {
    /// Whether the consumer is an orderly one.
    pub order: bool,
    /// Always true.
    pub auto_commit: bool,
    /// `CR_SUCCESS`, `CR_LATER`, …
    pub consume_result: String,
    /// Explanation.
    pub remark: Option<String>,
    /// Time taken in ms.
    pub spent_time_mills: u64,
}
