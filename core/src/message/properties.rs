//! Message properties: the ordered map, its wire text and RocketMQ's own names.

use crate::error::{Error, ErrorKind, Result};

/// Index keys, separated by spaces.
pub const KEYS: &str = "KEYS";
/// The single tag.
pub const TAGS: &str = "TAGS";
/// `true` when the sender waits for the store.
pub const WAIT: &str = "WAIT";
/// Delay level 1..18 (Apache RocketMQ 4.x and later).
pub const DELAY: &str = "DELAY";
/// Client-made unique id of the message.
pub const UNIQ_KEY: &str = "UNIQ_KEY";
/// Absolute delivery time, Unix ms; what Huawei and Alibaba servers act on.
pub const START_DELIVER_TIME: &str = "__STARTDELIVERTIME";
/// Absolute delivery time, Unix ms; what Apache RocketMQ 5 acts on.
pub const TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
/// Relative delay in ms (Apache RocketMQ 5).
pub const TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
/// Relative delay in s (Apache RocketMQ 5).
pub const TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
/// Broker: when the timer releases the message, Unix ms.
pub const TIMER_OUT_MS: &str = "TIMER_OUT_MS";
/// When a message that comes again was delivered first, Unix ms.
pub const FIRST_POP_TIME: &str = "1ST_POP_TIME";
/// Original topic of a retried message.
pub const RETRY_TOPIC: &str = "RETRY_TOPIC";
/// Id of the first delivery of a retried message.
pub const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
/// Retry count of a message that the client sends to the retry topic itself.
pub const RECONSUME_TIME: &str = "RECONSUME_TIME";
/// Retry limit that goes with [`RECONSUME_TIME`].
pub const MAX_RECONSUME_TIMES: &str = "MAX_RECONSUME_TIMES";
/// Original topic while a message waits in a system topic.
pub const REAL_TOPIC: &str = "REAL_TOPIC";
/// Original queue while a message waits in a system topic.
pub const REAL_QID: &str = "REAL_QID";
/// Lower bound of the queue at the time of the pull.
pub const MIN_OFFSET: &str = "MIN_OFFSET";
/// Upper bound of the queue at the time of the pull.
pub const MAX_OFFSET: &str = "MAX_OFFSET";
/// `true` on half messages of a transaction.
pub const TRAN_MSG: &str = "TRAN_MSG";
/// Producer group for transaction check-backs.
pub const PGROUP: &str = "PGROUP";
/// Namespace of topic and groups.
pub const INSTANCE_ID: &str = "INSTANCE_ID";
/// Region of the broker.
pub const MSG_REGION: &str = "MSG_REGION";
/// Whether message trace is on.
pub const TRACE_ON: &str = "TRACE_ON";
/// Cluster of the broker.
pub const CLUSTER: &str = "CLUSTER";
/// Topic a dead letter came from.
pub const DLQ_ORIGIN_TOPIC: &str = "DLQ_ORIGIN_TOPIC";
/// Id of the message a dead letter was made of.
pub const DLQ_ORIGIN_MESSAGE_ID: &str = "DLQ_ORIGIN_MESSAGE_ID";
/// Priority of a message, 0 and up (Apache RocketMQ 5.4).
pub const PRIORITY: &str = "_SYS_MSG_PRIORITY_";
/// Message group: messages of one group keep their order (FIFO).
pub const SHARDING_KEY: &str = "__SHARDINGKEY";
/// Seconds until the first question about a half message (ApsaraMQ HTTP, 10 to 300); makes a message one.
pub const TRANSACTION_CHECK_SECONDS: &str = "__TransCheckT";
/// `base64` on a body that was sent so because its protocol carries text only; ours, see
/// `BodyEncoding`.
pub const BODY_ENCODING: &str = "__BODY_ENCODING";

/// Separates name from value on the wire.
pub(crate) const NAME_END: char = '\u{1}';
/// Ends a pair on the wire.
pub(crate) const PAIR_END: char = '\u{2}';
/// The encoded form may not be longer (its length is a signed 16-bit field).
pub const MAX_ENCODED_BYTES: usize = 32_767;

/// The value of `name` in wire text, see [`Properties::encode`].
pub(crate) fn find<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    pairs(text).find(|(n, _)| *n == name).map(|(_, value)| value)
}

/// The pairs of wire text; those without a name or value are dropped, as every RocketMQ reader does.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = text.split(PAIR_END).filter_map(|pair| pair.split_once(NAME_END));
    pairs.filter(|(name, value)| !name.is_empty() && !value.is_empty())
}

/// A small ordered map of text to text; setting a name again replaces its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(Vec<(String, String)>);

impl Properties {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Sets `name`, replacing an earlier value.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Removes `name` and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// The absolute delivery time that was asked for, Unix ms, by whichever property.
    pub(crate) fn deliver_at_ms(&self) -> Option<i64> {
        [TIMER_DELIVER_MS, START_DELIVER_TIME].into_iter().find_map(|name| self.get(name)?.parse().ok())
    }

    /// All pairs in the order they were first set.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The wire text: `name 0x01 value 0x02` for every pair.
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(self.0.iter().map(|(n, v)| n.len() + v.len() + 2).sum());
        for (name, value) in &self.0 {
            text.push_str(name);
            text.push(NAME_END);
            text.push_str(value);
            text.push(PAIR_END);
        }
        text
    }

    /// Reads wire text; pairs without a name or value are dropped, as every RocketMQ reader does.
    pub fn decode(text: &str) -> Self {
        Self(pairs(text).map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
    }

    /// Refuses what would be lost or misread on the wire: an empty name or value, or a separator byte inside.
    pub(crate) fn validate(&self) -> Result<()> {
        for (name, value) in &self.0 {
            let fault = if name.is_empty() {
                "a property has an empty name"
            } else if value.is_empty() {
                "has an empty value, which servers drop"
            } else if [name, value].iter().any(|t| t.contains([NAME_END, PAIR_END])) {
                "contains a separator byte (0x01 or 0x02), which would break the properties apart"
            } else {
                continue;
            };
            let text = if name.is_empty() { fault.to_owned() } else { format!("property {name:?} {fault}") };
            return Err(Error::new(ErrorKind::InvalidMessage, "send", text));
        }
        Ok(())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut properties = Self::new();
        for (name, value) in pairs {
            properties.set(name, value);
        }
        properties
    }
}
