//! The calls of the protocol: publish, consume, acknowledge, end a transaction.

use std::time::Duration;

use crate::client::SendReceipt;
use crate::client::simple::Received;
use crate::client::transaction::TransactionResolution;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Message;
use crate::options::{ClientOptions, Protocol};

/// How to consume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConsumeMode {
    /// Any messages.
    #[default]
    Concurrent,
    /// In order: the next messages of a sharding key come when all that were delivered of it are acknowledged.
    Orderly,
    /// Half messages whose transactions are open.
    Half,
}

/// What to consume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConsume {
    /// Topic.
    pub topic: String,
    /// Consumer group; for half messages that of the producer.
    pub group: String,
    /// Tags separated by `||`; empty or `*`: all.
    pub tag: String,
    /// Default concurrent.
    pub mode: ConsumeMode,
    /// Messages, 1..=16.
    pub max: usize,
    /// How long the server waits for the first one: whole seconds, at most 30 s.
    pub wait: Duration,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumed {
    /// At least one message.
    pub messages: Vec<Received>,
    /// Id of the request, for the service's support; empty if the server gave none.
    pub request_id: String,
}

/// One client of a service.
pub(crate) struct Service {
    options: ClientOptions,
}

fn not_yet(operation: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, operation, "ApsaraMQ HTTP is not there yet")
}

impl Service {
    pub(crate) fn new(options: ClientOptions) -> Result<Self> {
        match options.endpoint.protocol {
            Protocol::Http => Ok(Self { options }),
            other => Err(other.lacks("start", "HTTP client")),
        }
    }

    pub(crate) fn address(&self) -> &str {
        self.options.endpoint.addresses.first().map_or("", String::as_str)
    }

    pub(crate) async fn publish(&self, _: Message, _: Option<Duration>) -> Result<SendReceipt> {
        Err(not_yet("send"))
    }

    pub(crate) async fn consume(&self, _: &HttpConsume) -> Result<Consumed> {
        Err(not_yet("receive"))
    }

    pub(crate) async fn ack(&self, _: &str, _: &str, _: &[String]) -> Result<Vec<Result<()>>> {
        Err(not_yet("ack"))
    }

    pub(crate) async fn end_transaction(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: TransactionResolution,
    ) -> Result<()> {
        Err(not_yet("end transaction"))
    }

    pub(crate) async fn shutdown(&self) {}
}
