//! The completion queue: what was submitted ends here, exactly once, and is drained in batches.

use std::collections::{HashMap, VecDeque};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tminus_core::runtime::handle;
use tminus_core::{Error, ErrorKind, Result};

use crate::boundary::{Handle, Out, borrow, call, lock, quietly, take, wait_ms};
use crate::completion::{tminus_completion_t, tminus_completions_free, tminus_op_t};
use crate::data::invalid;
use crate::driver::{Driver, Finished, Kind, Operation, Payload, Work, run};
use crate::error::{tminus_error_t, tminus_status_t};

/// What the host's threads and the driver share.
pub(crate) struct Shared {
    state: Mutex<State>,
    ready: Condvar,
    pub(crate) driver: Driver,
    next_op: AtomicU64,
}

#[derive(Default)]
struct State {
    completions: VecDeque<tminus_completion_t>,
    /// Accepted and not yet posted.
    pending: HashMap<u64, Arc<Operation>>,
    closed: bool,
    /// Host threads in `tminus_queue_wait`.
    waiting: usize,
    /// Holds one byte while there is something to drain.
    signal: Option<(PipeReader, PipeWriter)>,
    signalled: bool,
}

impl State {
    fn is_drained(&self) -> bool {
        self.is_finished() && self.completions.is_empty()
    }

    fn is_finished(&self) -> bool {
        self.closed && self.pending.is_empty()
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
    /// Whether the queue was shut down and nothing is under way.
    pub(crate) fn is_finished(&self) -> bool {
        lock(&self.state).is_finished()
    }

    /// Posts what has ended, with one wake-up.
    pub(crate) fn post(&self, finished: &mut Vec<Finished>) {
        let count = finished.len();
        let ended: Vec<tminus_completion_t> = finished.drain(..).map(Into::into).collect();
        let mut state = lock(&self.state);
        for completion in &ended {
            state.pending.remove(&completion.op);
        }
        state.completions.extend(ended);
        self.announce(state, count);
    }

    /// Wakes who waits for `count` new completions, or for the end. The lock is given back first, so that nobody wakes up
    /// only to wait for it.
    fn announce(&self, mut state: MutexGuard<'_, State>, count: usize) {
        state.update_signal();
        let (finished, waited_for) = (state.is_finished(), state.waiting > 0);
        drop(state);
        if finished {
            self.driver.notify();
        }
        if waited_for && finished {
            self.ready.notify_all();
        } else if waited_for && count > 0 {
            self.ready.notify_one();
        }
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
    runtime: &'static tokio::runtime::Handle,
}

impl Handle for tminus_queue_t {
    const NOUN: &'static str = "queue";

    fn process(&self) -> u32 {
        self.process
    }
}

impl tminus_queue_t {
    /// Accepts an operation, of which exactly one completion will tell, and names it to the host in `op`.
    ///
    /// # Safety
    /// `op` is NULL or a place for one value.
    pub(crate) unsafe fn submit(
        &self,
        kind: Kind,
        user_data: u64,
        op: *mut tminus_op_t,
        work: impl Future<Output = Result<Payload>> + Send + 'static,
    ) -> Result<()> {
        let id = self.accept(kind, user_data, Box::pin(work))?;
        if !op.is_null() {
            // SAFETY: the caller's promise.
            unsafe { op.write(id) };
        }
        Ok(())
    }

    fn accept(&self, kind: Kind, user_data: u64, work: Work) -> Result<tminus_op_t> {
        let id = self.shared.next_op.fetch_add(1, Ordering::Relaxed);
        let operation = Operation::new(id, user_data, kind, self.shared.clone(), work);
        {
            let mut state = lock(&self.shared.state);
            if state.closed {
                return Err(Error::new(
                    ErrorKind::Closed,
                    kind.operation(),
                    "the completion queue was shut down",
                ));
            }
            state.pending.insert(id, operation.clone());
        }
        let _context = self.runtime.enter();
        if let Some(finished) = operation.poll() {
            self.shared.post(&mut vec![finished]);
        }
        Ok(id)
    }

    fn shutdown(&self) {
        let mut state = lock(&self.shared.state);
        state.closed = true;
        let pending: Vec<_> = state.pending.values().cloned().collect();
        self.shared.announce(state, 0);
        pending.iter().for_each(Operation::cancel);
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
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            ready: Condvar::new(),
            driver: Driver::default(),
            next_op: AtomicU64::new(1),
        });
        runtime.spawn(run(shared.clone()));
        out.give(tminus_queue_t { process: std::process::id(), shared, runtime });
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

/// Cancels an operation: its completion comes soon, as `TMINUS_CANCELLED` if nothing else came first. A send
/// says `TMINUS_OUTCOME_MAYBE_SENT`; a receive takes no message. An operation that has ended is left alone.
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
        let pending = lock(&queue.shared.state).pending.get(&op).cloned();
        if let Some(operation) = pending {
            operation.cancel();
        }
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
mod tests;
