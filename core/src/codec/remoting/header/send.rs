//! The header of a send (10, 310, 320).

use std::borrow::Cow;

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
    pub default_topic: Cow<'static, str>,
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
            default_topic: text(ext, default)?.into(),
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

    /// The request `code` (310 or 320) with this header.
    pub fn into_request(self, code: i32) -> Frame {
        let mut request = Frame::request(code);
        request.ext = self.into_ext();
        request
    }

    /// Changes the queue in a header that was written with letters.
    pub fn set_queue(ext: &mut ExtFields, queue_id: i32, broker_name: &str) {
        ext.replace(LETTERS[4], digits(queue_id));
        ext.replace(LETTERS[13], broker_name.to_owned().into());
    }

    /// Writes the header with letters, for 310 and 320.
    pub fn into_ext(self) -> ExtFields {
        let mut ext = ExtFields::with_capacity(LETTERS.len() + 3);
        let mut push = |at: usize, value: Cow<'static, str>| ext.push(LETTERS[at], value);
        push(0, self.producer_group.into());
        push(1, self.topic.into());
        push(2, self.default_topic);
        push(3, digits(self.default_topic_queue_nums));
        push(4, digits(self.queue_id));
        push(5, digits(self.sys_flag));
        push(6, self.born_timestamp.to_string().into());
        push(7, digits(self.flag));
        push(8, self.properties.into());
        push(9, digits(self.reconsume_times));
        push(10, truth(self.unit_mode));
        if let Some(max) = self.max_reconsume_times {
            push(11, digits(max));
        }
        push(12, truth(self.batch));
        if let Some(broker) = self.broker_name {
            push(13, broker.into());
        }
        ext
    }
}

/// A number as text; one digit costs no allocation.
fn digits(number: i32) -> Cow<'static, str> {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let known = usize::try_from(number).ok().and_then(|number| DIGITS.get(number));
    known.map_or_else(|| number.to_string().into(), |digit| Cow::Borrowed(*digit))
}

fn truth(value: bool) -> Cow<'static, str> {
    Cow::Borrowed(if value { "true" } else { "false" })
}
