//! What becomes of a received message: acknowledged, hidden for another while, buried, or visible again when its time
//! ends.

use super::in_flight::{InFlight, Renewal};
use super::{Delivery, HandleFault, Mode, Receipt};
use crate::broker::retry;
use crate::broker::state::{Due, State};
use crate::broker::topics::TopicConfig;
use crate::message::properties;

/// Invisible time that is left to the messages of a client that went.
const RELEASED_MS: i64 = 1_000;

/// The time of a receipt handle has passed: its message is visible again, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receipt handle has expired")]
pub(crate) struct Expired;

impl State {
    /// The message is consumed. A handle that was replaced, or of a message that was settled, has no effect.
    pub(crate) fn acknowledge(
        &mut self,
        group: &str,
        topic: &str,
        receipt: &Receipt,
        now_ms: i64,
    ) -> Result<(), Expired> {
        if let Some(in_flight) = self.live(group, topic, receipt, now_ms)? {
            self.settle(in_flight, now_ms);
        }
        Ok(())
    }

    /// The same for clients that are told why a handle has no effect.
    pub(crate) fn acknowledge_strictly(
        &mut self,
        group: &str,
        topic: &str,
        receipt: &Receipt,
        now_ms: i64,
    ) -> Result<(), HandleFault> {
        match self.live(group, topic, receipt, now_ms) {
            Ok(Some(in_flight)) => {
                self.settle(in_flight, now_ms);
                Ok(())
            }
            Ok(None) => Err(self.why_not_live(group, receipt)),
            Err(Expired) => Err(HandleFault::Expired),
        }
    }

    /// Why an unexpired receipt is not that of a present delivery to this group.
    fn why_not_live(&self, group: &str, receipt: &Receipt) -> HandleFault {
        if self.pop.never_was(receipt) || self.transactions.is_open(receipt) {
            return HandleFault::Unknown;
        }
        let mut of_group = self.pop.in_flight.values().filter(|it| *it.group == *group);
        match of_group.any(|it| it.receipt.commit_log_offset == receipt.commit_log_offset) {
            true => HandleFault::Replaced,
            false => HandleFault::Gone,
        }
    }

    /// Hides the message for `invisible_ms` from now; the receipt that replaces `receipt`. With `suspend` its return
    /// does not count as an attempt.
    pub(crate) fn change_invisible(
        &mut self,
        group: &str,
        topic: &str,
        receipt: &Receipt,
        invisible_ms: i64,
        suspend: bool,
        now_ms: i64,
    ) -> Result<Receipt, Expired> {
        let in_flight = self.live(group, topic, receipt, now_ms)?;
        let number = self.pop.number();
        let changed = Receipt { number, since_ms: now_ms, invisible_ms, changed: true, ..*receipt };
        if let Some(in_flight) = in_flight {
            let ends = self.at(changed.ends_ms(), Due::Reappearance(number));
            let hidden = InFlight { receipt: changed, ends, renewal: None, suspended: suspend, ..in_flight };
            self.pop.in_flight.insert(number, hidden);
            self.fire(now_ms);
        }
        Ok(changed)
    }

    /// The group gives the message up: it becomes a dead letter.
    pub(crate) fn give_up(
        &mut self,
        group: &str,
        topic: &str,
        receipt: &Receipt,
        now_ms: i64,
    ) -> Result<(), Expired> {
        if let Some(in_flight) = self.live(group, topic, receipt, now_ms)? {
            self.bury(in_flight, now_ms);
        }
        Ok(())
    }

    /// Takes out the delivery that `receipt` means, if it is the present one of its message.
    fn live(
        &mut self,
        group: &str,
        topic: &str,
        receipt: &Receipt,
        now_ms: i64,
    ) -> Result<Option<InFlight>, Expired> {
        let present = self.pop.in_flight.get(&receipt.number).filter(|in_flight| {
            in_flight.receipt == *receipt && *in_flight.group == *group && *in_flight.topic == *topic
        });
        // The one that the broker renews outlives what its handle says.
        let ends_ms = present.map_or(receipt.ends_ms(), |in_flight| in_flight.ends.deadline_ms);
        if ends_ms <= now_ms {
            return Err(Expired);
        }
        if present.is_none() {
            return Ok(None);
        }
        let in_flight = self.pop.in_flight.remove(&receipt.number);
        if let Some(in_flight) = &in_flight {
            self.timer.cancel(in_flight.ends);
        }
        Ok(in_flight)
    }

