//! A consumer gives a message back (36): it is delivered again later, or becomes a dead letter.

use super::super::{Answer, Refusal, Request};
use crate::broker::retry;
use crate::broker::topics::TopicConfig;
use crate::codec::remoting::codes::response;
use crate::message::properties;

/// Retries start with this delay level (10 s) and go one level up each time.
const FIRST_RETRY_LEVEL: i32 = 3;
/// First version of clients that send their own limit (V3_4_9).
const OWN_LIMIT_FROM: i32 = 121;

/// CONSUMER_SEND_MSG_BACK.
pub(super) fn send_back(request: &Request<'_>) -> Answer {
    let (group, offset) = (request.text("group")?, request.number("offset")?);
    let level: i32 = request.number("delayLevel")?;
    let own_limit =
        request.frame.ext.parse("maxReconsumeTimes").filter(|_| request.frame.version >= OWN_LIMIT_FROM);
    let mut state = request.node.state();
    let Some(mut message) = state.store.message_at(offset) else {
        let remark =
            format!("no message at commit-log offset {offset}; it may have made room for newer ones");
        return Err(Refusal::new(response::SYSTEM_ERROR, remark));
    };
    let limit = own_limit.unwrap_or_else(|| state.groups.max_reconsume_times(group));
    let dead = level < 0 || message.reconsume_times >= limit;
    if dead {
        retry::bury(&mut message, group);
    } else {
        let level =
            if level == 0 { FIRST_RETRY_LEVEL.saturating_add(message.reconsume_times) } else { level };
        retry::retry(&mut message, group);
        message.properties.set(properties::DELAY, level.to_string());
    }
    state.store.topics.ensure(&message.topic, TopicConfig::new(1));
    let now_ms = request.node.clock.now_ms();
    if dead {
        state.make_visible(&mut message, now_ms);
    } else {
        state.publish(message, now_ms)?;
    }
    Ok(Some(request.success()))
}
