//! The route of one topic as a proxy tells it, ready for use.

use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Health;
use crate::codec::grpc::addresses_of;
use crate::codec::grpc::proto::{MessageQueue, MessageType, Permission};

/// A queue of a topic.
#[derive(Debug)]
pub(crate) struct ProxyQueue {
    pub(crate) broker: Arc<str>,
    /// Of the proxies that lead to the broker, the best first.
    pub(crate) addresses: Arc<[Arc<str>]>,
    /// As the server described it.
    pub(crate) described: MessageQueue,
}

impl ProxyQueue {
    pub(crate) fn new(described: MessageQueue) -> Self {
        let broker = described.broker.as_ref();
        let endpoints = broker.and_then(|broker| broker.endpoints.as_ref());
        Self {
            broker: broker.map_or_else(|| "".into(), |broker| broker.name.as_str().into()),
            addresses: endpoints.into_iter().flat_map(addresses_of).map(Arc::from).collect(),
            described,
        }
    }

    /// Whether the broker is the master among its copies.
    pub(crate) fn is_master(&self) -> bool {
        self.described.broker.as_ref().is_some_and(|broker| broker.id == 0)
    }

    pub(crate) fn is_readable(&self) -> bool {
        matches!(self.described.permission(), Permission::Read | Permission::ReadWrite)
    }

    pub(crate) fn is_writable(&self) -> bool {
        matches!(self.described.permission(), Permission::Write | Permission::ReadWrite)
    }
}

/// Where messages can be sent: a broker, through a proxy. Which queue it gets is the proxy's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) broker: Arc<str>,
    pub(crate) address: Arc<str>,
}

/// Where the queues of a topic are.
#[derive(Debug)]
pub(crate) struct ProxyRoute {
    queues: Vec<ProxyQueue>,
    gates: Vec<Gate>,
    next: AtomicUsize,
}

impl ProxyRoute {
    pub(crate) fn new(queues: Vec<MessageQueue>) -> Self {
        let queues: Vec<ProxyQueue> = queues.into_iter().map(ProxyQueue::new).collect();
        let mut gates: Vec<Gate> = Vec::new();
        for queue in queues.iter().filter(|queue| queue.is_writable() && queue.is_master()) {
            for address in queue.addresses.iter() {
                let gate = Gate { broker: Arc::clone(&queue.broker), address: Arc::clone(address) };
                if !gates.contains(&gate) {
                    gates.push(gate);
                }
            }
        }
        let next = AtomicUsize::new(fastrand::usize(..gates.len().max(1)));
        Self { queues, gates, next }
    }

    /// Every queue.
    pub(crate) fn queues(&self) -> &[ProxyQueue] {
        &self.queues
    }

    /// The queues that messages can go to.
    pub(crate) fn writable(&self) -> impl Iterator<Item = &ProxyQueue> {
        self.queues.iter().filter(|queue| queue.is_writable() && queue.is_master())
    }

