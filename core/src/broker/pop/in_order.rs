//! Handing out messages in order: the next message of a line goes when all before it are settled.

use super::in_flight::Past;
use super::lines::Lines;
use super::receive::{Batch, Mode};
use crate::broker::state::State;
use crate::codec::remoting::record::StoredMessage;
use crate::message::properties;

impl State {
    /// From a queue, for a FIFO group.
    pub(super) fn take_in_order(&mut self, queue: i32, batch: &mut Batch<'_>) {
        let wanted = batch.wanted;
        let Some(end) = self.store.topics.queue(&wanted.topic, queue).map(|queue| queue.max_offset()) else {
            return;
        };
        let mut lines = self.take_lines(&wanted.group, &wanted.topic, queue);
        let before = batch.deliveries.len();
        let again = wanted.mode == Mode::InOrder;
        while batch.left() > 0
            && let Some((line, ready)) = lines.take_ready(batch.left(), batch.number, again)
        {
            for (offset, past) in ready {
                match self.message(&wanted.topic, queue, offset) {
                    Some(message) => {
                        let past = Past::of(&message).max(past);
                        self.hand_out(message, past, Some(line.clone()), batch);
                    }
                    None => lines.settle(&line, offset),
                }
            }
        }
        while let Some(offset) = lines.next().filter(|offset| batch.left() > 0 && *offset < end) {
            let Some(message) = self.wanted_message(queue, offset, batch) else {
                lines.skip();
                continue;
            };
            let line = message_group(&message);
            if lines.look(&line, batch.number) {
                let past = Past::of(&message);
                self.hand_out(message, past, Some(line), batch);
            }
        }
        self.keep_lines(&wanted.group, &wanted.topic, queue, lines);
        batch.deliveries[before..].sort_unstable_by_key(|delivery| delivery.message.queue_offset);
    }

    /// The lines of a FIFO group in a queue; anew from the stored offset when somebody else moved it.
    pub(super) fn take_lines(&mut self, group: &str, topic: &str, queue: i32) -> Lines {
        let stored = self.next_offset(group, topic, queue);
        let key = (group.to_owned(), topic.to_owned());
        match self.pop.lines.get_mut(&key).and_then(|queues| queues.remove(&queue)) {
            Some(lines) if lines.floor() == stored => lines,
            None => Lines::from(stored),
            Some(_) => {
                self.pop.in_flight.retain(|_, it| {
                    it.line.is_none()
                        || *it.group != *group
                        || *it.topic != *topic
                        || it.receipt.queue_id != queue
                });
                Lines::from(stored)
            }
        }
    }

    /// Keeps the lines, and stores how far the group has come.
    pub(super) fn keep_lines(&mut self, group: &str, topic: &str, queue: i32, lines: Lines) {
        self.offsets.set(group, topic, queue, lines.floor());
        let key = (group.to_owned(), topic.to_owned());
        if !lines.is_settled() {
            self.pop.lines.entry(key).or_default().insert(queue, lines);
        } else if self.pop.lines.get(&key).is_some_and(|queues| queues.is_empty()) {
            self.pop.lines.remove(&key);
        }
    }
}

/// The line of a message in a FIFO group.
fn message_group(message: &StoredMessage) -> String {
    message.properties.get(properties::SHARDING_KEY).unwrap_or_default().to_owned()
}
