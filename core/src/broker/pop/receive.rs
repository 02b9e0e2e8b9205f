//! Handing out messages: from the retry topic of the group first, then from the queues of the topic in turn.

use std::sync::Arc;

use super::Receipt;
use super::in_flight::{InFlight, Past, Renewal};
use crate::broker::filter::Filter;
use crate::broker::retry::{self, origin_topic};
use crate::broker::state::{Due, State};
use crate::broker::topics::{TopicConfig, retry_topic};
use crate::codec::remoting::record::StoredMessage;

/// Messages that a receive looks at in one queue.
const MAX_SCANNED: usize = 16_000;
/// A receive gets no further message when it has this many bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A receive that was understood.
#[derive(Debug, Clone)]
pub(crate) struct Receive {
    pub(crate) group: Arc<str>,
    pub(crate) topic: Arc<str>,
    /// Only from this queue.
    pub(crate) queue: Option<i32>,
    pub(crate) filter: Arc<Filter>,
    pub(crate) count: usize,
    pub(crate) invisible_ms: i64,
    /// The client for which the broker renews the invisible time.
    pub(crate) renewed_for: Option<Arc<str>>,
    /// The same again in a repeated receive.
    pub(crate) attempt_id: Option<Arc<str>>,
    pub(crate) mode: Mode,
}

/// What a receive is beyond the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In order if the group says so.
    AsGroup,
    /// In order, whatever the group says.
    InOrder,
    /// Half messages of the topic that somebody is asked about.
    Halves,
}

/// A message on its way to a consumer.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) message: StoredMessage,
    pub(crate) receipt: Receipt,
    /// How often it was delivered, this time included.
    pub(crate) attempt: i32,
    /// When it was delivered first, Unix ms.
    pub(crate) first_ms: i64,
}

/// What one receive gets.
pub(super) struct Batch<'a> {
    pub(super) wanted: &'a Receive,
    /// Its number.
    pub(super) number: u64,
    now_ms: i64,
    pub(super) deliveries: Vec<Delivery>,
    bytes: usize,
}

impl Batch<'_> {
    pub(super) fn left(&self) -> usize {
        if self.bytes >= MAX_BYTES { 0 } else { self.wanted.count - self.deliveries.len() }
    }
}

impl State {
    /// Hands out what `wanted` may get now.
    pub(crate) fn receive(&mut self, wanted: &Receive, now_ms: i64) -> Vec<Delivery> {
        if wanted.mode == Mode::Halves {
            return self.receive_halves(wanted, now_ms);
        }
        let number = self.pop.number();
        let mut batch = Batch { wanted, number, now_ms, deliveries: Vec::new(), bytes: 0 };
        let in_order = wanted.mode == Mode::InOrder || self.groups.options(&wanted.group).fifo;
        if in_order && self.hand_out_again(&mut batch) {
            return batch.deliveries;
        }
        self.take_retries(&mut batch);
        let queues = self.store.topics.get(&wanted.topic).map_or(0, |topic| topic.queues.len());
        let turn = self.pop.turn;
        self.pop.turn = turn.wrapping_add(1);
        for queue in (0..queues).map(|at| (turn.wrapping_add(at) % queues) as i32) {
            if wanted.queue.is_some_and(|wanted| wanted != queue) {
                continue;
            }
            if in_order {
                self.take_in_order(queue, &mut batch);
            } else {
                self.take(queue, &mut batch);
            }
        }
        batch.deliveries
    }

    /// The same messages again for a receive whose answer did not arrive; whether it is one.
    fn hand_out_again(&mut self, batch: &mut Batch<'_>) -> bool {
        let wanted = batch.wanted;
        let Some(attempt_id) = &wanted.attempt_id else { return false };
        let answered = |in_flight: &InFlight| {
            in_flight.attempt_id.as_ref() == Some(attempt_id)
                && in_flight.group == wanted.group
                && in_flight.topic == wanted.topic
                && wanted.queue.is_none_or(|queue| queue == in_flight.receipt.queue_id)
        };
        let mut again: Vec<_> =
            self.pop.in_flight.extract_if(|_, in_flight| answered(in_flight)).map(|(_, it)| it).collect();
        again.sort_unstable_by_key(|in_flight| in_flight.receipt.number);
        for in_flight in &again {
            self.timer.cancel(in_flight.ends);
            if let Some(message) = self.store.message_at(in_flight.receipt.commit_log_offset) {
                let past = Past { times: in_flight.attempt - 1, first_ms: Some(in_flight.first_ms) };
                self.hand_out(message, past, in_flight.line.clone(), batch);
            }
        }
        !again.is_empty()
    }

