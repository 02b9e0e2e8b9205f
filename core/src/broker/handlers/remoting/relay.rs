//! What the broker asks clients on behalf of others: running info (307), consuming one message (309), offsets (222,
//! which the server does itself), and replies to requests (324, 325, pushed as 326).

use bytes::BytesMut;

use super::super::{Answer, Refusal, Request};
use crate::codec::remoting::Frame;
use crate::codec::remoting::body::{JsonBody, QueueKey, ResetOffset};
use crate::codec::remoting::codes::{request, response};
use crate::codec::remoting::header::SendHeader;
use crate::message::{OffsetMessageId, Properties};

/// Client id to which a reply goes.
const REPLY_TO_CLIENT: &str = "REPLY_TO_CLIENT";

/// GET_CONSUMER_RUNNING_INFO.
pub(super) fn running_info(request: &Request<'_>) -> Answer {
    pass(request, request.frame)
}

/// CONSUME_MESSAGE_DIRECTLY: the client gets the message with the question.
pub(super) fn consume_directly(request: &Request<'_>) -> Answer {
    let mut question = request.frame.clone().with("brokerName", &request.node.name);
    if let Some(id) = request.frame.ext.get("msgId").and_then(OffsetMessageId::parse) {
        let Some(message) = request.node.state().store.message_at(id.commit_log_offset) else {
            return Err(Refusal::new(
                response::SYSTEM_ERROR,
                format!("no message at commit-log offset {}", id.commit_log_offset),
            ));
        };
        let mut record = BytesMut::new();
        message.encode(&mut record);
        question.body = record.freeze();
    }
    pass(request, &question)
}

fn pass(request: &Request<'_>, question: &Frame) -> Answer {
    let (group, client_id) = (request.text("consumerGroup")?, request.text("clientId")?);
    let mut state = request.node.state();
    let member = state.groups.consumers.get(group).and_then(|group| group.members.get(client_id));
    let Some(to) = member.map(|member| member.outbox.clone()) else {
        let remark = format!("client {client_id} of group {group} is not online");
        return Err(Refusal::new(response::SYSTEM_ERROR, remark));
    };
    state.relays.pass(question, request.from, &to);
    Ok(None)
}

/// INVOKE_BROKER_TO_RESET_OFFSET, done by the server: the next pull of each queue is sent to the new offset.
pub(super) fn reset_offset(request: &Request<'_>) -> Answer {
    let (group, topic) = (request.text("group")?, request.text("topic")?);
    let timestamp: i64 = request.number("timestamp")?;
    let (only, given) = (request.frame.ext.parse::<i32>("queueId"), request.frame.ext.parse::<i64>("offset"));
    let mut state = request.node.state();
    let Some(queues) = state.store.topics.get(topic).map(|topic| &topic.queues) else {
        return Err(Refusal::new(response::TOPIC_NOT_EXIST, format!("topic {topic} does not exist")));
    };
    let mut offsets = Vec::new();
    for (id, queue) in (0_i32..).zip(queues).filter(|(id, _)| only.is_none_or(|only| only < 0 || only == *id))
    {
        let offset = match given {
            Some(offset) if offset >= 0 => offset.clamp(queue.min_offset(), queue.max_offset()),
            _ if timestamp < 0 => queue.max_offset(),
            _ => state.store.offset_at(queue, timestamp),
        };
        let key = QueueKey { broker_name: request.node.name.clone(), queue_id: id, topic: topic.to_owned() };
        offsets.push((key, offset));
    }
    for (queue, offset) in &offsets {
        state.offsets.reset(group, topic, queue.queue_id, *offset);
    }
    Ok(Some(request.success().with_body(ResetOffset { offsets }.encode())))
}

/// SEND_REPLY_MESSAGE, SEND_REPLY_MESSAGE_V2: goes straight to the client that asked.
pub(super) fn reply(request: &Request<'_>) -> Answer {
    let header = SendHeader::read(request.frame)?;
    let properties = Properties::decode(&header.properties);
    let to = properties.get(REPLY_TO_CLIENT).unwrap_or_default();
    let state = request.node.state();
    let Some(asker) = state.groups.client(to) else {
        return Err(Refusal::new(
            response::SYSTEM_ERROR,
            format!("client {to:?} that waits for the reply is not online"),
        ));
    };
    let push = Frame::request(request::PUSH_REPLY_MESSAGE_TO_CLIENT)
        .with("producerGroup", &header.producer_group)
        .with("topic", &header.topic)
        .with("defaultTopic", &header.default_topic)
        .with("defaultTopicQueueNums", header.default_topic_queue_nums)
        .with("queueId", header.queue_id)
        .with("sysFlag", header.sys_flag)
        .with("bornTimestamp", header.born_timestamp)
        .with("flag", header.flag)
        .with("properties", &header.properties)
        .with("reconsumeTimes", header.reconsume_times)
        .with("unitMode", header.unit_mode)
        .with("bornHost", request.from.peer)
        .with("storeHost", request.node.address)
        .with("storeTimestamp", request.node.clock.now_ms());
    asker.push(push.with_body(request.frame.body.clone()));
    Ok(Some(request.success().with("msgId", "").with("queueId", 0).with("queueOffset", 0)))
}
