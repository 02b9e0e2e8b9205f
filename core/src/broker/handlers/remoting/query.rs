//! Looking messages up: by key (12) and by the server's id (33).

use bytes::BytesMut;

use super::super::{Answer, Refusal, Request};
use crate::codec::remoting::codes::response;
use crate::codec::remoting::record::StoredMessage;
use crate::message::properties;

/// What a lookup compares with.
#[derive(Clone, Copy)]
enum Index {
    /// The unique id.
    Unique,
    /// The tag.
    Tag,
    /// One of the keys, or the unique id, which the real server indexes alike.
    Key,
}

impl Index {
    fn matches(self, message: &StoredMessage, wanted: &str) -> bool {
        let is = |name| message.properties.get(name) == Some(wanted);
        match self {
            Index::Unique => is(properties::UNIQ_KEY),
            Index::Tag => is(properties::TAGS),
            Index::Key => {
                let keys = message.properties.get(properties::KEYS).unwrap_or_default();
                is(properties::UNIQ_KEY) || keys.split(' ').any(|key| key == wanted)
            }
        }
    }
}

/// QUERY_MESSAGE. There is no index: the newest messages of the topic are looked through first.
pub(super) fn by_key(request: &Request<'_>) -> Answer {
    let (topic, key) = (request.text("topic")?, request.text("key")?);
    let (begin, end): (i64, i64) = (request.number("beginTimestamp")?, request.number("endTimestamp")?);
    let count: usize = request.number("maxNum")?;
    let ext = &request.frame.ext;
    let index = match ext.get("indexType") {
        Some("U") => Index::Unique,
        Some("T") => Index::Tag,
        _ if ext.get("_UNIQUE_KEY_QUERY") == Some("true") => Index::Unique,
        _ => Index::Key,
    };
    let state = request.node.state();
    let found = state.store.find(topic, count, key.as_bytes(), |message| {
        (begin..=end).contains(&message.store_timestamp) && index.matches(message, key)
    });
    let Some(newest) = found.first() else {
        return Err(Refusal::new(
            response::QUERY_NOT_FOUND,
            format!("no message of topic {topic} with key {key}"),
        ));
    };
    let mut body = BytesMut::new();
    found.iter().for_each(|message| message.encode(&mut body));
    let answer = request
        .success()
        .with("indexLastUpdateTimestamp", newest.store_timestamp)
        .with("indexLastUpdatePhyoffset", newest.commit_log_offset);
    Ok(Some(answer.with_body(body.freeze())))
}

/// VIEW_MESSAGE_BY_ID.
pub(super) fn by_id(request: &Request<'_>) -> Answer {
    let offset = request.number("offset")?;
    match request.node.state().store.message_at(offset) {
        Some(message) => {
            let mut body = BytesMut::new();
            message.encode(&mut body);
            Ok(Some(request.success().with_body(body.freeze())))
        }
        None => {
            Err(Refusal::new(response::SYSTEM_ERROR, format!("no message at commit-log offset {offset}")))
        }
    }
}
