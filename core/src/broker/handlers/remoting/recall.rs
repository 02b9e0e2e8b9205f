//! Taking back a scheduled message (370) by the handle that the answer to its send carried.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use super::super::{Answer, Refusal, Request};
use crate::codec::remoting::codes::response;

const VERSION: &str = "v1";

/// The handle of a message that becomes visible at `deliver_at_ms`.
pub(super) fn handle(topic: &str, broker: &str, deliver_at_ms: i64, unique_id: &str) -> String {
    URL_SAFE.encode(format!("{VERSION} {topic} {broker} {deliver_at_ms} {unique_id}"))
}

/// RECALL_MESSAGE.
pub(super) fn recall(request: &Request<'_>) -> Answer {
    let illegal = |remark: &str| Refusal::new(response::ILLEGAL_OPERATION, remark);
    let (topic, handle) = (request.text("topic")?, request.text("recallHandle")?);
    let plain =
        URL_SAFE.decode(handle).ok().and_then(|plain| String::from_utf8(plain).ok()).unwrap_or_default();
    let [VERSION, named, _broker, at, unique_id] = plain.split(' ').collect::<Vec<_>>()[..] else {
        return Err(illegal("the recall handle cannot be read"));
    };
    if named != topic {
        return Err(illegal("the recall handle is one of another topic"));
    }
    let at = at.parse().map_err(|_| illegal("the recall handle cannot be read"))?;
    if !request.node.state().recall(topic, unique_id, at) {
        return Err(illegal("the message does not wait any more: it was delivered or recalled"));
    }
    Ok(Some(request.success().with("msgId", unique_id)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn handles_have_the_layout_of_the_real_server() {
        let handle = super::handle("T", "broker-a", 1_700_000_000_001, "01AB");
        assert_eq!(handle, "djEgVCBicm9rZXItYSAxNzAwMDAwMDAwMDAxIDAxQUI=");
    }
}
