//! The route of a topic (105): which brokers hold how many of its queues.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::fastjson::{integer, null_as_default};
use super::JsonBody;

/// Bits of [`QueueData::perm`].
pub mod perm {
    /// Messages may be read.
    pub const READ: i32 = 4;
    /// Messages may be written.
    pub const WRITE: i32 = 2;
    /// New topics inherit from this one.
    pub const INHERIT: i32 = 1;
}

/// How integer keys of a map are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStyle {
    /// Standard JSON; for requests of version 401 and later or with `acceptStandardJsonOnly`.
    Quoted,
    /// fastjson's bare integers.
    Bare,
}

/// Route of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicRoute {
    /// Brokers that hold the queues.
    #[serde(deserialize_with = "null_as_default")]
    pub broker_datas: Vec<BrokerData>,
    /// Always empty; Java readers want it.
    #[serde(deserialize_with = "null_as_default")]
    pub filter_server_table: BTreeMap<String, Vec<String>>,
    /// `broker-a:4;broker-b:2`: defines the queues of an ordered topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_topic_conf: Option<String>,
    /// Queues of each broker.
    #[serde(deserialize_with = "null_as_default")]
    pub queue_datas: Vec<QueueData>,
}

/// Addresses of one broker name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerData {
    /// Broker id to `ip:port`; id 0 is the master.
    #[serde(deserialize_with = "null_as_default")]
    pub broker_addrs: BTreeMap<i64, String>,
    /// Broker name.
    pub broker_name: String,
    /// Cluster name.
    #[serde(deserialize_with = "null_as_default")]
    pub cluster: String,
    /// Whether a replica may act as master.
    pub enable_acting_master: bool,
}

/// Queues of a topic on one broker name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueData {
    /// Broker name.
    pub broker_name: String,
    /// See [`perm`].
    pub perm: i32,
    /// Queues to read.
    pub read_queue_nums: i32,
    /// Flags of the topic.
    #[serde(alias = "topicSynFlag", deserialize_with = "integer")]
    pub topic_sys_flag: i64,
    /// Queues to write.
    pub write_queue_nums: i32,
}

impl BrokerData {
    /// The master's address.
    pub fn master(&self) -> Option<&str> {
        self.broker_addrs.get(&0).map(String::as_str)
    }
}

impl TopicRoute {
    /// Writes the body in the key style that the asker understands.
    pub fn encode_with(&self, style: KeyStyle) -> Vec<u8> {
        match style {
            KeyStyle::Quoted => serde_json::to_vec(self).unwrap_or_default(),
            KeyStyle::Bare => self.encode(),
        }
    }
}
