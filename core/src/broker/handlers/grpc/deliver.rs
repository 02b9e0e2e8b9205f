//! From stored messages to those of the protocol.

use std::time::Duration;

use super::names::resource;
use crate::broker::pop::Delivery;
use crate::broker::retry::origin_topic;
use crate::broker::transactions::is_half;
use crate::codec::grpc::proto::{DeadLetterQueue, Encoding, Message, MessageType, SystemProperties};
use crate::codec::grpc::reserved::is_reserved;
use crate::codec::grpc::{digest, time};
use crate::codec::remoting::record::{StoredMessage, sys_flag};
use crate::message::{Properties, properties};

const BORN_HOST: &str = "__BORNHOST";
const TRACE_CONTEXT: &str = "TRACE_CONTEXT";
const LITE_TOPIC: &str = "__LITE_TOPIC";
const CHECK_IMMUNITY: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";

/// The message of a delivery, with the handle that settles it.
pub(super) fn delivered(delivery: Delivery, broker: &str) -> Message {
    let Delivery { message, receipt, attempt, .. } = delivery;
    let mut message = to_proto(message);
    if let Some(system) = &mut message.system_properties {
        system.receipt_handle = Some(receipt.handle(broker));
        system.invisible_duration =
            Some(time::duration(Duration::from_millis(receipt.invisible_ms.unsigned_abs())));
        system.delivery_attempt = Some(attempt);
    }
    message
}

/// A stored message for clients. Its properties become the fields of their own that the protocol has for them.
pub(crate) fn to_proto(message: StoredMessage) -> Message {
    let topic = resource(origin_topic(&message));
    let system = system_properties(&message);
    let user = message.properties.iter().filter(|(name, _)| !is_reserved(name));
    Message {
        topic: Some(topic),
        user_properties: user.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        system_properties: Some(system),
        body: message.body,
    }
}

fn system_properties(message: &StoredMessage) -> SystemProperties {
    let all = &message.properties;
    let text = |name| all.get(name).map(str::to_owned);
    let compressed = message.sys_flag & sys_flag::COMPRESSED != 0;
    SystemProperties {
        tag: text(properties::TAGS),
        keys: all.get(properties::KEYS).unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        message_id: text(properties::UNIQ_KEY).unwrap_or_else(|| message.offset_message_id().to_string()),
        body_digest: Some(digest::md5(&message.body)),
        body_encoding: if compressed { Encoding::Gzip } else { Encoding::Identity }.into(),
        message_type: message_type(message).into(),
        born_timestamp: Some(time::timestamp(message.born_timestamp)),
        born_host: text(BORN_HOST).unwrap_or_else(|| message.born_host.to_string()),
        store_timestamp: Some(time::timestamp(message.store_timestamp)),
        store_host: message.store_host.to_string(),
        delivery_timestamp: all.deliver_at_ms().map(time::timestamp),
        receipt_handle: None,
        queue_id: message.queue_id,
        queue_offset: Some(message.queue_offset),
        invisible_duration: None,
        delivery_attempt: Some(message.reconsume_times.saturating_add(1)),
        message_group: text(properties::SHARDING_KEY),
        trace_context: text(TRACE_CONTEXT),
        orphaned_transaction_recovery_duration: number(all, CHECK_IMMUNITY)
            .map(|seconds: u32| time::duration(Duration::from_secs(seconds.into()))),
        dead_letter_queue: text(properties::DLQ_ORIGIN_TOPIC).map(|topic| DeadLetterQueue {
            topic,
            message_id: text(properties::DLQ_ORIGIN_MESSAGE_ID).unwrap_or_default(),
        }),
        lite_topic: text(LITE_TOPIC),
        priority: number(all, properties::PRIORITY),
    }
}

fn number<T: std::str::FromStr>(all: &Properties, name: &str) -> Option<T> {
    all.get(name)?.parse().ok()
}

/// The type is told by the properties, in the order of the real server.
fn message_type(message: &StoredMessage) -> MessageType {
    const DELAYS: [&str; 5] = [
        properties::DELAY,
        properties::TIMER_DELIVER_MS,
        properties::TIMER_DELAY_MS,
        properties::TIMER_DELAY_SEC,
        properties::START_DELIVER_TIME,
    ];
    let has = |name: &str| message.properties.get(name).is_some();
    if is_half(message) {
        MessageType::Transaction
    } else if DELAYS.into_iter().any(has) {
        MessageType::Delay
    } else if has(properties::SHARDING_KEY) {
        MessageType::Fifo
    } else if has(properties::PRIORITY) {
        MessageType::Priority
    } else if has(LITE_TOPIC) {
        MessageType::Lite
    } else {
        MessageType::Normal
    }
}
