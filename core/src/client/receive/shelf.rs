//! What a consumer has received and not settled yet: how much it may be, who has it, and which messages wait for another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_channel::Sender;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::held::{Held, Ordered, Stage};
use super::settler::{Settled, Work};
use super::stock::{Limits, Stock};
use crate::client::delivery::{Pending, Ticket};
use crate::client::simple::{ReceiptHandle, Received};
use crate::message::MessageView;
use crate::options::ConsumeResult;

/// The messages of one consumer, between source and settlement.
#[derive(Debug)]
pub(crate) struct Shelf {
    me: Weak<Self>,
    limits: Limits,
    /// Whether messages of a group keep their order.
    fifo: bool,
    stock: Mutex<Stock>,
    /// Rung whenever there may be more room, or less for handlers to do.
    changed: Notify,
    pending: Sender<Pending>,
    work: UnboundedSender<Work>,
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
            stock: Mutex::default(),
            changed: Notify::new(),
            pending,
            work,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut stock = self.lock();
        stock.largest -= stock.largest / 8;
        for received in messages {
            let until = until(&received);
            if until.is_some() && stock.renew(&received, until) {
                continue;
            }
            let (held, message) = Held::new(received, until, self.fifo);
            // Ready once it is handed out; a shelf that was sealed meanwhile hands out nothing.
            let (key, is_front) = stock.add(held);
            if is_front {
                self.hand_out(&mut stock, key, message);
            }
        }
        drop(stock);
        // It takes the lock to give back what was not used.
        drop(room);
    }

    fn hand_out(&self, stock: &mut Stock, key: u64, message: MessageView) {
        if stock.sealed {
            return;
        }
        if let Some(held) = stock.held.get_mut(&key) {
            held.stage = Stage::Ready;
            stock.ready += 1;
        }
        let ticket = Ticket::Shelf { shelf: Weak::clone(&self.me), key };
        // Without bound, because the shelf is bounded; closed at the end of the consumer only.
        let _ = self.pending.try_send(Pending { message, ticket });
    }

    /// Hands out the front message of `line`.
    fn go_on(&self, stock: &mut Stock, line: &Arc<str>) {
        let Some(queue) = stock.lines.get(line) else { return };
        let Some(&key) = queue.front() else {
            stock.lines.remove(line);
            return;
        };
        let message = stock.held.get(&key).and_then(|held| held.ordered.as_ref()).map(|o| o.message.clone());
        if let Some(message) = message {
            self.hand_out(stock, key, message);
        }
    }

    /// Notes that a handler gets the message; `false` if it must not any more.
    pub(in crate::client) fn take(&self, key: u64, now: Instant) -> bool {
        let mut stock = self.lock();
        if stock.sealed {
            return false;
        }
        match stock.held.get_mut(&key) {
            Some(held) if held.stage != Stage::Ready => return false,
            Some(held) if held.until.is_none_or(|until| now < until) => held.stage = Stage::Taken(now),
            // It waited until its handle was about to expire, and comes again.
            Some(_) => {
                self.remove(&mut stock, key);
                drop(stock);
                self.changed.notify_waiters();
                return false;
            }
            None => return false,
        }
        stock.ready -= 1;
        let hungry = stock.ready == 0;
        drop(stock);
        if hungry {
            self.changed.notify_waiters();
        }
        true
    }

    /// What became of a message that a handler took. Nothing happens if that was said before.
    pub(in crate::client) fn settle(&self, key: u64, result: ConsumeResult) {
        let mut stock = self.lock();
        let Some(held) = stock.held.get_mut(&key).filter(|held| matches!(held.stage, Stage::Taken(_))) else {
            return;
        };
        // In order, the message keeps its place until it comes again or is given up.
        let stays = held.ordered.is_some() && result != ConsumeResult::Success;
        let (receipt, attempt) = if stays {
            held.stage = Stage::Resting;
            (held.receipt.clone(), held.attempt)
        } else {
            match self.remove(&mut stock, key) {
                Some(held) => (held.receipt, held.attempt),
                None => return,
            }
        };
        drop(stock);
        let key = stays.then_some(key);
        let _ = self.work.send(Work::Settled(Settled { receipt, attempt, result, key }));
        self.changed.notify_waiters();
    }

    /// Takes a message off the shelf; the next one of its line is handed out.
    fn remove(&self, stock: &mut Stock, key: u64) -> Option<Held> {
        let (held, was_front) = stock.remove(key)?;
        if let Some(Ordered { line, .. }) = &held.ordered
            && was_front
        {
            self.go_on(stock, line);
        }
        Some(held)
    }

    /// Hands a resting message out again, as its next attempt.
    pub(super) fn again(&self, key: u64) {
        let mut stock = self.lock();
        if stock.held.get(&key).is_none_or(|held| held.stage != Stage::Resting) {
            return;
        }
        let Some(line) = stock.begin_again(key) else { return };
        self.go_on(&mut stock, &line);
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
        let mut stock = self.lock();
        let line = stock.held.get(&key).and_then(|held| held.ordered.as_ref()).map(|o| Arc::clone(&o.line));
        let queue = line.and_then(|line| stock.lines.get(&line));
        let with_it = queue.into_iter().flatten().skip_while(|other| **other != key);
        let with_it: Vec<u64> = with_it.copied().collect();
        // From behind, so that the line hands out none of them.
        for key in with_it.into_iter().rev() {
            self.remove(&mut stock, key);
        }
        drop(stock);
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
        let taken = self.take_off(|held| {
            !matches!(held.stage, Stage::Taken(_) | Stage::Leaving)
                && topic.is_none_or(|topic| held.receipt.topic == topic)
        });
        taken.into_iter().map(|held| held.receipt).collect()
    }

    /// Makes room where messages waited for handlers until their handles were about to expire; their number.
    pub(super) fn expire(&self, now: Instant) -> usize {
        let expired = self.take_off(|held| {
            matches!(held.stage, Stage::Behind | Stage::Ready) && held.until.is_some_and(|until| until <= now)
        });
        expired.len()
    }

    fn take_off(&self, which: impl Fn(&Held) -> bool) -> Vec<Held> {
        let mut stock = self.lock();
        let mut keys: Vec<u64> =
            stock.held.iter().filter(|(_, held)| which(held)).map(|(key, _)| *key).collect();
        // From behind, so that no line hands out what is about to be taken off.
        keys.sort_unstable_by(|a, b| b.cmp(a));
        let taken: Vec<_> = keys.iter().filter_map(|key| self.remove(&mut stock, *key)).collect();
        drop(stock);
        if !taken.is_empty() {
            self.changed.notify_waiters();
        }
        taken
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

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.shelf.lock().reserved -= self.messages;
        self.shelf.changed.notify_waiters();
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
