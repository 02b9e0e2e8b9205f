//! Calls that wait for their answer, found by opaque.

use std::collections::HashMap;
use std::task::{Poll, Waker};

use crate::codec::remoting::Frame;

/// A call under way.
struct Waiting {
    /// Its frame's number in the outbox.
    number: u64,
    waker: Option<Waker>,
    answer: Option<Frame>,
}

/// The calls of one connection.
#[derive(Default)]
pub(super) struct Calls {
    waiting: HashMap<i32, Waiting>,
    last_opaque: i32,
}

impl Calls {
    /// An opaque that no call under way has.
    pub(super) fn next_opaque(&mut self) -> i32 {
        loop {
            self.last_opaque = self.last_opaque.wrapping_add(1) & i32::MAX;
            if !self.waiting.contains_key(&self.last_opaque) {
                return self.last_opaque;
            }
        }
    }

    /// Lets the request `opaque`, which is frame `number` of the outbox, wait for its answer.
    pub(super) fn insert(&mut self, opaque: i32, number: u64) {
        self.waiting.insert(opaque, Waiting { number, waker: None, answer: None });
    }

    /// Keeps `answer` for its call and returns whom to wake; an answer nobody waits for any more is dropped.
    pub(super) fn answer(&mut self, answer: Frame) -> Option<Waker> {
        let waiting = self.waiting.get_mut(&answer.opaque)?;
        waiting.answer = Some(answer);
        waiting.waker.take()
    }

    /// Takes the answer of `opaque`, or lets `waker` wait for it.
    pub(super) fn poll(&mut self, opaque: i32, waker: &Waker) -> Poll<Frame> {
        let Some(waiting) = self.waiting.get_mut(&opaque) else { return Poll::Pending };
        if let Some(answer) = waiting.answer.take() {
            self.waiting.remove(&opaque);
            return Poll::Ready(answer);
        }
        match &mut waiting.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        Poll::Pending
    }

    /// Forgets the call `opaque` and returns the number of its frame.
    pub(super) fn remove(&mut self, opaque: i32) -> Option<u64> {
        self.waiting.remove(&opaque).map(|w| w.number)
    }

    /// Everybody who waits.
    pub(super) fn wakers(&mut self) -> Vec<Waker> {
        self.waiting.values_mut().filter_map(|w| w.waker.take()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
