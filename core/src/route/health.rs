//! Which brokers failed or were slow just now: they are left alone for a while if there are others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// Pause after the first failure; every further one doubles it.
const PAUSE_BASE: Duration = Duration::from_secs(1);
/// Longest pause.
const PAUSE_CAP: Duration = Duration::from_secs(30);
/// Answers slower than the first value pause the broker for the second: the table of the Java client.
const SLOW: [(Duration, Duration); 5] = [
    (Duration::from_millis(15_000), Duration::from_millis(30_000)),
    (Duration::from_millis(5_000), Duration::from_millis(10_000)),
    (Duration::from_millis(3_000), Duration::from_millis(6_000)),
    (Duration::from_millis(1_800), Duration::from_millis(5_000)),
    (Duration::from_millis(550), Duration::from_millis(2_000)),
];

struct Pause {
    failures: u32,
    until: Instant,
}

/// What was seen of the brokers. Costs one atomic read while all are well.
#[derive(Default)]
pub(crate) struct Health {
    troubled: AtomicBool,
    pauses: Mutex<HashMap<String, Pause>>,
}

impl Health {
    /// Whether nothing speaks against `broker`.
    pub(crate) fn is_available(&self, broker: &str) -> bool {
        !self.troubled.load(Ordering::Relaxed)
            || self.pauses().get(broker).is_none_or(|pause| pause.until <= clock::instant())
    }

    /// A request to `broker` failed for a reason that the broker has to answer for.
    pub(crate) fn failed(&self, broker: &str) {
        let mut pauses = self.pauses();
        let failures = pauses.get(broker).map_or(0, |pause| pause.failures);
        let pause = PAUSE_BASE.saturating_mul(1 << failures.min(16)).min(PAUSE_CAP);
        let until = clock::instant() + pause;
        pauses.insert(broker.to_owned(), Pause { failures: failures.saturating_add(1), until });
        self.troubled.store(true, Ordering::Relaxed);
    }

    /// `broker` answered after `latency`.
    pub(crate) fn answered(&self, broker: &str, latency: Duration) {
        let slow = SLOW.iter().find(|(limit, _)| latency >= *limit);
        if slow.is_none() && !self.troubled.load(Ordering::Relaxed) {
            return;
        }
        let mut pauses = self.pauses();
        match slow {
            Some((_, pause)) => {
                let until = clock::instant() + *pause;
                pauses.insert(broker.to_owned(), Pause { failures: 0, until });
            }
            None => drop(pauses.remove(broker)),
        }
        self.troubled.store(!pauses.is_empty(), Ordering::Relaxed);
    }

    fn pauses(&self) -> MutexGuard<'_, HashMap<String, Pause>> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
