//! Pulls that wait for a message: parked by queue, let go by an arrival or at the end of their hold.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::delivery::Pull;
use super::filter::Filter;
use crate::codec::remoting::record::StoredMessage;

#[derive(Debug)]
struct Parked {
    id: (Instant, u64),
    pull: Pull,
}

/// The pulls that wait.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    /// By topic and queue.
    parked: HashMap<Arc<str>, HashMap<i32, Vec<Parked>>>,
    by_expiry: BTreeMap<(Instant, u64), (Arc<str>, i32)>,
    count: u64,
}

impl Polls {
    /// Parks `pull` until `expiry`.
    pub(crate) fn park(&mut self, pull: Pull, expiry: Instant) {
        self.count += 1;
        let (topic, queue, id) = (Arc::from(pull.topic.as_str()), pull.queue, (expiry, self.count));
        self.by_expiry.insert(id, (Arc::clone(&topic), queue));
        self.parked.entry(topic).or_default().entry(queue).or_default().push(Parked { id, pull });
    }

    /// Takes out the pulls that wait for a message like this one in its queue.
    pub(crate) fn take(&mut self, message: &StoredMessage, tag_hash: i32) -> Vec<Pull> {
        let queues = self.parked.get_mut(message.topic.as_str());
        let Some(parked) = queues.and_then(|queues| queues.get_mut(&message.queue_id)) else {
            return Vec::new();
        };
        let wants = |filter: &Filter| filter.may_pass(tag_hash) && filter.passes(&message.properties);
        let taken: Vec<_> = parked.extract_if(.., |parked| wants(&parked.pull.filter)).collect();
        for parked in &taken {
            self.by_expiry.remove(&parked.id);
        }
        taken.into_iter().map(|parked| parked.pull).collect()
    }

    /// Takes out the pulls whose hold has ended.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Vec<Pull> {
        let mut expired = Vec::new();
        while let Some(first) = self.by_expiry.first_entry().filter(|first| first.key().0 <= now) {
            let (id, (topic, queue)) = first.remove_entry();
            let Some(parked) = self.parked.get_mut(&topic).and_then(|queues| queues.get_mut(&queue)) else {
                continue;
            };
            expired.extend(parked.extract_if(.., |parked| parked.id == id).map(|parked| parked.pull));
        }
        expired
    }

    /// Forgets the pulls of a closed connection, or of all.
    pub(crate) fn forget(&mut self, session: Option<u64>) {
        let by_expiry = &mut self.by_expiry;
        for parked in self.parked.values_mut().flat_map(HashMap::values_mut) {
            let goes =
                |parked: &mut Parked| session.is_none_or(|session| parked.pull.from.session == session);
            parked.extract_if(.., goes).for_each(|parked| _ = by_expiry.remove(&parked.id));
        }
    }

    /// When the next hold ends.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.by_expiry.first_key_value().map(|(id, _)| id.0)
    }
}
