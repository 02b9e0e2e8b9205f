//! From messages of producers to those that are stored: every check of the real server.

use super::super::Refusal;
use super::super::publish::MAX_PROPERTIES_BYTES;
use super::call::Call;
use super::status::refusal;
use crate::codec::grpc::proto::{Code, Encoding, Message, MessageType, SystemProperties};
use crate::codec::grpc::reserved::is_reserved;
use crate::codec::grpc::time;
use crate::codec::remoting::record::{StoredMessage, sys_flag};
use crate::message::{MAX_BODY_BYTES, Properties, properties};

const MAX_USER_PROPERTIES: usize = 128;
const MAX_USER_PROPERTIES_BYTES: usize = 16 * 1024;
/// A message group is shorter than this.
const MESSAGE_GROUP_BYTES: usize = 64;
const MAX_RECOVERY_MS: u128 = 3600 * 1000;

const BORN_HOST: &str = "__BORNHOST";
const TRACE_CONTEXT: &str = "TRACE_CONTEXT";
const LITE_TOPIC: &str = "__LITE_TOPIC";
const CHECK_IMMUNITY: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";

/// A message that passed every check but those that need its topic.
pub(super) struct Accepted {
    pub(super) message: StoredMessage,
    pub(super) kind: MessageType,
}

/// Checks `message` of `topic`, sent now. Its queue is still to be chosen.
pub(super) fn accept(
    call: &Call<'_>,
    topic: &str,
    message: Message,
    now_ms: i64,
) -> Result<Accepted, Refusal> {
    check_body(message.body.len())?;
    let system = message.system_properties.unwrap_or_default();
    check_user_properties(&message.user_properties, &system)?;
    let mut properties: Properties = message.user_properties.into_iter().collect();
    set_system_properties(call, &system, topic, &mut properties, now_ms)?;
    let encoded = properties.encode().len();
    if encoded > MAX_PROPERTIES_BYTES {
        let remark =
            format!("all properties together have {encoded} bytes; allowed are {MAX_PROPERTIES_BYTES}");
        return Err(refusal(Code::MessagePropertiesTooLarge, remark));
    }
    let kind = type_of(&system, &properties);
    let mut flags = 0;
    if system.body_encoding() == Encoding::Gzip {
        flags |= sys_flag::COMPRESSED;
    }
    if kind == MessageType::Transaction {
        flags |= sys_flag::TRANSACTION_PREPARED;
    }
    let message = StoredMessage {
        queue_id: 0,
        flag: 0,
        sys_flag: flags,
        born_timestamp: system.born_timestamp.as_ref().map_or(now_ms, time::to_ms),
        born_host: call.link.peer,
        store_host: call.node.address,
        reconsume_times: 0,
        body: message.body,
        topic: topic.to_owned(),
        properties,
        queue_offset: 0,
        commit_log_offset: 0,
        store_timestamp: 0,
        prepared_transaction_offset: 0,
    };
    Ok(Accepted { message, kind })
}

fn check_body(size: usize) -> Result<(), Refusal> {
    match size {
        0 => Err(refusal(Code::MessageBodyEmpty, "the body is empty")),
        size if size > MAX_BODY_BYTES => {
            let remark = format!("the body has {size} bytes; allowed are {MAX_BODY_BYTES}");
            Err(refusal(Code::MessageBodyTooLarge, remark))
        }
        _ => Ok(()),
    }
}

type UserProperties = std::collections::BTreeMap<String, String>;

fn check_user_properties(user: &UserProperties, system: &SystemProperties) -> Result<(), Refusal> {
    if user.len() > MAX_USER_PROPERTIES {
        let remark = format!("there are {} user properties; allowed are {MAX_USER_PROPERTIES}", user.len());
        return Err(refusal(Code::MessagePropertiesTooLarge, remark));
    }
    let pairs: usize = user.iter().map(|(name, value)| name.len() + value.len()).sum();
    let keys: usize = system.keys.iter().map(String::len).sum();
    let bytes = pairs + keys + system.tag.as_ref().map_or(0, String::len);
    if bytes > MAX_USER_PROPERTIES_BYTES {
        let remark = format!(
            "user properties, tag and keys have {bytes} bytes; allowed are {MAX_USER_PROPERTIES_BYTES}"
        );
        return Err(refusal(Code::MessagePropertiesTooLarge, remark));
    }
    for (name, value) in user {
        let fault = if name.is_empty() {
            "is empty"
        } else if is_reserved(name) {
            "is one of RocketMQ's own"
        } else if has_control(name) || has_control(value) {
            "or its value contains a control character"
        } else {
            continue;
        };
        return Err(refusal(
            Code::IllegalMessagePropertyKey,
            format!("the name {name:?} of a user property {fault}"),
        ));
    }
    Ok(())
}

