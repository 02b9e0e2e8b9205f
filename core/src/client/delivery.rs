//! What handlers get: deliveries, and the duty to settle each.

use std::sync::{Arc, Weak};

use async_channel::Receiver;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::consume::ProcessQueue;
use super::receive::Shelf;
use crate::clock;
use crate::message::MessageView;
use crate::options::ConsumeResult;

/// Deliveries of one consumer. Ends when the consumer is shut down. May be shared by many tasks.
#[derive(Debug, Clone)]
pub struct Deliveries(Receiver<Pending>);

/// A delivered message that wants to be settled. Dropping it unsettled means `RetryLater`.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: MessageView,
    /// What settles it; take it out to keep the message longer than the settlement.
    pub settlement: Settlement,
}

/// The duty to settle one delivered message. Dropping it means `RetryLater`.
#[derive(Debug)]
pub struct Settlement(Option<Ticket>);

/// A message on its way to a handler. Dropping it settles nothing: it was not delivered.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) message: MessageView,
    pub(super) ticket: Ticket,
}

/// Where a result goes.
#[derive(Debug)]
pub(super) enum Ticket {
    /// To the queue it was pulled from, and to the settler unless it is a success.
    Queue { queue: Arc<ProcessQueue>, offset: i64, unsuccessful: UnboundedSender<Unsuccessful> },
    /// To the shelf it stands on.
    Shelf { shelf: Weak<Shelf>, key: u64 },
    /// To whoever waits for it: an orderly queue, or a server that had one message consumed directly.
    Direct { queue: Option<Arc<ProcessQueue>>, offset: i64, result: oneshot::Sender<ConsumeResult> },
}

/// A message that was not consumed with success.
#[derive(Debug)]
pub(super) struct Unsuccessful {
    pub(super) queue: Arc<ProcessQueue>,
    pub(super) offset: i64,
    pub(super) delay_level: i32,
}

/// Delay level that lets the broker choose.
pub(super) const BROKER_CHOOSES: i32 = 0;
/// Delay level that means the dead letter queue.
pub(super) const DEAD_LETTER: i32 = -1;

impl Deliveries {
    pub(super) fn new(receiver: Receiver<Pending>) -> Self {
        Self(receiver)
    }

    /// Waits for at least one delivery and takes up to `max`; empty when the consumer has ended. Cancel-safe: a
    /// dropped call takes nothing.
    pub async fn next(&self, max: usize) -> Vec<Delivery> {
        let mut taken = Vec::new();
        while taken.is_empty() {
            let Ok(first) = self.0.recv().await else { return taken };
            taken.extend(first.take());
            while taken.len() < max
                && let Ok(more) = self.0.try_recv()
            {
                taken.extend(more.take());
            }
        }
        taken
    }
}

impl Pending {
    /// The delivery; `None` if the message may not be handed out any more.
    fn take(self) -> Option<Delivery> {
        let allowed = match &self.ticket {
            Ticket::Queue { queue, offset, .. } | Ticket::Direct { queue: Some(queue), offset, .. } => {
                queue.take(*offset, clock::instant())
            }
            Ticket::Shelf { shelf, key } => {
                shelf.upgrade().is_some_and(|shelf| shelf.take(*key, clock::instant()))
            }
            Ticket::Direct { queue: None, .. } => true,
        };
        allowed.then_some(Delivery { message: self.message, settlement: Settlement(Some(self.ticket)) })
    }
}

impl Delivery {
    /// Says what became of the message; returns at once, the answer travels in the background.
    pub fn settle(self, result: ConsumeResult) {
        self.settlement.settle(result);
    }
}

impl Settlement {
    /// See [`Delivery::settle`].
    pub fn settle(mut self, result: ConsumeResult) {
        if let Some(ticket) = self.0.take() {
            ticket.settle(result);
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if let Some(ticket) = self.0.take() {
            ticket.settle(ConsumeResult::RetryLater);
        }
    }
}

impl Ticket {
    fn settle(self, result: ConsumeResult) {
        match self {
            Ticket::Direct { queue, offset, result: waiting } => {
                // At once: the one who waits may be gone at the end of the consumer.
                if let Some(queue) = queue {
                    match result {
                        ConsumeResult::Success => drop(queue.settle(offset)),
                        _ => queue.returned(offset),
                    }
                }
                let _ = waiting.send(result);
            }
            // Without a shelf the consumer has ended, and the message comes again.
            Ticket::Shelf { shelf, key } => {
                if let Some(shelf) = shelf.upgrade() {
                    shelf.settle(key, result);
                }
            }
            Ticket::Queue { queue, offset, unsuccessful } => {
                let delay_level = match result {
                    ConsumeResult::Success => {
                        queue.settle(offset);
                        return;
                    }
                    ConsumeResult::RetryLater => BROKER_CHOOSES,
                    ConsumeResult::RetryAfterLevel(level) => i32::from(level),
                    ConsumeResult::DeadLetter => DEAD_LETTER,
                };
                // After the end of the consumer the message stays unsettled and comes again.
                let _ = unsuccessful.send(Unsuccessful { queue, offset, delay_level });
            }
        }
    }
}
