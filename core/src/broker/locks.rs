//! Queue locks of orderly consumers: one client of a group at a time, until it goes or is silent for a minute.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A lock that is not renewed for this long is free.
const EXPIRY: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Lock {
    client: String,
    renewed: Instant,
}

/// The locks by group, and topic and queue.
#[derive(Debug, Default)]
pub(crate) struct QueueLocks {
    by_group: HashMap<String, HashMap<(String, i32), Lock>>,
}

impl QueueLocks {
    /// Takes or renews the lock; whether `client` holds it now.
    pub(crate) fn lock(&mut self, group: &str, topic: &str, queue: i32, client: &str, now: Instant) -> bool {
        let locks = self.by_group.entry(group.to_owned()).or_default();
        let lock = locks
            .entry((topic.to_owned(), queue))
            .or_insert_with(|| Lock { client: client.to_owned(), renewed: now });
        if lock.client != client && now.duration_since(lock.renewed) < EXPIRY {
            return false;
        }
        client.clone_into(&mut lock.client);
        lock.renewed = now;
        true
    }

    /// Gives the lock back if `client` holds it.
    pub(crate) fn unlock(&mut self, group: &str, topic: &str, queue: i32, client: &str) {
        let Some(locks) = self.by_group.get_mut(group) else { return };
        let key = (topic.to_owned(), queue);
        if locks.get(&key).is_some_and(|lock| lock.client == client) {
            locks.remove(&key);
        }
        if locks.is_empty() {
            self.by_group.remove(group);
        }
    }

    /// Whether the group consumes in order: it holds locks.
    pub(crate) fn is_orderly(&self, group: &str) -> bool {
        self.by_group.contains_key(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_lock_has_one_owner_until_it_expires_or_is_given_back() {
        let mut locks = QueueLocks::default();
        let start = clock::instant();
        assert!(locks.lock("g", "t", 0, "a", start));
        assert!(locks.lock("g", "t", 0, "a", start));
        assert!(!locks.lock("g", "t", 0, "b", start + EXPIRY / 2));
        assert!(locks.lock("g", "t", 1, "b", start));
        assert!(locks.lock("other", "t", 0, "b", start));
        assert!(locks.lock("g", "t", 0, "b", start + EXPIRY));
        locks.unlock("g", "t", 0, "a");
        assert!(!locks.lock("g", "t", 0, "a", start + EXPIRY));
        locks.unlock("g", "t", 0, "b");
        assert!(locks.lock("g", "t", 0, "a", start + EXPIRY));
        assert!(locks.is_orderly("g") && !locks.is_orderly("h"));
    }
}
