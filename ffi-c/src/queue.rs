//! The completion queue: what was submitted ends here, exactly once, and is drained in batches.

use std::collections::VecDeque;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tminus_core::runtime::handle;
use tminus_core::{Error, ErrorKind, Result};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::boundary::{Handle, Out, borrow, call, lock, quietly, take, wait_ms};
use crate::completion::{tminus_completion_t, tminus_completions_free, tminus_op_t};
use crate::data::invalid;
use crate::driver::{Command, Finished, Kind, Operation, Payload, run};
use crate::error::{tminus_error_t, tminus_status_t};

/// What the host's threads and the driver share.
pub(crate) struct Shared {
    state: Mutex<State>,
    ready: Condvar,
    next_op: AtomicU64,
}

#[derive(Default)]
struct State {
    completions: VecDeque<tminus_completion_t>,
    /// Accepted and not yet posted.
    outstanding: usize,
    closed: bool,
    /// Host threads in `tminus_queue_wait`.
    waiting: usize,
    /// Holds one byte while there is something to drain.
    signal: Option<(PipeReader, PipeWriter)>,
    signalled: bool,
}

impl State {
    fn is_drained(&self) -> bool {
        self.closed && self.outstanding == 0 && self.completions.is_empty()
    }

    /// Makes the descriptor readable exactly while a wait would return at once.
    fn update_signal(&mut self) {
        let wanted = !self.completions.is_empty() || self.is_drained();
        if let Some((reader, writer)) = self.signal.as_mut().filter(|_| wanted != self.signalled) {
            // The pipe holds at most this one byte, so neither call can block.
            let done = if wanted { writer.write_all(&[1]) } else { reader.read_exact(&mut [0]) };
            if done.is_ok() {
                self.signalled = wanted;
            }
        }
    }
}

impl Shared {
    /// Posts what has ended, with one wake-up; returns how many operations are still under way.
    pub(crate) fn post(&self, finished: &mut Vec<Finished>) -> usize {
        let count = finished.len();
        let ready: Vec<tminus_completion_t> = finished.drain(..).map(Into::into).collect();
        let mut state = lock(&self.state);
        state.outstanding -= count;
        state.completions.extend(ready);
        state.update_signal();
        if state.waiting > 0 && state.is_drained() {
            self.ready.notify_all();
        } else if state.waiting > 0 && count > 0 {
            self.ready.notify_one();
        }
        state.outstanding
    }

    fn wait(
        &self,
        place: &mut [std::mem::MaybeUninit<tminus_completion_t>],
        timeout_ms: i64,
    ) -> Result<usize> {
        let mut state = lock(&self.state);
        let nothing = |state: &mut State| state.completions.is_empty() && !state.is_drained();
        if nothing(&mut state) && timeout_ms != 0 {
            state.waiting += 1;
            state = match wait_ms(timeout_ms) {
                None => self.ready.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => {
                    self.ready
                        .wait_timeout_while(state, limit, nothing)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.waiting -= 1;
        }
        if state.is_drained() {
            return Err(Error::new(
                ErrorKind::Closed,
                "wait",
                "the queue was shut down and is drained; free it",
            ));
        }
        let count = state.completions.len().min(place.len());
        for (slot, completion) in place.iter_mut().zip(state.completions.drain(..count)) {
            slot.write(completion);
        }
        if state.waiting > 0 && (!state.completions.is_empty() || state.is_drained()) {
            self.ready.notify_all();
        }
        state.update_signal();
        Ok(count)
    }
}

/// A completion queue. Any number of threads may submit to it and wait on it.
pub struct tminus_queue_t {
    process: u32,
    shared: Arc<Shared>,
    commands: UnboundedSender<Command>,
}

impl Handle for tminus_queue_t {
    const NOUN: &'static str = "queue";

    fn process(&self) -> u32 {
        self.process
    }
}

impl tminus_queue_t {
    /// Accepts an operation, of which exactly one completion will tell.
    pub(crate) fn submit(
        &self,
        kind: Kind,
        user_data: u64,
        work: BoxFuture<'static, Result<Payload>>,
    ) -> Result<u64> {
        {
            let mut state = lock(&self.shared.state);
            if state.closed {
                return Err(Error::new(
                    ErrorKind::Closed,
                    kind.operation(),
                    "the completion queue was shut down",
                ));
            }
            state.outstanding += 1;
        }
        let id = self.shared.next_op.fetch_add(1, Ordering::Relaxed);
        // The driver receives for as long as something is outstanding.
        let _ = self.commands.send(Command::Start(Operation { id, user_data, kind, work }));
        Ok(id)
    }

    fn shutdown(&self) {
        lock(&self.shared.state).closed = true;
        // The driver has ended if this is the second time.
        let _ = self.commands.send(Command::Shutdown);
    }
}

/// Makes a completion queue; free it with `tminus_queue_free`.
///
/// # Safety
/// `out` and `error` are NULL or places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_queue_new(
    out: *mut *mut tminus_queue_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "queue", || {
        let out = Out::new(out, "out", "queue")?;
        let runtime = handle("queue")?;
        let shared =
            Arc::new(Shared { state: Mutex::default(), ready: Condvar::new(), next_op: AtomicU64::new(1) });
        let (commands, inbox) = unbounded_channel();
        runtime.spawn(run(inbox, shared.clone()));
        out.give(tminus_queue_t { process: std::process::id(), shared, commands });
        Ok(())
    })
}

