//! A message that a consumer has and did not settle yet.

use std::sync::Arc;
use std::time::Duration;

use super::Receipt;
use crate::broker::timer::TimerId;
use crate::codec::remoting::record::StoredMessage;
use crate::message::properties;

/// Invisible time of a message that the broker renews.
pub(crate) const RENEWED_MS: i64 = 60_000;
/// Steps by which the broker renews, the last one again and again.
const STEPS_MS: [i64; 6] = [60_000, 180_000, 300_000, 600_000, 1_800_000, 3_600_000];
/// A message is renewed for this long.
const MAX_RENEWED_MS: i64 = 3 * 3_600_000;

/// How a message was delivered so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Past {
    pub(crate) times: i32,
    /// When it was delivered first; of what remoting consumers gave back nobody knows.
    pub(crate) first_ms: Option<i64>,
}

impl Past {
    /// As the message itself says.
    pub(super) fn of(message: &StoredMessage) -> Self {
        let first_ms = message.properties.get(properties::FIRST_POP_TIME);
        Self { times: message.reconsume_times, first_ms: first_ms.and_then(|text| text.parse().ok()) }
    }

    /// The later of two states of one message.
    pub(super) fn max(self, other: Self) -> Self {
        Self { times: self.times.max(other.times), first_ms: self.first_ms.or(other.first_ms) }
    }
}

/// A delivered message, unsettled.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) group: Arc<str>,
    /// The topic it was received from; also for a message of the retry topic.
    pub(super) topic: Arc<str>,
    pub(super) receipt: Receipt,
    /// How often it was delivered, this time included.
    pub(super) attempt: i32,
    /// When it was delivered first.
    pub(super) first_ms: i64,
    /// Its message group, where the group consumes in order; empty for the line of those without.
    pub(super) line: Option<String>,
    /// When it is visible again.
    pub(super) ends: TimerId,
    /// The receive it answered.
    pub(super) attempt_id: Option<Arc<str>>,
    pub(super) renewal: Option<Renewal>,
    /// Its return does not count as an attempt.
    pub(super) suspended: bool,
}

impl InFlight {
    /// How the message was delivered so far, when it comes back.
    pub(super) fn past(&self) -> Past {
        let times = self.attempt - i32::from(self.suspended);
        Past { times, first_ms: (times > 0).then_some(self.first_ms) }
    }
}

/// The broker renews the invisible time for a client that lives.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) client_id: Arc<str>,
    steps: usize,
}

impl Renewal {
    pub(super) fn of(client_id: Arc<str>) -> Self {
        Self { client_id, steps: 0 }
    }

    /// The next invisible time of a message that was received at `since_ms`; `None` when it was renewed long enough.
    pub(super) fn next(&mut self, since_ms: i64, now_ms: i64) -> Option<Duration> {
        if now_ms - since_ms >= MAX_RENEWED_MS {
            return None;
        }
        let step = STEPS_MS[self.steps.min(STEPS_MS.len() - 1)];
        self.steps += 1;
        Some(Duration::from_millis(step.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_renewed_in_growing_steps_for_three_hours() {
        let mut renewal = Renewal::of("c".into());
        let (mut now, mut steps) = (RENEWED_MS, Vec::new());
        while let Some(step) = renewal.next(0, now) {
            now += step.as_millis() as i64;
            steps.push(step.as_secs() / 60);
        }
        assert_eq!(steps, [1, 3, 5, 10, 30, 60, 60, 60]);
    }
}
