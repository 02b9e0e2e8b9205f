//! What becomes of a message that a group could not consume: a retry, or a dead letter. One rule for every protocol.

use super::topics::{RETRY_PREFIX, dead_letter_topic, retry_topic};
use crate::codec::remoting::record::StoredMessage;
use crate::message::properties;

/// Turns `message` into its next delivery to `group`, for the group's retry topic.
pub(crate) fn retry(message: &mut StoredMessage, group: &str) {
    give_back(message);
    message.topic = retry_topic(group);
    message.reconsume_times = message.reconsume_times.saturating_add(1);
}

/// Turns `message` into a dead letter of `group`.
pub(crate) fn bury(message: &mut StoredMessage, group: &str) {
    let (topic, id) = (origin_topic(message).to_owned(), message.offset_message_id().to_string());
    give_back(message);
    message.topic = dead_letter_topic(group);
    message.properties.remove(properties::DELAY);
    message.properties.set(properties::DLQ_ORIGIN_TOPIC, topic);
    message.properties.set(properties::DLQ_ORIGIN_MESSAGE_ID, id);
    message.reconsume_times = message.reconsume_times.saturating_add(1);
}

/// The topic that consumers know the message by: for one in a retry topic, where it came from.
pub(crate) fn origin_topic(message: &StoredMessage) -> &str {
    let origin = message.properties.get(properties::RETRY_TOPIC);
    origin.filter(|_| message.topic.starts_with(RETRY_PREFIX)).unwrap_or(&message.topic)
}

fn give_back(message: &mut StoredMessage) {
    let topic = origin_topic(message).to_owned();
    message.properties.set(properties::RETRY_TOPIC, topic);
    if message.properties.get(properties::ORIGIN_MESSAGE_ID).is_none() {
        let id = message.offset_message_id().to_string();
        message.properties.set(properties::ORIGIN_MESSAGE_ID, id);
    }
    message.properties.set(properties::WAIT, "false");
    message.queue_id = 0;
}
