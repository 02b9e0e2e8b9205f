//! A logical queue: where in the commit log its messages lie.

use std::collections::VecDeque;

/// One message of a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Commit-log offset of the record.
    pub(crate) commit_log_offset: i64,
    /// Hash of the tag, 0 without one; what the broker filters by.
    pub(crate) tag_hash: i32,
}

/// The messages of one queue, by queue offset.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    min: i64,
    entries: VecDeque<Entry>,
}

impl Queue {
    /// Offset of the oldest message that is still there.
    pub(crate) fn min_offset(&self) -> i64 {
        self.min
    }

    /// Offset that the next message gets.
    pub(crate) fn max_offset(&self) -> i64 {
        self.min + self.entries.len() as i64
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
    }

    pub(crate) fn get(&self, offset: i64) -> Option<Entry> {
        self.entries.get(usize::try_from(offset - self.min).ok()?).copied()
    }

    /// Forgets messages whose records lie before `log_start`.
    pub(crate) fn trim(&mut self, log_start: i64) {
        let gone = self.entries.partition_point(|entry| entry.commit_log_offset < log_start);
        self.entries.drain(..gone);
        self.min += gone as i64;
    }

    /// The first offset whose entry does not satisfy `before`; entries that do come first.
    pub(crate) fn partition_offset(&self, before: impl FnMut(&Entry) -> bool) -> i64 {
        self.min + self.entries.partition_point(before) as i64
    }
}
