//! What sending has in common, whatever the protocol.

use super::Refusal;
use crate::broker::TopicType;
use crate::broker::node::{CLUSTER, Node};
use crate::broker::state::State;
use crate::broker::topics::{self, TopicConfig};
use crate::codec::grpc::proto::{Code, MessageType};
use crate::codec::remoting::body::{perm, tag_hash};
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

/// Whether the topic takes messages of this kind. Clients of the remoting protocol are not held to it.
///
/// # Errors
/// `MESSAGE_PROPERTY_CONFLICT_WITH_TYPE` of the gRPC protocol.
pub(super) fn check_type(
    node: &Node,
    topic: &str,
    config: &TopicConfig,
    kind: MessageType,
) -> Result<(), Refusal> {
    let expected = node.persona.topic_type(config);
    let is_welcome = match expected {
        TopicType::Mixed => kind != MessageType::Lite,
        one => one.accepts(node.persona).contains(&kind),
    };
    if is_welcome {
        return Ok(());
    }
    let remark =
        format!("topic {topic} takes {} messages, and this one is {}", expected.name(), kind.as_str_name());
    Err(Refusal::new(Code::MessagePropertyConflictWithType.into(), remark))
}

/// Messages of one group go to one queue; the others take turns. The producer's choice does not count.
pub(super) fn queue(state: &mut State, config: &TopicConfig, properties: &Properties) -> i32 {
    match properties.get(properties::SHARDING_KEY) {
        Some(group) => consistent_hash(i64::from(tag_hash(group)), config.write_queues),
        None => state.next_queue(config.write_queues),
    }
}

/// The bucket of `input` among `buckets`, as Guava's `Hashing.consistentHash` finds it.
fn consistent_hash(input: i64, buckets: i32) -> i32 {
    let mut state = input;
    let mut candidate = 0;
    loop {
        state = state.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let fraction = f64::from(((state as u64) >> 33) as i32 + 1) / f64::from(1_u32 << 31);
        // Saturates, as in Java.
        let next = (f64::from(candidate + 1) / fraction) as i32;
        if !(0..buckets).contains(&next) {
            return candidate;
        }
        candidate = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_group_has_the_queue_of_the_real_server() {
        assert_eq!(tag_hash("group-1"), 293_427_299);
        assert_eq!(consistent_hash(293_427_299, 8), 7);
        for input in [i64::MIN, -1, 0, 1, i64::MAX] {
            for buckets in 1..20 {
                assert!((0..buckets).contains(&consistent_hash(input, buckets)));
            }
        }
    }
}
