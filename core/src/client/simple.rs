//! The receiving side of a client that acknowledges each message itself, whatever the protocol of its endpoint.

use std::time::Duration;

use super::consume::check_subscription;
use super::{grpc, http};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{MessageView, check_group};
use crate::options::{FilterExpression, Protocol, SimpleConsumerOptions};

/// A receive asks for no more; servers over gRPC hand out as many, ApsaraMQ HTTP half of that.
const LARGEST_BATCH: usize = 32;

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
    /// When the handle expires and the message comes again, Unix ms of the server, if it said so: over ApsaraMQ HTTP
    /// (`NextConsumeTime`), where the server chooses it.
    pub invisible_until_ms: Option<i64>,
    /// When the message was first delivered, Unix ms of the server: over ApsaraMQ HTTP (`FirstConsumeTime`; without
    /// meaning for messages received in order).
    pub first_delivered_ms: Option<i64>,
}

/// A simple consumer of one protocol.
pub(crate) enum SimpleClient {
    Grpc(grpc::Simple),
    Http(http::Simple),
}

impl SimpleClient {
    /// Checks the options and connects.
    ///
    /// # Errors
    /// `InvalidArgument`; `Unsupported` over remoting; those of the protocol's start.
    pub(crate) async fn start(options: SimpleConsumerOptions) -> Result<Self> {
        check_group(&options.group)?;
        options.subscriptions.iter().try_for_each(|(topic, filter)| check_subscription(topic, filter))?;
        match options.client.endpoint.protocol {
            Protocol::Remoting => Err(Protocol::Remoting.lacks("start", "simple consumer")),
            Protocol::Grpc => Ok(Self::Grpc(grpc::Simple::start(options).await?)),
            Protocol::Http => Ok(Self::Http(http::Simple::start(options).await?)),
        }
    }

    pub(crate) async fn receive(
        &self,
        max: usize,
        invisible: Duration,
        wait: Option<Duration>,
    ) -> Result<Vec<Received>> {
        if !(1..=LARGEST_BATCH).contains(&max) {
            let text = format!("max is {max}; receive 1 to {LARGEST_BATCH} messages");
            return Err(Error::new(ErrorKind::InvalidArgument, "receive", text));
        }
        match self {
            Self::Grpc(simple) => simple.receive(max, invisible, wait).await,
            Self::Http(simple) => simple.receive(max, invisible, wait).await,
        }
    }

    /// One result a receipt, in their order.
    pub(crate) async fn ack(&self, receipts: &[ReceiptHandle]) -> Vec<Result<()>> {
        match self {
            Self::Grpc(simple) => simple.ack(receipts).await,
            Self::Http(simple) => simple.ack(receipts).await,
        }
    }

    pub(crate) async fn change_invisible(
        &self,
        receipt: &mut ReceiptHandle,
        invisible: Duration,
    ) -> Result<()> {
        match self {
            Self::Grpc(simple) => simple.change_invisible(receipt, invisible).await,
            Self::Http(_) => {
                Err(Protocol::Http.lacks("change invisible duration", "way to change the invisible duration"))
            }
        }
    }

    pub(crate) async fn subscribe(&self, topic: &str, filter: &FilterExpression) -> Result<()> {
        check_subscription(topic, filter)?;
        match self {
            Self::Grpc(simple) => simple.subscribe(topic, filter).await,
            Self::Http(simple) => simple.subscribe(topic, filter).await,
        }
    }

    pub(crate) async fn unsubscribe(&self, topic: &str) -> Result<()> {
        match self {
            Self::Grpc(simple) => simple.unsubscribe(topic).await,
            Self::Http(simple) => simple.unsubscribe(topic).await,
        }
    }

    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::Grpc(simple) => simple.client_id(),
            Self::Http(simple) => simple.client_id(),
        }
    }

    pub(crate) async fn shutdown(&self) {
        match self {
            Self::Grpc(simple) => simple.shutdown().await,
            Self::Http(simple) => simple.shutdown().await,
        }
    }
}
