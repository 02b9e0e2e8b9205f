//! How a Python thread waits for the core, and how an event loop is answered.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tminus::Result;

use crate::aio::Completions;
use crate::errors::raise;
use crate::reply::Reply;

/// How often the main thread looks for signals while it waits: Ctrl-C ends a call within this time.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// Wakes the one thread that waits in [`enter`].
struct Parked {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs `future` to its end on this thread, without the interpreter lock.
///
/// The future is polled right here rather than spawned, so that an answer needs one thread switch. A signal whose
/// handler raises (Ctrl-C) drops the future and is raised.
pub(crate) fn enter<T: Send>(
    py: Python<'_>,
    operation: &'static str,
    future: impl Future<Output = Result<T>> + Send,
) -> PyResult<T> {
    let _context = tminus::runtime::handle(operation).map_err(raise)?.enter();
    let parked = Arc::new(Parked { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&parked));
    let mut future = pin!(future);
    let mut slice = Some(SIGNAL_CHECK);
    loop {
        let polled = py.detach(|| {
            let mut context = Context::from_waker(&waker);
            loop {
                if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                    return Poll::Ready(result);
                }
                match slice {
                    Some(slice) => thread::park_timeout(slice),
                    None => thread::park(),
                }
                if !parked.woken.swap(false, Ordering::AcqRel) {
                    return Poll::Pending;
                }
            }
        });
        match polled {
            Poll::Ready(result) => return result.map_err(raise),
            // Only the main thread runs signal handlers; the others sleep on.
            Poll::Pending if is_main_thread(py)? => py.check_signals()?,
            Poll::Pending => slice = None,
        }
    }
}

/// Runs `future` for a blocking caller, or hands it to the event loop behind `completions` and returns a ticket and an
/// `asyncio.Future`.
pub(crate) fn run<'py, T: Reply + 'static>(
    py: Python<'py>,
    completions: Option<&Completions>,
    operation: &'static str,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    match completions {
        Some(completions) => {
            let ticket =
                completions.submit(py, async move { Ok(Box::new(future.await?) as Box<dyn Reply>) })?;
            ticket.into_pyobject(py).map(Bound::into_any)
        }
        None => Box::new(enter(py, operation, future)?).into_python(py),
    }
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    static MAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let main = MAIN.import(py, "threading", "main_thread")?.call0()?;
    let current = CURRENT.import(py, "threading", "get_ident")?.call0()?;
    main.getattr("ident")?.eq(current)
}
