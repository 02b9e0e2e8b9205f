//! Administration of topics (17, 215, 216, 217).

use super::super::{Answer, Refusal, Request};
use crate::broker::TopicType;
use crate::broker::topics::{TopicConfig, name_fault};
use crate::codec::remoting::body::{JsonBody, TopicRoute};
use crate::codec::remoting::codes::response;

/// More queues than anybody needs; a request for more is a mistake.
const MAX_QUEUES: i32 = 4096;

/// UPDATE_AND_CREATE_TOPIC.
pub(super) fn create(request: &Request<'_>) -> Answer {
    let config = TopicConfig {
        read_queues: request.number("readQueueNums")?,
        write_queues: request.number("writeQueueNums")?,
        perm: request.number("perm")?,
        sys_flag: request.frame.ext.parse("topicSysFlag").unwrap_or(0),
        order: request.frame.ext.parse("order").unwrap_or(false),
        topic_type: request.frame.ext.get("attributes").and_then(TopicType::from_attributes),
    };
    put(request, request.text("topic")?, config)
}

/// REGISTER_TOPIC_IN_NAMESRV: the body is the route; what it says about this broker counts.
pub(super) fn register(request: &Request<'_>) -> Answer {
    let route = TopicRoute::decode(&request.frame.body)?;
    let Some(queues) = route.queue_datas.iter().find(|queues| queues.broker_name == request.node.name) else {
        let remark = format!("the route names no queues on broker {}", request.node.name);
        return Err(Refusal::new(response::INVALID_PARAMETER, remark));
    };
    let config = TopicConfig {
        read_queues: queues.read_queue_nums,
        write_queues: queues.write_queue_nums,
        perm: queues.perm,
        ..TopicConfig::new(0)
    };
    put(request, request.text("topic")?, config)
}

fn put(request: &Request<'_>, topic: &str, config: TopicConfig) -> Answer {
    let fault = name_fault(topic).or_else(|| {
        let counts = [config.read_queues, config.write_queues];
        let usable = counts.iter().all(|count| (0..=MAX_QUEUES).contains(count)) && config.queues() > 0;
        (!usable).then(|| format!("a topic has 1 to {MAX_QUEUES} queues, not {counts:?} (read, write)"))
    });
    if let Some(fault) = fault {
        return Err(Refusal::new(response::INVALID_PARAMETER, fault));
    }
    request.node.state().store.topics.put(topic, config);
    Ok(Some(request.success()))
}

/// DELETE_TOPIC_IN_BROKER.
pub(super) fn delete(request: &Request<'_>) -> Answer {
    let topic = request.text("topic")?;
    let mut state = request.node.state();
    state.store.topics.remove(topic);
    state.offsets.remove_topic(topic);
    Ok(Some(request.success()))
}

/// DELETE_TOPIC_IN_NAMESRV: what joined brokers told about it. This broker's own topics end with the request above.
pub(super) fn delete_in_name_server(request: &Request<'_>) -> Answer {
    request.node.state().registry.remove_topic(request.text("topic")?);
    Ok(Some(request.success()))
}
