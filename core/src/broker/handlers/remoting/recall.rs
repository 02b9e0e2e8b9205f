//! Taking back a scheduled message (370) by the handle that the answer to its send carried.

use super::super::{Answer, Refusal, Request};
use crate::codec::remoting::RecallHandle;
use crate::codec::remoting::codes::response;

/// RECALL_MESSAGE.
pub(super) fn recall(request: &Request<'_>) -> Answer {
    let illegal = |remark: &str| Refusal::new(response::ILLEGAL_OPERATION, remark);
    let (topic, handle) = (request.text("topic")?, request.text("recallHandle")?);
    let handle = RecallHandle::parse(handle).ok_or_else(|| illegal("the recall handle cannot be read"))?;
    if handle.topic != topic {
        return Err(illegal("the recall handle is one of another topic"));
    }
    if !request.node.state().recall(topic, &handle.message_id, handle.deliver_at_ms) {
        return Err(illegal("the message does not wait any more: it was delivered or recalled"));
    }
    Ok(Some(request.success().with("msgId", handle.message_id)))
}
