//! The route of one topic, ready for use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Health;
use crate::codec::remoting::body::{TopicRoute, perm};
use crate::message::MessageQueue;

/// A broker and the addresses of its copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) name: Arc<str>,
    addresses: BTreeMap<i64, Arc<str>>,
}

impl Broker {
    /// Where to write.
    pub(crate) fn master(&self) -> Option<&Arc<str>> {
        self.addresses.get(&0)
    }

    /// Where to read: the copy with this id, or the master, or any.
    pub(crate) fn copy(&self, id: i64) -> Option<&Arc<str>> {
        self.addresses.get(&id).or_else(|| self.addresses.values().next())
    }

    /// Every address.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Arc<str>> {
        self.addresses.values()
    }
}

/// A queue to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteQueue {
    pub(crate) broker: Arc<str>,
    pub(crate) address: Arc<str>,
    pub(crate) id: i32,
}

/// Where the queues of a topic are.
#[derive(Debug)]
pub(crate) struct Route {
    pub(super) data: TopicRoute,
    brokers: Vec<Broker>,
    writable: Vec<WriteQueue>,
    readable: Vec<MessageQueue>,
    next: AtomicUsize,
}

impl Route {
    pub(super) fn new(topic: &str, data: TopicRoute) -> Self {
        let brokers: Vec<Broker> = data
            .broker_datas
            .iter()
            .map(|b| Broker {
                name: Arc::from(b.broker_name.as_str()),
                addresses: b.broker_addrs.iter().map(|(id, a)| (*id, Arc::from(a.as_str()))).collect(),
            })
            .collect();
        let mut writable = Vec::new();
        for (name, queues) in writable_queues(&data) {
            let Some(broker) = brokers.iter().find(|b| *b.name == *name) else { continue };
            let Some(address) = broker.master() else { continue };
            let queue =
                |id| WriteQueue { broker: Arc::clone(&broker.name), address: Arc::clone(address), id };
            writable.extend((0..queues).map(queue));
        }
        let mut readable: Vec<MessageQueue> = data
            .queue_datas
            .iter()
            .filter(|q| q.perm & perm::READ != 0)
            .flat_map(|q| {
                (0..q.read_queue_nums).map(|id| MessageQueue {
                    topic: topic.to_owned(),
                    broker: q.broker_name.clone(),
                    id,
                })
            })
            .collect();
        readable.sort();
        let next = AtomicUsize::new(fastrand::usize(..writable.len().max(1)));
        Self { data, brokers, writable, readable, next }
    }

    /// The brokers that hold queues of this topic.
    pub(crate) fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// The broker of that name.
    pub(crate) fn broker(&self, name: &str) -> Option<&Broker> {
        self.brokers.iter().find(|b| *b.name == *name)
    }

    /// The queues that can be written, by broker name and number.
    pub(crate) fn writable(&self) -> &[WriteQueue] {
        &self.writable
    }

    /// The queues that can be read, by broker name and number.
    pub(crate) fn readable(&self) -> &[MessageQueue] {
        &self.readable
    }

    /// The next queue in turn: on a healthy broker other than `avoid` if there is one, else on another broker than
    /// `avoid`, else any. `None` if no queue can be written.
    pub(crate) fn select(&self, health: &Health, avoid: Option<&str>) -> Option<&WriteQueue> {
        let count = self.writable.len();
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = || (0..count).map(|step| &self.writable[start.wrapping_add(step) % count]);
        let other = |queue: &&WriteQueue| avoid != Some(&*queue.broker);
        in_turn()
            .find(|queue| other(queue) && health.is_available(&queue.broker))
            .or_else(|| in_turn().find(other))
            .or_else(|| in_turn().next())
    }

    /// Whether a healthy broker other than `name` could be written to instead.
    pub(crate) fn has_other(&self, health: &Health, name: &str) -> bool {
        self.writable.iter().any(|queue| *queue.broker != *name && health.is_available(&queue.broker))
    }
}

/// Broker names with their number of queues: the ordered topic's own list, else what may be written, by name.
fn writable_queues(data: &TopicRoute) -> Vec<(&str, i32)> {
    if let Some(conf) = data.order_topic_conf.as_deref().filter(|conf| !conf.is_empty()) {
        return conf.split(';').filter_map(ordered_entry).collect();
    }
    let mut queues: Vec<_> = data
        .queue_datas
        .iter()
        .filter(|q| q.perm & perm::WRITE != 0)
        .map(|q| (q.broker_name.as_str(), q.write_queue_nums))
        .collect();
    queues.sort_unstable();
    queues
}

/// `name:queues`.
fn ordered_entry(part: &str) -> Option<(&str, i32)> {
    let (name, queues) = part.split_once(':')?;
    Some((name.trim(), queues.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::codec::remoting::body::{BrokerData, QueueData};

    fn route(brokers: &[(&str, i64, i32, i32)], order: Option<&str>) -> Route {
        let mut data = TopicRoute { order_topic_conf: order.map(str::to_owned), ..TopicRoute::default() };
        for (name, id, queues, perm) in brokers {
            data.broker_datas.push(BrokerData {
                broker_addrs: BTreeMap::from([(*id, format!("{name}:1"))]),
                broker_name: (*name).into(),
                ..BrokerData::default()
            });
            data.queue_datas.push(QueueData {
                broker_name: (*name).into(),
                perm: *perm,
                read_queue_nums: *queues,
                write_queue_nums: *queues,
                ..QueueData::default()
            });
        }
        Route::new("T", data)
    }

    fn names(route: &Route) -> Vec<(&str, i32)> {
        route.writable().iter().map(|q| (&*q.broker, q.id)).collect()
    }

    #[test]
    fn only_writable_queues_of_brokers_with_a_master_are_written() {
        let route = route(&[("c", 0, 1, 6), ("b", 1, 4, 6), ("a", 0, 2, 6), ("r", 0, 3, 4)], None);
        assert_eq!(names(&route), [("a", 0), ("a", 1), ("c", 0)]);
        assert_eq!(route.readable().len(), 10);
        assert_eq!((route.readable()[0].broker.as_str(), route.readable()[0].id), ("a", 0));
    }

    #[test]
    fn the_list_of_an_ordered_topic_decides() {
        let route = route(&[("a", 0, 8, 6), ("b", 0, 8, 6)], Some("b:1;a:2;x:9;broken"));
        assert_eq!(names(&route), [("b", 0), ("a", 0), ("a", 1)]);
    }

    #[test]
    fn every_queue_gets_its_turn() {
        let route = route(&[("a", 0, 2, 6), ("b", 0, 2, 6)], None);
        let health = Health::default();
        let mut seen: Vec<_> = (0..8).map(|_| route.select(&health, None).unwrap().clone()).collect();
        seen.sort_by(|a, b| (&a.broker, a.id).cmp(&(&b.broker, b.id)));
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn failing_and_avoided_brokers_are_the_last_choice() {
        let route = route(&[("a", 0, 2, 6), ("b", 0, 2, 6)], None);
        let health = Health::default();
        for _ in 0..8 {
            assert_eq!(&*route.select(&health, Some("a")).unwrap().broker, "b");
        }
        health.failed("b");
        for _ in 0..8 {
            assert_eq!(&*route.select(&health, None).unwrap().broker, "a");
            assert_eq!(
                &*route.select(&health, Some("a")).unwrap().broker,
                "b",
                "another broker, even a failing one"
            );
        }
        assert!(!route.has_other(&health, "a"));
        health.answered("b", Duration::from_millis(1));
        assert!(route.has_other(&health, "a"));
    }
}
