//! What a consumer has received and not settled yet: how much it may be, who has it, and which messages wait for another.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_channel::Sender;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::held::{Held, Ordered, Stage};
use super::settler::{Settled, Work};
use crate::client::delivery::{Pending, Ticket};
use crate::client::simple::{ReceiptHandle, Received};
use crate::message::MessageView;
use crate::options::ConsumeResult;

/// How much a consumer may keep before it stops receiving.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) messages: usize,
    /// Of bodies. What is asked for is guessed from the largest body of late; one receive may go beyond.
    pub(crate) bytes: usize,
}

/// The messages of one consumer, between source and settlement.
#[derive(Debug)]
pub(crate) struct Shelf {
    me: Weak<Self>,
    limits: Limits,
    /// Whether messages of a group keep their order.
    fifo: bool,
    state: Mutex<State>,
    /// Rung whenever there may be more room, or less for handlers to do.
    changed: Notify,
    pending: Sender<Pending>,
    work: UnboundedSender<Work>,
}

#[derive(Debug, Default)]
struct State {
    next_key: u64,
    held: HashMap<u64, Held>,
    /// By their ids, those whose handles expire: the server may deliver them again meanwhile.
    expiring: HashMap<String, u64>,
    /// First in, first out: messages that follow each other. The front one is with a handler, or on its way.
    lines: HashMap<Arc<str>, VecDeque<u64>>,
    /// Messages that handlers could take now.
    ready: usize,
    bytes: usize,
    /// Asked for, not here yet.
    reserved: usize,
    /// The largest body of late.
    largest: usize,
    sealed: bool,
}

/// Room for messages that are being asked for; given back when dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    shelf: &'a Shelf,
    pub(super) messages: usize,
}

impl Shelf {
    pub(super) fn new(
        limits: Limits,
        fifo: bool,
        pending: Sender<Pending>,
        work: UnboundedSender<Work>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            limits,
            fifo,
            state: Mutex::default(),
            changed: Notify::new(),
            pending,
            work,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until up to `want` messages may be asked for, one of `sharers` who do.
    pub(super) async fn room(&self, want: usize, sharers: usize) -> Room<'_> {
        loop {
            let changed = self.changed.notified();
            if let Some(messages) = self.lock().reserve(want, sharers, self.limits) {
                return Room { shelf: self, messages };
            }
            changed.await;
        }
    }

    /// Puts received messages on the shelf, in the order they came, and hands out those that may be. `until` says when it
    /// is too late for that.
    pub(super) fn put(
        &self,
        room: Room<'_>,
        messages: Vec<Received>,
        until: impl Fn(&Received) -> Option<Instant>,
    ) {
        let mut state = self.lock();
        state.largest -= state.largest / 8;
        for received in messages {
            let until = until(&received);
            if until.is_some() && state.renew(&received, until) {
                continue;
            }
            let key = state.new_key();
            let (held, message) = Held::new(received, until, self.fifo);
            state.bytes += held.bytes;
            state.largest = state.largest.max(held.bytes);
            if until.is_some() {
                state.expiring.insert(held.receipt.message_id.clone(), key);
            }
            let line = held.ordered.as_ref().map(|ordered| Arc::clone(&ordered.line));
            state.held.insert(key, held);
            // Ready once it is handed out; a shelf that was sealed meanwhile hands out nothing.
            let is_front = line.is_none_or(|line| {
                let line = state.lines.entry(line).or_default();
                line.push_back(key);
                line.len() == 1
            });
            if is_front {
                self.hand_out(&mut state, key, message);
            }
        }
        drop(state);
        // It takes the lock to give back what was not used.
        drop(room);
    }

    fn hand_out(&self, state: &mut State, key: u64, message: MessageView) {
        if state.sealed {
            return;
        }
        if let Some(held) = state.held.get_mut(&key) {
            held.stage = Stage::Ready;
            state.ready += 1;
        }
        let ticket = Ticket::Shelf { shelf: Weak::clone(&self.me), key };
        // Without bound, because the shelf is bounded; closed at the end of the consumer only.
        let _ = self.pending.try_send(Pending { message, ticket });
    }

