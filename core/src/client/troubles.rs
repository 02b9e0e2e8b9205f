//! Which brokers do not answer as they should: one line in the log when it begins, one when it ends.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind};
use crate::message::MessageQueue;

/// Names of the brokers in trouble.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<HashSet<String>>);

impl Troubles {
    /// A request about `queue` failed; the end of the client is no trouble.
    pub(super) fn failed(&self, what: &str, queue: &MessageQueue, error: &Error) {
        if error.kind() == ErrorKind::Closed {
            return;
        }
        let MessageQueue { topic, broker, id } = queue;
        if self.lock().insert(broker.clone()) {
            tracing::warn!(%error, topic, broker, queue = id, "{what}; it is tried again");
        } else {
            tracing::debug!(%error, topic, broker, queue = id, "{what}");
        }
    }

    /// `broker` answered as it should.
    pub(super) fn answered(&self, broker: &str) {
        let mut troubled = self.lock();
        if !troubled.is_empty() && troubled.remove(broker) {
            tracing::info!(broker, "the broker answers again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
