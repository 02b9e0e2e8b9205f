//! Administration of groups (200, 207) and who is connected (203, 204).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::{Answer, Refusal, Request, push_settings};
use crate::broker::groups::{GroupOptions, Member};
use crate::codec::remoting::body::{ConsumeFromWhere, ConsumeType, MessageModel, SubscriptionData};
use crate::codec::remoting::codes::response;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupConfig {
    group_name: String,
    retry_max_times: Option<i32>,
    consume_message_orderly: Option<bool>,
}

/// UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: groups exist as they are used; what is kept is how often they retry.
pub(super) fn create(request: &Request<'_>) -> Answer {
    let config: GroupConfig = serde_json::from_slice(&request.frame.body)
        .map_err(|e| Refusal::new(response::SYSTEM_ERROR, format!("the body is malformed: {e}")))?;
    let mut state = request.node.state();
    let mut options = GroupOptions::clone(state.groups.options(&config.group_name));
    if let Some(times) = config.retry_max_times {
        options.max_attempts = times.saturating_add(1);
    }
    if let Some(fifo) = config.consume_message_orderly {
        options.fifo = fifo;
    }
    state.groups.configure(&config.group_name, options);
    push_settings(&mut state, &config.group_name);
    Ok(Some(request.success()))
}

/// DELETE_SUBSCRIPTIONGROUP.
pub(super) fn delete(request: &Request<'_>) -> Answer {
    let group = request.text("groupName")?;
    let mut state = request.node.state();
    state.groups.forget_config(group);
    if request.frame.ext.parse("cleanOffset") == Some(true) {
        state.offsets.remove_group(group);
    }
    Ok(Some(request.success()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection<'a> {
    client_id: &'a str,
    client_addr: String,
    language: &'static str,
    version: i32,
}

fn connections(members: &BTreeMap<String, Member>) -> Vec<Connection<'_>> {
    members
        .iter()
        .map(|(client_id, member)| Connection {
            client_id,
            client_addr: member.outbox.peer.to_string(),
            language: member.language.name(),
            version: member.version,
        })
        .collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConsumerConnections<'a> {
    connection_set: Vec<Connection<'a>>,
    subscription_table: BTreeMap<&'a str, &'a SubscriptionData>,
    consume_type: ConsumeType,
    message_model: MessageModel,
    consume_from_where: ConsumeFromWhere,
}

/// GET_CONSUMER_CONNECTION_LIST.
pub(super) fn consumers(request: &Request<'_>) -> Answer {
    let name = request.text("consumerGroup")?;
    let state = request.node.state();
    let Some(group) = state.groups.consumers.get(name) else {
        return Err(Refusal::new(
            response::CONSUMER_NOT_ONLINE,
            format!("no consumer of group {name} is online"),
        ));
    };
    let data = &group.data;
    answer(
        request,
        &ConsumerConnections {
            connection_set: connections(&group.members),
            subscription_table: data.subscription_data_set.iter().map(|s| (s.topic.as_str(), s)).collect(),
            consume_type: data.consume_type,
            message_model: data.message_model,
            consume_from_where: data.consume_from_where,
        },
    )
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProducerConnections<'a> {
    connection_set: Vec<Connection<'a>>,
}

/// GET_PRODUCER_CONNECTION_LIST.
pub(super) fn producers(request: &Request<'_>) -> Answer {
    let name = request.text("producerGroup")?;
    let state = request.node.state();
    let Some(members) = state.groups.producers.get(name) else {
        return Err(Refusal::new(response::SYSTEM_ERROR, format!("no producer of group {name} is online")));
    };
    answer(request, &ProducerConnections { connection_set: connections(members) })
}

fn answer(request: &Request<'_>, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body)
        .map_err(|e| Refusal::new(response::SYSTEM_ERROR, format!("the answer cannot be written: {e}")))?;
    Ok(Some(request.success().with_body(body)))
}