/// Waits until there is a completion, and writes up to `max` of them to `completions` and their number to `count`. `timeout_ms`:
/// 0 does not wait, negative waits without limit; a wait that timed out is `TMINUS_OK` with `count` 0.
/// `TMINUS_CLOSED`: the queue was shut down and everything was drained.
///
/// # Safety
/// `queue` is NULL or live; `completions` has room for `max`; `count` and `error` are NULL or places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_queue_wait(
    queue: *const tminus_queue_t,
    completions: *mut tminus_completion_t,
    max: usize,
    timeout_ms: i64,
    count: *mut usize,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "wait", || {
        let count = Out::new(count, "count", "wait")?;
        if completions.is_null() || max == 0 {
            return Err(invalid("wait", "there is no room for completions; pass an array and its length"));
        }
        // SAFETY: the host passes a live queue, and an array of `max` places, which need not be initialised.
        let (queue, place) =
            unsafe { (borrow(queue, "wait")?, std::slice::from_raw_parts_mut(completions.cast(), max)) };
        count.set(queue.shared.wait(place, timeout_ms)?);
        Ok(())
    })
}

/// A file descriptor that is readable exactly while `tminus_queue_wait` would not wait: for poll, epoll, kqueue and
/// event loops. The queue owns it; do not read from it or close it.
///
/// # Safety
/// `queue` is NULL or live; `fd` and `error` are NULL or places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_queue_fd(
    queue: *const tminus_queue_t,
    fd: *mut i32,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "queue", || {
        let fd = Out::new(fd, "fd", "queue")?;
        // SAFETY: the host passes NULL or a live queue.
        let queue = unsafe { borrow(queue, "queue")? };
        let mut state = lock(&queue.shared.state);
        if state.signal.is_none() {
            let pipe = std::io::pipe().map_err(|e| {
                Error::new(ErrorKind::Io, "queue", format!("cannot open a pipe: {e}")).with_source(e)
            })?;
            state.signal = Some(pipe);
            state.update_signal();
        }
        fd.set(state.signal.as_ref().map_or(-1, |(reader, _)| reader.as_raw_fd()));
        Ok(())
    })
}

/// Cancels an operation: its completion comes soon, as `TMINUS_CANCELLED` if nothing else came first. A send that has
/// begun says `TMINUS_OUTCOME_MAYBE_SENT`; a receive takes no message. An operation that has ended is left alone.
///
/// # Safety
/// `queue` is NULL or live; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_op_cancel(
    queue: *const tminus_queue_t,
    op: tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "cancel", || {
        // SAFETY: the host passes NULL or a live queue.
        let queue = unsafe { borrow(queue, "cancel")? };
        let _ = queue.commands.send(Command::Cancel(op));
        Ok(())
    })
}

/// Refuses new operations and cancels those under way; their completions can still be drained, until
/// `tminus_queue_wait` answers `TMINUS_CLOSED`. Returns at once; a second time does nothing.
///
/// # Safety
/// `queue` is NULL or live; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_queue_shutdown(
    queue: *const tminus_queue_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "shutdown", || {
        // SAFETY: the host passes NULL or a live queue.
        unsafe { borrow(queue, "shutdown")? }.shutdown();
        Ok(())
    })
}

