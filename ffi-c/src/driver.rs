//! Drives submitted operations without a task each. The thread that submits polls first, so that a send is on its way when
//! the submit returns; after that one task per queue polls what was woken: many answers that arrive together wake it
//! once and are posted together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use tminus_core::{Outcome, ReceiptHandle, Result, SendReceipt};
use tokio::sync::Notify;

use crate::batch::Batch;
use crate::boundary::{cancelled, lock, panicked};
use crate::queue::Shared;

/// What an operation brings when it succeeds.
pub(crate) enum Payload {
    /// That it succeeded.
    Nothing,
    Sent(SendReceipt),
    Batch(Batch),
    /// Receipts with a result each.
    Handles(Vec<ReceiptHandle>, Vec<Result<()>>),
}

/// The kind of an operation: its name in errors and what a cancellation leaves open.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Send,
    Receive,
    Checks,
    EndTransaction,
    Ack,
    ChangeInvisible,
}

impl Kind {
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Kind::Send => "send",
            Kind::Receive => "receive",
            Kind::Checks => "receive checks",
            Kind::EndTransaction => "end transaction",
            Kind::Ack => "ack",
            Kind::ChangeInvisible => "change invisible",
        }
    }

    /// What is known when it is cancelled: all but the receives may have had their effect.
    pub(crate) fn interrupted(self) -> Outcome {
        match self {
            Kind::Receive | Kind::Checks => Outcome::NotSent,
            Kind::Send | Kind::EndTransaction | Kind::Ack | Kind::ChangeInvisible => Outcome::MaybeSent,
        }
    }
}

pub(crate) type Work = Pin<Box<dyn Future<Output = Result<Payload>> + Send>>;

/// An operation that has ended.
pub(crate) struct Finished {
    pub(crate) id: u64,
    pub(crate) user_data: u64,
    pub(crate) kind: Kind,
    pub(crate) result: Result<Payload>,
}

/// Waits to be woken.
const IDLE: u8 = 0;
/// Is in the driver's list.
const WOKEN: u8 = 1;
/// Is being polled.
const POLLED: u8 = 2;
/// Is being polled, and was woken meanwhile.
const POLLED_AND_WOKEN: u8 = 3;
/// Has ended.
const ENDED: u8 = 4;

/// An accepted operation.
pub(crate) struct Operation {
    id: u64,
    user_data: u64,
    kind: Kind,
    queue: Arc<Shared>,
    state: AtomicU8,
    cancelled: AtomicBool,
    /// Locked by the one who polls only.
    work: Mutex<Option<Work>>,
}

impl Operation {
    pub(crate) fn new(id: u64, user_data: u64, kind: Kind, queue: Arc<Shared>, work: Work) -> Arc<Self> {
        let (state, cancelled) = (AtomicU8::new(POLLED), AtomicBool::new(false));
        Arc::new(Self { id, user_data, kind, queue, state, cancelled, work: Mutex::new(Some(work)) })
    }

    /// Polls; tells how the operation ended, if it did.
    pub(crate) fn poll(self: Arc<Self>) -> Option<Finished> {
        self.state.swap(POLLED, Ordering::AcqRel);
        let waker = Waker::from(self.clone());
        let mut work = lock(&self.work);
        let polled = catch_unwind(AssertUnwindSafe(|| match work.as_mut() {
            Some(work) => work.as_mut().poll(&mut Context::from_waker(&waker)),
            None => Poll::Pending,
        }));
        let operation = self.kind.operation();
        let result = match polled {
            Ok(Poll::Ready(result)) => result,
            Err(panic) => Err(panicked(operation, &*panic)),
            Ok(Poll::Pending) if self.cancelled.load(Ordering::Acquire) => {
                Err(cancelled(operation, self.kind.interrupted()))
            }
            Ok(Poll::Pending) => {
                drop(work);
                let idle = self.state.compare_exchange(POLLED, IDLE, Ordering::AcqRel, Ordering::Acquire);
                if idle.is_err() {
                    self.state.swap(WOKEN, Ordering::AcqRel);
                    self.queue.driver.push(self.clone());
                }
                return None;
            }
        };
        let ended = work.take();
        drop(work);
        self.state.store(ENDED, Ordering::Release);
        // What a future does when it is dropped is its own affair, but it must not stop the driver.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(ended)));
        Some(Finished { id: self.id, user_data: self.user_data, kind: self.kind, result })
    }

    /// Lets the next poll end the operation, unless that poll brings its result.
    pub(crate) fn cancel(self: &Arc<Self>) {
        self.cancelled.store(true, Ordering::Release);
        self.wake_by_ref();
    }
}

impl Wake for Operation {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Writes even where nothing changes, so that the next poll sees all that was done before this wake.
        let woken = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| match state {
            IDLE => Some(WOKEN),
            POLLED => Some(POLLED_AND_WOKEN),
            ENDED => None,
            same => Some(same),
        });
        if woken == Ok(IDLE) {
            self.queue.driver.push(self.clone());
        }
    }
}

/// What was woken and wants to be polled.
#[derive(Default)]
pub(crate) struct Driver {
    woken: Mutex<Vec<Arc<Operation>>>,
    notify: Notify,
}

impl Driver {
    fn push(&self, operation: Arc<Operation>) {
        let mut woken = lock(&self.woken);
        woken.push(operation);
        let first = woken.len() == 1;
        drop(woken);
        if first {
            self.notify();
        }
    }

    /// Lets the driver look around.
    pub(crate) fn notify(&self) {
        self.notify.notify_one();
    }
}

/// Runs until the queue is shut down and everything accepted has been posted.
pub(crate) async fn run(queue: Arc<Shared>) {
    let mut woken = Vec::new();
    let mut finished = Vec::new();
    while !queue.is_finished() {
        queue.driver.notify.notified().await;
        std::mem::swap(&mut woken, &mut *lock(&queue.driver.woken));
        finished.extend(woken.drain(..).filter_map(Operation::poll));
        queue.post(&mut finished);
    }
}