    /// Hands out the front message of `line`.
    fn go_on(&self, state: &mut State, line: &Arc<str>) {
        let Some(queue) = state.lines.get(line) else { return };
        let Some(&key) = queue.front() else {
            state.lines.remove(line);
            return;
        };
        let message = state.held.get(&key).and_then(|held| held.ordered.as_ref()).map(|o| o.message.clone());
        if let Some(message) = message {
            self.hand_out(state, key, message);
        }
    }

    /// Notes that a handler gets the message; `false` if it must not any more.
    pub(in crate::client) fn take(&self, key: u64, now: Instant) -> bool {
        let mut state = self.lock();
        if state.sealed {
            return false;
        }
        match state.held.get_mut(&key) {
            Some(held) if held.stage != Stage::Ready => return false,
            Some(held) if held.until.is_none_or(|until| now < until) => held.stage = Stage::Taken(now),
            Some(_) => {
                tracing::debug!(
                    "a message waited for a handler until its handle was about to expire; it comes again"
                );
                self.remove(&mut state, key);
                drop(state);
                self.changed.notify_waiters();
                return false;
            }
            None => return false,
        }
        state.ready -= 1;
        let hungry = state.ready == 0;
        drop(state);
        if hungry {
            self.changed.notify_waiters();
        }
        true
    }

    /// What became of a message that a handler took. Nothing happens if that was said before.
    pub(in crate::client) fn settle(&self, key: u64, result: ConsumeResult) {
        let mut state = self.lock();
        let Some(held) = state.held.get_mut(&key).filter(|held| matches!(held.stage, Stage::Taken(_))) else {
            return;
        };
        // In order, the message keeps its place until it comes again or is given up.
        let stays = held.ordered.is_some() && result != ConsumeResult::Success;
        let (receipt, attempt) = if stays {
            held.stage = Stage::Resting;
            (held.receipt.clone(), held.attempt)
        } else {
            match self.remove(&mut state, key) {
                Some(held) => (held.receipt, held.attempt),
                None => return,
            }
        };
        drop(state);
        let key = stays.then_some(key);
        let _ = self.work.send(Work::Settled(Settled { receipt, attempt, result, key }));
        self.changed.notify_waiters();
    }

    /// Takes a message off the shelf; the next one of its line is handed out.
    fn remove(&self, state: &mut State, key: u64) -> Option<Held> {
        let held = state.held.remove(&key)?;
        if held.until.is_some() {
            state.expiring.remove(&held.receipt.message_id);
        }
        state.bytes -= held.bytes;
        state.ready -= usize::from(held.stage == Stage::Ready);
        if let Some(Ordered { line, .. }) = &held.ordered {
            let was_front = state.lines.get_mut(line).is_some_and(|queue| {
                let front = queue.front() == Some(&key);
                queue.retain(|other| *other != key);
                front
            });
            if was_front {
                self.go_on(state, line);
            }
        }
        Some(held)
    }

    /// Hands a resting message out again, as its next attempt.
    pub(super) fn again(&self, key: u64) {
        let mut state = self.lock();
        if state.held.get(&key).is_none_or(|held| held.stage != Stage::Resting) {
            return;
        }
        // Under a new key: a late word about the last attempt says nothing about this one.
        let new_key = state.new_key();
        let Some(mut held) = state.held.remove(&key) else { return };
        held.attempt = held.attempt.saturating_add(1);
        if held.until.is_some() {
            state.expiring.insert(held.receipt.message_id.clone(), new_key);
        }
        let Some(ordered) = &mut held.ordered else { return };
        ordered.message.reconsume_times = held.attempt - 1;
        let line = Arc::clone(&ordered.line);
        state.held.insert(new_key, held);
        if let Some(front) = state.lines.get_mut(&line).and_then(VecDeque::front_mut) {
            *front = new_key;
        }
        self.go_on(&mut state, &line);
    }

    /// Notes that a resting message becomes a dead letter; `false` if it is not here any more.
    pub(super) fn leave(&self, key: u64) -> bool {
        match self.lock().held.get_mut(&key) {
            Some(held) => {
                held.stage = Stage::Leaving;
                true
            }
            None => false,
        }
    }

