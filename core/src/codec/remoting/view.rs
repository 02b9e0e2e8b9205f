//! From stored records to the messages a consumer sees.

use bytes::Bytes;

use super::batch;
use super::compression::{MAX_DECOMPRESSED_BYTES, decompress};
use super::record::{RecordError, StoredMessage, body_crc, sys_flag};
use crate::message::{MessageView, OffsetMessageId, Properties, RETRY_PREFIX, properties, text_body};

/// Reads the body of a pull from `broker`: decompresses, takes inner batches apart, and shows a retried message under
/// its original topic. A damaged message is an error in its place; the others are still read.
pub fn decode_messages(mut records: Bytes, broker: &str) -> Vec<Result<MessageView, RecordError>> {
    let mut views = Vec::new();
    while !records.is_empty() {
        let left = records.len();
        match StoredMessage::decode(&mut records) {
            Ok(stored) => expand(stored, (left - records.len()) as i32, broker, &mut views),
            Err(damaged @ RecordError::Damaged { .. }) => views.push(Err(damaged)),
            Err(fatal) => {
                views.push(Err(fatal));
                break;
            }
        }
    }
    views
}

fn expand(
    mut stored: StoredMessage,
    size: i32,
    broker: &str,
    views: &mut Vec<Result<MessageView, RecordError>>,
) {
    let damaged = |stored: &StoredMessage, why: String| {
        let StoredMessage { queue_offset, commit_log_offset, .. } = *stored;
        Err(RecordError::Damaged { queue_offset, commit_log_offset, why })
    };
    let crc = body_crc(&stored.body);
    if stored.sys_flag & sys_flag::COMPRESSED != 0 {
        match decompress(&stored.body, stored.sys_flag, MAX_DECOMPRESSED_BYTES) {
            Ok(body) => stored.body = body.into(),
            Err(e) => return views.push(damaged(&stored, e.to_string())),
        }
        stored.sys_flag &= !sys_flag::COMPRESSED;
    }
    if stored.sys_flag & sys_flag::INNER_BATCH != sys_flag::INNER_BATCH {
        return views.push(Ok(view(stored, size, crc, broker)));
    }
    match batch::decode(stored.body.clone()) {
        Err(e) => views.push(damaged(&stored, e.to_string())),
        Ok(items) => views.extend(items.into_iter().enumerate().map(|(at, item)| {
            let crc = body_crc(&item.body);
            let inner = StoredMessage {
                queue_offset: stored.queue_offset + at as i64,
                sys_flag: stored.sys_flag & !sys_flag::INNER_BATCH,
                flag: item.flag,
                body: item.body,
                properties: item.properties,
                topic: stored.topic.clone(),
                ..stored
            };
            Ok(view(inner, size, crc, broker))
        })),
    }
}

fn view(stored: StoredMessage, store_size: i32, body_crc: i32, broker: &str) -> MessageView {
    let id = OffsetMessageId { host: stored.store_host, commit_log_offset: stored.commit_log_offset };
    let offset_message_id = id.to_string();
    let unique = stored.properties.get(properties::UNIQ_KEY).map(str::to_owned);
    let mut view = MessageView {
        topic: original_topic(&stored.topic, &stored.properties).to_owned(),
        message_id: unique.unwrap_or_else(|| offset_message_id.clone()),
        offset_message_id,
        broker: broker.to_owned(),
        queue_id: stored.queue_id,
        queue_offset: stored.queue_offset,
        commit_log_offset: stored.commit_log_offset,
        store_size,
        flag: stored.flag,
        sys_flag: stored.sys_flag,
        body_crc,
        born_timestamp: stored.born_timestamp,
        born_host: stored.born_host,
        store_timestamp: stored.store_timestamp,
        store_host: stored.store_host,
        reconsume_times: stored.reconsume_times,
        prepared_transaction_offset: stored.prepared_transaction_offset,
        body: stored.body,
        properties: stored.properties,
    };
    text_body::unwrap(&mut view);
    view
}

/// A message in a retry topic is shown under the topic it was first sent to.
fn original_topic<'a>(topic: &'a str, properties: &'a Properties) -> &'a str {
    match properties.get(properties::RETRY_TOPIC) {
        Some(original) if topic.starts_with(RETRY_PREFIX) => original,
        _ => topic,
    }
}
