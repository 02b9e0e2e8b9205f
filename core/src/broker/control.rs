//! What tests ask of a broker: faults on purpose, and how many requests came.

use std::collections::{HashMap, VecDeque};

use super::Fault;

#[derive(Debug)]
struct Injected {
    times: usize,
    fault: Fault,
}

/// Requests by code: how many came, and what shall happen to the next ones.
#[derive(Debug, Default)]
pub(crate) struct Control {
    received: HashMap<i32, u64>,
    faults: HashMap<i32, VecDeque<Injected>>,
}

impl Control {
    /// Counts a request and says which fault it meets.
    pub(crate) fn receive(&mut self, code: i32) -> Option<Fault> {
        *self.received.entry(code).or_default() += 1;
        if self.faults.is_empty() {
            return None;
        }
        let queue = self.faults.get_mut(&code)?;
        let first = queue.front_mut()?;
        let fault = first.fault.clone();
        first.times -= 1;
        if first.times == 0 {
            queue.pop_front();
        }
        if queue.is_empty() {
            self.faults.remove(&code);
        }
        Some(fault)
    }

    pub(crate) fn inject(&mut self, code: i32, times: usize, fault: Fault) {
        if times > 0 {
            self.faults.entry(code).or_default().push_back(Injected { times, fault });
        }
    }

    pub(crate) fn received(&self, code: i32) -> u64 {
        self.received.get(&code).copied().unwrap_or(0)
    }
}
