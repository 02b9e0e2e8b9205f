//! What one assigned queue has under way: pulled, not yet settled messages, and the offset that may be stored.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::codec::remoting::body::ProcessQueueInfo;
use crate::message::MessageQueue;

/// How much a queue may keep before it stops pulling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// A queue from its assignment until it is dropped. After a reset the queue is a new one, so that late settlements of
/// the old one touch nothing.
#[derive(Debug)]
pub(in crate::client) struct ProcessQueue {
    queue: MessageQueue,
    /// Nothing more is handed out; what handlers have can still be settled.
    sealed: AtomicBool,
    dropped: AtomicBool,
    state: Mutex<State>,
    /// Held while an offset is being stored: brokers handle requests side by side, and the last one would win.
    pub(super) storing: tokio::sync::Mutex<()>,
    /// Rung with every settlement; the puller waits on it while the queue is full.
    settled: Notify,
}

#[derive(Debug)]
struct State {
    /// In the order of offsets; the first one is unsettled.
    slots: VecDeque<Slot>,
    unsettled: usize,
    bytes: usize,
    /// The offset after everything that was pulled; −1 before it is known where to begin.
    next: i64,
    /// The offset the broker has stored, −1 if none.
    stored: i64,
    /// When the pull under way began.
    pulling_since: Option<Instant>,
}

#[derive(Debug)]
struct Slot {
    offset: i64,
    /// The record as pulled, for the case that it has to be delivered or published again; `None` once settled.
    record: Option<Bytes>,
    /// When a handler got it.
    taken: Option<Instant>,
}

impl ProcessQueue {
    /// A queue of which it is not known yet where to begin.
    pub(super) fn new(queue: MessageQueue) -> Self {
        let state = State {
            slots: VecDeque::new(),
            unsettled: 0,
            bytes: 0,
            next: -1,
            stored: -1,
            pulling_since: None,
        };
        Self {
            queue,
            sealed: AtomicBool::new(false),
            dropped: AtomicBool::new(false),
            state: Mutex::new(state),
            storing: tokio::sync::Mutex::default(),
            settled: Notify::new(),
        }
    }

    /// Begins at `next`; `stored` if that is what the broker has stored.
    pub(super) fn begin(&self, next: i64, stored: bool) {
        let mut state = self.lock();
        (state.next, state.stored) = (next, if stored { next } else { -1 });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self) -> &MessageQueue {
        &self.queue
    }

    /// Whether the queue is no longer assigned: nothing of it is delivered and no offset stored any more.
    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }

    pub(super) fn set_dropped(&self) {
        self.seal();
        self.dropped.store(true, Ordering::Release);
        self.settled.notify_waiters();
    }

    /// Hands out nothing more.
    pub(super) fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    /// Notes that a pull begins, or ends.
    pub(super) fn pulling(&self, since: Option<Instant>) {
        self.lock().pulling_since = since;
    }

    /// Whether the pull under way should have ended `patience` ago.
    pub(super) fn is_stuck(&self, now: Instant, patience: Duration) -> bool {
        self.lock().pulling_since.is_some_and(|since| now.duration_since(since) > patience)
    }

    /// Adds a pulled message. Offsets come in ascending order; one that was seen before is refused with `false`.
    pub(super) fn add(&self, offset: i64, record: Bytes) -> bool {
        let mut state = self.lock();
        if offset < state.next {
            return false;
        }
        state.next = offset + 1;
        state.unsettled += 1;
        state.bytes += record.len();
        state.slots.push_back(Slot { offset, record: Some(record), taken: None });
        true
    }

    /// Notes that there is nothing more to pull below `next`.
    pub(super) fn advance(&self, next: i64) {
        let mut state = self.lock();
        state.next = state.next.max(next);
    }

    /// The offset to pull next.
    pub(super) fn next_offset(&self) -> i64 {
        self.lock().next
    }

    /// Notes that a handler gets the message at `offset`; `false` if it must not, being settled or dropped.
    pub(in crate::client) fn take(&self, offset: i64, now: Instant) -> bool {
        let mut state = self.lock();
        if self.sealed.load(Ordering::Acquire) {
            return false;
        }
        match state.find(offset) {
            Some(slot) if slot.record.is_some() => {
                slot.taken = Some(now);
                true
            }
            _ => false,
        }
    }

    /// The record of the unsettled message at `offset`.
    pub(super) fn record(&self, offset: i64) -> Option<Bytes> {
        self.lock().find(offset)?.record.clone()
    }

    /// Settles the message at `offset`; `false` if it was settled before.
    pub(in crate::client) fn settle(&self, offset: i64) -> bool {
        let mut state = self.lock();
        let Some(record) = state.find(offset).and_then(|slot| slot.record.take()) else { return false };
        state.unsettled -= 1;
        state.bytes -= record.len();
        while state.slots.front().is_some_and(|slot| slot.record.is_none()) {
            state.slots.pop_front();
        }
        drop(state);
        self.settled.notify_waiters();
        true
    }

    /// Messages that handlers have had for longer than `timeout`. They count as given back and are returned once.
    pub(super) fn overdue(&self, now: Instant, timeout: Duration) -> Vec<i64> {
        let mut state = self.lock();
        let late = |slot: &&mut Slot| {
            slot.record.is_some() && slot.taken.is_some_and(|taken| now.duration_since(taken) > timeout)
        };
        let slots = state.slots.iter_mut().filter(late);
        slots
            .map(|slot| {
                slot.taken = None;
                slot.offset
            })
            .collect()
    }

    /// Notes that no handler has the unsettled message at `offset` any more.
    pub(in crate::client) fn returned(&self, offset: i64) {
        if let Some(slot) = self.lock().find(offset) {
            slot.taken = None;
        }
        self.settled.notify_waiters();
    }

    /// Waits until handlers have settled what they were given.
    pub(super) async fn is_idle(&self) {
        loop {
            let settled = self.settled.notified();
            if !self.lock().slots.iter().any(|slot| slot.record.is_some() && slot.taken.is_some()) {
                return;
            }
            settled.await;
        }
    }

    /// What is under way, for a server that asks.
    pub(super) fn info(&self) -> ProcessQueueInfo {
        let state = self.lock();
        ProcessQueueInfo {
            commit_offset: state.commit_offset(),
            cached_msg_min_offset: state.slots.front().map_or(0, |slot| slot.offset),
            cached_msg_max_offset: state.slots.back().map_or(0, |slot| slot.offset),
            cached_msg_count: state.unsettled,
            cached_msg_size_in_mi_b: state.bytes / (1024 * 1024),
            droped: self.is_dropped(),
            locked: false,
        }
    }

    /// Waits until the queue has room for another pull.
    pub(super) async fn has_room(&self, limits: Limits) {
        loop {
            let settled = self.settled.notified();
            if self.lock().has_room(limits) {
                return;
            }
            settled.await;
        }
    }

    /// The offset that may be stored: that of the lowest unsettled message.
    pub(super) fn commit_offset(&self) -> i64 {
        self.lock().commit_offset()
    }

    /// The offset to store if it is beyond what the broker has.
    pub(super) fn uncommitted(&self) -> Option<i64> {
        let state = self.lock();
        Some(state.commit_offset()).filter(|offset| *offset > state.stored)
    }

    /// Stores nothing of this queue any more: it was reset.
    pub(super) fn supersede(&self) {
        self.lock().stored = i64::MAX;
    }

    /// Notes that the broker has stored `offset`.
    pub(super) fn committed(&self, offset: i64) {
        let mut state = self.lock();
        state.stored = state.stored.max(offset);
    }
}

