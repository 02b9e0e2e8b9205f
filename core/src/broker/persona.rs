//! Which properties of a message delay it, and which delays are refused: where servers differ.

use super::TopicType;
use super::topics::TopicConfig;
use crate::codec::remoting::frame::VERSION;
use crate::message::{DELAY_LEVELS, properties};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// The client computes an absolute time and the broker checks it: what their clocks may differ by.
const CLOCK_SKEW_MS: i64 = 60_000;

/// Which server the broker behaves like, where servers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Persona {
    /// Acts on every delivery property of every server, to the millisecond, one year ahead.
    #[default]
    Loopback,
    /// Apache RocketMQ 5: `TIMER_*` and levels, 3 days ahead, ignores `__STARTDELIVERTIME`.
    Apache5,
    /// Apache RocketMQ 4: levels only.
    Apache4,
    /// Huawei DMS: `__STARTDELIVERTIME` and levels, one year ahead.
    Huawei,
}

/// The delivery properties of a message, as they came.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeliveryProperties<'a> {
    pub(crate) level: Option<&'a str>,
    pub(crate) delay_s: Option<&'a str>,
    pub(crate) delay_ms: Option<&'a str>,
    pub(crate) deliver_ms: Option<&'a str>,
    pub(crate) start_deliver_time: Option<&'a str>,
}

/// Delay of `level` in ms: above the highest level counts as the highest.
pub(crate) fn level_ms(level: i64) -> Option<i64> {
    let last = DELAY_LEVELS.len() as i64;
    let index = usize::try_from(level.min(last).checked_sub(1)?).ok()?;
    DELAY_LEVELS.get(index).map(|seconds| *seconds as i64 * 1000)
}

/// V4_9_8, which keeps levels only.
const VERSION_4: i32 = 409;

impl Persona {
    /// Whether asking over gRPC where a topic is creates it. The real server says that there is none.
    pub(crate) fn creates_topics_on_route(self) -> bool {
        self == Persona::Loopback
    }

    /// Refuses a delivery time that is too far ahead for producers over gRPC, with a remark: the real server's proxy
    /// is stricter than its broker.
    pub(crate) fn check_ahead(self, at_ms: i64, now_ms: i64) -> Result<(), String> {
        let ahead = at_ms.saturating_sub(now_ms);
        let (days, allowance) = match self {
            Persona::Apache5 => (1, 0),
            other => other.limit(),
        };
        if ahead > days * DAY_MS + allowance {
            return Err(format!(
                "the message asks for delivery {ahead} ms from now, and at most {days} days are allowed"
            ));
        }
        Ok(())
    }

    /// The property that keeps the delivery time of a message that came over gRPC.
    pub(crate) fn delivery_property(self) -> &'static str {
        match self {
            Persona::Huawei => properties::START_DELIVER_TIME,
            Persona::Loopback | Persona::Apache5 | Persona::Apache4 => properties::TIMER_DELIVER_MS,
        }
    }

    /// Whether a new consumer group keeps the order if its first consumer says so.
    pub(crate) fn creates_fifo_groups(self) -> bool {
        self == Persona::Loopback
    }

    /// Whether the namespace beside a name over gRPC counts for nothing.
    pub(crate) fn ignores_namespaces(self) -> bool {
        matches!(self, Persona::Apache5 | Persona::Apache4)
    }

    /// What a topic of this configuration takes.
    pub(crate) fn topic_type(self, config: &TopicConfig) -> TopicType {
        config.topic_type.unwrap_or(match self {
            Persona::Loopback => TopicType::Mixed,
            Persona::Apache5 | Persona::Apache4 | Persona::Huawei => TopicType::Normal,
        })
    }

    /// The version that answers carry.
    pub(crate) fn version(self) -> i32 {
        match self {
            Persona::Apache4 => VERSION_4,
            Persona::Loopback | Persona::Apache5 | Persona::Huawei => VERSION,
        }
    }

    /// When the message is to become visible, Unix ms; `None`: at once. The error is the remark of a
    /// `MESSAGE_ILLEGAL` answer.
    pub(crate) fn deliver_at(
        self,
        wanted: &DeliveryProperties<'_>,
        now_ms: i64,
    ) -> Result<Option<i64>, String> {
        if let Some(level) = wanted.level {
            let level = number(properties::DELAY, level)?;
            // A level beside a time wins, as on the real server.
            if let Some(delay) = level_ms(level) {
                return Ok(Some(now_ms.saturating_add(delay)));
            }
        }
        let Some((name, at)) = self.absolute(wanted, now_ms)? else { return Ok(None) };
        let ahead = at.saturating_sub(now_ms);
        let (days, allowance) = self.limit();
        if ahead > days * DAY_MS + allowance {
            return Err(format!(
                "timer message illegal: {name} asks for delivery {} ms from now, and at most {days} days are allowed",
                ahead
            ));
        }
        Ok((ahead > 0).then_some(at))
    }

    fn absolute<'a>(
        self,
        wanted: &DeliveryProperties<'a>,
        now_ms: i64,
    ) -> Result<Option<(&'a str, i64)>, String> {
        let timers = matches!(self, Persona::Loopback | Persona::Apache5);
        let start = matches!(self, Persona::Loopback | Persona::Huawei);
        let sources = [
            (timers, properties::TIMER_DELAY_SEC, wanted.delay_s, Some(1000)),
            (timers, properties::TIMER_DELAY_MS, wanted.delay_ms, Some(1)),
            (timers, properties::TIMER_DELIVER_MS, wanted.deliver_ms, None),
            (start, properties::START_DELIVER_TIME, wanted.start_deliver_time, None),
        ];
        for (acts, name, text, unit_ms) in sources {
            let Some(text) = text.filter(|_| acts) else { continue };
            let value = number(name, text)?;
            let at = match unit_ms {
                Some(unit) => now_ms.saturating_add(value.saturating_mul(unit)),
                None => value,
            };
            return Ok(Some((name, at)));
        }
        Ok(None)
    }

    /// How far ahead a message may be: days, and the allowance for clocks that differ in ms.
    fn limit(self) -> (i64, i64) {
        match self {
            Persona::Loopback | Persona::Huawei => (365, CLOCK_SKEW_MS),
            Persona::Apache5 | Persona::Apache4 => (3, 0),
        }
    }
}

