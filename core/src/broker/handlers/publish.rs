//! What sending has in common, whatever the protocol.

use super::Refusal;
use crate::broker::node::{CLUSTER, Node};
use crate::broker::state::State;
use crate::broker::topics::{self, TopicConfig};
use crate::codec::remoting::body::perm;
use crate::codec::remoting::codes::response;
use crate::message::{Properties, properties};

pub(super) const REGION: &str = "DefaultRegion";
/// Room in the properties of a record for those that the broker adds.
const OWN_PROPERTIES_BYTES: usize = 767;
/// The encoded properties of a message may not be longer when it comes.
pub(super) const MAX_PROPERTIES_BYTES: usize = properties::MAX_ENCODED_BYTES - OWN_PROPERTIES_BYTES;

/// A topic that may be written to; creates it if that is allowed.
///
/// # Errors
/// `TOPIC_NOT_EXIST`, `NO_PERMISSION`.
pub(super) fn writable(node: &Node, state: &mut State, name: &str) -> Result<TopicConfig, Refusal> {
    if topics::belongs_to_group(name) {
        state.store.topics.ensure(name, TopicConfig::new(1));
    } else if node.auto_create_topics {
        state.store.topics.ensure(name, TopicConfig::new(node.queues));
    }
    let Some(topic) = state.store.topics.get(name) else {
        let remark = format!("topic {name} does not exist and this broker creates none by itself");
        return Err(Refusal::new(response::TOPIC_NOT_EXIST, remark));
    };
    if topic.config.perm & perm::WRITE == 0 {
        return Err(Refusal::new(response::NO_PERMISSION, format!("topic {name} may not be written")));
    }
    Ok(topic.config)
}

/// Adds what the broker adds to every single message.
pub(super) fn complete(node: &Node, properties: &mut Properties, now_ms: i64) {
    if properties.get(properties::UNIQ_KEY).is_none() {
        properties.set(properties::UNIQ_KEY, node.unique_ids.next(now_ms));
    }
    properties.set(properties::MSG_REGION, REGION);
    properties.set(properties::TRACE_ON, "true");
    properties.set(properties::CLUSTER, CLUSTER);
}
