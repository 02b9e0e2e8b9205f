//! What waits for an instant, in deadline order and, for one instant, in insertion order. Pure: it is told the time.

use std::collections::BTreeMap;

/// Names an entry of a [`Timer`]; also its place in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TimerId {
    /// Unix ms.
    pub(crate) deadline_ms: i64,
    sequence: u64,
}

/// Entries that wait for their deadline.
#[derive(Debug)]
pub(crate) struct Timer<T> {
    entries: BTreeMap<TimerId, T>,
    inserted: u64,
}

impl<T> Timer<T> {
    pub(crate) fn new() -> Self {
        Self { entries: BTreeMap::new(), inserted: 0 }
    }

    /// Keeps `entry` until `deadline_ms`.
    pub(crate) fn insert(&mut self, deadline_ms: i64, entry: T) -> TimerId {
        self.inserted += 1;
        let id = TimerId { deadline_ms, sequence: self.inserted };
        self.entries.insert(id, entry);
        id
    }

    /// The earliest deadline.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.entries.first_key_value().map(|(id, _)| id.deadline_ms)
    }

    /// Takes the first entry whose deadline is not after `now_ms`.
    pub(crate) fn pop_due(&mut self, now_ms: i64) -> Option<T> {
        let first = self.entries.first_entry()?;
        (first.key().deadline_ms <= now_ms).then(|| first.remove())
    }

    /// Takes an entry out before its deadline.
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<T> {
        self.entries.remove(&id)
    }

    /// What waits for exactly `deadline_ms`, in order.
    pub(crate) fn at(&self, deadline_ms: i64) -> impl Iterator<Item = (TimerId, &T)> {
        let all = TimerId { deadline_ms, sequence: 0 }..=TimerId { deadline_ms, sequence: u64::MAX };
        self.entries.range(all).map(|(id, entry)| (*id, entry))
    }

    /// What waits, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TimerId, &T)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_entries_leave_in_deadline_then_insertion_order() {
        let mut timer = Timer::new();
        for (deadline, name) in [(20, "c"), (10, "a"), (20, "d"), (10, "b"), (21, "e")] {
            timer.insert(deadline, name);
        }
        assert_eq!(timer.next_deadline(), Some(10));
        assert_eq!(timer.pop_due(9), None);
        let due: Vec<_> = std::iter::from_fn(|| timer.pop_due(20)).collect();
        assert_eq!(due, ["a", "b", "c", "d"]);
        assert_eq!(timer.next_deadline(), Some(21));
    }

    #[test]
    fn a_cancelled_entry_never_leaves() {
        let mut timer = Timer::new();
        let gone = timer.insert(5, "gone");
        timer.insert(5, "stays");
        assert_eq!(timer.cancel(gone), Some("gone"));
        assert_eq!(timer.cancel(gone), None);
        assert_eq!(timer.pop_due(5), Some("stays"));
        assert_eq!(timer.pop_due(i64::MAX), None);
    }

    #[test]
    fn a_random_schedule_is_never_early_and_never_out_of_order() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut timer = Timer::new();
        let mut now = 1_700_000_000_000;
        let (mut inserted, mut left, mut last) = (0, 0, (i64::MIN, 0));
        while left < 20_000 {
            for _ in 0..random.u32(0..4) {
                let ahead = [0, 1, 999, 1000, random.i64(0..5000)][random.usize(0..5)];
                inserted += 1;
                timer.insert(now + ahead, (now + ahead, inserted));
            }
            now += random.i64(0..3) * 500;
            while let Some((deadline, sequence)) = timer.pop_due(now) {
                assert!(deadline <= now, "early");
                assert!((deadline, sequence) > last || deadline < last.0, "two of one instant swapped");
                last = (deadline, sequence);
                left += 1;
            }
            assert!(timer.next_deadline().is_none_or(|next| next > now), "something due was left behind");
        }
    }
}
