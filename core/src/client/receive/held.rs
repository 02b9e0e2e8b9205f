//! One message on the shelf.

use std::sync::Arc;
use std::time::Instant;

use crate::client::simple::{ReceiptHandle, Received};
use crate::message::MessageView;

/// A message that was received and not settled yet.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) receipt: ReceiptHandle,
    pub(super) attempt: i32,
    pub(super) bytes: usize,
    pub(super) stage: Stage,
    /// When it is too late to begin with it: its handle expires, and the server delivers it again.
    pub(super) until: Option<Instant>,
    pub(super) ordered: Option<Ordered>,
}

/// What keeping the order takes.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) line: Arc<str>,
    /// For its next delivery.
    pub(super) message: MessageView,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Another one of its line comes first.
    Behind,
    Ready,
    Taken(Instant),
    /// Not consumed; it comes again from here, or is given up.
    Resting,
    /// On its way to the dead letters.
    Leaving,
}

impl Held {
    /// A message that has to wait for its turn, and what a handler gets of it.
    pub(super) fn new(received: Received, until: Option<Instant>, fifo: bool) -> (Self, MessageView) {
        let Received { message, receipt, .. } = received;
        let ordered = fifo.then(|| Ordered { line: line_of(&message), message: message.clone() });
        let (attempt, bytes) = (message.delivery_attempt(), message.body.len());
        (Self { receipt, attempt, bytes, stage: Stage::Behind, until, ordered }, message)
    }
}

/// Messages of one line keep their order: those of a message group, or of a queue where there is none.
fn line_of(message: &MessageView) -> Arc<str> {
    let MessageView { topic, broker, queue_id, .. } = message;
    match message.message_group() {
        Some(group) => format!("{topic}\n{group}").into(),
        None => format!("{topic}\n\n{broker}\n{queue_id}").into(),
    }
}
