//! Sending: one message or several of one topic.

use super::super::{Refusal, publish};
use super::accept::{Accepted, accept};
use super::call::Call;
use super::status::{self, refusal};
use crate::broker::TopicType;
use crate::broker::state::{Placed, State};
use crate::broker::topics::TopicConfig;
use crate::codec::grpc::proto::{
    Code, MessageType, SendMessageRequest, SendMessageResponse, SendResultEntry,
};
use crate::codec::remoting::RecallHandle;
use crate::codec::remoting::body::tag_hash;
use crate::codec::remoting::codes::response;
use crate::codec::remoting::record::StoredMessage;
use crate::message::properties;

/// SendMessage. All or nothing: everything is checked before the first message is stored.
pub(super) fn send(call: &Call<'_>, request: SendMessageRequest) -> Result<SendMessageResponse, Refusal> {
    let Some(first) = request.messages.first() else {
        return Err(refusal(Code::MessageCorrupted, "the request has no message"));
    };
    let resource = first.topic.clone();
    let topic = call.topic(resource.as_ref())?;
    if request.messages.iter().any(|message| message.topic != resource) {
        return Err(refusal(Code::MessageCorrupted, "the messages of a request have one topic"));
    }
    let node = call.node;
    let now_ms = node.clock.now_ms();
    let accept = |message| accept(call, &topic, message, now_ms);
    let accepted = request.messages.into_iter().map(accept).collect::<Result<Vec<_>, _>>()?;
    let mut state = node.state();
    let config = writable(call, &mut state, &topic)?;
    for one in &accepted {
        check_type(call, &topic, &config, one.kind)?;
        state.deliver_at(&one.message.properties, now_ms)?;
    }
    let entry = match <[Accepted; 1]>::try_from(accepted) {
        Ok([one]) => store(call, &mut state, &config, one, now_ms)?,
        Err(several) => store_batch(call, &mut state, &config, several, now_ms)?,
    };
    Ok(SendMessageResponse { status: status::ok(), entries: vec![entry] })
}

fn writable(call: &Call<'_>, state: &mut State, topic: &str) -> Result<TopicConfig, Refusal> {
    publish::writable(call.node, state, topic).map_err(|refused| match refused.code {
        response::NO_PERMISSION => refusal(Code::Forbidden, refused.remark),
        // The real server compares types first, and a topic that does not exist has none.
        response::TOPIC_NOT_EXIST if !call.node.persona.creates_topics_on_route() => {
            refusal(Code::MessagePropertyConflictWithType, refused.remark)
        }
        _ => refused,
    })
}

fn check_type(call: &Call<'_>, topic: &str, config: &TopicConfig, kind: MessageType) -> Result<(), Refusal> {
    let expected = call.node.persona.topic_type(config);
    let is_welcome = match expected {
        TopicType::Mixed => kind != MessageType::Lite,
        one => one.accepts(call.node.persona).contains(&kind),
    };
    if is_welcome {
        return Ok(());
    }
    let remark =
        format!("topic {topic} takes {} messages, and this one is {}", expected.name(), kind.as_str_name());
    Err(refusal(Code::MessagePropertyConflictWithType, remark))
}

fn store(
    call: &Call<'_>,
    state: &mut State,
    config: &TopicConfig,
    Accepted { mut message, kind }: Accepted,
    now_ms: i64,
) -> Result<SendResultEntry, Refusal> {
    message.queue_id = queue(state, config, &message);
    publish::complete(call.node, &mut message.properties, now_ms);
    let topic = message.topic.clone();
    let message_id = id(&message).to_owned();
    let placed = match kind {
        MessageType::Transaction => state.begin_transaction(message, now_ms),
        _ => state.publish(message, now_ms)?,
    };
    let recall_handle = placed.deliver_at_ms.map(|deliver_at_ms| {
        let broker = call.node.name.clone();
        RecallHandle { topic, broker, deliver_at_ms, message_id: message_id.clone() }.to_string()
    });
    Ok(SendResultEntry {
        status: status::ok(),
        transaction_id: message_id.clone(),
        message_id,
        offset: placed.queue_offset,
        recall_handle: recall_handle.unwrap_or_default(),
    })
}

/// Several messages go to one queue, and one entry answers for all of them, as from the real server.
fn store_batch(
    call: &Call<'_>,
    state: &mut State,
    config: &TopicConfig,
    several: Vec<Accepted>,
    now_ms: i64,
) -> Result<SendResultEntry, Refusal> {
    let queue_id = several.first().map_or(0, |first| queue(state, config, &first.message));
    let mut first: Option<Placed> = None;
    let mut last_id = String::new();
    for Accepted { mut message, kind } in several {
        message.queue_id = queue_id;
        last_id = id(&message).to_owned();
        let placed = match kind {
            MessageType::Transaction => state.begin_transaction(message, now_ms),
            _ => state.publish(message, now_ms)?,
        };
        first.get_or_insert(placed);
    }
    Ok(SendResultEntry {
        status: status::ok(),
        message_id: call.node.unique_ids.next(now_ms),
        transaction_id: last_id,
        offset: first.map_or(0, |first| first.queue_offset),
        recall_handle: String::new(),
    })
}

fn id(message: &StoredMessage) -> &str {
    message.properties.get(properties::UNIQ_KEY).unwrap_or_default()
}

/// Messages of one group go to one queue; the others take turns. The producer's choice does not count.
fn queue(state: &mut State, config: &TopicConfig, message: &StoredMessage) -> i32 {
    match message.properties.get(properties::SHARDING_KEY) {
        Some(group) => consistent_hash(i64::from(tag_hash(group)), config.write_queues),
        None => state.next_queue(config.write_queues),
    }
}

/// The bucket of `input` among `buckets`, as Guava's `Hashing.consistentHash` finds it.
fn consistent_hash(input: i64, buckets: i32) -> i32 {
    let mut state = input;
    let mut candidate = 0;
    loop {
        state = state.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let fraction = f64::from(((state as u64) >> 33) as i32 + 1) / f64::from(1_u32 << 31);
        // Saturates, as in Java.
        let next = (f64::from(candidate + 1) / fraction) as i32;
        if !(0..buckets).contains(&next) {
            return candidate;
        }
        candidate = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_group_has_the_queue_of_the_real_server() {
        assert_eq!(tag_hash("group-1"), 293_427_299);
        assert_eq!(consistent_hash(293_427_299, 8), 7);
        for input in [i64::MIN, -1, 0, 1, i64::MAX] {
            for buckets in 1..20 {
                assert!((0..buckets).contains(&consistent_hash(input, buckets)));
            }
        }
    }
}
