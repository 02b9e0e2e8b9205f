//! Where a message is in its life, computed when somebody asks.

use super::in_flight::InFlight;
use crate::broker::state::State;
use crate::broker::topics::retry_topic;
use crate::codec::remoting::record::StoredMessage;
use crate::message::properties;

/// Where a message is in its life, as RocketMQ documents it for delay messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageStage {
    /// No broker has it: its producer did not send it yet.
    Initialized,
    /// The broker has it and keeps it until its delivery time (or that of a delayed retry).
    Timing,
    /// Visible: consumers of the group can get it.
    Ready,
    /// A consumer of the group has it and did not settle it yet.
    InFlight,
    /// The group is done with it: it was acknowledged, or became a dead letter.
    Acknowledged,
    /// The broker has it no more: recalled, deleted with its topic, or it made room for newer ones.
    Deleted,
}

impl State {
    /// The stage of a message for a group. That a message is deleted and not merely unknown is told only if an earlier
    /// question found it: the broker keeps no list of what it forgot.
    pub(crate) fn stage(&mut self, topic: &str, group: &str, message_id: &str) -> MessageStage {
        let key = (topic.to_owned(), message_id.to_owned());
        match self.present_stage(topic, group, message_id) {
            Some(stage) => {
                self.pop.asked.insert(key);
                stage
            }
            None if self.pop.asked.contains(&key) => MessageStage::Deleted,
            None => MessageStage::Initialized,
        }
    }

    fn present_stage(&self, topic: &str, group: &str, message_id: &str) -> Option<MessageStage> {
        let is_it =
            |message: &StoredMessage| message.properties.get(properties::UNIQ_KEY) == Some(message_id);
        let retries = retry_topic(group);
        let waits = |topic: &str| self.is_scheduled(topic, message_id);
        if waits(topic) || waits(&retries) {
            return Some(MessageStage::Timing);
        }
        let of_group = |it: &&InFlight| *it.group == *group && *it.topic == *topic;
        let mut in_flight = self.pop.in_flight.values().filter(of_group);
        let has_it =
            |it: &InFlight| self.store.message_at(it.receipt.commit_log_offset).as_ref().is_some_and(is_it);
        if in_flight.any(has_it) {
            return Some(MessageStage::InFlight);
        }
        let newest = |topic: &str| self.store.find(topic, 1, message_id.as_bytes(), is_it).pop();
        let message = newest(&retries).or_else(|| newest(topic))?;
        Some(if self.is_ready(group, &message) { MessageStage::Ready } else { MessageStage::Acknowledged })
    }

    /// Whether the group did not get this message yet, or gets it again.
    fn is_ready(&self, group: &str, message: &StoredMessage) -> bool {
        let StoredMessage { topic, queue_id, queue_offset, .. } = message;
        if *queue_offset < self.next_offset(group, topic, *queue_id) {
            return false;
        }
        let lines =
            self.pop.lines.get(&(group.to_owned(), topic.clone())).and_then(|queues| queues.get(queue_id));
        if let Some(lines) = lines {
            return lines.is_waiting(
                message.properties.get(properties::SHARDING_KEY).unwrap_or_default(),
                *queue_offset,
            );
        }
        let ahead = self.pop.ahead.get(group).filter(|_| *topic == retry_topic(group));
        !ahead.is_some_and(|ahead| ahead.contains(queue_offset))
    }
}
