//! Delivery time: one rule for every protocol, server and language.
//!
//! A person says when by [`DeliveryTime`], or by the raw property of the document they follow; [`Message::schedule`]
//! turns either into a [`Schedule`] after checking it once, and [`Schedule::stamp`] writes the properties that the
//! server acts on. Apache RocketMQ 5 acts on `TIMER_DELIVER_MS`, Huawei and Alibaba on `__STARTDELIVERTIME`,
//! Apache RocketMQ 4 on delay levels only.

use std::time::{Duration, SystemTime};

use super::outgoing::Message;
use super::properties::{self, Properties};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};

/// Delays of level 1..=18, in seconds (the default list of every RocketMQ server).
pub const DELAY_LEVELS: [u64; 18] =
    [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];

/// Milliseconds below this (the year 1973) are seconds by mistake.
const LOOKS_LIKE_SECONDS_BELOW: i64 = 100_000_000_000;

/// When a message shall become visible to consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryTime {
    /// At this time, to the millisecond.
    At(SystemTime),
    /// This long after the send call, by the client's clock.
    After(Duration),
    /// After the server's delay level 1..=18 ([`DELAY_LEVELS`]); 0 is no delay, above 18 counts as 18.
    Level(u8),
}

/// Which kind of server the messages go to; it decides which property carries the delivery time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ServerKind {
    /// Not configured: both time properties are stamped, so that Apache 5 and the cloud services honour the time.
    #[default]
    Auto,
    /// Apache RocketMQ 5.x.
    Apache5,
    /// Apache RocketMQ 4.x: delay levels only; an arbitrary time is refused with `DelayUnsupported`.
    Apache4,
    /// Huawei Cloud DMS for RocketMQ.
    Huawei,
    /// Alibaba Cloud ApsaraMQ for RocketMQ.
    Alibaba,
}

/// What to do with a delivery time that is already past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PastPolicy {
    /// Deliver at once (what all five documents promise).
    #[default]
    DeliverNow,
    /// Refuse with `InvalidDeliveryTime`.
    Refuse,
}

/// What to do with a delivery time beyond [`DelayLimits::max_ahead`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BeyondPolicy {
    /// Refuse with `InvalidDeliveryTime` before anything is sent.
    #[default]
    Refuse,
    /// Send it and let the server decide.
    LetServerDecide,
}

/// How far ahead a message may be scheduled, and what happens outside the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelayLimits {
    /// Farthest delivery time from now. Default 365 days (Huawei's documents promise one year).
    pub max_ahead: Duration,
    /// Default [`PastPolicy::DeliverNow`].
    pub past: PastPolicy,
    /// Default [`BeyondPolicy::Refuse`].
    pub beyond: BeyondPolicy,
}

impl Default for DelayLimits {
    fn default() -> Self {
        Self {
            max_ahead: Duration::from_secs(365 * 24 * 3600),
            past: PastPolicy::default(),
            beyond: BeyondPolicy::default(),
        }
    }
}

/// A checked delivery time, ready for the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Visible at this time, Unix ms (a past one: at once).
    AtMs(i64),
    /// Visible after this delay level, 1..=18.
    Level(u8),
}

impl Schedule {
    /// Replaces every delivery property in `properties` by those the server kind acts on.
    pub fn stamp(self, properties: &mut Properties, server: ServerKind) {
        for name in RAW_TIME_PROPERTIES.into_iter().chain([properties::DELAY]) {
            properties.remove(name);
        }
        match self {
            Schedule::Level(level) => properties.set(properties::DELAY, level.to_string()),
            Schedule::AtMs(ms) => {
                if matches!(server, ServerKind::Auto | ServerKind::Apache5) {
                    properties.set(properties::TIMER_DELIVER_MS, ms.to_string());
                }
                if matches!(server, ServerKind::Auto | ServerKind::Huawei | ServerKind::Alibaba) {
                    properties.set(properties::START_DELIVER_TIME, ms.to_string());
                }
            }
        }
    }
}

const RAW_TIME_PROPERTIES: [&str; 4] = [
    properties::START_DELIVER_TIME,
    properties::TIMER_DELIVER_MS,
    properties::TIMER_DELAY_MS,
    properties::TIMER_DELAY_SEC,
];

fn refuse(text: String) -> Error {
    Error::new(ErrorKind::InvalidDeliveryTime, "send", text)
}

