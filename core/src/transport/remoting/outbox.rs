//! Frames on their way to the socket: many leave in one vectored write, bodies are never copied.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Poll, ready};

use bytes::{Buf, Bytes, BytesMut};

use crate::codec::remoting::{Frame, FrameError, Serialization};

/// Parts of one vectored write; two a frame.
const MAX_SLICES: usize = 128;
/// Headers are carved from chunks of this size.
const HEAD_CHUNK_BYTES: usize = 16 * 1024;

/// What is left to write of a frame.
struct Queued {
    number: u64,
    head: Bytes,
    body: Bytes,
}

/// The queue of one connection. Frames are numbered, so that a number tells whether a frame has begun to leave.
#[derive(Default)]
pub(super) struct Outbox {
    frames: VecDeque<Queued>,
    heads: BytesMut,
    next: u64,
    started: u64,
    bytes: usize,
}

impl Outbox {
    /// Queues `frame` and returns its number.
    pub(super) fn push(&mut self, frame: &Frame, serialization: Serialization) -> Result<u64, FrameError> {
        if self.heads.capacity() < 1024 {
            self.heads.reserve(HEAD_CHUNK_BYTES);
        }
        frame.encode_head(serialization, &mut self.heads)?;
        let (number, head, body) = (self.next, self.heads.split().freeze(), frame.body.clone());
        self.next += 1;
        self.bytes += head.len() + body.len();
        self.frames.push_back(Queued { number, head, body });
        Ok(number)
    }

    /// Whether bytes of frame `number` may have left this process.
    pub(super) fn has_started(&self, number: u64) -> bool {
        number < self.started
    }

    /// Takes frame `number` back if it has not begun to leave; returns whether it had begun.
    pub(super) fn withdraw(&mut self, number: u64) -> bool {
        if let (false, Ok(at)) =
            (self.has_started(number), self.frames.binary_search_by_key(&number, |f| f.number))
        {
            self.bytes -= self.frames.remove(at).map_or(0, |f| f.head.len() + f.body.len());
        }
        self.has_started(number)
    }

    /// Drops what has not left; [`Outbox::has_started`] stays true to it.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes until the queue is empty or `write` is pending.
    pub(super) fn flush(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let parts = self.frames.iter().flat_map(|f| [&f.head, &f.body]).filter(|part| !part.is_empty());
            let used = slices.iter_mut().zip(parts).map(|(slice, part)| *slice = IoSlice::new(part)).count();
            match ready!(write(&slices[..used])) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => self.advance(written),
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(front) = self.frames.front_mut().filter(|_| written > 0) {
            self.started = front.number + 1;
            for part in [&mut front.head, &mut front.body] {
                let step = written.min(part.len());
                part.advance(step);
                written -= step;
            }
            if front.head.is_empty() && front.body.is_empty() {
                self.frames.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> (Outbox, Vec<u8>) {
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for code in 0..100 {
            let frame = Frame::request(code).with_body(vec![code as u8; code as usize]);
            let (head, body) = frame.encode(Serialization::Binary).unwrap();
            expected.extend_from_slice(&head);
            expected.extend_from_slice(&body);
            outbox.push(&frame, Serialization::Binary).unwrap();
        }
        (outbox, expected)
    }

    #[test]
    fn frames_leave_whole_and_in_order_however_little_is_taken() {
        for step in [1, 7, 100, 1_000_000] {
            let (mut outbox, expected) = filled();
            assert_eq!(outbox.bytes(), expected.len());
            let mut written = Vec::new();
            let done = outbox.flush(|slices| {
                let all: Vec<u8> = slices.iter().flat_map(|s| s.iter().copied()).collect();
                let taken = step.min(all.len());
                written.extend_from_slice(&all[..taken]);
                Poll::Ready(Ok(taken))
            });
            assert!(matches!(done, Poll::Ready(Ok(()))));
            assert_eq!(written, expected);
            assert_eq!((outbox.bytes(), outbox.is_empty()), (0, true));
        }
    }

    #[test]
    fn only_a_frame_that_has_not_begun_can_be_withdrawn() {
        let (mut outbox, expected) = filled();
        let mut budget = 5;
        let pending = outbox.flush(|_| match std::mem::take(&mut budget) {
            0 => Poll::Pending,
            taken => Poll::Ready(Ok(taken)),
        });
        assert!(pending.is_pending());
        assert!(outbox.withdraw(0), "five bytes of it have left");
        assert!(!outbox.withdraw(1));
        let mut left = 0;
        let _ = outbox.flush(|slices| {
            let all = slices.iter().map(|s| s.len()).sum();
            left += all;
            Poll::Ready(Ok(all))
        });
        let second = Frame::request(1).with_body(vec![1]).encode(Serialization::Binary).unwrap();
        assert_eq!(left, expected.len() - 5 - second.0.len() - second.1.len());
    }
}
