//! The name server's table: the other brokers that registered here, and their topics.

use std::collections::{BTreeMap, BTreeSet};

use super::topics::TopicConfig;
use crate::codec::remoting::body::BrokerData;

/// A broker that registered itself.
#[derive(Debug)]
pub(crate) struct RegisteredBroker {
    pub(crate) session: u64,
    pub(crate) data: BrokerData,
    pub(crate) topics: BTreeMap<String, TopicConfig>,
}

/// The brokers by name.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    by_name: BTreeMap<String, RegisteredBroker>,
}

impl Registry {
    /// Takes or renews a registration.
    pub(crate) fn register(&mut self, broker: RegisteredBroker) {
        self.by_name.insert(broker.data.broker_name.clone(), broker);
    }

    /// Takes a broker out.
    pub(crate) fn unregister(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// Takes the brokers of a closed connection out.
    pub(crate) fn forget(&mut self, session: u64) {
        self.by_name.retain(|_, broker| broker.session != session);
    }

    /// Takes a topic out of every broker's list.
    pub(crate) fn remove_topic(&mut self, topic: &str) {
        self.by_name.values_mut().for_each(|broker| _ = broker.topics.remove(topic));
    }

    pub(crate) fn brokers(&self) -> impl Iterator<Item = &RegisteredBroker> {
        self.by_name.values()
    }

    /// Names of all their topics.
    pub(crate) fn topic_names(&self) -> BTreeSet<&str> {
        self.brokers().flat_map(|broker| broker.topics.keys()).map(String::as_str).collect()
    }
}
