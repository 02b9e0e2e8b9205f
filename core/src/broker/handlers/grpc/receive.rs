//! Receiving (200050): what is there, or a wait for it as long as the client allows.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use tonic::{Request, Response, Status};

use super::super::Refusal;
use super::super::meet::Ending;
use super::super::wait::wait;
use super::ack::invisible_ms;
use super::call::{Call, Service};
use super::deliver::delivered;
use super::{Reply, settings, status};
use crate::broker::node::Node;
use crate::broker::pop::{Delivery, Mode, RENEWED_MS, Receive};
use crate::codec::grpc::proto::receive_message_response::Content;
use crate::codec::grpc::proto::{Code, MessageQueue, ReceiveMessageRequest, ReceiveMessageResponse};
use crate::codec::grpc::{digest, metadata, time};
use crate::codec::remoting::body::perm;
use crate::codec::remoting::codes::request as code;

/// How long the client waits for the answer.
const DEADLINE: &str = "grpc-timeout";
/// How long a client may ask to wait; less or more is brought into this range.
const MIN_POLL: Duration = Duration::from_secs(5);
const MAX_POLL: Duration = Duration::from_secs(20);
/// An empty answer leaves this long before the wait ends, so that it arrives within the deadline of the client.
const AHEAD: Duration = Duration::from_millis(30);
/// Where the settings do not say.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// Most messages of one answer.
const MAX_COUNT: i32 = 32;
/// Shortest invisible time of a received message.
const MIN_INVISIBLE_MS: i64 = 10_000;
/// First version of clients that know the code 40018.
const ILLEGAL_POLLING_TIME_FROM: &str = "5.0.3";

/// ReceiveMessage.
pub(super) async fn open(
    service: &Service,
    request: Request<ReceiveMessageRequest>,
) -> Result<Response<Reply<ReceiveMessageResponse>>, Status> {
    let (metadata, _, request) = request.into_parts();
    let ending = service.receive(code::POP_MESSAGE).await;
    let cut = ending == Ok(Ending::Cut);
    let corrupt = ending == Ok(Ending::Corrupt);
    let understood = ending.and_then(|_| understand(&service.call(&metadata)?, request));
    let contents = match understood {
        Ok((wanted, poll)) => {
            let deliveries = wait(&service.node, wanted, poll.saturating_sub(AHEAD)).await;
            contents(deliveries, &service.node.name, corrupt)
        }
        Err(refusal) => vec![Content::Status(status::of(&refusal))],
    };
    if cut {
        match service.cut().await {}
    }
    let end = Content::DeliveryTimestamp(time::timestamp(service.node.clock.now_ms()));
    let all = contents.into_iter().chain([end]);
    let all = all.map(|content| Ok(ReceiveMessageResponse { content: Some(content) }));
    Ok(Response::new(Box::pin(stream::iter(all))))
}

/// The elements of an answer: a status, then messages.
fn contents(deliveries: Vec<Delivery>, broker: &str, corrupt: bool) -> Vec<Content> {
    if deliveries.is_empty() {
        let nothing = status::refusal(Code::MessageNotFound, "no message within the time of the receive");
        return vec![Content::Status(status::of(&nothing))];
    }
    let messages = deliveries.into_iter().map(|delivery| {
        let mut message = delivered(delivery, broker);
        if let Some(system) = message.system_properties.as_mut().filter(|_| corrupt) {
            system.body_digest = Some(digest::md5(&[&message.body[..], b"corrupt"].concat()));
        }
        Content::Message(message)
    });
    status::ok().map(Content::Status).into_iter().chain(messages).collect()
}

/// What the request wants, and how long it may wait.
fn understand(call: &Call<'_>, request: ReceiveMessageRequest) -> Result<(Receive, Duration), Refusal> {
    let request_timeout = request_timeout(call)?;
    let left = call.metadata(DEADLINE).and_then(deadline);
    let poll = poll(&request, left, request_timeout, call.metadata(metadata::CLIENT_VERSION))?;
    let queue = request.message_queue.unwrap_or_default();
    let topic = call.topic(queue.topic.as_ref())?;
    let group = call.group(request.group.as_ref())?;
    let invisible_ms = if request.auto_renew {
        RENEWED_MS
    } else {
        invisible_ms(request.invisible_duration.as_ref(), MIN_INVISIBLE_MS)?
    };
    let filter = settings::filter(request.filter_expression.as_ref())?;
    check_topic(call.node, &topic, &queue)?;
    let wanted = Receive {
        group: group.into(),
        topic: topic.into(),
        queue: (queue.id >= 0).then_some(queue.id),
        filter: Arc::new(filter),
        count: request.batch_size.clamp(1, MAX_COUNT) as usize,
        invisible_ms,
        renewed_for: request.auto_renew.then(|| call.client_id.into()),
        attempt_id: request.attempt_id.map(Into::into),
        mode: Mode::AsGroup,
    };
    Ok((wanted, poll))
}

