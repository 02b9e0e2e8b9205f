//! What stands on the shelf, and how much more may be asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::held::{Held, Stage};
use crate::client::simple::Received;

/// How much a consumer may keep before it stops receiving.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) messages: usize,
    /// Of bodies. What is asked for is guessed from the largest body of late; one receive may go beyond.
    pub(crate) bytes: usize,
}

/// Messages by their keys, which begin with 1 and grow.
#[derive(Debug, Default)]
pub(super) struct Stock {
    last_key: u64,
    pub(super) held: HashMap<u64, Held>,
    /// By their ids, those whose handles expire: the server may deliver them again meanwhile.
    expiring: HashMap<String, u64>,
    /// First in, first out: messages that follow each other. The front one is with a handler, or on its way.
    pub(super) lines: HashMap<Arc<str>, VecDeque<u64>>,
    /// Messages that handlers could take now.
    pub(super) ready: usize,
    bytes: usize,
    /// Asked for, not here yet.
    pub(super) reserved: usize,
    /// The largest body of late.
    pub(super) largest: usize,
    pub(super) sealed: bool,
}

impl Stock {
    fn new_key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }

    /// Adds a message; its key, and whether no other one of its line comes first.
    pub(super) fn add(&mut self, held: Held) -> (u64, bool) {
        let key = self.new_key();
        self.bytes += held.bytes;
        self.largest = self.largest.max(held.bytes);
        if held.until.is_some() {
            self.expiring.insert(held.receipt.message_id.clone(), key);
        }
        let is_front = held.ordered.as_ref().is_none_or(|ordered| {
            let line = self.lines.entry(Arc::clone(&ordered.line)).or_default();
            line.push_back(key);
            line.len() == 1
        });
        self.held.insert(key, held);
        (key, is_front)
    }

    /// Takes a message off, and says whether it was the front one of its line.
    pub(super) fn remove(&mut self, key: u64) -> Option<(Held, bool)> {
        let held = self.held.remove(&key)?;
        if held.until.is_some() {
            self.expiring.remove(&held.receipt.message_id);
        }
        self.bytes -= held.bytes;
        self.ready -= usize::from(held.stage == Stage::Ready);
        let line = held.ordered.as_ref().and_then(|ordered| self.lines.get_mut(&ordered.line));
        let was_front = line.is_some_and(|line| {
            let front = line.front() == Some(&key);
            line.retain(|other| *other != key);
            front
        });
        Some((held, was_front))
    }

    /// Gives a message that is here already its newer handle; `false` if it is not here.
    pub(super) fn renew(&mut self, received: &Received, until: Option<Instant>) -> bool {
        let key = self.expiring.get(&received.receipt.message_id);
        let Some(held) = key.and_then(|key| self.held.get_mut(key)) else { return false };
        held.receipt = received.receipt.clone();
        held.until = until;
        true
    }

    /// Counts the next attempt of a message at the front of its line, which is returned. It has a new key then: a late
    /// word about the last attempt says nothing about this one.
    pub(super) fn begin_again(&mut self, key: u64) -> Option<Arc<str>> {
        let mut held = self.held.remove(&key)?;
        let new_key = self.new_key();
        held.attempt = held.attempt.saturating_add(1);
        if held.until.is_some() {
            self.expiring.insert(held.receipt.message_id.clone(), new_key);
        }
        let ordered = held.ordered.as_mut()?;
        ordered.message.reconsume_times = held.attempt - 1;
        let line = Arc::clone(&ordered.line);
        self.held.insert(new_key, held);
        if let Some(front) = self.lines.get_mut(&line).and_then(VecDeque::front_mut) {
            *front = new_key;
        }
        Some(line)
    }

    /// How many messages may be asked for now; `None`: wait. Not for a trickle while handlers have enough to do.
    pub(super) fn reserve(&mut self, want: usize, sharers: usize, limits: Limits) -> Option<usize> {
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
