//! A message made ready for a proxy: checked, scheduled, typed, stamped with its unique id.

use prost::Message as _;

use super::sender::Sender;
use crate::client::Target;
use crate::codec::grpc::proto::{self, MessageType, SendMessageRequest};
use crate::codec::grpc::{encode_message, type_of};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Message, properties};
use crate::options::Protocol;

/// What every attempt sends.
pub(super) struct Parcel {
    /// By its own name.
    pub(super) topic: String,
    /// Unique ids, comma-joined for a batch.
    pub(super) ids: String,
    pub(super) kind: MessageType,
    /// Whose order is kept.
    pub(super) group: Option<String>,
    pub(super) request: SendMessageRequest,
}

impl Parcel {
    fn of(topic: &str, kind: MessageType, messages: Vec<proto::Message>) -> Self {
        let system = || messages.iter().filter_map(|message| message.system_properties.as_ref());
        Self {
            topic: topic.to_owned(),
            ids: system().map(|system| system.message_id.as_str()).collect::<Vec<_>>().join(","),
            kind,
            group: system().next().and_then(|system| system.message_group.clone()),
            request: SendMessageRequest { messages },
        }
    }
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidMessage, "send", text)
}

impl Sender {
    /// Checks and prepares one message. A key to choose the queue by is a message group here: the proxy chooses the
    /// queue, and keeps the order of groups.
    ///
    /// # Errors
    /// `InvalidMessage`, `InvalidDeliveryTime`, `DelayUnsupported`; `Unsupported` for a chosen queue or a user flag.
    pub(super) fn pack(&self, mut message: Message, target: Target<'_>, transaction: bool) -> Result<Parcel> {
        match target {
            Target::Queue(_) => return Err(Protocol::Grpc.lacks("send", "choice of a queue")),
            Target::Key(key) if message.properties().get(properties::SHARDING_KEY).is_none() => {
                message = message.message_group(key);
            }
            Target::Any | Target::Key(_) => {}
        }
        let topic = message.topic().to_owned();
        let (kind, message) = self.encode(message, transaction)?;
        Ok(Parcel::of(&topic, kind, vec![message]))
    }

    /// Checks and prepares messages as one batch.
    ///
    /// # Errors
    /// `InvalidMessage` for an empty batch, several topics, types or message groups, a scheduled message, or too many
    /// bytes.
    pub(super) fn pack_batch(&self, messages: Vec<Message>) -> Result<Parcel> {
        let Some(first) = messages.first() else { return Err(invalid("the batch is empty")) };
        let topic = first.topic().to_owned();
        let same = |message: &Message| {
            message.topic() == topic
                && [properties::SHARDING_KEY, properties::PRIORITY]
                    .iter()
                    .all(|name| message.properties().get(name) == first.properties().get(name))
        };
        if !messages.iter().all(same) {
            return Err(invalid("a batch has one topic, one message group and one priority"));
        }
        let encoded = messages.into_iter().map(|message| self.encode(message, false));
        let (kinds, encoded): (Vec<MessageType>, Vec<proto::Message>) =
            encoded.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        if kinds.contains(&MessageType::Delay) {
            return Err(invalid("a scheduled message cannot be part of a batch; send it by itself"));
        }
        let (bytes, limit) = (encoded.iter().map(|m| m.encoded_len()).sum::<usize>(), self.max_body_bytes());
        if bytes > limit {
            let text =
                format!("the batch has {bytes} bytes, more than the {limit} allowed; send it in parts");
            return Err(invalid(text));
        }
        Ok(Parcel::of(&topic, kinds[0], encoded))
    }

    fn encode(&self, mut message: Message, transaction: bool) -> Result<(MessageType, proto::Message)> {
        let client = &self.options.client;
        let now = client.clock.now_ms();
        message.validate(self.max_body_bytes())?;
        if message.user_flag() != 0 {
            return Err(Protocol::Grpc.lacks("send", "user flag of a message"));
        }
        let schedule = message.schedule(now, &self.options.delay_limits, client.server_kind)?;
        let kind = type_of(message.properties(), schedule.is_some(), transaction)?;
        if message.properties().get(properties::UNIQ_KEY).is_none() {
            let id = self.ids.next(now);
            message.properties_mut().set(properties::UNIQ_KEY, id);
        }
        let topic = self.agent.resource(message.topic());
        Ok((kind, encode_message(message, topic, kind, schedule, now, &self.host)?))
    }

    fn max_body_bytes(&self) -> usize {
        self.options.max_body_bytes.min(self.agreed.borrow().max_body_bytes)
    }
}