/// Shuts the queue down if need be, waits until its operations have ended, and frees it with the completions nobody
/// drained. No other call may use the queue. NULL is allowed.
///
/// # Safety
/// `queue` is NULL or live, and no other call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_queue_free(queue: *mut tminus_queue_t) {
    quietly((), || {
        // SAFETY: the host passes NULL or a queue that nothing else uses.
        let Some(queue) = (unsafe { take(queue) }) else { return };
        queue.shutdown();
        let mut place = [const { std::mem::MaybeUninit::uninit() }; 64];
        while let Ok(count) = queue.shared.wait(&mut place, -1) {
            // SAFETY: `wait` has written the first `count` places.
            unsafe { tminus_completions_free(place.as_mut_ptr().cast(), count) };
        }
    });
}

#[cfg(test)]
mod tests {
    use std::ptr::null_mut;

    use tminus_core::Outcome;

    use super::*;

    fn queue() -> Box<tminus_queue_t> {
        let mut queue = null_mut();
        // SAFETY: a place for one pointer, and no error asked for.
        assert_eq!(unsafe { tminus_queue_new(&mut queue, null_mut()) }, 0);
        // SAFETY: the call succeeded.
        unsafe { Box::from_raw(queue) }
    }

    fn wait(queue: &tminus_queue_t) -> Result<tminus_completion_t> {
        let mut place = [std::mem::MaybeUninit::uninit()];
        assert_eq!(queue.shared.wait(&mut place, 10_000)?, 1);
        // SAFETY: one completion was written.
        Ok(unsafe { place[0].assume_init_read() })
    }

    /// Status and outcome; frees the completion.
    fn ended(mut completion: tminus_completion_t) -> (u64, i32, Option<i32>) {
        // SAFETY: the error is NULL or live.
        let outcome = unsafe { completion.error.as_ref() }.map(|error| error.outcome);
        // SAFETY: one completion, as the queue wrote it.
        unsafe { tminus_completions_free(&mut completion, 1) };
        (completion.user_data, completion.status, outcome)
    }

    #[test]
    fn a_panic_becomes_a_completion_and_the_queue_lives_on() {
        let queue = queue();
        queue.submit(Kind::Send, 1, Box::pin(async { panic!("on purpose") })).unwrap();
        let internal = ErrorKind::Internal as i32;
        assert_eq!(ended(wait(&queue).unwrap()), (1, internal, Some(Outcome::MaybeSent as i32)));
        queue.submit(Kind::Receive, 2, Box::pin(async { Ok(Payload::Received(Vec::new())) })).unwrap();
        assert_eq!(ended(wait(&queue).unwrap()), (2, 0, None));
    }

    #[test]
    fn many_that_end_together_all_arrive() {
        let queue = queue();
        let go = tokio::sync::watch::Sender::new(false);
        for user_data in 0..100 {
            let mut go = go.subscribe();
            let work = async move {
                let _ = go.wait_for(|go| *go).await;
                Ok(Payload::Received(Vec::new()))
            };
            queue.submit(Kind::Receive, user_data, Box::pin(work)).unwrap();
        }
        go.send_replace(true);
        let mut seen = [false; 100];
        let mut left = 100;
        while left > 0 {
            let mut place = [const { std::mem::MaybeUninit::uninit() }; 100];
            let count = queue.shared.wait(&mut place, 10_000).unwrap();
            for completion in &place[..count] {
                // SAFETY: the first `count` were written.
                let (user_data, status, _) = ended(unsafe { completion.assume_init_read() });
                assert!(status == 0 && !std::mem::replace(&mut seen[user_data as usize], true));
            }
            left -= count;
        }
    }

    #[test]
    fn an_operation_that_never_began_was_not_sent() {
        let queue = queue();
        queue.shutdown();
        let refused = queue.submit(Kind::Send, 1, Box::pin(std::future::pending()));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(wait(&queue).unwrap_err().kind(), ErrorKind::Closed);

        let queue = self::queue();
        // Accepted by a queue that shuts down before the driver has seen it.
        lock(&queue.shared.state).outstanding += 1;
        queue.shutdown();
        let work: BoxFuture<'static, _> = Box::pin(std::future::pending());
        let late = Operation { id: 9, user_data: 9, kind: Kind::Send, work };
        assert!(queue.commands.send(Command::Start(late)).is_ok());
        let cancelled = ErrorKind::Cancelled as i32;
        assert_eq!(ended(wait(&queue).unwrap()), (9, cancelled, Some(Outcome::NotSent as i32)));
        assert_eq!(wait(&queue).unwrap_err().kind(), ErrorKind::Closed);
    }
}
