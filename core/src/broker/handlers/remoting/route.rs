//! The name server's answers: where a topic is (105), which brokers there are (106), which topics (206).

use serde::Serialize;

use super::super::{Answer, Refusal, Request};
use crate::broker::node::{CLUSTER, Node};
use crate::broker::topics::{RETRY_PREFIX, TopicConfig};
use crate::codec::remoting::body::{BrokerData, ClusterInfo, JsonBody, KeyStyle, QueueData, TopicRoute};
use crate::codec::remoting::codes::response;

/// First version of clients that want standard JSON (V4_9_4).
const STANDARD_JSON_FROM: i32 = 401;

/// GET_ROUTEINFO_BY_TOPIC.
pub(super) fn topic_route(request: &Request<'_>) -> Answer {
    let topic = request.text("topic")?;
    let mut state = request.node.state();
    if topic.starts_with(RETRY_PREFIX) {
        // Consumers ask before their first heartbeat makes it, and then not again for 30 s.
        state.store.topics.ensure(topic, TopicConfig::new(1));
    }
    let own = state.store.topics.get(topic).map(|topic| (this_broker(request.node), topic.config));
    let others = state
        .registry
        .brokers()
        .filter_map(|broker| broker.topics.get(topic).map(|config| (broker.data.clone(), *config)));
    let mut route = TopicRoute::default();
    for (broker, config) in own.into_iter().chain(others) {
        route.queue_datas.push(queues(&broker.broker_name, config));
        route.broker_datas.push(broker);
    }
    if route.queue_datas.is_empty() {
        let remark = format!("no route: topic {topic} does not exist");
        return Err(Refusal::new(response::TOPIC_NOT_EXIST, remark));
    }
    let standard = request.frame.version >= STANDARD_JSON_FROM
        || request.frame.ext.parse("acceptStandardJsonOnly") == Some(true);
    let style = if standard { KeyStyle::Quoted } else { KeyStyle::Bare };
    Ok(Some(request.success().with_body(route.encode_with(style))))
}

fn queues(broker_name: &str, config: TopicConfig) -> QueueData {
    QueueData {
        broker_name: broker_name.to_owned(),
        perm: config.perm,
        read_queue_nums: config.read_queues,
        write_queue_nums: config.write_queues,
        topic_sys_flag: config.sys_flag.into(),
    }
}

/// How the name server tells about this broker itself.
pub(super) fn this_broker(node: &Node) -> BrokerData {
    BrokerData {
        broker_addrs: [(0, node.address.to_string())].into(),
        broker_name: node.name.clone(),
        cluster: CLUSTER.to_owned(),
        enable_acting_master: false,
    }
}

/// GET_BROKER_CLUSTER_INFO.
pub(super) fn cluster(request: &Request<'_>) -> Answer {
    let state = request.node.state();
    let mut info = ClusterInfo::default();
    for broker in
        std::iter::once(this_broker(request.node)).chain(state.registry.brokers().map(|b| b.data.clone()))
    {
        let names = info.cluster_addr_table.entry(broker.cluster.clone()).or_default();
        names.push(broker.broker_name.clone());
        info.broker_addr_table.insert(broker.broker_name.clone(), broker);
    }
    Ok(Some(request.success().with_body(info.encode())))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TopicList<'a> {
    topic_list: std::collections::BTreeSet<&'a str>,
}

/// GET_ALL_TOPIC_LIST_FROM_NAMESERVER.
pub(super) fn topic_list(request: &Request<'_>) -> Answer {
    let state = request.node.state();
    let mut topic_list = state.registry.topic_names();
    topic_list.extend(state.store.topics.iter().map(|topic| &*topic.name));
    let body = serde_json::to_vec(&TopicList { topic_list }).unwrap_or_default();
    Ok(Some(request.success().with_body(body)))
}
