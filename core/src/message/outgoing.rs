//! A message on its way out, and what is checked before it leaves.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::delivery::DeliveryTime;
use super::properties::{self, Properties};
use crate::error::{Error, ErrorKind, Result};

/// Largest body a RocketMQ server takes by default: 4 MiB.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Longest topic name.
const MAX_TOPIC_BYTES: usize = 127;
/// Longest group name.
const MAX_GROUP_BYTES: usize = 120;

/// A message to send: topic, body, and what travels beside it. It is not changed by sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    topic: String,
    body: Bytes,
    properties: Properties,
    flag: i32,
    delivery: Option<DeliveryTime>,
}

impl Message {
    /// A message for `topic` with `body` (1 byte to 4 MiB). Faults are reported by the send call.
    pub fn new(topic: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            body: body.into(),
            properties: Properties::new(),
            flag: 0,
            delivery: None,
        }
    }

    /// Sets the tag, by which consumers filter; an empty tag is none.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        let tag = tag.into();
        if tag.is_empty() {
            self.properties.remove(properties::TAGS);
        } else {
            self.properties.set(properties::TAGS, tag);
        }
        self
    }

    /// Sets the index keys, by which a message can be looked up later.
    pub fn keys<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        let keys: Vec<String> =
            keys.into_iter().map(|k| k.as_ref().to_owned()).filter(|k| !k.is_empty()).collect();
        if keys.is_empty() {
            self.properties.remove(properties::KEYS);
        } else {
            self.properties.set(properties::KEYS, keys.join(" "));
        }
        self
    }

    /// Sets a property. The raw delivery properties of the servers' documents (`__STARTDELIVERTIME`, `TIMER_DELIVER_MS`,
    /// `TIMER_DELAY_MS`, `TIMER_DELAY_SEC`, `DELAY`) are understood like the typed calls below.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.set(name, value);
        self
    }

    /// Sets the message group: messages of one group keep their order on a FIFO topic (over remoting: go to one queue).
    /// At most 63 bytes over gRPC; an empty group is none.
    pub fn message_group(mut self, group: impl Into<String>) -> Self {
        let group = group.into();
        if group.is_empty() {
            self.properties.remove(properties::SHARDING_KEY);
        } else {
            self.properties.set(properties::SHARDING_KEY, group);
        }
        self
    }

    /// Sets the priority, 0 and up, for topics that keep priorities (Apache RocketMQ 5.4).
    pub fn priority(mut self, priority: u32) -> Self {
        self.properties.set(properties::PRIORITY, priority.to_string());
        self
    }

    /// Sets the user flag of the record (default 0).
    pub fn flag(mut self, flag: i32) -> Self {
        self.flag = flag;
        self
    }

    /// Delivers the message at `time`; a past time means at once.
    pub fn deliver_at(mut self, time: SystemTime) -> Self {
        self.delivery = Some(DeliveryTime::At(time));
        self
    }

    /// Delivers the message `delay` after the send call.
    pub fn deliver_after(mut self, delay: Duration) -> Self {
        self.delivery = Some(DeliveryTime::After(delay));
        self
    }

    /// Delivers the message after the server's delay level 1..=18 (0: no delay).
    pub fn delay_level(mut self, level: u8) -> Self {
        self.delivery = Some(DeliveryTime::Level(level));
        self
    }

    /// The topic it goes to.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The content.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What was set so far.
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// The same, to change in place.
    pub fn properties_mut(&mut self) -> &mut Properties {
        &mut self.properties
    }

    /// The user flag.
    pub fn user_flag(&self) -> i32 {
        self.flag
    }

    /// The delivery time set by a typed call (raw properties are read when it is sent).
    pub fn delivery_time(&self) -> Option<DeliveryTime> {
        self.delivery
    }

    /// Sets or clears the typed delivery time.
    pub fn set_delivery_time(&mut self, delivery: Option<DeliveryTime>) {
        self.delivery = delivery;
    }

    /// Refuses what no server would keep whole: bad topic, empty or oversized body, unusable properties.
    pub fn validate(&self, max_body_bytes: usize) -> Result<()> {
        check_topic(&self.topic)?;
        let size = self.body.len();
        if size == 0 {
            return Err(invalid(format!(
                "the message for topic {:?} has an empty body, which servers refuse",
                self.topic
            )));
        }
        if size > max_body_bytes {
            return Err(invalid(format!(
                "the body has {size} bytes, more than the {max_body_bytes} allowed; store it elsewhere and send a reference"
            )));
        }
        self.properties.validate()?;
        let encoded: usize = self.properties.iter().map(|(n, v)| n.len() + v.len() + 2).sum();
        if encoded > properties::MAX_ENCODED_BYTES {
            return Err(invalid(format!(
                "the properties take {encoded} bytes, more than the {} allowed",
                properties::MAX_ENCODED_BYTES
            )));
        }
        Ok(())
    }
}

fn invalid(text: String) -> Error {
    Error::new(ErrorKind::InvalidMessage, "send", text)
}

fn check_name(what: &str, name: &str, max: usize, operation: &'static str, kind: ErrorKind) -> Result<()> {
    let fault = if name.is_empty() {
        format!("the {what} is empty")
    } else if name.len() > max {
        format!("the {what} has {} bytes, more than the {max} allowed", name.len())
    } else if let Some(bad) =
        name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '%' | '|' | '-' | '_')))
    {
        format!("the {what} {name:?} contains {bad:?}; allowed are letters, digits, '%', '|', '-' and '_'")
    } else {
        return Ok(());
    };
    Err(Error::new(kind, operation, fault))
}

/// Checks a topic name: 1..=127 bytes of letters, digits, `%`, `|`, `-`, `_`.
pub(crate) fn check_topic(topic: &str) -> Result<()> {
    check_name("topic", topic, MAX_TOPIC_BYTES, "send", ErrorKind::InvalidMessage)
}

/// Checks a producer or consumer group name: 1..=120 bytes of the same characters.
pub(crate) fn check_group(group: &str) -> Result<()> {
    check_name("group", group, MAX_GROUP_BYTES, "start", ErrorKind::InvalidArgument)
}
