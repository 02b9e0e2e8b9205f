//! Answers for an event loop: many completions, one wake-up, and no Rust thread in Python.
//!
//! Calls go to one task that drives them all. What completes is queued, and the first of a batch writes one byte to a
//! socket that the loop watches (`loop.add_reader`); the loop then takes the whole batch with [`Completions::drain`].
//! This is `call_soon_threadsafe` without the interpreter lock, which a network thread must not wait for.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{AbortHandle, Abortable};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use tminus::{Error, ErrorKind, Result};
use tokio::sync::mpsc;

use crate::errors::{raise, to_exception};
use crate::owned::Owned;
use crate::reply::Reply;

type Job = Pin<Box<dyn Future<Output = Option<Completion>> + Send>>;

struct Completion {
    ticket: u64,
    result: Result<Box<dyn Reply>>,
}

/// The queue between the driver and the loop.
struct Finished {
    queue: Mutex<Vec<Completion>>,
    bell: UnixStream,
}

impl Finished {
    fn push(&self, batch: impl IntoIterator<Item = Completion>) {
        let mut queue = lock(&self.queue);
        let was_empty = queue.is_empty();
        queue.extend(batch);
        if was_empty && !queue.is_empty() {
            // A full socket has rung already; a closed one has nobody left to hear it.
            let _ = (&self.bell).write(&[0]);
        }
    }
}

struct Waiting {
    future: Py<PyAny>,
    abort: AbortHandle,
}

struct Inner {
    ear: UnixStream,
    jobs: mpsc::UnboundedSender<Job>,
    finished: Arc<Finished>,
}

/// Calls under way on behalf of one event loop.
#[pyclass(frozen, module = "tminus._native")]
pub(crate) struct Completions {
    inner: Owned<Inner>,
    create_future: Py<PyAny>,
    /// The next ticket, and who waits for which. Only touched under the interpreter lock.
    waiting: Mutex<(u64, HashMap<u64, Waiting>)>,
}

#[pymethods]
impl Completions {
    #[new]
    fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (ear, bell) = UnixStream::pair()?;
        ear.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        let finished = Arc::new(Finished { queue: Mutex::default(), bell });
        let (jobs, inbox) = mpsc::unbounded_channel();
        tminus::runtime::handle("start").map_err(raise)?.spawn(drive(inbox, Arc::clone(&finished)));
        Ok(Self {
            inner: Owned::new(Inner { ear, jobs, finished }),
            create_future: event_loop.getattr("create_future")?.unbind(),
            waiting: Mutex::default(),
        })
    }

    /// The descriptor that becomes readable when `drain` has something to do.
    fn fileno(&self) -> PyResult<i32> {
        Ok(self.inner.get("drain")?.ear.as_raw_fd())
    }

    /// Resolves the futures of everything that completed.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        let inner = self.inner.get("drain")?;
        let _ = (&inner.ear).read(&mut [0; 16]);
        let batch = std::mem::take(&mut *lock(&inner.finished.queue));
        for Completion { ticket, result } in batch {
            let Some(Waiting { future, .. }) = lock(&self.waiting).1.remove(&ticket) else { continue };
            let future = future.bind(py);
            if future.call_method0(intern!(py, "done"))?.is_truthy()? {
                continue;
            }
            match result.map(|reply| reply.into_python(py)) {
                Ok(Ok(value)) => future.call_method1(intern!(py, "set_result"), (value,))?,
                Ok(Err(failed)) => future.call_method1(intern!(py, "set_exception"), (failed,))?,
                Err(error) => {
                    future.call_method1(intern!(py, "set_exception"), (to_exception(py, &error)?,))?
                }
            };
        }
        Ok(())
    }

    /// Drops a call that nobody waits for any more.
    fn abort(&self, ticket: u64) {
        if let Some(waiting) = lock(&self.waiting).1.remove(&ticket) {
            waiting.abort.abort();
        }
    }
}

impl Completions {
    /// Hands a call to the driver; returns its ticket and the future that `drain` will resolve.
    pub(crate) fn submit<'py>(
        &self,
        py: Python<'py>,
        call: impl Future<Output = Result<Box<dyn Reply>>> + Send + 'static,
    ) -> PyResult<(u64, Bound<'py, PyAny>)> {
        let inner = self.inner.get("submit")?;
        let future = self.create_future.bind(py).call0()?;
        let (abort, registration) = AbortHandle::new_pair();
        let ticket = {
            let (next, waiting) = &mut *lock(&self.waiting);
            *next += 1;
            waiting.insert(*next, Waiting { future: future.clone().unbind(), abort });
            *next
        };
        // A panic must not take the driver with it, and every other call's answer.
        let call = Abortable::new(AssertUnwindSafe(call).catch_unwind(), registration);
        let job: Job = Box::pin(async move {
            let result = call.await.ok()?.unwrap_or_else(|_| Err(defect()));
            Some(Completion { ticket, result })
        });
        inner.jobs.send(job).map_err(|_| PyOSError::new_err("the completion driver has stopped"))?;
        Ok((ticket, future))
    }
}

/// Drives all calls of one loop; ends with its [`Completions`].
async fn drive(mut inbox: mpsc::UnboundedReceiver<Job>, finished: Arc<Finished>) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            job = inbox.recv() => {
                let Some(job) = job else { return };
                running.push(job);
                while let Ok(job) = inbox.try_recv() {
                    running.push(job);
                }
            }
            Some(first) = running.next(), if !running.is_empty() => {
                let mut batch = vec![first];
                while let Some(Some(completion)) = running.next().now_or_never() {
                    batch.push(completion);
                }
                finished.push(batch.into_iter().flatten());
            }
        }
    }
}

fn defect() -> Error {
    Error::new(ErrorKind::Internal, "call", "the call panicked; this is a defect of tminus, please report it")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
