//! Pulling messages (11, 361).

use std::sync::Arc;
use std::time::Duration;

use super::super::{Answer, Refusal, Request};
use crate::broker::delivery::{self, Pull};
use crate::broker::filter::{Filter, FilterFault};
use crate::broker::state::State;
use crate::clock;
use crate::codec::remoting::Frame;
use crate::codec::remoting::body::perm;
use crate::codec::remoting::codes::response;
use crate::codec::remoting::header::{PullHeader, PullReplyHeader, pull_flag};

/// Most messages of one answer, as from the real server.
const MAX_COUNT: i32 = 32;
/// Longest hold of a pull.
const MAX_HOLD_MS: i64 = 60_000;

/// PULL_MESSAGE, LITE_PULL_MESSAGE.
pub(super) fn pull(request: &Request<'_>) -> Answer {
    let header = PullHeader::read(&request.frame.ext)?;
    let mut state = request.node.state();
    let Some(topic) = state.store.topics.get(&header.topic) else {
        let remark = format!("topic {} does not exist", header.topic);
        return Err(Refusal::new(response::TOPIC_NOT_EXIST, remark));
    };
    if topic.config.perm & perm::READ == 0 {
        return Err(Refusal::new(response::NO_PERMISSION, format!("topic {} may not be read", header.topic)));
    }
    let Some(queue) = state.store.topics.queue(&header.topic, header.queue_id) else {
        let remark = format!(
            "topic {} has {} queues, not queue {}",
            header.topic,
            topic.queues.len(),
            header.queue_id
        );
        return Err(Refusal::new(response::INVALID_PARAMETER, remark));
    };
    let (min_offset, max_offset) = (queue.min_offset(), queue.max_offset());
    let filter = filter(&state, &header)?;
    if let Some(offset) = state.offsets.take_reset(&header.consumer_group, &header.topic, header.queue_id) {
        let moved = Frame::response(request.frame, response::PULL_OFFSET_MOVED).with_remark("OFFSET_RESET");
        let bounds =
            PullReplyHeader { next_begin_offset: offset, min_offset, max_offset, suggest_which_broker_id: 0 };
        return Ok(Some(Frame { ext: bounds.into_ext(), ..moved }));
    }
    if header.sys_flag & pull_flag::COMMIT_OFFSET != 0 && header.commit_offset >= 0 {
        state.offsets.set(&header.consumer_group, &header.topic, header.queue_id, header.commit_offset);
    }
    let hold = (header.sys_flag & pull_flag::SUSPEND != 0 && header.suspend_timeout_millis > 0)
        .then(|| Duration::from_millis(header.suspend_timeout_millis.min(MAX_HOLD_MS).unsigned_abs()));
    let pull = Pull {
        from: Arc::clone(request.from),
        opaque: request.frame.opaque,
        queue: header.queue_id,
        offset: header.queue_offset,
        count: header.max_msg_nums.clamp(1, MAX_COUNT) as usize,
        topic: header.topic,
        filter,
    };
    Ok(delivery::pull(&mut state, pull, hold.map(|hold| clock::instant() + hold)))
}

/// The filter in the request or, without one, that of the group's heartbeat.
fn filter(state: &State, header: &PullHeader) -> Result<Arc<Filter>, Refusal> {
    if header.sys_flag & pull_flag::SUBSCRIPTION != 0 {
        let kind = header.expression_type.as_deref().unwrap_or_default();
        let filter = Filter::parse(kind, header.subscription.as_deref().unwrap_or_default());
        return Ok(Arc::new(filter.map_err(parse_failed)?));
    }
    let (group, topic) = (&header.consumer_group, &header.topic);
    let consumers = state.groups.consumers.get(group);
    let subscription =
        consumers.and_then(|consumers| consumers.subscription(topic).zip(consumers.filter(topic)));
    let Some((subscription, filter)) = subscription else {
        let remark = format!("group {group} has no subscription to {topic}; its heartbeat is missing");
        return Err(Refusal::new(response::SUBSCRIPTION_NOT_EXIST, remark));
    };
    if subscription.sub_version < header.sub_version {
        let remark = format!("the subscription of group {group} to {topic} is older than the pull's");
        return Err(Refusal::new(response::SUBSCRIPTION_NOT_LATEST, remark));
    }
    // The real server takes any heartbeat, and then has no filter for the pulls.
    filter.map_err(|fault| Refusal::new(response::FILTER_DATA_NOT_EXIST, fault.to_string()))
}

/// The answer to a request with a filter that cannot be read.
pub(super) fn parse_failed(fault: FilterFault) -> Refusal {
    Refusal::new(response::SUBSCRIPTION_PARSE_FAILED, fault.to_string())
}
