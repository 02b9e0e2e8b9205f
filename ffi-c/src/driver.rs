//! Drives all operations of one completion queue as one task: many answers that arrive together wake it once and are
//! posted together.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tminus_core::{Delivery, Outcome, Result, SendReceipt};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::boundary::{cancelled, panicked};
use crate::queue::Shared;

/// What an operation brings when it succeeds.
pub(crate) enum Payload {
    Sent(SendReceipt),
    Received(Vec<Delivery>),
}

/// The kind of an operation: its name in errors and what a cancellation leaves open.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Send,
    Receive,
}

impl Kind {
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Kind::Send => "send",
            Kind::Receive => "receive",
        }
    }

    fn interrupted(self) -> Outcome {
        match self {
            Kind::Send => Outcome::MaybeSent,
            Kind::Receive => Outcome::NotSent,
        }
    }
}

/// An accepted operation.
pub(crate) struct Operation {
    pub(crate) id: u64,
    pub(crate) user_data: u64,
    pub(crate) kind: Kind,
    pub(crate) work: BoxFuture<'static, Result<Payload>>,
}

/// An operation that has ended.
pub(crate) struct Finished {
    pub(crate) id: u64,
    pub(crate) user_data: u64,
    pub(crate) kind: Kind,
    pub(crate) result: Result<Payload>,
}

pub(crate) enum Command {
    Start(Operation),
    Cancel(u64),
    /// Cancels what runs and what is still to come, and ends when nothing accepted is left.
    Shutdown,
}

/// An operation under way.
struct Running {
    id: u64,
    user_data: u64,
    kind: Kind,
    begun: bool,
    work: Abortable<BoxFuture<'static, Result<Payload>>>,
}

impl Future for Running {
    type Output = Finished;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Finished> {
        let operation = self.kind.operation();
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.work).poll(cx)));
        let result = match polled {
            Ok(Poll::Pending) => {
                self.begun = true;
                return Poll::Pending;
            }
            Ok(Poll::Ready(Ok(result))) => result,
            Ok(Poll::Ready(Err(_aborted))) => {
                Err(cancelled(operation, if self.begun { self.kind.interrupted() } else { Outcome::NotSent }))
            }
            Err(panic) => Err(panicked(operation, &*panic as &(dyn Any + Send))),
        };
        Poll::Ready(Finished { id: self.id, user_data: self.user_data, kind: self.kind, result })
    }
}

/// Runs until the queue is shut down and everything accepted has been posted.
pub(crate) async fn run(mut commands: UnboundedReceiver<Command>, shared: Arc<Shared>) {
    let mut running = FuturesUnordered::new();
    let mut aborts: HashMap<u64, AbortHandle> = HashMap::new();
    let mut inbox = Vec::new();
    let mut finished = Vec::new();
    let mut closing = false;
    std::future::poll_fn(|cx| {
        loop {
            match commands.poll_recv_many(cx, &mut inbox, 256) {
                Poll::Pending => break,
                Poll::Ready(0) => {
                    closing = true;
                    break;
                }
                Poll::Ready(_) => {}
            }
            for command in inbox.drain(..) {
                match command {
                    Command::Start(Operation { id, user_data, kind, work }) => {
                        let (abort, registration) = AbortHandle::new_pair();
                        if closing {
                            abort.abort();
                        }
                        aborts.insert(id, abort);
                        let work = Abortable::new(work, registration);
                        running.push(Running { id, user_data, kind, begun: false, work });
                    }
                    Command::Cancel(id) => {
                        if let Some(abort) = aborts.get(&id) {
                            abort.abort();
                        }
                    }
                    Command::Shutdown => {
                        closing = true;
                        aborts.values().for_each(AbortHandle::abort);
                    }
                }
            }
        }
        while let Poll::Ready(Some(done)) = running.poll_next_unpin(cx) {
            let done: Finished = done;
            aborts.remove(&done.id);
            finished.push(done);
        }
        let outstanding = shared.post(&mut finished);
        if closing && outstanding == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