/// Sets the properties that travel in fields of their own.
fn set_system_properties(
    call: &Call<'_>,
    system: &SystemProperties,
    topic: &str,
    properties: &mut Properties,
    now_ms: i64,
) -> Result<(), Refusal> {
    if let Some(tag) = filled(&system.tag) {
        if tag.contains('|') || is_unreadable(tag) {
            let remark =
                format!("the tag {tag:?} is blank or contains a vertical bar or a control character");
            return Err(refusal(Code::IllegalMessageTag, remark));
        }
        properties.set(properties::TAGS, tag);
    }
    if let Some(key) = system.keys.iter().find(|key| !key.is_empty() && is_unreadable(key)) {
        let remark = format!("the key {key:?} is blank or contains a control character");
        return Err(refusal(Code::IllegalMessageKey, remark));
    }
    if !system.keys.is_empty() {
        properties.set(properties::KEYS, system.keys.join(" "));
    }
    let id = &system.message_id;
    if is_unreadable(id) {
        return Err(refusal(
            Code::IllegalMessageId,
            "the message id is empty or contains a control character",
        ));
    }
    properties.set(properties::UNIQ_KEY, id.as_str());
    if let Some(group) = filled(&system.message_group) {
        if group.len() >= MESSAGE_GROUP_BYTES || is_unreadable(group) {
            let remark = format!(
                "the message group {group:?} is blank, has {MESSAGE_GROUP_BYTES} bytes or more, or contains a control character"
            );
            return Err(refusal(Code::IllegalMessageGroup, remark));
        }
        properties.set(properties::SHARDING_KEY, group);
    }
    if system.message_type() == MessageType::Transaction {
        properties.set(properties::TRAN_MSG, "true");
        // Who is asked about it: the producers of the topic.
        properties.set(properties::PGROUP, topic);
        set_recovery(system, properties)?;
    }
    if let Some(priority) = system.priority {
        properties.set(properties::PRIORITY, priority.to_string());
    }
    if let Some(at) = &system.delivery_timestamp {
        let at = time::to_ms(at);
        if let Err(remark) = call.node.persona.check_ahead(at, now_ms) {
            return Err(refusal(Code::IllegalDeliveryTime, remark));
        }
        properties.set(call.node.persona.delivery_property(), at.to_string());
    }
    let others = [
        (LITE_TOPIC, filled(&system.lite_topic)),
        (TRACE_CONTEXT, filled(&system.trace_context)),
        (BORN_HOST, Some(system.born_host.as_str())),
    ];
    for (name, value) in others {
        if let Some(value) = value.filter(|value| !is_unreadable(value)) {
            properties.set(name, value);
        }
    }
    Ok(())
}

/// Time until a producer is asked how its transaction ended.
fn set_recovery(system: &SystemProperties, properties: &mut Properties) -> Result<(), Refusal> {
    let Some(recovery) = &system.orphaned_transaction_recovery_duration else { return Ok(()) };
    let recovery = time::from_duration(recovery);
    if recovery.as_millis() > MAX_RECOVERY_MS {
        let remark = "the recovery duration of a transaction may not be above one hour";
        return Err(refusal(Code::BadRequest, remark));
    }
    // The property counts in whole seconds; less than one is not "at once".
    let seconds = recovery.as_millis().div_ceil(1000);
    properties.set(CHECK_IMMUNITY, seconds.to_string());
    Ok(())
}

/// The type that the properties say, in the order of the real server. Of the producer's word only "transaction" counts.
fn type_of(system: &SystemProperties, properties: &Properties) -> MessageType {
    let has = |name: &str| properties.get(name).is_some();
    if has(properties::TRAN_MSG) {
        MessageType::Transaction
    } else if system.delivery_timestamp.is_some() {
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

/// An empty text is none.
fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

fn is_unreadable(text: &str) -> bool {
    text.trim().is_empty() || has_control(text)
}
