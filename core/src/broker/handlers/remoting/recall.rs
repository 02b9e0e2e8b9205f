//! Taking back a scheduled message (370) by the handle that the answer to its send carried.

use super::super::{Answer, Request};

/// RECALL_MESSAGE.
pub(super) fn recall(request: &Request<'_>) -> Answer {
    let (topic, handle) = (request.text("topic")?, request.text("recallHandle")?);
    let message_id = request.node.state().recall_by(topic, handle)?;
    Ok(Some(request.success().with("msgId", message_id)))
}
