//! From delivered documents to the messages a consumer sees.

use std::net::SocketAddr;

use super::{Delivered, digest, properties as text};
use crate::message::{MessageView, properties, text_body};

/// Addresses are not told.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// A message as it came, with what settles it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The message.
    pub view: MessageView,
    /// What settles it at the server.
    pub receipt_handle: String,
    /// Whether the body does not fit its digest.
    pub corrupted: bool,
    /// When it comes again, Unix ms.
    pub next_consume_ms: i64,
    /// When it was delivered first, Unix ms.
    pub first_consume_ms: i64,
}

/// Reads a message of `topic`. Its properties carry the names they have over remoting, so that a consumer sees the same
/// message whatever the protocol. A corrupted body is shown as it came.
pub fn decode_message(delivered: Delivered, topic: &str) -> Incoming {
    let corrupted =
        !delivered.body_md5.is_empty() && !digest::fits(delivered.body.as_bytes(), &delivered.body_md5);
    let mut properties = text::decode(&delivered.properties);
    if !delivered.tag.is_empty() {
        properties.set(properties::TAGS, delivered.tag);
    }
    let mut view = MessageView {
        topic: topic.to_owned(),
        store_size: i32::try_from(delivered.body.len()).unwrap_or(i32::MAX),
        body: delivered.body.into(),
        properties,
        message_id: delivered.message_id,
        offset_message_id: String::new(),
        broker: String::new(),
        queue_id: -1,
        queue_offset: -1,
        commit_log_offset: -1,
        flag: 0,
        sys_flag: 0,
        body_crc: 0,
        born_timestamp: delivered.published_ms,
        born_host: NOWHERE,
        store_timestamp: delivered.published_ms,
        store_host: NOWHERE,
        reconsume_times: delivered.consumed_times.saturating_sub(1).max(0),
        prepared_transaction_offset: 0,
    };
    if !corrupted {
        text_body::unwrap(&mut view);
    }
    Incoming {
        view,
        receipt_handle: delivered.handle,
        corrupted,
        next_consume_ms: delivered.next_consume_ms,
        first_consume_ms: delivered.first_consume_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Properties;

    fn delivered(body: &str, properties: &str) -> Delivered {
        Delivered {
            message_id: "1E05".into(),
            handle: "h".into(),
            body_md5: digest::body_md5(body.as_bytes()),
            body: body.into(),
            published_ms: 1,
            next_consume_ms: 300_001,
            first_consume_ms: 1,
            consumed_times: 2,
            tag: "TagA".into(),
            properties: properties.into(),
        }
    }

    #[test]
    fn a_message_looks_as_over_the_other_protocols() {
        let incoming =
            decode_message(delivered("hello", "a:1|KEYS:k|__STARTDELIVERTIME:1700000000000|"), "t");
        let view = incoming.view;
        assert_eq!((view.tag(), view.deliver_at_ms()), (Some("TagA"), Some(1_700_000_000_000)));
        assert_eq!((view.keys().collect::<Vec<_>>(), view.property("a")), (vec!["k"], Some("1")));
        assert_eq!((view.delivery_attempt(), &view.body[..], incoming.corrupted), (2, &b"hello"[..], false));
    }

    #[test]
    fn bodies_that_are_no_text_come_back() {
        let body = b"a\0b\xffc";
        let mut properties = Properties::from_iter([("a", "1")]);
        let text = text_body::wrap(body, &mut properties);
        let incoming =
            decode_message(delivered(&text, &super::text::encode(&properties).unwrap_or_default()), "t");
        assert_eq!(&incoming.view.body[..], body);
        assert_eq!(incoming.view.property(properties::BODY_ENCODING), None);
    }

    #[test]
    fn a_body_with_another_digest_is_corrupted() {
        let wrong = Delivered { body: "hellp".into(), ..delivered("hello", "") };
        assert!(decode_message(wrong, "t").corrupted);
    }
}
