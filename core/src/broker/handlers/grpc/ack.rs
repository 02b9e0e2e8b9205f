//! Settling received messages: acknowledged (200051), hidden for another while (200053), given up (36).

use prost_types::Duration;

use super::super::Refusal;
use super::call::Call;
use super::status;
use crate::broker::node::Node;
use crate::broker::pop::{Expired, Receipt};
use crate::codec::grpc::proto::{
    AckMessageRequest, AckMessageResponse, AckMessageResultEntry, ChangeInvisibleDurationRequest,
    ChangeInvisibleDurationResponse, Code, ForwardMessageToDeadLetterQueueRequest,
    ForwardMessageToDeadLetterQueueResponse, Status,
};
use crate::codec::grpc::time;

/// Longest invisible time.
const MAX_INVISIBLE_MS: i64 = 12 * 3600 * 1000;

impl From<Expired> for Refusal {
    fn from(expired: Expired) -> Self {
        status::refusal(Code::InvalidReceiptHandle, expired.to_string())
    }
}

/// AckMessage.
pub(super) fn ack(call: &Call<'_>, request: AckMessageRequest) -> Result<AckMessageResponse, Refusal> {
    let (group, topic) = (call.group(request.group.as_ref())?, call.topic(request.topic.as_ref())?);
    if request.entries.is_empty() {
        return Err(status::refusal(Code::InternalServerError, "nothing to acknowledge"));
    }
    let now_ms = call.node.clock.now_ms();
    let mut state = call.node.state();
    let entries = request.entries.into_iter().map(|entry| {
        let acked = receipt(call.node, &entry.receipt_handle)
            .and_then(|receipt| Ok(state.acknowledge(&group, &topic, &receipt, now_ms)?));
        AckMessageResultEntry {
            message_id: entry.message_id,
            receipt_handle: entry.receipt_handle,
            status: acked.map_or_else(|refusal| Some(status::of(&refusal)), |()| status::ok()),
        }
    });
    let entries: Vec<_> = entries.collect();
    Ok(AckMessageResponse { status: overall(&entries), entries })
}

/// The status of all entries, if they share one.
fn overall(entries: &[AckMessageResultEntry]) -> Option<Status> {
    let mut statuses = entries.iter().filter_map(|entry| entry.status.as_ref());
    let Some(first) = statuses.next() else { return status::ok() };
    if statuses.all(|status| status.code == first.code) {
        return Some(first.clone());
    }
    Some(status::of(&status::refusal(Code::MultipleResults, "the entries have different results")))
}

/// ChangeInvisibleDuration.
pub(super) fn change_invisible(
    call: &Call<'_>,
    request: ChangeInvisibleDurationRequest,
) -> Result<ChangeInvisibleDurationResponse, Refusal> {
    let (group, topic) = (call.group(request.group.as_ref())?, call.topic(request.topic.as_ref())?);
    let invisible_ms = invisible_ms(request.invisible_duration.as_ref(), 0)?;
    let receipt = receipt(call.node, &request.receipt_handle)?;
    let suspend = request.suspend.unwrap_or_default();
    let now_ms = call.node.clock.now_ms();
    let changed =
        call.node.state().change_invisible(&group, &topic, &receipt, invisible_ms, suspend, now_ms)?;
    let receipt_handle = changed.handle(&call.node.name);
    Ok(ChangeInvisibleDurationResponse { status: status::ok(), receipt_handle })
}

/// The invisible time that a request asks for, if it is not shorter than `min_ms` or too long.
pub(super) fn invisible_ms(asked: Option<&Duration>, min_ms: i64) -> Result<i64, Refusal> {
    let asked = asked.copied().unwrap_or_default();
    let negative = asked.seconds < 0 || asked.nanos < 0;
    let ms = i64::try_from(time::from_duration(&asked).as_millis()).unwrap_or(i64::MAX);
    if !negative && (min_ms..=MAX_INVISIBLE_MS).contains(&ms) {
        return Ok(ms);
    }
    let remark = format!(
        "the invisible duration is {} s; allowed are {min_ms} to {MAX_INVISIBLE_MS} ms",
        asked.seconds
    );
    Err(status::refusal(Code::IllegalInvisibleTime, remark))
}

/// ForwardMessageToDeadLetterQueue.
pub(super) fn forward(
    call: &Call<'_>,
    request: ForwardMessageToDeadLetterQueueRequest,
) -> Result<ForwardMessageToDeadLetterQueueResponse, Refusal> {
    let (group, topic) = (call.group(request.group.as_ref())?, call.topic(request.topic.as_ref())?);
    let receipt = receipt(call.node, &request.receipt_handle)?;
    call.node.state().give_up(&group, &topic, &receipt, call.node.clock.now_ms())?;
    Ok(ForwardMessageToDeadLetterQueueResponse { status: status::ok() })
}

/// What a handle says, if it is one of this broker.
fn receipt(node: &Node, handle: &str) -> Result<Receipt, Refusal> {
    let (receipt, broker) = Receipt::parse(handle)
        .ok_or_else(|| status::refusal(Code::InternalServerError, "the receipt handle cannot be read"))?;
    if broker != node.name {
        let text = format!("the receipt handle is one of broker {broker}, not of {}", node.name);
        return Err(status::refusal(Code::InvalidReceiptHandle, text));
    }
    Ok(receipt)
}
