//! The receiving side of a client that acknowledges each message itself, whatever the protocol of its endpoint.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::message::{MessageView, check_group};
use crate::options::{FilterExpression, SimpleConsumerOptions};

/// What acknowledges a received message. Plain text, so that it may be kept, or handed to another consumer of the group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReceiptHandle {
    /// Topic the message was received from.
    pub topic: String,
    /// Broker that hid it.
    pub broker: String,
    /// The message's unique id.
    pub message_id: String,
    /// The server's handle, opaque. It ends with the invisible duration, and is replaced when that is changed.
    pub handle: String,
}

/// A received message: hidden from the group until it is acknowledged or its invisible duration ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The message.
    pub message: MessageView,
    /// What acknowledges it.
    pub receipt: ReceiptHandle,
    /// Whether the body is not what the producer sent: its digest does not fit, or it cannot be decompressed. Do not
    /// process it; unacknowledged it comes again.
    pub corrupted: bool,
}

/// A simple consumer of one protocol.
#[derive(Debug)]
pub(crate) enum SimpleClient {}

impl SimpleClient {
    /// Checks the options and connects.
    ///
    /// # Errors
    /// `InvalidArgument`; `Unsupported` over remoting; those of the protocol's start.
    pub(crate) async fn start(options: SimpleConsumerOptions) -> Result<Self> {
        check_group(&options.group)?;
        Err(options.client.endpoint.protocol.lacks("start", "simple consumer"))
    }

    pub(crate) async fn receive(
        &self,
        _max: usize,
        _invisible: Duration,
        _wait: Option<Duration>,
    ) -> Result<Vec<Received>> {
        match *self {}
    }

    /// One result a receipt, in their order.
    pub(crate) async fn ack(&self, _receipts: &[ReceiptHandle]) -> Vec<Result<(), Error>> {
        match *self {}
    }

    pub(crate) async fn change_invisible(
        &self,
        _receipt: &mut ReceiptHandle,
        _invisible: Duration,
    ) -> Result<()> {
        match *self {}
    }

    pub(crate) async fn subscribe(&self, _topic: &str, _filter: &FilterExpression) -> Result<()> {
        match *self {}
    }

    pub(crate) async fn unsubscribe(&self, _topic: &str) -> Result<()> {
        match *self {}
    }

    pub(crate) fn client_id(&self) -> &str {
        match *self {}
    }

    pub(crate) async fn shutdown(&self) {
        match *self {}
    }
}
