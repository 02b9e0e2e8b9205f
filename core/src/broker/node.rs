//! The broker as its connections see it: settings, and the state behind its lock.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::clients::Clients;
use super::control::Control;
use super::registry::Registry;
use super::relays::Relays;
use super::state::State;
use super::topics::{DEFAULT_TOPIC, TopicConfig};
use super::{BrokerOptions, Persona};
use crate::clock::Clock;
use crate::codec::remoting::body::perm;
use crate::message::UniqueIdGenerator;
use crate::options::Credentials;

/// The one cluster there is.
pub(crate) const CLUSTER: &str = "DefaultCluster";

/// What every part of a running broker shares.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) auto_create_topics: bool,
    pub(crate) queues: i32,
    pub(crate) persona: Persona,
    /// The version it says it is, by which clients tell what it can do.
    pub(crate) version: i32,
    pub(crate) credentials: Vec<Credentials>,
    /// Invisible time of what is received over HTTP.
    pub(crate) http_invisible_ms: i64,
    /// For messages that came without an id.
    pub(crate) unique_ids: UniqueIdGenerator,
    state: Mutex<State>,
    control: Mutex<Control>,
    sessions: AtomicU64,
}

impl Node {
    pub(crate) fn new(options: &BrokerOptions, address: SocketAddr) -> Self {
        let mut state = State::new(options.persona, &options.name);
        if options.auto_create_topics {
            let inherited = TopicConfig {
                perm: perm::READ | perm::WRITE | perm::INHERIT,
                ..TopicConfig::new(options.queues)
            };
            state.store.topics.put(DEFAULT_TOPIC, inherited);
        }
        state.store.topics.put(&format!("{CLUSTER}_REPLY_TOPIC"), TopicConfig::new(1));
        Self {
            name: options.name.clone(),
            address,
            clock: options.clock.clone(),
            auto_create_topics: options.auto_create_topics,
            queues: options.queues,
            persona: options.persona,
            version: options.persona.version(),
            credentials: options.credentials.clone(),
            http_invisible_ms: i64::try_from(options.http_invisible.as_millis()).unwrap_or(i64::MAX),
            unique_ids: UniqueIdGenerator::new(options.clock.now_ms(), fastrand::u64(..)),
            state: Mutex::new(state),
            control: Mutex::default(),
            sessions: AtomicU64::new(0),
        }
    }

    /// The state; held briefly, never across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Faults and counts.
    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a new connection.
    pub(super) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// Forgets every connection after the port was closed.
    pub(super) fn all_sessions_closed(&self) {
        let mut state = self.state();
        state.polls.forget(None);
        state.groups.all_sessions_closed();
        state.registry = Registry::default();
        state.relays = Relays::default();
        state.clients = Clients::default();
    }
}
