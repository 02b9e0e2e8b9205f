//! Bodies that are JSON. Reading takes what all known senders write; writing gives what all known readers take.

mod cluster;
mod consumer_list;
mod filter_check;
mod heartbeat;
mod lock;
mod queue;
mod reset_offset;
mod route;
mod running_info;
mod subscription;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fastjson;

pub use cluster::ClusterInfo;
pub use consumer_list::ConsumerList;
pub use filter_check::FilterCheck;
pub use heartbeat::{ConsumeFromWhere, ConsumeType, ConsumerData, HeartbeatData, MessageModel, ProducerData};
pub use lock::{LockReply, LockRequest};
pub use queue::QueueKey;
pub use reset_offset::ResetOffset;
pub use route::{BrokerData, KeyStyle, QueueData, TopicRoute, perm};
pub use running_info::{ConsumeDirectlyResult, ConsumerRunningInfo, ConsumerStatus, ProcessQueueInfo};
pub use subscription::{SubscriptionData, tag_hash};

/// A JSON body that does not say what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is malformed: {0}")]
pub struct BodyError(String);

/// Something that travels as a JSON body.
pub trait JsonBody: Sized + Serialize + DeserializeOwned {
    /// Reads the body; an empty one is an error.
    fn decode(body: &[u8]) -> Result<Self, BodyError> {
        fastjson::from_slice(body).map_err(|e| BodyError(e.to_string()))
    }

    /// Writes the body, with bare integer and object keys as the servers and the Java client do.
    fn encode(&self) -> Vec<u8> {
        // Only maps with keys that are not texts can fail, and no body has one.
        fastjson::to_vec(self).unwrap_or_default()
    }
}

impl JsonBody for ClusterInfo {}
impl JsonBody for ConsumeDirectlyResult {}
impl JsonBody for ConsumerList {}
impl JsonBody for ConsumerRunningInfo {}
impl JsonBody for ConsumerStatus {}
impl JsonBody for FilterCheck {}
impl JsonBody for HeartbeatData {}
impl JsonBody for LockRequest {}
impl JsonBody for LockReply {}
impl JsonBody for ResetOffset {}
impl JsonBody for TopicRoute {}
