//! Pulls that wait for a message: parked by queue, let go by an arrival or at the end of their hold.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::delivery::Pull;

#[derive(Debug)]
struct Parked {
    id: (Instant, u64),
    pull: Pull,
}

type PollKey = (Arc<str>, i32);

/// The pulls that wait.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    by_queue: HashMap<PollKey, Vec<Parked>>,
    by_expiry: BTreeMap<(Instant, u64), PollKey>,
    parked: u64,
}

impl Polls {
    /// Parks `pull` until `expiry`.
    pub(crate) fn park(&mut self, pull: Pull, expiry: Instant) {
        self.parked += 1;
        let (key, id) = ((pull.topic.as_str().into(), pull.queue), (expiry, self.parked));
        self.by_expiry.insert(id, key.clone());
        self.by_queue.entry(key).or_default().push(Parked { id, pull });
    }

    /// Takes out the pulls that wait for a message with this tag in the queue.
    pub(crate) fn take(&mut self, topic: &str, queue: i32, tag_hash: i32) -> Vec<Pull> {
        if self.by_expiry.is_empty() {
            return Vec::new();
        }
        let Some(parked) = self.by_queue.get_mut(&(topic.into(), queue)) else { return Vec::new() };
        let taken: Vec<_> = parked.extract_if(.., |parked| parked.pull.filter.matches(tag_hash)).collect();
        for parked in &taken {
            self.by_expiry.remove(&parked.id);
        }
        taken.into_iter().map(|parked| parked.pull).collect()
    }

    /// Takes out the pulls whose hold has ended.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Vec<Pull> {
        let mut expired = Vec::new();
        while let Some(first) = self.by_expiry.first_entry().filter(|first| first.key().0 <= now) {
            let (id, key) = first.remove_entry();
            let Some(parked) = self.by_queue.get_mut(&key) else { continue };
            expired.extend(parked.extract_if(.., |parked| parked.id == id).map(|parked| parked.pull));
            if parked.is_empty() {
                self.by_queue.remove(&key);
            }
        }
        expired
    }

    /// Forgets the pulls of a closed connection, or of all.
    pub(crate) fn forget(&mut self, session: Option<u64>) {
        let by_expiry = &mut self.by_expiry;
        self.by_queue.retain(|_, parked| {
            parked.retain(|parked| {
                let stays = session.is_some_and(|session| parked.pull.from.session != session);
                if !stays {
                    by_expiry.remove(&parked.id);
                }
                stays
            });
            !parked.is_empty()
        });
    }

    /// When the next hold ends.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.by_expiry.first_key_value().map(|(id, _)| id.0)
    }
}
