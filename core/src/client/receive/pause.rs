//! The pause before a request that failed is tried again.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// The first pause after a flow limit, and after another fault.
const BUSY: Duration = Duration::from_millis(20);
const FAULT: Duration = Duration::from_millis(200);
/// The longest pauses: a server that comes back is noticed within seconds.
const LONGEST_BUSY: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5);

/// The pause before a request of which `faults` in a row have failed, the last one with `error`: doubled with each, half
/// of it random, so that many clients do not come back together.
pub(super) fn pause(error: &Error, faults: u32) -> Duration {
    let (first, longest) = match error.kind() {
        ErrorKind::Busy => (BUSY, LONGEST_BUSY),
        _ => (FAULT, LONGEST),
    };
    let full = first.saturating_mul(1 << faults.saturating_sub(1).min(16)).min(longest);
    full.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_pauses_longer_than_a_flow_limit_and_neither_is_a_hot_loop() {
        let error = |kind| Error::new(kind, "consume", "");
        for faults in [1, 2, 10, u32::MAX] {
            let (busy, fault) =
                (pause(&error(ErrorKind::Busy), faults), pause(&error(ErrorKind::ConnectionClosed), faults));
            assert!(busy >= BUSY / 2 && busy <= LONGEST_BUSY);
            assert!(fault >= FAULT / 2 && fault <= LONGEST && fault > busy);
        }
    }
}