/// The client's time-out of requests; who never told settings cannot receive.
fn request_timeout(call: &Call<'_>) -> Result<Duration, Refusal> {
    let state = call.node.state();
    let Some(client) = state.clients.get(call.client_id) else {
        let remark = format!(
            "client {} has no settings here: send them on the telemetry stream first",
            call.client_id
        );
        return Err(status::refusal(Code::InternalServerError, remark));
    };
    Ok(client.settings.request_timeout.as_ref().map_or(REQUEST_TIMEOUT, time::from_duration))
}

/// Reads a deadline of the gRPC protocol: a number and a unit.
fn deadline(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number.saturating_mul(3600)),
        "M" => Duration::from_secs(number.saturating_mul(60)),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// How long to wait for messages: what was asked for within the limits, and within what the deadline leaves.
fn poll(
    request: &ReceiveMessageRequest,
    left: Option<Duration>,
    request_timeout: Duration,
    version: Option<&str>,
) -> Result<Duration, Refusal> {
    let left = left.unwrap_or(Duration::MAX);
    let asked = match &request.long_polling_timeout {
        Some(timeout) => time::from_duration(timeout),
        None => left.saturating_sub(request_timeout / 2),
    };
    if left >= MIN_POLL {
        return Ok(asked.clamp(MIN_POLL, MAX_POLL).min(left));
    }
    let knows = version.is_some_and(|version| version >= ILLEGAL_POLLING_TIME_FROM);
    let refused = if knows { Code::IllegalPollingTime } else { Code::BadRequest };
    let (left, least) = (left.as_millis(), MIN_POLL.as_millis());
    let remark =
        format!("the deadline leaves {left} ms, and a receive waits at least {least} ms: give it more time");
    Err(status::refusal(refused, remark))
}

/// Whether there is something to receive from, here.
fn check_topic(node: &Node, topic: &str, queue: &MessageQueue) -> Result<(), Refusal> {
    let broker = queue.broker.as_ref().map_or("", |broker| &broker.name);
    if !broker.is_empty() && broker != node.name {
        let remark = format!("this is broker {}, not {broker}", node.name);
        return Err(status::refusal(Code::BadRequest, remark));
    }
    let state = node.state();
    let Some(found) = state.store.topics.get(topic) else {
        return Err(status::refusal(Code::TopicNotFound, format!("topic {topic} does not exist")));
    };
    if found.config.perm & perm::READ == 0 {
        return Err(status::refusal(Code::Forbidden, format!("topic {topic} may not be read")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll_of(asked_s: Option<u64>, left_ms: Option<u64>, version: &str) -> Result<u128, Refusal> {
        let request = ReceiveMessageRequest {
            long_polling_timeout: asked_s.map(|asked| time::duration(Duration::from_secs(asked))),
            ..Default::default()
        };
        let left = left_ms.map(Duration::from_millis);
        poll(&request, left, REQUEST_TIMEOUT, Some(version)).map(|poll| poll.as_millis())
    }

    #[test]
    fn a_receive_waits_five_to_twenty_seconds_within_its_deadline() {
        for (asked, left, poll) in [
            (Some(10), None, 10_000),
            (Some(0), None, 5_000),
            (Some(60), None, 20_000),
            (Some(15), Some(18_000), 15_000),
            (Some(15), Some(6_000), 6_000),
            (None, None, 20_000),
            (None, Some(9_500), 8_000),
        ] {
            assert_eq!(poll_of(asked, left, "5.2.0"), Ok(poll), "{asked:?} {left:?}");
        }
        for asked in [Some(15), Some(1), None] {
            for (version, code) in [("5.2.0", Code::IllegalPollingTime), ("5.0.2", Code::BadRequest)] {
                let refusal = poll_of(asked, Some(4_999), version).unwrap_err();
                assert_eq!(status::of(&refusal).code(), code, "{asked:?}");
            }
        }
    }

    #[test]
    fn deadlines_have_a_unit() {
        assert_eq!(deadline("23000m"), Some(Duration::from_secs(23)));
        assert_eq!(deadline("1H"), deadline("60M"));
        assert_eq!(deadline("5S"), deadline("5000000u"));
        for none in ["", "m", "5", "5x", "-5S", "5 S", "5é"] {
            assert_eq!(deadline(none), None, "{none:?}");
        }
    }
}
