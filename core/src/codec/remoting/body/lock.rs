//! Locks on queues, for orderly consumption (41, 42).

use serde::{Deserialize, Serialize};

use super::super::fastjson::null_as_default;
use super::QueueKey;

/// Body of 41 and 42.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockRequest {
    /// Who asks.
    pub client_id: String,
    /// For which group.
    pub consumer_group: String,
    /// Queues to lock or unlock.
    #[serde(deserialize_with = "null_as_default")]
    pub mq_set: Vec<QueueKey>,
    /// Whether replicas are left out.
    pub only_this_broker: bool,
}

/// Body of the answer to 41.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockReply {
    /// Queues that are locked now for the asker.
    #[serde(rename = "lockOKMQSet", deserialize_with = "null_as_default")]
    pub locked: Vec<QueueKey>,
}
