//! Who is there: heartbeats (34), leaving (35), the members of a group (38), and the check of a filter (46).

use super::super::{Answer, Refusal, Request};
use crate::broker::filter::Filter;
use crate::broker::groups::Member;
use crate::broker::topics::{TopicConfig, name_fault, retry_topic};
use crate::clock;
use crate::codec::remoting::body::{ConsumerList, FilterCheck, HeartbeatData, JsonBody};
use crate::codec::remoting::codes::response;

/// HEART_BEAT.
pub(super) fn heartbeat(request: &Request<'_>) -> Answer {
    let data = HeartbeatData::decode(&request.frame.body)?;
    let member = Member {
        outbox: request.from.clone(),
        language: request.frame.language,
        version: request.frame.version,
        seen: clock::instant(),
    };
    let mut state = request.node.state();
    for producer in &data.producer_data_set {
        state.groups.produce(&producer.group_name, &data.client_id, member.clone());
    }
    for consumer in data.consumer_data_set {
        let retry_topic = retry_topic(&consumer.group_name);
        if let Some(fault) = name_fault(&retry_topic) {
            return Err(Refusal::new(response::INVALID_PARAMETER, fault));
        }
        state.store.topics.ensure(&retry_topic, TopicConfig::new(1));
        state.groups.consume(consumer, data.without_sub, &data.client_id, member.clone());
    }
    let answer = request.success().with("IS_SUPPORT_HEART_BEAT_V2", true).with("IS_SUB_CHANGE", true);
    Ok(Some(answer))
}

/// UNREGISTER_CLIENT.
pub(super) fn unregister(request: &Request<'_>) -> Answer {
    let client_id = request.text("clientID")?;
    let mut state = request.node.state();
    if let Some(group) = request.frame.ext.get("producerGroup") {
        state.groups.leave_producers(group, client_id);
    }
    if let Some(group) = request.frame.ext.get("consumerGroup") {
        state.groups.leave_consumers(group, client_id);
    }
    Ok(Some(request.success()))
}

/// GET_CONSUMER_LIST_BY_GROUP.
pub(super) fn members(request: &Request<'_>) -> Answer {
    let group = request.text("consumerGroup")?;
    let state = request.node.state();
    let Some(consumers) = state.groups.consumers.get(group) else {
        return Err(Refusal::new(response::SYSTEM_ERROR, format!("no consumer of group {group} is online")));
    };
    let list = ConsumerList { consumer_id_list: consumers.members.keys().cloned().collect() };
    Ok(Some(request.success().with_body(list.encode())))
}

/// CHECK_CLIENT_CONFIG.
pub(super) fn check_config(request: &Request<'_>) -> Answer {
    let check = FilterCheck::decode(&request.frame.body)?;
    let subscription = check.subscription_data;
    Filter::parse(&subscription.expression_type, &subscription.sub_string)
        .map_err(super::pull::parse_failed)?;
    Ok(Some(request.success()))
}
