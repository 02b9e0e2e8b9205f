//! A message made ready for the service: checked, scheduled, and written as a document.

use bytes::Bytes;

use super::names;
use crate::codec::http::{Publish, digest, properties as text, unfit};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{
    DelayLimits, MAX_BODY_BYTES, Message, Properties, Schedule, ServerKind, properties, text_body,
};
use crate::options::{BodyEncoding, ClientOptions, ProducerOptions, Protocol};

/// Seconds that may lie between a half message and the first question about it.
pub(super) const CHECK_SECONDS: std::ops::RangeInclusive<u64> = 10..=300;

/// What a message has to keep to.
pub(super) struct Rules {
    max_body_bytes: usize,
    delay_limits: DelayLimits,
    body_encoding: BodyEncoding,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_body_bytes: MAX_BODY_BYTES,
            delay_limits: DelayLimits::default(),
            body_encoding: BodyEncoding::default(),
        }
    }
}

impl From<&ProducerOptions> for Rules {
    fn from(options: &ProducerOptions) -> Self {
        Self {
            max_body_bytes: options.max_body_bytes,
            delay_limits: options.delay_limits,
            body_encoding: options.body_encoding,
        }
    }
}

/// What every attempt sends.
pub(super) struct Parcel {
    pub(super) topic: String,
    /// The document.
    pub(super) content: Bytes,
    /// Digest of the body in it.
    pub(super) body_md5: String,
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidMessage, "send", text)
}

impl Parcel {
    /// Checks and prepares `message`.
    ///
    /// # Errors
    /// `InvalidMessage`, also for what XML cannot carry; `InvalidDeliveryTime`; `DelayUnsupported` for a delay level;
    /// `Unsupported` for a user flag or a priority.
    pub(super) fn pack(mut message: Message, rules: &Rules, client: &ClientOptions) -> Result<Self> {
        message.validate(rules.max_body_bytes)?;
        names::check(ErrorKind::InvalidMessage, "send", "topic", message.topic())?;
        if message.user_flag() != 0 {
            return Err(Protocol::Http.lacks("send", "user flag of a message"));
        }
        if message.properties().get(properties::PRIORITY).is_some() {
            return Err(Protocol::Http.lacks("send", "priority of a message"));
        }
        let schedule = message.schedule(client.clock.now_ms(), &rules.delay_limits, client.server_kind)?;
        let topic = message.topic().to_owned();
        let mut carried = std::mem::take(message.properties_mut());
        check_half(&carried, schedule)?;
        match schedule {
            None => {}
            Some(Schedule::Level(_)) => {
                let text = "the ApsaraMQ HTTP protocol has no delay levels; give a time or a delay instead";
                return Err(Error::new(ErrorKind::DelayUnsupported, "send", text));
            }
            Some(schedule) => schedule.stamp(&mut carried, ServerKind::Alibaba),
        }
        let tag = carried.remove(properties::TAGS).unwrap_or_default();
        if let Some(character) = unfit(&tag) {
            return Err(invalid(format!("the tag {tag:?} holds {character:?}, which XML cannot carry")));
        }
        let body = body_text(message.body(), rules.body_encoding, &mut carried)?;
        let body_md5 = digest::body_md5(body.as_bytes());
        let properties = text::encode(&carried).map_err(|e| invalid(e.to_string()).with_source(e))?;
        let content = Publish { body, tag, properties }.encode().into();
        Ok(Self { topic, content, body_md5 })
    }
}

/// Whether a half message says when it is asked about, and nothing that half messages cannot have.
fn check_half(carried: &Properties, schedule: Option<Schedule>) -> Result<()> {
    let Some(seconds) = carried.get(properties::TRANSACTION_CHECK_SECONDS) else { return Ok(()) };
    if !seconds.parse().is_ok_and(|seconds: u64| CHECK_SECONDS.contains(&seconds)) {
        let (name, least, most) =
            (properties::TRANSACTION_CHECK_SECONDS, CHECK_SECONDS.start(), CHECK_SECONDS.end());
        return Err(invalid(format!("{name} is {seconds:?}; give whole seconds, {least} to {most}")));
    }
    match schedule {
        Some(_) => Err(invalid("a message of a transaction cannot be scheduled")),
        None => Ok(()),
    }
}