    /// From the retry topic: messages that came from the wanted topic.
    fn take_retries(&mut self, batch: &mut Batch<'_>) {
        let wanted = batch.wanted;
        let topic = retry_topic(&wanted.group);
        let Some(queue) = self.store.topics.queue(&topic, 0) else { return };
        let end = queue.max_offset();
        let mut start = self.next_offset(&wanted.group, &topic, 0);
        let mut ahead = self.pop.ahead.remove(&*wanted.group).unwrap_or_default().split_off(&start);
        for offset in (start..end).take(MAX_SCANNED) {
            if batch.left() == 0 {
                break;
            }
            if ahead.contains(&offset) {
                continue;
            }
            let message = self.message(&topic, 0, offset);
            if message.as_ref().is_some_and(|message| origin_topic(message) != &*wanted.topic) {
                continue;
            }
            ahead.insert(offset);
            if let Some(message) = message.filter(|message| wanted.filter.passes(&message.properties)) {
                let past = Past::of(&message);
                self.hand_out(message, past, None, batch);
            }
        }
        while ahead.remove(&start) {
            start += 1;
        }
        self.offsets.set(&wanted.group, &topic, 0, start);
        if !ahead.is_empty() {
            self.pop.ahead.insert(wanted.group.to_string(), ahead);
        }
    }

    /// From a queue, for a group that consumes side by side.
    fn take(&mut self, queue: i32, batch: &mut Batch<'_>) {
        let wanted = batch.wanted;
        let end = self.store.topics.queue(&wanted.topic, queue).map_or(0, |queue| queue.max_offset());
        let start = self.next_offset(&wanted.group, &wanted.topic, queue);
        let mut next = start;
        while batch.left() > 0 && next < end {
            if let Some(message) = self.wanted_message(queue, next, batch) {
                let past = Past::of(&message);
                self.hand_out(message, past, None, batch);
            }
            next += 1;
        }
        if next != start {
            self.offsets.set(&wanted.group, &wanted.topic, queue, next);
        }
    }

    /// The message at `offset`, if it is there and the receive wants it.
    pub(super) fn wanted_message(&self, queue: i32, offset: i64, batch: &Batch<'_>) -> Option<StoredMessage> {
        let wanted = batch.wanted;
        let entry = self.store.topics.queue(&wanted.topic, queue)?.get(offset)?;
        let message =
            wanted.filter.may_pass(entry.tag_hash).then(|| self.store.message_at(entry.commit_log_offset))?;
        message.filter(|message| wanted.filter.passes(&message.properties))
    }

    pub(super) fn message(&self, topic: &str, queue: i32, offset: i64) -> Option<StoredMessage> {
        self.store.message_at(self.store.topics.queue(topic, queue)?.get(offset)?.commit_log_offset)
    }

    /// Where the group goes on in a queue.
    pub(super) fn next_offset(&self, group: &str, topic: &str, queue: i32) -> i64 {
        let bounds =
            self.store.topics.queue(topic, queue).map(|queue| (queue.min_offset(), queue.max_offset()));
        let (min, max) = bounds.unwrap_or_default();
        self.first_offset(group, topic, queue).unwrap_or(max).max(min)
    }

    /// Gives `message` to the consumer; if it was delivered often enough, buries it.
    pub(super) fn hand_out(
        &mut self,
        mut message: StoredMessage,
        past: Past,
        line: Option<String>,
        batch: &mut Batch<'_>,
    ) {
        let Batch { wanted, now_ms, .. } = *batch;
        let (attempt, first_ms) = (past.times.saturating_add(1), past.first_ms.unwrap_or(now_ms));
        if line.is_none() && attempt > self.groups.options(&wanted.group).max_attempts {
            // Clients of other protocols retry by limits of their own.
            retry::bury(&mut message, &wanted.group);
            self.store.topics.ensure(&message.topic, TopicConfig::new(1));
            self.make_visible(&mut message, now_ms);
            return;
        }
        let receipt = Receipt {
            number: self.pop.number(),
            since_ms: now_ms,
            invisible_ms: wanted.invisible_ms,
            retried: *message.topic != *wanted.topic,
            changed: false,
            queue_id: message.queue_id,
            queue_offset: message.queue_offset,
            commit_log_offset: message.commit_log_offset,
        };
        let in_flight = InFlight {
            group: wanted.group.clone(),
            topic: wanted.topic.clone(),
            receipt,
            attempt,
            first_ms,
            line,
            ends: self.at(receipt.ends_ms(), Due::Reappearance(receipt.number)),
            attempt_id: wanted.attempt_id.clone(),
            renewal: wanted.renewed_for.clone().map(Renewal::of),
            suspended: false,
        };
        self.pop.in_flight.insert(receipt.number, in_flight);
        batch.bytes += message.body.len();
        batch.deliveries.push(Delivery { message, receipt, attempt, first_ms });
    }
}