fn number(name: &str, text: &str) -> Result<i64, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("timer message illegal: {name} is {text:?}, not a decimal number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn timer(text: &str) -> DeliveryProperties<'_> {
        DeliveryProperties { deliver_ms: Some(text), ..Default::default() }
    }

    fn start(text: &str) -> DeliveryProperties<'_> {
        DeliveryProperties { start_deliver_time: Some(text), ..Default::default() }
    }

    #[test]
    fn each_persona_acts_on_its_own_properties() {
        let at = (NOW + 5000).to_string();
        let acts = |persona: Persona, wanted: &DeliveryProperties<'_>| {
            persona.deliver_at(wanted, NOW).unwrap().is_some()
        };
        for (persona, on_timer, on_start) in [
            (Persona::Loopback, true, true),
            (Persona::Apache5, true, false),
            (Persona::Apache4, false, false),
            (Persona::Huawei, false, true),
        ] {
            assert_eq!(acts(persona, &timer(&at)), on_timer, "{persona:?}");
            assert_eq!(acts(persona, &start(&at)), on_start, "{persona:?}");
            assert!(
                acts(persona, &DeliveryProperties { level: Some("1"), ..Default::default() }),
                "{persona:?}"
            );
        }
    }

    #[test]
    fn a_level_wins_and_clamps() {
        let far = (NOW + DAY_MS).to_string();
        let with_level = |level| DeliveryProperties { level: Some(level), ..timer(&far) };
        let at = |wanted| Persona::Loopback.deliver_at(&wanted, NOW).unwrap();
        assert_eq!(at(with_level("2")), Some(NOW + 5000));
        assert_eq!(at(with_level("99")), Some(NOW + 7_200_000));
        assert_eq!(at(with_level("0")), Some(NOW + DAY_MS));
    }

    #[test]
    fn past_is_at_once_and_too_far_is_refused() {
        for past in ["0", "-5", "1699999999999", "1700000000000"] {
            assert_eq!(Persona::Loopback.deliver_at(&timer(past), NOW), Ok(None), "{past}");
        }
        let year = (NOW + 365 * DAY_MS).to_string();
        assert_eq!(Persona::Huawei.deliver_at(&start(&year), NOW), Ok(Some(NOW + 365 * DAY_MS)));
        let beyond = (NOW + 366 * DAY_MS).to_string();
        assert!(Persona::Huawei.deliver_at(&start(&beyond), NOW).is_err());
        assert!(Persona::Apache5.deliver_at(&timer(&(NOW + 3 * DAY_MS).to_string()), NOW).is_ok());
        assert!(Persona::Apache5.deliver_at(&timer(&(NOW + 3 * DAY_MS + 1).to_string()), NOW).is_err());
        for bad in ["tomorrow", "", "1e12", "99999999999999999999"] {
            assert!(Persona::Loopback.deliver_at(&timer(bad), NOW).is_err(), "{bad}");
        }
    }

    #[test]
    fn relative_delays_do_not_overflow() {
        let wanted = DeliveryProperties { delay_s: Some("9223372036854775807"), ..Default::default() };
        assert!(Persona::Loopback.deliver_at(&wanted, NOW).is_err());
        let wanted = DeliveryProperties { delay_s: Some("3"), ..Default::default() };
        assert_eq!(Persona::Loopback.deliver_at(&wanted, NOW), Ok(Some(NOW + 3000)));
    }
}