    /// Ends the stay of a message that was given up; its line goes on.
    pub(super) fn left(&self, key: u64) {
        self.remove(&mut self.lock(), key);
        self.changed.notify_waiters();
    }

    /// Forgets a resting message that the server delivers again itself, and those behind it, which come with it.
    pub(super) fn abandon(&self, key: u64) {
        let mut state = self.lock();
        let line = state.held.get(&key).and_then(|held| held.ordered.as_ref()).map(|o| Arc::clone(&o.line));
        let queue = line.and_then(|line| state.lines.get(&line));
        let with_it = queue.into_iter().flatten().skip_while(|other| **other != key);
        let with_it: Vec<u64> = with_it.copied().collect();
        // From behind, so that the line hands out none of them.
        for key in with_it.into_iter().rev() {
            self.remove(&mut state, key);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Counts messages that handlers have had for longer than `timeout` as not consumed; their number.
    pub(super) fn overdue(&self, now: Instant, timeout: Duration) -> usize {
        let is_late =
            |held: &Held| matches!(held.stage, Stage::Taken(at) if now.duration_since(at) > timeout);
        let late: Vec<u64> =
            self.lock().held.iter().filter(|(_, held)| is_late(held)).map(|(key, _)| *key).collect();
        late.iter().for_each(|key| self.settle(*key, ConsumeResult::RetryLater));
        late.len()
    }

    /// Takes back what no handler has, of one topic or of all.
    pub(super) fn take_back(&self, topic: Option<&str>) -> Vec<ReceiptHandle> {
        let mut state = self.lock();
        let untaken = |held: &Held| {
            !matches!(held.stage, Stage::Taken(_) | Stage::Leaving)
                && topic.is_none_or(|topic| held.receipt.topic == topic)
        };
        let mut keys: Vec<u64> =
            state.held.iter().filter(|(_, held)| untaken(held)).map(|(key, _)| *key).collect();
        // From behind, so that no line hands out what is about to be taken back.
        keys.sort_unstable_by(|a, b| b.cmp(a));
        let held = keys.iter().filter_map(|key| self.remove(&mut state, *key));
        let receipts = held.map(|held| held.receipt).collect();
        drop(state);
        self.changed.notify_waiters();
        receipts
    }

    /// Hands out nothing more, and takes back what no handler has.
    pub(super) fn seal(&self) -> Vec<ReceiptHandle> {
        self.lock().sealed = true;
        self.take_back(None)
    }

    /// Waits until handlers have settled what they took.
    pub(super) async fn is_idle(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.lock().held.values().any(|held| matches!(held.stage, Stage::Taken(_))) {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    fn new_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    /// Gives a message that is here already its newer handle; `false` if it is not here.
    fn renew(&mut self, received: &Received, until: Option<Instant>) -> bool {
        let key = self.expiring.get(&received.receipt.message_id);
        let Some(held) = key.and_then(|key| self.held.get_mut(key)) else { return false };
        held.receipt = received.receipt.clone();
        held.until = until;
        true
    }

    /// How many messages may be asked for now; `None`: wait. Not for a trickle while handlers have enough to do.
    fn reserve(&mut self, want: usize, sharers: usize, limits: Limits) -> Option<usize> {
        if self.sealed {
            return None;
        }
        let whole = |bytes: usize| bytes.checked_div(self.largest).unwrap_or(usize::MAX);
        let most = want.min(limits.messages / sharers.max(1)).min(whole(limits.bytes)).max(1);
        let used = self.held.len() + self.reserved;
        let bytes = self.bytes + self.reserved.saturating_mul(self.largest);
        // A message larger than the limit has to come through too.
        let by_bytes = whole(limits.bytes.saturating_sub(bytes)).max(usize::from(used == 0));
        let messages = most.min(limits.messages.saturating_sub(used)).min(by_bytes);
        let enough = if self.ready == 0 { 1 } else { most.div_ceil(2) };
        (messages >= enough).then(|| {
            self.reserved += messages;
            messages
        })
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.shelf.lock().reserved -= self.messages;
        self.shelf.changed.notify_waiters();
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
