//! What the engine needs of a protocol.

use std::time::{Duration, Instant};

use crate::client::simple::{ReceiptHandle, Received};
use crate::error::Result;
use crate::message::MessageQueue;

/// A protocol that hands messages out, hides them from the rest of the group meanwhile, and is told what became of each.
pub(crate) trait Source: Send + Sync + 'static {
    /// Takes up to `max` messages from `queue`, waiting for the first as long as the server allows. What came before a
    /// fault is in the first part all the same.
    fn receive(
        &self,
        queue: &MessageQueue,
        max: usize,
    ) -> impl Future<Output = (Vec<Received>, Result<()>)> + Send;

    /// When it is too late for a handler to begin with a message that came now, because its handle expires; `None` if it
    /// lasts as long as this client.
    fn until(&self, received: &Received) -> Option<Instant>;

    /// Acknowledges messages of one topic and broker; one result each, in their order.
    fn ack(&self, receipts: &[ReceiptHandle]) -> impl Future<Output = Vec<Result<()>>> + Send;

    /// Makes a message come again `after` from now. `untouched`: no handler had it, it counts no attempt if the server
    /// can tell the difference. `Unsupported` where messages come again by themselves only.
    fn hide(
        &self,
        receipt: &ReceiptHandle,
        after: Duration,
        untouched: bool,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Moves a message to the dead letter queue of the group. `Unsupported` where only the server does that: it comes again.
    fn give_up(&self, receipt: &ReceiptHandle, attempt: i32) -> impl Future<Output = Result<()>> + Send;

    /// How long after its delivery `attempt` (from 1) a message that was not consumed comes again; `None`: it was the
    /// last one, and the message becomes a dead letter.
    fn retry_after(&self, attempt: i32) -> Option<Duration>;
}