/// The body as text, in base64 where it is none and that is wanted.
fn body_text(body: &[u8], encoding: BodyEncoding, carried: &mut Properties) -> Result<String> {
    let fault = match std::str::from_utf8(body) {
        Ok(text) => match unfit(text) {
            None => return Ok(text.to_owned()),
            Some(character) => format!("holds {character:?}"),
        },
        Err(error) => format!("is no UTF-8 text from byte {} on", error.valid_up_to()),
    };
    match encoding {
        BodyEncoding::Base64 => Ok(text_body::wrap(body, carried)),
        BodyEncoding::Text => Err(invalid(format!(
            "the body {fault}, which XML cannot carry; encode it yourself, or have a producer do so with \
             body_encoding Base64"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::clock::Clock;

    fn pack_with(message: Message, encoding: BodyEncoding) -> Result<Publish> {
        let mut client = ClientOptions::new("http://127.0.0.1:1").unwrap();
        client.clock = Clock::virtual_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let rules = Rules { body_encoding: encoding, ..Rules::default() };
        Parcel::pack(message, &rules, &client).map(|parcel| Publish::decode(&parcel.content).unwrap())
    }

    fn pack(message: Message) -> Result<Publish> {
        pack_with(message, BodyEncoding::Text)
    }

    #[track_caller]
    fn refused(message: Message) -> Error {
        pack(message).err().unwrap()
    }

    #[test]
    fn a_message_is_a_document() {
        let message = Message::new("t", "héllo <&>\r\n").tag("TagA").keys(["k1", "k2"]).property("a", "1");
        let document = pack(message.message_group("g").deliver_after(Duration::from_secs(10))).unwrap();
        assert_eq!((&*document.body, &*document.tag), ("héllo <&>\r\n", "TagA"));
        assert_eq!(document.properties, "KEYS:k1 k2|a:1|__SHARDINGKEY:g|__STARTDELIVERTIME:1700000010000|");
    }

    #[test]
    fn delivery_times_of_other_servers_become_the_one_that_counts_here() {
        for raw in ["TIMER_DELIVER_MS", "__STARTDELIVERTIME"] {
            let document = pack(Message::new("t", "x").property(raw, "1700000005000")).unwrap();
            assert_eq!(document.properties, "__STARTDELIVERTIME:1700000005000|");
        }
        assert_eq!(refused(Message::new("t", "x").delay_level(3)).kind(), ErrorKind::DelayUnsupported);
    }

    #[test]
    fn bodies_that_xml_cannot_carry_are_refused_or_encoded() {
        for (body, told) in [(&b"a\0b"[..], "'\\0'"), (b"a\xffb", "byte 1"), ("\u{fffe}".as_bytes(), "fffe")]
        {
            let error = refused(Message::new("t", body));
            assert_eq!(error.kind(), ErrorKind::InvalidMessage);
            assert!(error.text().contains(told) && error.text().contains("Base64"), "{error}");
            let document = pack_with(Message::new("t", body), BodyEncoding::Base64).unwrap();
            assert_eq!(document.properties, "__BODY_ENCODING:base64|");
        }
        let plain = pack_with(Message::new("t", "text"), BodyEncoding::Base64).unwrap();
        assert_eq!((&*plain.body, &*plain.properties), ("text", ""));
    }

    #[test]
    fn what_the_protocol_cannot_say_is_refused() {
        assert_eq!(refused(Message::new("t", "x").flag(1)).kind(), ErrorKind::Unsupported);
        assert_eq!(refused(Message::new("t", "x").priority(1)).kind(), ErrorKind::Unsupported);
        for bad in [
            Message::new("a|b", "x"),
            Message::new("t", "x").tag("a\u{1b}"),
            Message::new("t", "x").property("url", "http://h/?a=1&b=2"),
            Message::new("t", "x").property("a|b", "1"),
            Message::new("t", "x").property("q", "say \"hi\""),
            Message::new("t", "x").property("__TransCheckT", "9"),
            Message::new("t", "x").property("__TransCheckT", "301"),
            Message::new("t", "x").property("__TransCheckT", "soon"),
            Message::new("t", "x").property("__TransCheckT", "10").deliver_after(Duration::from_secs(1)),
        ] {
            let error = refused(bad);
            assert_eq!(error.kind(), ErrorKind::InvalidMessage, "{error}");
        }
    }
}
