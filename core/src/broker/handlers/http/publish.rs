//! Publishing (310): one message, which may have a time, a shard, or a transaction.

use http::StatusCode;

use super::call::Call;
use super::query::Query;
use super::refusal::Refusal;
use super::reply::{self, Reply};
use crate::broker::handlers::publish;
use crate::codec::grpc::proto::MessageType;
use crate::codec::grpc::reserved::is_reserved;
use crate::codec::http::{Publish, Published, code, properties as text, unfit};
use crate::codec::remoting::record::{StoredMessage, sys_flag};
use crate::message::{MAX_BODY_BYTES, Properties, properties};

/// All properties together, as they travel.
const MAX_PROPERTIES_BYTES: usize = 16 * 1024;
/// Seconds until the first question about a half message.
const CHECK_SECONDS: std::ops::RangeInclusive<i64> = 10..=300;
/// What travels among the user's properties and is not the user's.
const CARRIED: [&str; 3] = [properties::KEYS, properties::START_DELIVER_TIME, properties::SHARDING_KEY];

/// Publish.
pub(super) fn publish(call: &Call<'_>, query: &Query) -> Result<Reply, Refusal> {
    let topic = call.topic()?;
    let mut message = Publish::decode(&call.body)?;
    let properties = accept(&mut message, query)?;
    let check_after_ms = check_after_ms(&properties)?;
    let node = call.node;
    let now_ms = node.clock.now_ms();
    let kind = kind(&properties);
    let body_md5 = call.body_md5(message.body.as_bytes());
    let mut message = StoredMessage {
        queue_id: 0,
        flag: 0,
        sys_flag: if kind == MessageType::Transaction { sys_flag::TRANSACTION_PREPARED } else { 0 },
        born_timestamp: now_ms,
        born_host: call.link.peer,
        store_host: node.address,
        reconsume_times: 0,
        body: message.body.into(),
        topic: topic.to_owned(),
        properties,
        queue_offset: 0,
        commit_log_offset: 0,
        store_timestamp: 0,
        prepared_transaction_offset: 0,
    };
    publish::complete(node, &mut message.properties, now_ms);
    let message_id = message.properties.get(properties::UNIQ_KEY).unwrap_or_default().to_owned();
    let mut state = node.state();
    // Before a topic is created.
    state.deliver_at(&message.properties, now_ms)?;
    let config = publish::writable(node, &mut state, topic)?;
    publish::check_type(node, topic, &config, kind)?;
    message.queue_id = publish::queue(&mut state, &config, &message.properties);
    let handle = match check_after_ms {
        Some(check_after_ms) => {
            let receipt = state.begin_polled_transaction(message, check_after_ms, now_ms);
            Some(receipt.handle(&node.name))
        }
        None => {
            state.publish(message, now_ms)?;
            None
        }
    };
    let published = Published { message_id, body_md5, handle };
    Ok(reply::document(StatusCode::CREATED, published.encode()))
}

/// Checks what was sent; the properties that are stored with it.
fn accept(message: &mut Publish, query: &Query) -> Result<Properties, Refusal> {
    let invalid = |text: String| Err(Refusal::new(code::INVALID_ARGUMENT, text));
    match message.body.len() {
        0 => return invalid("the body is empty".into()),
        bytes if bytes > MAX_BODY_BYTES => {
            return invalid(format!("the body has {bytes} bytes; allowed are {MAX_BODY_BYTES}"));
        }
        _ => {}
    }
    let bytes = message.properties.len();
    if bytes > MAX_PROPERTIES_BYTES {
        return invalid(format!(
            "all properties together have {bytes} bytes; allowed are {MAX_PROPERTIES_BYTES}"
        ));
    }
    let mut all = match text::decode_strict(&message.properties) {
        Ok(all) => all,
        Err(bad) => return invalid(bad.to_string()),
    };
    let foreign = |name: &&str| is_reserved(name) && !CARRIED.contains(name);
    if let Some((name, _)) = all.iter().find(|(name, _)| foreign(name)) {
        return invalid(format!("the name {name:?} of a property is one of RocketMQ's own"));
    }
    let tag = std::mem::take(&mut message.tag);
    if tag.contains('|') || unfit(&tag).is_some() || !tag.is_empty() && tag.trim().is_empty() {
        return invalid(format!(
            "the tag {tag:?} is blank or contains a vertical bar or a control character"
        ));
    }
    if !tag.is_empty() {
        all.set(properties::TAGS, tag);
    }
    if all.get(properties::TRANSACTION_CHECK_SECONDS).is_some() {
        all.set(properties::TRAN_MSG, "true");
    }
    let namespace = query.namespace();
    if !namespace.is_empty() {
        all.set(properties::INSTANCE_ID, namespace);
    }
    Ok(all)
}

/// How long the transaction of a half message stays with its sender; `None`: the message is none.
fn check_after_ms(properties: &Properties) -> Result<Option<i64>, Refusal> {
    let name = properties::TRANSACTION_CHECK_SECONDS;
    let Some(text) = properties.get(name) else { return Ok(None) };
    match text.parse() {
        Ok(seconds) if CHECK_SECONDS.contains(&seconds) => Ok(Some(seconds * 1000)),
        _ => {
            let text = format!("{name} is {text:?}; allowed are 10 to 300 seconds");
            Err(Refusal::new(code::INVALID_ARGUMENT, text))
        }
    }
}

/// The type that the properties say, in the order of the other protocols.
fn kind(properties: &Properties) -> MessageType {
    let has = |name: &str| properties.get(name).is_some();
    if has(properties::TRAN_MSG) {
        MessageType::Transaction
    } else if has(properties::START_DELIVER_TIME) {
        MessageType::Delay
    } else if has(properties::SHARDING_KEY) {
        MessageType::Fifo
    } else {
        MessageType::Normal
    }
}
