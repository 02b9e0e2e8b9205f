//! A message made ready for the wire: checked, scheduled, stamped with its unique id, compressed if it pays.

use bytes::Bytes;

use super::Sender;
use crate::codec::remoting::batch::{self, BatchItem};
use crate::codec::remoting::codes::request;
use crate::codec::remoting::header::SendHeader;
use crate::codec::remoting::record::sys_flag;
use crate::codec::remoting::{Frame, compression};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Message, Properties, RETRY_PREFIX, Schedule, properties};
use crate::route::{DEFAULT_TOPIC, WriteQueue};

/// Larger bodies are compressed away from the tasks that read and write sockets.
const COMPRESS_APART_BYTES: usize = 64 * 1024;

/// What every attempt sends.
pub(crate) struct Parcel {
    /// As the server knows it.
    pub(crate) topic: String,
    /// Unique ids, comma-joined for a batch.
    pub(crate) ids: String,
    /// Group of the message or of all messages of the batch.
    pub(super) message_group: Option<String>,
    /// Whether it has a delivery time (a level does not count).
    pub(super) timed: bool,
    /// The request, but for queue and broker.
    frame: Frame,
}

impl Parcel {
    /// The request that sends it to `queue`.
    pub(super) fn request_to(&mut self, queue: &WriteQueue) -> &mut Frame {
        SendHeader::set_queue(&mut self.frame.ext, queue.id, &queue.broker);
        &mut self.frame
    }
}

impl Sender {
    /// Checks and prepares one message.
    ///
    /// # Errors
    /// `InvalidMessage`, `InvalidDeliveryTime`, `DelayUnsupported`.
    pub(crate) async fn pack(&self, mut message: Message) -> Result<Parcel> {
        let now = self.options.client.clock.now_ms();
        message.validate(self.options.max_body_bytes)?;
        let server = self.options.client.server_kind;
        let schedule = message.schedule(now, &self.options.delay_limits, server)?;
        let topic = self.instance.namespace().wrap(message.topic()).into_owned();
        let mut properties = std::mem::take(message.properties_mut());
        if let Some(schedule) = schedule {
            schedule.stamp(&mut properties, server);
        }
        let ids = self.stamp_id(&mut properties, now);
        let (mut reconsume_times, mut max_reconsume_times) = (0, None);
        if topic.starts_with(RETRY_PREFIX) {
            let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
            reconsume_times = number(properties.remove(properties::RECONSUME_TIME)).unwrap_or(0);
            max_reconsume_times = number(properties.remove(properties::MAX_RECONSUME_TIMES));
        }
        let (body, compressed) = self.compress(message.body()).await;
        // Brokers go by the property; the flag says the same.
        let half = properties.get(properties::TRAN_MSG).is_some_and(|text| text == "true");
        let header = SendHeader {
            sys_flag: compressed | if half { sys_flag::TRANSACTION_PREPARED } else { 0 },
            flag: message.user_flag(),
            properties: encode(&properties)?,
            reconsume_times,
            max_reconsume_times,
            ..self.header(&topic, now)
        };
        let frame = header.into_request(request::SEND_MESSAGE_V2).with_body(body);
        let message_group = properties.get(properties::SHARDING_KEY).map(str::to_owned);
        let timed = matches!(schedule, Some(Schedule::AtMs(at)) if at > now);
        Ok(Parcel { topic, ids, message_group, timed, frame })
    }

