//! The header of a send (10, 310, 320).

use super::super::codes::request;
use super::super::{ExtFields, Frame};
use super::{HeaderError, number, text};

/// Header of a send, with long names (10, 324) or with letters (310, 320, 325).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendHeader {
    /// Producer group.
    pub producer_group: String,
    /// Topic.
    pub topic: String,
    /// Topic whose settings a created topic inherits: `TBW102`.
    pub default_topic: String,
    /// Queue count of a created topic.
    pub default_topic_queue_nums: i32,
    /// Queue; −1: the broker picks.
    pub queue_id: i32,
    /// System flag bits.
    pub sys_flag: i32,
    /// When the producer made the message, Unix ms.
    pub born_timestamp: i64,
    /// User flag.
    pub flag: i32,
    /// Encoded properties.
    pub properties: String,
    /// Retries so far; only for sends to a retry topic.
    pub reconsume_times: i32,
    /// Legacy; always false.
    pub unit_mode: bool,
    /// Retry limit; only for sends to a retry topic.
    pub max_reconsume_times: Option<i32>,
    /// Whether the body is a batch.
    pub batch: bool,
    /// Broker name, from 5.x clients.
    pub broker_name: Option<String>,
}

/// Names of the fields above, in their order.
type Names = [&'static str; 14];

const LONG: Names = [
    "producerGroup",
    "topic",
    "defaultTopic",
    "defaultTopicQueueNums",
    "queueId",
    "sysFlag",
    "bornTimestamp",
    "flag",
    "properties",
    "reconsumeTimes",
    "unitMode",
    "maxReconsumeTimes",
    "batch",
    "bname",
];
const LETTERS: Names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];

impl SendHeader {
    /// Reads the header of a send request, in the form that goes with its code.
    pub fn read(request: &Frame) -> Result<Self, HeaderError> {
        let long = matches!(request.code, request::SEND_MESSAGE | request::SEND_REPLY_MESSAGE);
        let [
            group,
            topic,
            default,
            queues,
            queue,
            sys,
            born,
            flag,
            properties,
            times,
            unit,
            max,
            batch,
            broker,
        ] = if long { LONG } else { LETTERS };
        let ext = &request.ext;
        Ok(Self {
            producer_group: text(ext, group)?,
            topic: text(ext, topic)?,
            default_topic: text(ext, default)?,
            default_topic_queue_nums: number(ext, queues)?,
            queue_id: number(ext, queue)?,
            sys_flag: number(ext, sys)?,
            born_timestamp: number(ext, born)?,
            flag: number(ext, flag)?,
            properties: ext.get(properties).unwrap_or_default().to_owned(),
            reconsume_times: ext.parse(times).unwrap_or(0),
            unit_mode: ext.parse(unit).unwrap_or(false),
            max_reconsume_times: ext.parse(max),
            batch: ext.parse(batch).unwrap_or(false) || request.code == request::SEND_BATCH_MESSAGE,
            broker_name: ext.get(broker).map(str::to_owned),
        })
    }

    /// Writes the header with letters, for 310 and 320.
    pub fn into_ext(self) -> ExtFields {
        let mut ext = ExtFields::default();
        let mut push = |at: usize, value: String| ext.push(LETTERS[at], value);
        push(0, self.producer_group);
        push(1, self.topic);
        push(2, self.default_topic);
        push(3, self.default_topic_queue_nums.to_string());
        push(4, self.queue_id.to_string());
        push(5, self.sys_flag.to_string());
        push(6, self.born_timestamp.to_string());
        push(7, self.flag.to_string());
        push(8, self.properties);
        push(9, self.reconsume_times.to_string());
        push(10, self.unit_mode.to_string());
        if let Some(max) = self.max_reconsume_times {
            push(11, max.to_string());
        }
        push(12, self.batch.to_string());
        if let Some(broker) = self.broker_name {
            push(13, broker);
        }
        ext
    }
}
