//! The heartbeat (34): which producers and consumers a client runs.

use serde::{Deserialize, Serialize};

use super::super::fastjson::null_as_default;
use super::SubscriptionData;

/// Body of 34.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatData {
    /// Client id.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Consumer groups.
    #[serde(deserialize_with = "null_as_default")]
    pub consumer_data_set: Vec<ConsumerData>,
    /// 0: a heartbeat with all subscriptions.
    pub heartbeat_fingerprint: i32,
    /// Producer groups.
    #[serde(deserialize_with = "null_as_default")]
    pub producer_data_set: Vec<ProducerData>,
    /// Whether subscriptions were left out because nothing changed.
    pub without_sub: bool,
}

/// One producer group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerData {
    /// Its name.
    pub group_name: String,
}

/// One consumer group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerData {
    /// Where a group without offsets starts.
    pub consume_from_where: ConsumeFromWhere,
    /// How it gets messages.
    pub consume_type: ConsumeType,
    /// Its name.
    pub group_name: String,
    /// Who of the group gets a message.
    pub message_model: MessageModel,
    /// Its subscriptions.
    #[serde(deserialize_with = "null_as_default")]
    pub subscription_data_set: Vec<SubscriptionData>,
    /// Legacy; always false.
    pub unit_mode: bool,
}

/// How a consumer gets messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsumeType {
    /// The program pulls.
    #[serde(rename = "CONSUME_ACTIVELY")]
    Actively,
    /// The client pulls and hands over (push consumer).
    #[default]
    #[serde(rename = "CONSUME_PASSIVELY")]
    Passively,
    /// The server hands out single messages.
    #[serde(rename = "CONSUME_POP", other)]
    Pop,
}

/// Who of a group gets a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageModel {
    /// Every consumer.
    #[serde(rename = "BROADCASTING")]
    Broadcasting,
    /// One consumer.
    #[default]
    #[serde(rename = "CLUSTERING", other)]
    Clustering,
}

/// Where a group without offsets starts. The deprecated values are read as the last offset, as servers do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsumeFromWhere {
    /// At the oldest message.
    #[serde(rename = "CONSUME_FROM_FIRST_OFFSET")]
    FirstOffset,
    /// At a time.
    #[serde(rename = "CONSUME_FROM_TIMESTAMP")]
    Timestamp,
    /// After what is there.
    #[default]
    #[serde(rename = "CONSUME_FROM_LAST_OFFSET", other)]
    LastOffset,
}
