//! Topics: how many queues, who may read and write, and the queues themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::TopicType;
use super::store::Queue;
use crate::codec::remoting::body::perm;
pub(crate) use crate::message::{DLQ_PREFIX, RETRY_PREFIX};

/// Whose route a producer asks for when a topic does not exist yet; sending to it creates the topic.
pub(crate) const DEFAULT_TOPIC: &str = "TBW102";
/// Where half messages wait for the end of their transaction.
pub(crate) const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";

const MAX_TOPIC_BYTES: usize = 127;
/// Retry topics and dead letter queues: the prefix and a long group name.
const MAX_GROUP_TOPIC_BYTES: usize = 255;

/// What the name server tells about a topic on one broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TopicConfig {
    pub(crate) read_queues: i32,
    pub(crate) write_queues: i32,
    pub(crate) perm: i32,
    pub(crate) sys_flag: i32,
    pub(crate) order: bool,
    /// Which messages it takes over gRPC and HTTP; none: what the persona says.
    pub(crate) topic_type: Option<TopicType>,
}

impl TopicConfig {
    /// Readable and writable, `queues` each.
    pub(crate) fn new(queues: i32) -> Self {
        Self {
            read_queues: queues,
            write_queues: queues,
            perm: perm::READ | perm::WRITE,
            sys_flag: 0,
            order: false,
            topic_type: None,
        }
    }

    /// Queues with a number below this exist.
    pub(crate) fn queues(&self) -> i32 {
        self.read_queues.max(self.write_queues)
    }
}

/// A topic of this broker.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) config: TopicConfig,
    pub(crate) queues: Vec<Queue>,
}

/// The topics of this broker. Every change counts, so that a joined name server can be told.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<Arc<str>, Topic>,
    version: watch::Sender<u64>,
}

impl Topics {
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    /// A queue of a topic.
    pub(crate) fn queue(&self, topic: &str, queue: i32) -> Option<&Queue> {
        self.get(topic)?.queues.get(usize::try_from(queue).ok()?)
    }

    /// A queue of a topic, to change.
    pub(crate) fn queue_mut(&mut self, topic: &str, queue: i32) -> Option<&mut Queue> {
        self.by_name.get_mut(topic)?.queues.get_mut(usize::try_from(queue).ok()?)
    }

    /// Creates the topic, or changes its configuration; messages stay, also those of queues beyond a smaller number.
    pub(crate) fn put(&mut self, name: &str, config: TopicConfig) -> &mut Topic {
        self.changed();
        let topic = self.by_name.entry(name.into()).or_insert_with_key(|name| Topic {
            name: name.clone(),
            config,
            queues: Vec::new(),
        });
        topic.config = TopicConfig { topic_type: config.topic_type.or(topic.config.topic_type), ..config };
        let queues = topic.queues.len().max(config.queues() as usize);
        topic.queues.resize_with(queues, Queue::default);
        topic
    }

    /// Creates the topic with `config` if it does not exist.
    pub(crate) fn ensure(&mut self, name: &str, config: TopicConfig) {
        if !self.by_name.contains_key(name) {
            self.put(name, config);
        }
    }

    /// Deletes the topic and its messages; whether it existed.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let existed = self.by_name.remove(name).is_some();
        if existed {
            self.changed();
        }
        existed
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.by_name.values_mut()
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// A number that grows with every change.
    pub(crate) fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

/// The retry topic of `group`.
pub(crate) fn retry_topic(group: &str) -> String {
    format!("{RETRY_PREFIX}{group}")
}

/// The dead letter queue of `group`.
pub(crate) fn dead_letter_topic(group: &str) -> String {
    format!("{DLQ_PREFIX}{group}")
}

/// Whether it is a retry topic or dead letter queue, which exist as their group needs them.
pub(crate) fn belongs_to_group(topic: &str) -> bool {
    topic.starts_with(RETRY_PREFIX) || topic.starts_with(DLQ_PREFIX)
}

/// Whether it is a topic that clients may not send to.
pub(crate) fn is_internal(topic: &str) -> bool {
    const REAL_SERVERS: [&str; 4] = [
        "SCHEDULE_TOPIC_XXXX",
        "rmq_sys_wheel_timer",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "TRANS_CHECK_MAX_TIME_TOPIC",
    ];
    topic == HALF_TOPIC || REAL_SERVERS.contains(&topic)
}

/// Why `name` is no topic name.
pub(crate) fn name_fault(name: &str) -> Option<String> {
    let longest = if belongs_to_group(name) { MAX_GROUP_TOPIC_BYTES } else { MAX_TOPIC_BYTES };
    if name.is_empty() || name.len() > longest {
        return Some(format!("a topic name has 1 to {longest} bytes, not {}", name.len()));
    }
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '%' | '|' | '-' | '_');
    let bad = name.chars().find(|c| !is_legal(*c))?;
    Some(format!(
        "the topic name {name:?} contains {bad:?}; allowed are letters, digits, '%', '|', '-' and '_'"
    ))
}

/// Why `name` is no topic that clients other than those of remoting may name: none at all, or one of the broker's own.
pub(crate) fn public_fault(name: &str) -> Option<String> {
    name_fault(name).or_else(|| is_internal(name).then(|| format!("topic {name} is the broker's own")))
}

/// A topic or group with its namespace in front, as remoting clients write it; an empty namespace is none.
pub(crate) fn in_namespace(namespace: &str, name: &str) -> String {
    match name.strip_prefix(namespace) {
        _ if namespace.is_empty() => name.to_owned(),
        Some(rest) if rest.starts_with('%') => name.to_owned(),
        _ => format!("{namespace}%{name}"),
    }
}
