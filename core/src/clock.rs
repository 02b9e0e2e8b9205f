//! The only place that reads a clock. A [`Clock`] is real or virtual, one per broker or client, never global.

#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time in milliseconds since the Unix epoch, real or virtual. Cloning shares the clock.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self(None)
    }

    /// A clock that stands still at `start` until it is moved.
    pub fn virtual_at(start: SystemTime) -> Self {
        Self(Some(Arc::new(AtomicI64::new(to_ms(start)))))
    }

    /// A virtual clock that starts at the machine's time.
    pub fn virtual_now() -> Self {
        Self::virtual_at(SystemTime::now())
    }

    /// Whether the clock stands still between moves.
    pub fn is_virtual(&self) -> bool {
        self.0.is_some()
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Some(now) => now.load(Ordering::Acquire),
            None => to_ms(SystemTime::now()),
        }
    }

    /// The same as a `SystemTime`.
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Some(_) => from_ms(self.now_ms()),
            None => SystemTime::now(),
        }
    }

    /// Moves a virtual clock forward to `ms`; never backwards. No effect on the real clock.
    #[cfg(feature = "broker")]
    pub(crate) fn move_to_ms(&self, ms: i64) {
        if let Some(now) = &self.0 {
            now.fetch_max(ms, Ordering::AcqRel);
        }
    }
}

/// Monotonic time, for measuring and for network deadlines (these are always real).
pub fn instant() -> Instant {
    Instant::now()
}

/// Milliseconds since the Unix epoch; before it, negative. Saturates.
pub fn to_ms(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

/// The time `ms` milliseconds after the Unix epoch (before it when negative).
pub fn from_ms(ms: i64) -> SystemTime {
    let distance = Duration::from_millis(ms.unsigned_abs());
    if ms >= 0 { UNIX_EPOCH + distance } else { UNIX_EPOCH - distance }
}
