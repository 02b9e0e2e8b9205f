//! Where the queues of a topic are, and which messages it takes.

use super::super::Refusal;
use super::call::Call;
use super::status;
use crate::broker::topics::TopicConfig;
use crate::codec::grpc::endpoints_of;
use crate::codec::grpc::proto::{
    Broker, Code, MessageQueue, Permission, QueryRouteRequest, QueryRouteResponse,
};
use crate::codec::remoting::body::perm;

/// QueryRoute.
pub(super) fn query(call: &Call<'_>, request: QueryRouteRequest) -> Result<QueryRouteResponse, Refusal> {
    let name = call.topic(request.topic.as_ref())?;
    let node = call.node;
    let mut state = node.state();
    if node.auto_create_topics && node.persona.creates_topics_on_route() {
        state.store.topics.ensure(&name, TopicConfig::new(node.queues));
    }
    let own = state
        .store
        .topics
        .get(&name)
        .map(|topic| (node.name.clone(), node.address.to_string(), topic.config));
    let others = state.registry.brokers().filter_map(|broker| {
        let address = broker.data.broker_addrs.get(&0)?.clone();
        Some((broker.data.broker_name.clone(), address, *broker.topics.get(&name)?))
    });
    let mut message_queues = Vec::new();
    for (broker, address, config) in own.into_iter().chain(others) {
        let types = node.persona.topic_type(&config).accepts(node.persona);
        let endpoints = endpoints_of([address.as_str()]);
        message_queues.extend(queues(&config).map(|(id, permission)| MessageQueue {
            topic: request.topic.clone(),
            id,
            permission: permission.into(),
            broker: Some(Broker { name: broker.clone(), id: 0, endpoints: Some(endpoints.clone()) }),
            accept_message_types: types.iter().map(|one| i32::from(*one)).collect(),
        }));
    }
    if message_queues.is_empty() {
        return Err(status::refusal(Code::TopicNotFound, format!("no route: topic {name} does not exist")));
    }
    Ok(QueryRouteResponse { status: status::ok(), message_queues })
}

/// The queues that can be used, with what they can be used for.
fn queues(config: &TopicConfig) -> impl Iterator<Item = (i32, Permission)> + use<> {
    let count = |bit, queues| if config.perm & bit == 0 { 0 } else { queues };
    let read = count(perm::READ, config.read_queues);
    let write = count(perm::WRITE, config.write_queues);
    (0..read.max(write)).map(move |id| {
        let permission = match (id < read, id < write) {
            (true, true) => Permission::ReadWrite,
            (true, false) => Permission::Read,
            _ => Permission::Write,
        };
        (id, permission)
    })
}
