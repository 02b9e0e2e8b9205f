//! From messages of the protocol to those a consumer sees.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::digest;
use super::proto::{Encoding, Message, SystemProperties};
use super::time::to_ms;
use crate::codec::remoting::compression::{MAX_DECOMPRESSED_BYTES, inflate};
use crate::codec::remoting::record::body_crc;
use crate::message::{MessageView, Properties, properties, text_body};

/// Where an address is not told.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// What the consumer sees.
    pub view: MessageView,
    /// What settles it at the server.
    pub receipt_handle: String,
    /// Whether the body is not what the producer sent: its digest does not fit, or it cannot be decompressed.
    pub corrupted: bool,
}

/// Reads a message of `broker`. Its properties carry the names they have over remoting, so that a consumer sees the same
/// message whatever the protocol. A corrupted body is shown as it came.
pub fn decode_message(message: Message, broker: &str) -> Incoming {
    let system = message.system_properties.unwrap_or_default();
    let mut body = message.body;
    let mut corrupted = !digest::fits(&body, system.body_digest.as_ref());
    let (store_size, body_crc) = (body.len() as i32, body_crc(&body));
    // "gzip" means compressed somehow: bodies that producers compressed over remoting pass as they are.
    if !corrupted && system.body_encoding() == Encoding::Gzip {
        match inflate(&body, MAX_DECOMPRESSED_BYTES) {
            Ok(inflated) => body = inflated.into(),
            Err(_) => corrupted = true,
        }
    }
    let mut view = MessageView {
        topic: message.topic.unwrap_or_default().name,
        body,
        properties: properties_of(message.user_properties, &system),
        message_id: system.message_id,
        offset_message_id: String::new(),
        broker: broker.to_owned(),
        queue_id: system.queue_id,
        queue_offset: system.queue_offset.unwrap_or(-1),
        commit_log_offset: -1,
        store_size,
        flag: 0,
        sys_flag: 0,
        body_crc,
        born_timestamp: system.born_timestamp.as_ref().map_or(0, to_ms),
        born_host: system.born_host.parse().unwrap_or(NOWHERE),
        store_timestamp: system.store_timestamp.as_ref().map_or(0, to_ms),
        store_host: system.store_host.parse().unwrap_or(NOWHERE),
        reconsume_times: system.delivery_attempt.unwrap_or(1).saturating_sub(1).max(0),
        prepared_transaction_offset: 0,
    };
    if !corrupted {
        text_body::unwrap(&mut view);
    }
    Incoming { view, receipt_handle: system.receipt_handle.unwrap_or_default(), corrupted }
}

fn properties_of(user: impl IntoIterator<Item = (String, String)>, system: &SystemProperties) -> Properties {
    let mut all: Properties = user.into_iter().collect();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            all.set(name, value);
        }
    };
    set(properties::TAGS, system.tag.clone());
    set(properties::KEYS, Some(system.keys.join(" ")));
    set(properties::UNIQ_KEY, Some(system.message_id.clone()));
    set(properties::SHARDING_KEY, system.message_group.clone());
    set(properties::TIMER_DELIVER_MS, system.delivery_timestamp.as_ref().map(|at| to_ms(at).to_string()));
    set(properties::PRIORITY, system.priority.map(|priority| priority.to_string()));
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::Bytes;

    use super::super::proto::Resource;
    use super::super::time::timestamp;
    use super::*;
    use crate::codec::remoting::compression::zlib;

    fn message(body: impl Into<Bytes>) -> Message {
        let body = body.into();
        Message {
            topic: Some(Resource { resource_namespace: String::new(), name: "T".into() }),
            user_properties: [("colour".to_owned(), "red".to_owned())].into(),
            system_properties: Some(SystemProperties {
                tag: Some("A".into()),
                keys: vec!["k1".into(), "k2".into()],
                message_id: "01AB".into(),
                body_digest: Some(digest::md5(&body)),
                born_timestamp: Some(timestamp(1_700_000_000_001)),
                born_host: "not an address".into(),
                store_host: "127.0.0.1:10911".into(),
                delivery_timestamp: Some(timestamp(1_700_000_000_500)),
                receipt_handle: Some("handle".into()),
                queue_id: 3,
                queue_offset: Some(7),
                delivery_attempt: Some(2),
                message_group: Some("g".into()),
                priority: Some(5),
                ..SystemProperties::default()
            }),
            body,
        }
    }

    #[test]
    fn a_message_is_seen_as_over_remoting() {
        let Incoming { view, receipt_handle, corrupted } = decode_message(message("hello"), "b");
        assert!(!corrupted);
        assert_eq!((view.topic.as_str(), &view.body[..]), ("T", &b"hello"[..]));
        assert_eq!((view.tag(), view.keys().collect::<Vec<_>>()), (Some("A"), vec!["k1", "k2"]));
        assert_eq!((view.message_group(), view.deliver_at_ms()), (Some("g"), Some(1_700_000_000_500)));
        assert_eq!((view.property("colour"), view.property(properties::PRIORITY)), (Some("red"), Some("5")));
        assert_eq!((view.delivery_attempt(), view.queue_id, view.queue_offset), (2, 3, 7));
        assert_eq!((view.store_host.port(), view.born_host), (10911, NOWHERE));
        assert_eq!((view.broker.as_str(), receipt_handle.as_str()), ("b", "handle"));
    }

    #[test]
    fn a_body_compressed_over_remoting_is_inflated() {
        let mut compressed = message(zlib(b"hello hello hello", 5));
        compressed.system_properties.as_mut().unwrap().body_encoding = Encoding::Gzip.into();
        let incoming = decode_message(compressed, "b");
        assert_eq!((incoming.corrupted, &incoming.view.body[..]), (false, &b"hello hello hello"[..]));
    }

    #[test]
    fn what_the_producer_did_not_send_is_corrupted() {
        let mut changed = message("hello");
        changed.body = Bytes::from_static(b"hellp");
        let mut unreadable = message("hello");
        unreadable.system_properties.as_mut().unwrap().body_encoding = Encoding::Gzip.into();
        for broken in [changed, unreadable] {
            let body = broken.body.clone();
            let incoming = decode_message(broken, "b");
            assert!(incoming.corrupted && incoming.view.body == body);
        }
    }

    #[test]
    fn a_message_without_anything_is_no_panic() {
        let incoming = decode_message(Message::default(), "b");
        assert_eq!((incoming.view.delivery_attempt(), incoming.receipt_handle.as_str()), (1, ""));
    }
}
