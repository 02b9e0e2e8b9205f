//! Times and durations of the protocol. What lies outside of their range saturates.

use std::time::Duration;

use prost_types::{Duration as WireDuration, Timestamp};

/// Unix milliseconds as a timestamp.
pub fn timestamp(ms: i64) -> Timestamp {
    Timestamp { seconds: ms.div_euclid(1000), nanos: (ms.rem_euclid(1000) * 1_000_000) as i32 }
}

/// A timestamp as Unix milliseconds.
pub fn to_ms(timestamp: &Timestamp) -> i64 {
    timestamp.seconds.saturating_mul(1000).saturating_add(i64::from(timestamp.nanos) / 1_000_000)
}

/// A duration for the wire.
pub fn duration(duration: Duration) -> WireDuration {
    WireDuration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: duration.subsec_nanos() as i32,
    }
}

/// A duration from the wire; a negative one is 0.
pub fn from_duration(duration: &WireDuration) -> Duration {
    let Ok(seconds) = u64::try_from(duration.seconds) else { return Duration::ZERO };
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(duration.nanos.max(0) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_they_were() {
        for ms in [0, 1, 999, 1_700_000_000_123, -1, -1500] {
            assert_eq!(to_ms(&timestamp(ms)), ms);
        }
        for length in [Duration::ZERO, Duration::from_millis(1500), Duration::from_nanos(1)] {
            assert_eq!(from_duration(&duration(length)), length);
        }
        assert_eq!(from_duration(&WireDuration { seconds: -1, nanos: -5 }), Duration::ZERO);
        assert_eq!(from_duration(&WireDuration { seconds: 0, nanos: -5 }), Duration::ZERO);
    }
}
