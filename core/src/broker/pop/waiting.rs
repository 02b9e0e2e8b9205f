//! Receives that wait for a message, in the order they came.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Delivery, Mode, Receive};
use crate::broker::filter::Filter;
use crate::broker::retry::origin_topic;
use crate::broker::state::State;
use crate::broker::topics::RETRY_PREFIX;
use crate::codec::remoting::record::StoredMessage;

/// A receive that found nothing yet.
#[derive(Debug)]
struct Waiter {
    wanted: Receive,
    answer: oneshot::Sender<Vec<Delivery>>,
}

/// The receives that wait, by topic.
#[derive(Debug, Default)]
pub(crate) struct Waiting(HashMap<Arc<str>, Vec<Waiter>>);

impl Waiting {
    /// Parks `wanted`. Who drops the other end gives it up.
    pub(crate) fn park(&mut self, wanted: Receive) -> oneshot::Receiver<Vec<Delivery>> {
        let (answer, answered) = oneshot::channel();
        let waiters = self.0.entry(wanted.topic.clone()).or_default();
        waiters.retain(|waiter| !waiter.answer.is_closed());
        waiters.push(Waiter { wanted, answer });
        answered
    }

    /// Gives every receive up.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl State {
    /// Answers receives from `topic` that `may_get` a message that has become visible: of each group one, as long as
    /// there is something for it.
    pub(crate) fn wake_receives(&mut self, topic: &str, now_ms: i64, may_get: impl Fn(&Receive) -> bool) {
        let Some((topic, waiters)) = self.pop.waiting.0.remove_entry(topic) else { return };
        let mut served: Vec<Arc<str>> = Vec::new();
        let mut left = Vec::with_capacity(waiters.len());
        for waiter in waiters {
            if waiter.answer.is_closed() {
                continue;
            }
            if served.contains(&waiter.wanted.group) || !may_get(&waiter.wanted) {
                left.push(waiter);
                continue;
            }
            let deliveries = self.receive(&waiter.wanted, now_ms);
            if deliveries.is_empty() {
                left.push(waiter);
                continue;
            }
            match waiter.answer.send(deliveries) {
                Ok(()) => served.push(waiter.wanted.group),
                Err(deliveries) => self.take_back(&deliveries, now_ms),
            }
        }
        // What the delivery of one message does may let receives from the same topic be parked.
        left.extend(self.pop.waiting.0.remove(&topic).unwrap_or_default());
        if !left.is_empty() {
            self.pop.waiting.0.insert(topic, left);
        }
    }

    /// Answers the receives that may get `message`, which has just become visible.
    pub(crate) fn wake_for(&mut self, message: &StoredMessage, tag_hash: i32, now_ms: i64) {
        if self.pop.waiting.0.is_empty() {
            return;
        }
        let filter_passes = |filter: &Filter| filter.may_pass(tag_hash) && filter.passes(&message.properties);
        let passes = |wanted: &Receive| wanted.mode != Mode::Halves && filter_passes(&wanted.filter);
        match message.topic.strip_prefix(RETRY_PREFIX) {
            Some(group) => self.wake_receives(origin_topic(message), now_ms, |wanted| {
                *wanted.group == *group && passes(wanted)
            }),
            None => self.wake_receives(&message.topic, now_ms, |wanted| {
                wanted.queue.is_none_or(|queue| queue == message.queue_id) && passes(wanted)
            }),
        }
    }
}
