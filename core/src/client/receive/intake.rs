//! One task a queue: asks for messages whenever there is room for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::engine::Running;
use super::pause::pause;
use super::settler::{Settled, Work};
use super::source::Source;
use crate::client::simple::Received;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::message::MessageQueue;
use crate::options::ConsumeResult;

/// An empty answer within this was not held for new messages.
const NOT_HELD: Duration = Duration::from_millis(100);

/// Receives from `queue` until it is aborted.
pub(super) async fn run<S: Source>(engine: Arc<Running<S>>, queue: MessageQueue) {
    let mut faults = 0;
    loop {
        engine.not_suspended().await;
        let room = engine.shelf.room(engine.tuning.batch, engine.queues_assigned()).await;
        let begun = clock::instant();
        let (mut messages, result) = engine.source.receive(&queue, room.messages).await;
        let came = !messages.is_empty();
        messages.retain(|message| !engine.refuse_corrupted(message));
        engine.shelf.put(room, messages, |received| engine.source.until(received));
        let fault = match result {
            Err(error) => {
                engine.troubles.failed("messages could not be received", &queue, &error);
                error
            }
            Ok(()) => {
                engine.troubles.answered(&queue.broker);
                if came || clock::instant().duration_since(begun) >= NOT_HELD {
                    faults = 0;
                    continue;
                }
                // A server that answers at once instead of holding the request is not asked in a hot loop.
                Error::new(ErrorKind::Busy, "consume", "an empty answer came at once")
            }
        };
        faults = if came { 1 } else { faults + 1 };
        sleep(pause(&fault, faults)).await;
    }
}

impl<S: Source> Running<S> {
    /// A body that is not what the producer sent is not for handlers: it may come whole the next time, but a message
    /// that keeps its order cannot wait for that.
    fn refuse_corrupted(&self, received: &Received) -> bool {
        if !received.corrupted {
            return false;
        }
        let receipt = received.receipt.clone();
        tracing::error!(
            topic = receipt.topic,
            message_id = receipt.message_id,
            "the body of a message is corrupted; it is not delivered"
        );
        let result = if self.tuning.fifo { ConsumeResult::DeadLetter } else { ConsumeResult::RetryLater };
        let attempt = received.message.delivery_attempt();
        let _ = self.work.send(Work::Settled(Settled { receipt, attempt, result, key: None }));
        true
    }
}
