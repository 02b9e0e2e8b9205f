//! A received message.

use std::net::SocketAddr;
use std::time::SystemTime;

use bytes::Bytes;

use super::properties::{self, Properties};
use crate::clock::from_ms;

/// One queue of a topic on one broker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageQueue {
    /// Topic name.
    pub topic: String,
    /// Broker name (not its address).
    pub broker: String,
    /// Queue number within topic and broker, from 0.
    pub id: i32,
}

/// A message as a consumer sees it. All times are the server's or producer's Unix ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// Topic the consumer subscribed to (the original one for a retried message).
    pub topic: String,
    /// Content, decompressed.
    pub body: Bytes,
    /// Everything set by producer, server and client.
    pub properties: Properties,
    /// The producer's unique id, or the offset id where there is none.
    pub message_id: String,
    /// The server's id: store address and commit-log offset in hex. Empty over gRPC.
    pub offset_message_id: String,
    /// Broker name, empty where unknown.
    pub broker: String,
    /// Queue number; over gRPC, for a retried message that of the retry topic, as the position.
    pub queue_id: i32,
    /// Position in the queue.
    pub queue_offset: i64,
    /// Position in the broker's commit log; −1 over gRPC.
    pub commit_log_offset: i64,
    /// Record size in bytes on the broker; over gRPC, of the stored body only.
    pub store_size: i32,
    /// User flag.
    pub flag: i32,
    /// System flag bits.
    pub sys_flag: i32,
    /// CRC-32 of the stored body, masked to 31 bits.
    pub body_crc: i32,
    /// When the producer made it.
    pub born_timestamp: i64,
    /// The producer's address; unspecified (0.0.0.0:0) where the server tells a name.
    pub born_host: SocketAddr,
    /// When the broker stored it (for a scheduled message: when it became visible).
    pub store_timestamp: i64,
    /// The broker's address.
    pub store_host: SocketAddr,
    /// How many times it was retried before this delivery.
    pub reconsume_times: i32,
    /// Commit-log offset of the half message of a transaction.
    pub prepared_transaction_offset: i64,
}

impl MessageView {
    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name)
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.property(properties::TAGS)
    }

    /// The message group, of messages that keep their order.
    pub fn message_group(&self) -> Option<&str> {
        self.property(properties::SHARDING_KEY)
    }

    /// Which delivery this is, from 1.
    pub fn delivery_attempt(&self) -> i32 {
        self.reconsume_times.saturating_add(1)
    }

    /// The index keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.property(properties::KEYS).unwrap_or_default().split_whitespace()
    }

    /// The requested delivery time in Unix ms, if the message was scheduled to an absolute time.
    pub fn deliver_at_ms(&self) -> Option<i64> {
        self.properties.deliver_at_ms()
    }

    /// The requested delivery time, if the message was scheduled to an absolute time.
    pub fn deliver_at(&self) -> Option<SystemTime> {
        self.deliver_at_ms().map(from_ms)
    }
}