    /// Checks and prepares messages as one batch.
    ///
    /// # Errors
    /// `InvalidMessage` for an empty batch, several topics, a scheduled or retried message, or too many bytes.
    pub(crate) fn pack_batch(&self, messages: Vec<Message>) -> Result<Parcel> {
        let now = self.options.client.clock.now_ms();
        let invalid = |text: String| Error::new(ErrorKind::InvalidMessage, "send", text);
        let Some(first) = messages.first() else { return Err(invalid("the batch is empty".into())) };
        let topic = self.instance.namespace().wrap(first.topic()).into_owned();
        if topic.starts_with(RETRY_PREFIX) {
            return Err(invalid(format!("messages for the retry topic {topic:?} cannot be sent as a batch")));
        }
        let message_group = first.properties().get(properties::SHARDING_KEY).map(str::to_owned);
        let mut items = Vec::with_capacity(messages.len());
        let mut ids = Vec::with_capacity(messages.len());
        for mut message in messages {
            message.validate(self.options.max_body_bytes)?;
            if *self.instance.namespace().wrap(message.topic()) != *topic {
                let text = format!("a batch has one topic; this one has {topic:?} and {:?}", message.topic());
                return Err(invalid(text));
            }
            if message.properties().get(properties::SHARDING_KEY) != message_group.as_deref() {
                return Err(invalid("a batch goes to one queue; its messages have one message group".into()));
            }
            if message.schedule(now, &self.options.delay_limits, self.options.client.server_kind)?.is_some() {
                return Err(invalid(
                    "a scheduled message cannot be part of a batch; send it by itself".into(),
                ));
            }
            let mut properties = std::mem::take(message.properties_mut());
            ids.push(self.stamp_id(&mut properties, now));
            encode(&properties)?;
            items.push(BatchItem { flag: message.user_flag(), body: message.body().clone(), properties });
        }
        let body = batch::encode(&items);
        let limit = self.options.max_body_bytes;
        if body.len() > limit {
            let text = format!(
                "the batch has {} bytes, more than the {limit} allowed; send it in parts",
                body.len()
            );
            return Err(invalid(text));
        }
        let outer = Properties::from_iter([(properties::WAIT, "true")]);
        let header = SendHeader { properties: outer.encode(), batch: true, ..self.header(&topic, now) };
        let frame = header.into_request(request::SEND_BATCH_MESSAGE).with_body(body);
        Ok(Parcel { topic, ids: ids.join(","), message_group, timed: false, frame })
    }

    /// What the headers of all sends have in common.
    fn header(&self, topic: &str, now: i64) -> SendHeader {
        SendHeader {
            producer_group: self.group.clone(),
            topic: topic.to_owned(),
            default_topic: DEFAULT_TOPIC.into(),
            default_topic_queue_nums: self.options.default_topic_queues,
            born_timestamp: now,
            ..SendHeader::default()
        }
    }

    /// Gives the message its unique id, unless it has one, and its namespace.
    fn stamp_id(&self, properties: &mut Properties, now: i64) -> String {
        let id = match properties.get(properties::UNIQ_KEY) {
            Some(id) => id.to_owned(),
            None => {
                let id = self.ids.next(now);
                properties.set(properties::UNIQ_KEY, id.clone());
                id
            }
        };
        if let Some(namespace) = self.instance.namespace().name() {
            properties.set(properties::INSTANCE_ID, namespace);
        }
        id
    }

    /// The body to send and its flags.
    async fn compress(&self, body: &Bytes) -> (Bytes, i32) {
        let plain = (body.clone(), 0);
        let Some(_) = self.options.compress_above_bytes.filter(|least| body.len() >= *least) else {
            return plain;
        };
        let (input, level) = (body.clone(), self.options.compress_level);
        let small = if body.len() < COMPRESS_APART_BYTES {
            compression::zlib(&input, level)
        } else {
            let task = tokio::task::spawn_blocking(move || compression::zlib(&input, level));
            match task.await {
                Ok(small) => small,
                Err(_) => return plain,
            }
        };
        if small.is_empty() || small.len() >= body.len() {
            return plain;
        }
        (small.into(), sys_flag::COMPRESSED)
    }
}

fn encode(properties: &Properties) -> Result<String> {
    let text = properties.encode();
    if text.len() <= properties::MAX_ENCODED_BYTES {
        return Ok(text);
    }
    let text = format!(
        "the properties take {} bytes with those the client adds, more than the {} allowed",
        text.len(),
        properties::MAX_ENCODED_BYTES
    );
    Err(Error::new(ErrorKind::InvalidMessage, "send", text))
}
