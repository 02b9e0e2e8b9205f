//! From messages of a producer to those of the protocol.

use super::proto::{self, Encoding, MessageType, Resource, SystemProperties};
use super::time::timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{DELAY_LEVELS, Message, Properties, Schedule, properties};

/// What has a field of its own, or means nothing to a proxy; as user properties it refuses them.
const NOT_THE_USERS: [&str; 12] = [
    properties::TAGS,
    properties::KEYS,
    properties::UNIQ_KEY,
    properties::SHARDING_KEY,
    properties::PRIORITY,
    properties::DELAY,
    properties::START_DELIVER_TIME,
    properties::TIMER_DELIVER_MS,
    properties::TIMER_DELAY_MS,
    properties::TIMER_DELAY_SEC,
    properties::WAIT,
    properties::INSTANCE_ID,
];

/// The type of a message: one of its message group, delivery time, priority or transaction decides.
///
/// # Errors
/// `InvalidMessage` if two of them are there: a message has one type.
pub fn type_of(properties: &Properties, scheduled: bool, transaction: bool) -> Result<MessageType> {
    let kinds = [
        (transaction, MessageType::Transaction, "a transaction"),
        (scheduled, MessageType::Delay, "a delivery time"),
        (properties.get(properties::SHARDING_KEY).is_some(), MessageType::Fifo, "a message group"),
        (properties.get(properties::PRIORITY).is_some(), MessageType::Priority, "a priority"),
    ];
    let mut found = kinds.iter().filter(|(is_there, ..)| *is_there);
    match (found.next(), found.next()) {
        (None, _) => Ok(MessageType::Normal),
        (Some((_, kind, _)), None) => Ok(*kind),
        (Some((_, _, one)), Some((_, _, other))) => {
            let text = format!("over gRPC a message has one type; this one has {one} and {other}");
            Err(Error::new(ErrorKind::InvalidMessage, "send", text))
        }
    }
}

/// `message` for the wire, made at `now_ms` on `host`, with the unique id that is among its properties.
///
/// # Errors
/// `InvalidMessage` for a priority that is no number.
pub fn encode_message(
    mut message: Message,
    topic: Resource,
    kind: MessageType,
    schedule: Option<Schedule>,
    now_ms: i64,
    host: &str,
) -> Result<proto::Message> {
    let body = message.body().clone();
    let mut all = std::mem::take(message.properties_mut());
    let mut take = |name| all.remove(name);
    let priority = take(properties::PRIORITY).map(|text| text.parse()).transpose().map_err(|_| {
        Error::new(ErrorKind::InvalidMessage, "send", "the priority is no number from 0 to 2147483647")
    })?;
    let keys = take(properties::KEYS).unwrap_or_default();
    let system_properties = SystemProperties {
        tag: take(properties::TAGS),
        keys: keys.split_whitespace().map(str::to_owned).collect(),
        message_id: take(properties::UNIQ_KEY).unwrap_or_default(),
        body_encoding: Encoding::Identity.into(),
        message_type: kind.into(),
        born_timestamp: Some(timestamp(now_ms)),
        born_host: host.to_owned(),
        delivery_timestamp: schedule.map(|schedule| timestamp(delivery_ms(schedule, now_ms))),
        message_group: take(properties::SHARDING_KEY),
        priority,
        ..SystemProperties::default()
    };
    let user = all.iter().filter(|(name, _)| !NOT_THE_USERS.contains(name));
    Ok(proto::Message {
        topic: Some(topic),
        user_properties: user.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        system_properties: Some(system_properties),
        body,
    })
}

/// A delay level is an instant here: the protocol knows no levels.
fn delivery_ms(schedule: Schedule, now_ms: i64) -> i64 {
    match schedule {
        Schedule::AtMs(ms) => ms,
        Schedule::Level(level) => {
            let level = usize::from(level).clamp(1, DELAY_LEVELS.len());
            now_ms.saturating_add(DELAY_LEVELS[level - 1] as i64 * 1000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn encoded(message: Message, schedule: Option<Schedule>) -> proto::Message {
        let kind = type_of(message.properties(), schedule.is_some(), false).unwrap();
        encode_message(message, Resource::default(), kind, schedule, NOW, "host").unwrap()
    }

    #[test]
    fn what_has_a_field_of_its_own_is_no_user_property() {
        let mut message = Message::new("T", "body").tag("A").keys(["k1", "k2"]).property("colour", "red");
        for (name, value) in [("WAIT", "true"), ("UNIQ_KEY", "01"), ("__STARTDELIVERTIME", "1700000005000")] {
            message = message.property(name, value);
        }
        let encoded = encoded(message, Some(Schedule::AtMs(NOW + 5_000)));
        assert_eq!(
            encoded.user_properties.into_iter().collect::<Vec<_>>(),
            [("colour".into(), "red".into())]
        );
        let system = encoded.system_properties.unwrap();
        assert_eq!((system.tag.as_deref(), system.message_id.as_str()), (Some("A"), "01"));
        assert_eq!(system.keys, ["k1", "k2"]);
        assert_eq!(system.message_type(), MessageType::Delay);
        assert_eq!(system.delivery_timestamp, Some(timestamp(NOW + 5_000)));
    }

    #[test]
    fn delay_levels_are_instants() {
        for (level, seconds) in [(1, 1), (3, 10), (18, 7200), (200, 7200)] {
            let system = encoded(Message::new("T", "b"), Some(Schedule::Level(level))).system_properties;
            assert_eq!(system.unwrap().delivery_timestamp, Some(timestamp(NOW + seconds * 1000)));
        }
    }

    #[test]
    fn a_message_has_one_type() {
        let grouped = Message::new("T", "b").message_group("g");
        assert_eq!(type_of(grouped.properties(), false, false).unwrap(), MessageType::Fifo);
        let error = type_of(grouped.properties(), true, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidMessage);
        assert!(error.text().contains("delivery time") && error.text().contains("group"), "{error}");
        let urgent = Message::new("T", "b").priority(3);
        assert_eq!(type_of(urgent.properties(), false, false).unwrap(), MessageType::Priority);
        assert!(type_of(urgent.properties(), false, true).is_err());
    }
}
