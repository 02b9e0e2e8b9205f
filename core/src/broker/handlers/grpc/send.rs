//! Sending: one message or several of one topic.

use super::super::{Refusal, publish};
use super::accept::{Accepted, accept};
use super::call::Call;
use super::status::{self, refusal};
use crate::broker::state::{Placed, State};
use crate::broker::topics::TopicConfig;
use crate::codec::grpc::proto::{
    Code, MessageType, SendMessageRequest, SendMessageResponse, SendResultEntry,
};
use crate::codec::remoting::RecallHandle;
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
        publish::check_type(node, &topic, &config, one.kind)?;
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

fn store(
    call: &Call<'_>,
    state: &mut State,
    config: &TopicConfig,
    Accepted { mut message, kind }: Accepted,
    now_ms: i64,
) -> Result<SendResultEntry, Refusal> {
    message.queue_id = publish::queue(state, config, &message.properties);
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
    let queue_id =
        several.first().map_or(0, |first| publish::queue(state, config, &first.message.properties));
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
