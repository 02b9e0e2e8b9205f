//! The handle that takes a scheduled message back (370): the answer to its send carries it.

use std::fmt;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const VERSION: &str = "v1";
/// Padding is written, and not asked for.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a recall handle says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecallHandle {
    /// Topic of the message.
    pub topic: String,
    /// Name of the broker that keeps it.
    pub broker: String,
    /// When the broker releases it, Unix ms.
    pub deliver_at_ms: i64,
    /// The unique id of the message.
    pub message_id: String,
}

impl RecallHandle {
    /// Reads a handle; `None` if it is none, or of a version that is not known.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
        let [VERSION, topic, broker, at, message_id] = plain.split(' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Self {
            topic: topic.to_owned(),
            broker: broker.to_owned(),
            deliver_at_ms: at.parse().ok()?,
            message_id: message_id.to_owned(),
        })
    }
}

impl fmt::Display for RecallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, broker, deliver_at_ms, message_id } = self;
        f.write_str(&BASE64.encode(format!("{VERSION} {topic} {broker} {deliver_at_ms} {message_id}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_have_the_layout_of_the_real_server() {
        let text = "djEgVCBicm9rZXItYSAxNzAwMDAwMDAwMDAxIDAxQUI=";
        let handle = RecallHandle::parse(text).unwrap();
        assert_eq!((handle.topic.as_str(), handle.broker.as_str()), ("T", "broker-a"));
        assert_eq!((handle.deliver_at_ms, handle.message_id.as_str()), (1_700_000_000_001, "01AB"));
        assert_eq!(handle.to_string(), text);
        assert_eq!(RecallHandle::parse(text.trim_end_matches('=')), Some(handle));
        for bad in ["", "v1 T b 1 u", "djIgVA==", "ü"] {
            assert_eq!(RecallHandle::parse(bad), None, "{bad}");
        }
    }
}
