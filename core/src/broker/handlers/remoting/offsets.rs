//! Offsets: of groups (14, 15) and of queues (29-32).

use super::super::{Answer, Refusal, Request};
use crate::broker::state::State;
use crate::broker::store::Queue;
use crate::codec::remoting::codes::response;

/// QUERY_CONSUMER_OFFSET.
pub(super) fn query(request: &Request<'_>) -> Answer {
    let (group, topic, queue) =
        (request.text("consumerGroup")?, request.text("topic")?, request.number("queueId")?);
    let state = request.node.state();
    let stored_only = request.frame.ext.get("setZeroIfNotFound") == Some("false");
    let offset = if stored_only {
        state.offsets.get(group, topic, queue)
    } else {
        state.first_offset(group, topic, queue)
    };
    match offset {
        Some(offset) => Ok(Some(request.success().with("offset", offset))),
        None => {
            let remark = format!("group {group} has no offset for queue {queue} of topic {topic}");
            Err(Refusal::new(response::QUERY_NOT_FOUND, remark))
        }
    }
}

/// UPDATE_CONSUMER_OFFSET.
pub(super) fn update(request: &Request<'_>) -> Answer {
    let (group, topic, queue) =
        (request.text("consumerGroup")?, request.text("topic")?, request.number("queueId")?);
    let offset = request.number("commitOffset")?;
    let mut state = request.node.state();
    if state.store.topics.get(topic).is_none() {
        return Err(Refusal::new(response::TOPIC_NOT_EXIST, format!("topic {topic} does not exist")));
    }
    if state.store.topics.queue(topic, queue).is_none() || offset < 0 {
        let remark = format!("topic {topic} has no queue {queue}, or {offset} is no offset");
        return Err(Refusal::new(response::INVALID_PARAMETER, remark));
    }
    state.offsets.set(group, topic, queue, offset);
    Ok(Some(request.success()))
}

/// Answers `field` with what `read` finds in the named queue, 0 where there is no such queue.
fn of_queue(request: &Request<'_>, field: &'static str, read: impl FnOnce(&State, &Queue) -> i64) -> Answer {
    let (topic, queue) = (request.text("topic")?, request.number("queueId")?);
    let state = request.node.state();
    let value = state.store.topics.queue(topic, queue).map_or(0, |queue| read(&state, queue));
    Ok(Some(request.success().with(field, value)))
}

/// GET_MAX_OFFSET.
pub(super) fn max(request: &Request<'_>) -> Answer {
    of_queue(request, "offset", |_, queue| queue.max_offset())
}

/// GET_MIN_OFFSET.
pub(super) fn min(request: &Request<'_>) -> Answer {
    of_queue(request, "offset", |_, queue| queue.min_offset())
}

/// SEARCH_OFFSET_BY_TIMESTAMP.
pub(super) fn search(request: &Request<'_>) -> Answer {
    let timestamp = request.number("timestamp")?;
    of_queue(request, "offset", |state, queue| state.store.offset_at(queue, timestamp))
}

/// GET_EARLIEST_MSG_STORETIME.
pub(super) fn earliest_store_time(request: &Request<'_>) -> Answer {
    of_queue(request, "timestamp", |state, queue| {
        let oldest = queue.get(queue.min_offset());
        oldest.and_then(|entry| state.store.store_timestamp(&entry)).unwrap_or(-1)
    })
}