    /// The invisible time of delivery `number` has ended.
    pub(crate) fn reappear(&mut self, number: u64, now_ms: i64) {
        let Some(mut in_flight) = self.pop.in_flight.remove(&number) else { return };
        if let Some(renewal) = &mut in_flight.renewal {
            let since_ms = in_flight.receipt.since_ms;
            let next = renewal.next(since_ms, now_ms).unwrap_or_else(|| {
                in_flight.renewal = None;
                self.groups.options(&in_flight.group).backoff(in_flight.attempt)
            });
            let next = i64::try_from(next.as_millis()).unwrap_or(i64::MAX);
            in_flight.ends = self.at(now_ms.saturating_add(next), Due::Reappearance(number));
            self.pop.in_flight.insert(number, in_flight);
            return;
        }
        if in_flight.attempt >= self.groups.options(&in_flight.group).max_attempts && !in_flight.suspended {
            self.bury(in_flight, now_ms);
            return;
        }
        if in_flight.line.is_some() {
            self.put_back(&in_flight, now_ms);
            return;
        }
        let Some(mut message) = self.store.message_at(in_flight.receipt.commit_log_offset) else {
            tracing::warn!(topic = %in_flight.topic, group = %in_flight.group, "a received message made room for newer ones");
            return;
        };
        retry::retry(&mut message, &in_flight.group);
        message.reconsume_times -= i32::from(in_flight.suspended);
        if let Some(first_ms) = in_flight.past().first_ms {
            message.properties.set(properties::FIRST_POP_TIME, first_ms.to_string());
        }
        self.store.topics.ensure(&message.topic, TopicConfig::new(1));
        self.make_visible(&mut message, now_ms);
    }

    /// The client went: what the broker renewed for it is visible again in a moment.
    pub(crate) fn release(&mut self, client_id: &str, now_ms: i64) {
        let is_its = |renewal: &Renewal| *renewal.client_id == *client_id;
        let in_flight = self.pop.in_flight.values_mut();
        let released: Vec<_> = in_flight
            .filter(|in_flight| in_flight.renewal.as_ref().is_some_and(is_its))
            .map(|in_flight| {
                in_flight.renewal = None;
                (in_flight.receipt.number, in_flight.ends)
            })
            .collect();
        for (number, ends) in released {
            let sooner = now_ms.saturating_add(RELEASED_MS);
            if sooner < ends.deadline_ms {
                self.timer.cancel(ends);
                let ends = self.at(sooner, Due::Reappearance(number));
                if let Some(in_flight) = self.pop.in_flight.get_mut(&number) {
                    in_flight.ends = ends;
                }
            }
        }
    }

    /// Every connection is closed: nobody waits, and the broker renews for nobody.
    pub(crate) fn all_receivers_gone(&mut self) {
        self.pop.waiting.clear();
        self.pop.in_flight.values_mut().for_each(|in_flight| in_flight.renewal = None);
    }

    /// The consumer was gone before it got these: they are visible again, as if they had not been delivered.
    pub(crate) fn take_back(&mut self, deliveries: &[Delivery], now_ms: i64) {
        for Delivery { receipt, .. } in deliveries {
            self.take_back_half(receipt, now_ms);
            let Some(in_flight) = self.pop.in_flight.get_mut(&receipt.number) else { continue };
            in_flight.renewal = None;
            in_flight.suspended = true;
            let ends = in_flight.ends;
            self.timer.cancel(ends);
            self.reappear(receipt.number, now_ms);
        }
    }

    /// Gives a message of a FIFO group back to its place in the queue.
    fn put_back(&mut self, in_flight: &InFlight, now_ms: i64) {
        let InFlight { group, topic, receipt, .. } = in_flight;
        let mut lines = self.take_lines(group, topic, receipt.queue_id);
        let line = in_flight.line.as_deref().unwrap_or_default();
        lines.put_back(line, receipt.queue_offset, in_flight.past());
        self.keep_lines(group, topic, receipt.queue_id, lines);
        self.wake_receives(topic, now_ms, |wanted| wanted.group == *group && wanted.mode != Mode::Halves);
    }

    /// The message is done with; those behind it may go.
    fn settle(&mut self, in_flight: InFlight, now_ms: i64) {
        let InFlight { group, topic, receipt, line, .. } = in_flight;
        let Some(line) = line else { return };
        let mut lines = self.take_lines(&group, &topic, receipt.queue_id);
        lines.settle(&line, receipt.queue_offset);
        self.keep_lines(&group, &topic, receipt.queue_id, lines);
        self.wake_receives(&topic, now_ms, |wanted| wanted.group == group && wanted.mode != Mode::Halves);
    }

    fn bury(&mut self, in_flight: InFlight, now_ms: i64) {
        match self.store.message_at(in_flight.receipt.commit_log_offset) {
            Some(mut message) => {
                retry::bury(&mut message, &in_flight.group);
                self.store.topics.ensure(&message.topic, TopicConfig::new(1));
                self.make_visible(&mut message, now_ms);
            }
            None => tracing::warn!(topic = %in_flight.topic, "a dead letter made room for newer messages"),
        }
        self.settle(in_flight, now_ms);
    }
}
