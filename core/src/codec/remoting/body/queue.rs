//! A message queue as JSON bodies name it.

use serde::{Deserialize, Serialize};

use super::super::fastjson;
use crate::message::MessageQueue;

/// `{"brokerName":…,"queueId":…,"topic":…}`, as a value or, in its JSON text, as the key of a map.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueKey {
    /// Broker name.
    pub broker_name: String,
    /// Queue number.
    #[serde(deserialize_with = "queue_id")]
    pub queue_id: i32,
    /// Topic name.
    pub topic: String,
}

fn queue_id<'de, D: serde::Deserializer<'de>>(input: D) -> Result<i32, D::Error> {
    i32::try_from(fastjson::integer(input)?).map_err(serde::de::Error::custom)
}

impl QueueKey {
    /// The JSON text, for use as a map key.
    pub fn to_key(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a map key.
    pub fn from_key(key: &str) -> Option<Self> {
        fastjson::from_slice(key.as_bytes()).ok()
    }
}

impl From<&MessageQueue> for QueueKey {
    fn from(queue: &MessageQueue) -> Self {
        Self { broker_name: queue.broker.clone(), queue_id: queue.id, topic: queue.topic.clone() }
    }
}

impl From<QueueKey> for MessageQueue {
    fn from(key: QueueKey) -> Self {
        Self { topic: key.topic, broker: key.broker_name, id: key.queue_id }
    }
}
