//! Sending: one message (10, 310) or a batch (320, 310 with m=true).

use super::super::publish::{self, MAX_PROPERTIES_BYTES, REGION};
use super::super::{Answer, Refusal, Request};
use crate::broker::node::Node;
use crate::broker::state::{Placed, State};
use crate::broker::topics::{self, RETRY_PREFIX, dead_letter_topic};
use crate::broker::transactions::is_half;
use crate::codec::remoting::batch::{self, BatchItem};
use crate::codec::remoting::codes::response;
use crate::codec::remoting::header::SendHeader;
use crate::codec::remoting::record::StoredMessage;
use crate::codec::remoting::{Frame, RecallHandle};
use crate::message::{MAX_BODY_BYTES, OffsetMessageId, Properties, properties};

/// SEND_MESSAGE, SEND_MESSAGE_V2, SEND_BATCH_MESSAGE.
pub(super) fn send(request: &Request<'_>) -> Answer {
    let answer = store(request)
        .unwrap_or_else(|refusal| Frame::response(request.frame, refusal.code).with_remark(refusal.remark));
    // Java clients read these from refusals too.
    Ok(Some(answer.with(properties::MSG_REGION, REGION).with(properties::TRACE_ON, true)))
}

fn store(request: &Request<'_>) -> Result<Frame, Refusal> {
    let mut header = SendHeader::read(request.frame)?;
    let illegal = |remark: String| Err(Refusal::new(response::MESSAGE_ILLEGAL, remark));
    let size = request.frame.body.len();
    if size == 0 || size > MAX_BODY_BYTES {
        return illegal(format!("the body has {size} bytes; allowed are 1 to {MAX_BODY_BYTES}"));
    }
    if header.properties.len() > MAX_PROPERTIES_BYTES {
        return illegal(format!(
            "the properties have {} bytes; allowed are {MAX_PROPERTIES_BYTES}",
            header.properties.len()
        ));
    }
    if let Some(fault) = topics::name_fault(&header.topic) {
        return Err(Refusal::new(response::INVALID_PARAMETER, fault));
    }
    if topics::is_internal(&header.topic) {
        return Err(Refusal::new(
            response::NO_PERMISSION,
            format!("topic {} is the broker's own", header.topic),
        ));
    }
    let properties = Properties::decode(&header.properties);
    let node = request.node;
    let mut state = node.state();
    let dead = redirect_dead(&state, &mut header);
    let queue_id = queue(node, &mut state, &header)?;
    let message = StoredMessage {
        queue_id,
        flag: header.flag,
        sys_flag: header.sys_flag,
        born_timestamp: header.born_timestamp,
        born_host: request.from.peer,
        store_host: node.address,
        reconsume_times: header.reconsume_times,
        body: request.frame.body.clone(),
        topic: header.topic,
        properties,
        queue_offset: 0,
        commit_log_offset: 0,
        store_timestamp: 0,
        prepared_transaction_offset: 0,
    };
    if header.batch {
        send_batch(request, &mut state, message)
    } else {
        send_one(request, &mut state, message, dead)
    }
}

fn send_one(
    request: &Request<'_>,
    state: &mut State,
    mut message: StoredMessage,
    dead: bool,
) -> Result<Frame, Refusal> {
    let node = request.node;
    let now_ms = node.clock.now_ms();
    publish::complete(node, &mut message.properties, now_ms);
    if dead {
        message.properties.remove(properties::DELAY);
    }
    let (topic, queue_id) = (message.topic.clone(), message.queue_id);
    let unique_id = message.properties.get(properties::UNIQ_KEY).unwrap_or_default().to_owned();
    let placed = if dead {
        state.make_visible(&mut message, now_ms)
    } else if is_half(&message) {
        state.begin_transaction(message, now_ms)
    } else {
        state.publish(message, now_ms)?
    };
    let mut answer = request
        .success()
        .with("msgId", message_id(node, placed))
        .with("queueId", queue_id)
        .with("queueOffset", placed.queue_offset)
        .with("transactionId", &unique_id);
    if let Some(deliver_at_ms) = placed.deliver_at_ms {
        let handle = RecallHandle { topic, broker: node.name.clone(), deliver_at_ms, message_id: unique_id };
        answer.ext.set("recallHandle", handle.to_string());
    }
    Ok(answer)
}

fn send_batch(request: &Request<'_>, state: &mut State, outer: StoredMessage) -> Result<Frame, Refusal> {
    let illegal = |remark: String| Refusal::new(response::MESSAGE_ILLEGAL, remark);
    let items = batch::decode(outer.body.clone()).map_err(|error| illegal(error.to_string()))?;
    let now_ms = request.node.clock.now_ms();
    // All or nothing: every delivery time is checked before the first message is stored.
    for item in &items {
        state.deliver_at(&item.properties, now_ms)?;
    }
    let mut placed = Vec::with_capacity(items.len());
    for BatchItem { flag, body, properties } in items {
        placed.push(state.publish(StoredMessage { flag, body, properties, ..outer.clone() }, now_ms)?);
    }
    let first = placed.first().ok_or_else(|| illegal("the batch is empty".into()))?;
    let ids: Vec<_> = placed.iter().map(|placed| message_id(request.node, *placed).to_string()).collect();
    Ok(request
        .success()
        .with("msgId", ids.join(","))
        .with("queueId", outer.queue_id)
        .with("queueOffset", first.queue_offset))
}

fn message_id(node: &Node, placed: Placed) -> OffsetMessageId {
    OffsetMessageId { host: node.address, commit_log_offset: placed.commit_log_offset }
}

/// Turns a send to a retry topic into one to the dead letter queue when the message was retried often enough, or when
/// its group consumes in order and cannot retry later; whether it did.
fn redirect_dead(state: &State, header: &mut SendHeader) -> bool {
    let Some(group) = header.topic.strip_prefix(RETRY_PREFIX) else { return false };
    let max = header.max_reconsume_times.unwrap_or_else(|| state.groups.max_reconsume_times(group));
    if header.reconsume_times <= max && !state.locks.is_orderly(group) {
        return false;
    }
    header.topic = dead_letter_topic(group);
    header.queue_id = 0;
    true
}

/// The queue to write to; creates the topic if that is allowed.
fn queue(node: &Node, state: &mut State, header: &SendHeader) -> Result<i32, Refusal> {
    let name = &header.topic;
    let writable = publish::writable(node, state, name)?.write_queues;
    let queues = state.store.topics.get(name).map_or(0, |topic| topic.queues.len());
    match header.queue_id {
        negative if negative < 0 => Ok(fastrand::i32(..writable.max(1))),
        queue if (queue as usize) < queues => Ok(queue),
        queue => {
            let remark = format!("topic {name} has {queues} queues, not queue {queue}");
            Err(Refusal::new(response::INVALID_PARAMETER, remark))
        }
    }
}