/// Reads the number of a raw delivery property.
fn number(name: &str, text: &str) -> Result<i64> {
    let value: i64 = text.trim().parse().map_err(|_| {
        refuse(format!(
            "{name} is {text:?}, not a decimal number; give Unix milliseconds, for example 1795000000000"
        ))
    })?;
    if value < 0 {
        return Err(refuse(format!("{name} is negative ({value}); give Unix milliseconds")));
    }
    Ok(value)
}

/// The delivery time that the raw properties of `message` ask for.
fn from_properties(properties: &Properties, now_ms: i64) -> Result<Option<Schedule>> {
    let mut found: Option<(&str, i64)> = None;
    for name in RAW_TIME_PROPERTIES {
        let Some(text) = properties.get(name) else { continue };
        let value = number(name, text)?;
        let at = match name {
            properties::TIMER_DELAY_MS => now_ms.saturating_add(value),
            properties::TIMER_DELAY_SEC => now_ms.saturating_add(value.saturating_mul(1000)),
            _ => {
                if value != 0 && value < LOOKS_LIKE_SECONDS_BELOW {
                    return Err(refuse(format!(
                        "{name} is {value}, which looks like seconds; give Unix milliseconds ({value}000 for the same instant)"
                    )));
                }
                value
            }
        };
        match found {
            Some((other, earlier)) if earlier != at => {
                return Err(refuse(format!(
                    "{other} and {name} ask for different delivery times; set one of them"
                )));
            }
            _ => found = Some((name, at)),
        }
    }
    let level = properties.get(properties::DELAY).map(|text| number(properties::DELAY, text)).transpose()?;
    match (found, level) {
        (Some((name, _)), Some(1..)) => Err(refuse(format!(
            "both {name} and DELAY (a delay level) are set, and servers would drop one silently; set one of them"
        ))),
        (Some((_, at)), _) => Ok(Some(Schedule::AtMs(at))),
        (None, Some(level @ 1..)) => Ok(Some(Schedule::Level(level.min(DELAY_LEVELS.len() as i64) as u8))),
        (None, _) => Ok(None),
    }
}

impl Message {
    /// Checks the delivery time of this message, typed or raw, against `limits` and `server` at `now_ms`.
    ///
    /// `Ok(None)`: not scheduled.
    ///
    /// # Errors
    /// `InvalidDeliveryTime`: not a number, negative, looks like seconds, set in two ways, past (if refused), beyond the
    /// limit (if refused). `DelayUnsupported`: the server kind cannot keep an arbitrary time.
    pub fn schedule(
        &self,
        now_ms: i64,
        limits: &DelayLimits,
        server: ServerKind,
    ) -> Result<Option<Schedule>> {
        let raw = from_properties(self.properties(), now_ms)?;
        let schedule = match self.delivery_time() {
            None => raw,
            Some(_) if raw.is_some() => {
                return Err(refuse(
                    "the delivery time is set twice, by a typed call and by a property; keep one of them"
                        .into(),
                ));
            }
            Some(DeliveryTime::At(at)) => Some(Schedule::AtMs(to_ms(at))),
            Some(DeliveryTime::After(delay)) => {
                let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
                Some(Schedule::AtMs(now_ms.saturating_add(delay)))
            }
            Some(DeliveryTime::Level(0)) => None,
            Some(DeliveryTime::Level(level)) => Some(Schedule::Level(level.min(DELAY_LEVELS.len() as u8))),
        };
        let Some(Schedule::AtMs(at)) = schedule else { return Ok(schedule) };
        if server == ServerKind::Apache4 {
            return Err(Error::new(
                ErrorKind::DelayUnsupported,
                "send",
                "Apache RocketMQ 4.x keeps delay levels only and would deliver this message at once; use a delay level",
            ));
        }
        let ahead = at.saturating_sub(now_ms);
        if ahead <= 0 && limits.past == PastPolicy::Refuse {
            return Err(refuse(format!("the delivery time {at} is {} ms in the past", -ahead)));
        }
        let max = i64::try_from(limits.max_ahead.as_millis()).unwrap_or(i64::MAX);
        if ahead > max && limits.beyond == BeyondPolicy::Refuse {
            return Err(refuse(format!(
                "the delivery time {at} is {} days ahead; at most {} days are allowed, later messages are not delivered",
                ahead / 86_400_000,
                max / 86_400_000
            )));
        }
        Ok(schedule)
    }
}
