//! Handles that newer ones have replaced. Servers answer an acknowledgement with such a handle as if it had an effect.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client::simple::ReceiptHandle;
use crate::error::{Error, ErrorKind, Result};

/// So many are remembered, the latest.
const REMEMBERED: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Replaced(Mutex<Handles>);

#[derive(Debug, Default)]
struct Handles {
    known: HashSet<String>,
    in_order: VecDeque<String>,
}

impl Replaced {
    fn lock(&self) -> MutexGuard<'_, Handles> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, handle: String) {
        let mut handles = self.lock();
        if handles.in_order.len() == REMEMBERED
            && let Some(oldest) = handles.in_order.pop_front()
        {
            handles.known.remove(&oldest);
        }
        if handles.known.insert(handle.clone()) {
            handles.in_order.push_back(handle);
        }
    }

    /// # Errors
    /// `InvalidReceipt` if the handle was replaced.
    pub(super) fn check(&self, operation: &'static str, receipt: &ReceiptHandle) -> Result<()> {
        if !self.lock().known.contains(&receipt.handle) {
            return Ok(());
        }
        let text =
            "a newer handle has replaced this one when the invisible duration was changed; use the newer one";
        Err(Error::new(ErrorKind::InvalidReceipt, operation, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered() {
        let replaced = Replaced::default();
        let is_known = |n: usize| {
            let receipt = ReceiptHandle {
                topic: String::new(),
                broker: String::new(),
                message_id: String::new(),
                handle: n.to_string(),
            };
            replaced.check("ack", &receipt).is_err()
        };
        (0..=REMEMBERED).for_each(|n| replaced.add(n.to_string()));
        assert!(!is_known(0) && is_known(1) && is_known(REMEMBERED));
    }
}