impl State {
    fn find(&mut self, offset: i64) -> Option<&mut Slot> {
        let at = self.slots.binary_search_by_key(&offset, |slot| slot.offset).ok()?;
        self.slots.get_mut(at)
    }

    fn commit_offset(&self) -> i64 {
        self.slots.front().map_or(self.next, |lowest| lowest.offset)
    }

    /// One message that takes long may not let the settled ones behind it pile up without end.
    fn has_room(&self, limits: Limits) -> bool {
        self.unsettled < limits.messages
            && self.bytes < limits.bytes
            && self.slots.len() < limits.messages * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn queue() -> ProcessQueue {
        let queue = ProcessQueue::new(MessageQueue { topic: "T".into(), broker: "b".into(), id: 0 });
        assert_eq!(queue.uncommitted(), None);
        queue.begin(10, false);
        for offset in [10, 11, 15] {
            assert!(queue.add(offset, Bytes::from_static(b"12345")));
        }
        queue
    }

    #[test]
    fn the_offset_to_store_is_the_lowest_unsettled_one() {
        let queue = queue();
        assert_eq!(queue.commit_offset(), 10);
        assert!(queue.settle(15) && queue.settle(10) && !queue.settle(10));
        assert_eq!((queue.commit_offset(), queue.info().cached_msg_count), (11, 1));
        queue.advance(20);
        assert_eq!((queue.commit_offset(), queue.next_offset()), (11, 20));
        assert!(queue.settle(11));
        assert_eq!((queue.commit_offset(), queue.info().cached_msg_count), (20, 0));
    }

    #[test]
    fn offsets_are_stored_once_and_never_backwards() {
        let queue = queue();
        assert_eq!(queue.uncommitted(), Some(10));
        queue.committed(10);
        assert_eq!(queue.uncommitted(), None);
        queue.settle(10);
        assert_eq!(queue.uncommitted(), Some(11));
        queue.committed(11);
        queue.committed(10);
        assert_eq!(queue.uncommitted(), None);
    }

    #[test]
    fn a_message_is_added_once() {
        let queue = queue();
        assert!(!queue.add(11, Bytes::new()) && !queue.add(15, Bytes::new()));
        assert_eq!(queue.info().cached_msg_count, 3);
    }

    #[test]
    fn limits_count_messages_bytes_and_the_span() {
        let queue = queue();
        let room = |messages, bytes| queue.lock().has_room(Limits { messages, bytes });
        assert!(room(4, 16) && !room(3, 16) && !room(4, 15));
        queue.settle(11);
        queue.settle(15);
        assert!(room(2, 16) && !room(1, 16));
    }

    #[test]
    fn overdue_messages_are_reported_once() {
        let (queue, start) = (queue(), clock::instant());
        assert!(queue.take(10, start) && queue.take(11, start) && !queue.take(12, start));
        queue.settle(10);
        let late = start + Duration::from_secs(61);
        assert_eq!(queue.overdue(late, Duration::from_secs(60)), [11]);
        assert!(queue.overdue(late, Duration::from_secs(60)).is_empty());
        queue.set_dropped();
        assert!(!queue.take(15, start));
    }
}