    /// Every address, once.
    pub(crate) fn addresses(&self) -> Vec<Arc<str>> {
        let mut all: Vec<_> = self.queues.iter().flat_map(|queue| queue.addresses.iter().cloned()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether nothing that matters changed; an unchanged route stays, and its gates keep their turn.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.queues.iter().map(|queue| &queue.described).eq(other.queues.iter().map(|queue| &queue.described))
    }

    /// The types that the topic says it takes; empty if it does not say.
    pub(crate) fn accepted(&self) -> Vec<MessageType> {
        let Some(queue) = self.writable().next() else { return Vec::new() };
        let types = queue.described.accept_message_types();
        types.filter(|kind| *kind != MessageType::Unspecified).collect()
    }

    /// The next gate in turn: a healthy one other than `avoid` if there is one, else another than `avoid`, else any.
    /// `None` if no queue can be written.
    pub(crate) fn select(&self, health: &Health, avoid: Option<&Gate>) -> Option<&Gate> {
        let count = self.gates.len();
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = || (0..count).map(|step| &self.gates[start.wrapping_add(step) % count]);
        let other = |gate: &&Gate| avoid.is_none_or(|avoid| avoid.address != gate.address);
        in_turn()
            .find(|gate| other(gate) && health.is_available(&gate.address))
            .or_else(|| in_turn().find(other))
            .or_else(|| in_turn().next())
    }

    /// Where the messages of `group` go, always the same while the queues stay: the queue that the other clients choose.
    pub(crate) fn of_group(&self, group: &str, health: &Health) -> Option<Gate> {
        let queues: Vec<&ProxyQueue> = self.writable().collect();
        let queue = queues.get(spread(group, queues.len()))?;
        let healthy = queue.addresses.iter().find(|address| health.is_available(address));
        let address = healthy.or_else(|| queue.addresses.first())?;
        Some(Gate { broker: Arc::clone(&queue.broker), address: Arc::clone(address) })
    }

    /// A gate to `broker`, a healthy one if there is one.
    pub(crate) fn gate_of(&self, broker: &str, health: &Health) -> Option<Gate> {
        let mut gates = self.gates.iter().filter(|gate| *gate.broker == *broker);
        let first = gates.clone().next();
        gates.find(|gate| health.is_available(&gate.address)).or(first).cloned()
    }

    /// Whether a healthy address other than `gate`'s could be used instead.
    pub(crate) fn has_other(&self, health: &Health, gate: &Gate) -> bool {
        self.gates.iter().any(|other| other.address != gate.address && health.is_available(&other.address))
    }

    /// The broker behind `gate`, if its address leads to that one only; else the proxy chose one and does not say which.
    pub(crate) fn sole_broker(&self, gate: &Gate) -> Option<&Arc<str>> {
        let mut brokers = self.gates.iter().filter(|g| g.address == gate.address).map(|g| &g.broker);
        brokers.next().filter(|_| brokers.next().is_none())
    }
}

/// The position of a message group among `count` queues: SipHash-2-4 with the keys and the rounding of the other clients.
fn spread(group: &str, count: usize) -> usize {
    #[allow(deprecated, reason = "its successor promises no algorithm")]
    let mut hash = std::hash::SipHasher::new_with_keys(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
    hash.write(group.as_bytes());
    (hash.finish() as i64).rem_euclid(count.max(1) as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::grpc::endpoints_of;
    use crate::codec::grpc::proto::Broker;

    fn queue(broker: &str, id: i32, broker_id: i32, permission: Permission, address: &str) -> MessageQueue {
        MessageQueue {
            id,
            permission: permission.into(),
            broker: Some(Broker {
                name: broker.into(),
                id: broker_id,
                endpoints: Some(endpoints_of(address.split(';'))),
            }),
            accept_message_types: vec![MessageType::Delay.into()],
            ..MessageQueue::default()
        }
    }

    fn brokers(gates: &[Gate]) -> Vec<(&str, &str)> {
        gates.iter().map(|gate| (&*gate.broker, &*gate.address)).collect()
    }

    #[test]
    fn masters_with_writable_queues_are_written() {
        let route = ProxyRoute::new(vec![
            queue("a", 0, 0, Permission::ReadWrite, "127.0.0.1:1"),
            queue("a", 1, 0, Permission::ReadWrite, "127.0.0.1:1"),
            queue("b", 0, 0, Permission::Read, "127.0.0.1:2"),
            queue("c", 0, 1, Permission::ReadWrite, "127.0.0.1:3"),
            queue("d", 0, 0, Permission::Write, "127.0.0.1:4;127.0.0.1:5"),
        ]);
        let gates = [("a", "127.0.0.1:1"), ("d", "127.0.0.1:4"), ("d", "127.0.0.1:5")];
        assert_eq!(brokers(&route.gates), gates);
        assert_eq!(route.accepted(), [MessageType::Delay]);
        assert_eq!(route.addresses().len(), 5);
    }

    /// The official Go client looked at one queue as often as it retried.
    #[test]
    fn a_retry_goes_to_another_address() {
        let route = ProxyRoute::new(
            (0..4)
                .flat_map(|id| {
                    [
                        queue("a", id, 0, Permission::ReadWrite, "127.0.0.1:1"),
                        queue("b", id, 0, Permission::ReadWrite, "127.0.0.1:2"),
                    ]
                })
                .collect(),
        );
        let health = Health::default();
        for _ in 0..8 {
            let first = route.select(&health, None).unwrap();
            let second = route.select(&health, Some(first)).unwrap();
            assert_ne!(first.address, second.address);
            assert!(route.has_other(&health, first));
        }
        health.failed("127.0.0.1:1");
        for _ in 0..8 {
            assert_eq!(&*route.select(&health, None).unwrap().broker, "b", "a failing one gets no share");
        }
    }

    #[test]
    fn a_message_group_goes_where_the_other_clients_send_it() {
        assert_eq!(spread("group-1", 8), 2);
        assert_eq!(spread("group-1", 0), 0);
    }
}
