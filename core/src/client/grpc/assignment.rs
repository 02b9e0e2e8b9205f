//! Which queues a push consumer receives from: the proxy says, every few seconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::source::PushSource;
use crate::client::receive::Running;
use crate::codec::grpc::proto::QueryAssignmentRequest;
use crate::error::{ErrorKind, Result};
use crate::message::MessageQueue;
use crate::route::ProxyQueue;

const OPERATION: &str = "consume";
/// Longest time between two questions, as other clients ask.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// Keeps the queues of `engine` up to date, after every `interval` and when rung, until it is aborted.
pub(super) async fn run(
    source: Arc<PushSource>,
    engine: Arc<Running<PushSource>>,
    interval: Duration,
    due: Arc<Notify>,
) {
    loop {
        let _ = timeout(interval, due.notified()).await;
        assign_all(&source, &engine).await;
    }
}

/// Asks for the queues of every topic once. A topic without an answer keeps the queues it has.
pub(super) async fn assign_all(source: &PushSource, engine: &Arc<Running<PushSource>>) {
    for topic in source.topics() {
        assign(source, engine, &topic).await;
    }
}

/// The same for one topic.
pub(super) async fn assign(source: &PushSource, engine: &Arc<Running<PushSource>>, topic: &str) {
    match ask(source, topic).await {
        Ok(assigned) => {
            let queues: Vec<_> = assigned.keys().cloned().collect();
            // Unless it was unsubscribed meanwhile.
            if source.assign(topic, assigned) {
                engine.assign(topic, &queues);
            }
        }
        // It may come yet.
        Err(error) if error.kind() == ErrorKind::TopicNotFound => {
            tracing::debug!(%error, topic, "a topic does not exist yet");
        }
        Err(error) => tracing::warn!(%error, topic, "the queues of a topic could not be asked for"),
    }
}

async fn ask(source: &PushSource, topic: &str) -> Result<HashMap<MessageQueue, Arc<ProxyQueue>>> {
    let agent = &source.receiver.agent;
    let deadline = agent.request_deadline();
    // The proxies that lead to the topic know this client from here on.
    let route = agent.route(OPERATION, topic, deadline).await?;
    let request = QueryAssignmentRequest {
        topic: Some(agent.resource(topic)),
        group: Some(agent.resource(source.group())),
        endpoints: Some(agent.access_point().clone()),
    };
    let answer = agent.ask_any(OPERATION, &request, deadline).await?;
    let queues = answer.assignments.into_iter().filter_map(|assignment| assignment.message_queue);
    let assigned = queues.map(|described| {
        let mut queue = ProxyQueue::new(described);
        if queue.addresses.is_empty() {
            let known = route.queues().iter().find(|known| known.broker == queue.broker);
            queue.addresses =
                known.map_or_else(|| route.addresses().into(), |known| Arc::clone(&known.addresses));
        }
        let name = MessageQueue {
            topic: topic.to_owned(),
            broker: queue.broker.as_ref().to_owned(),
            id: queue.described.id,
        };
        (name, Arc::new(queue))
    });
    Ok(assigned.collect())
}
