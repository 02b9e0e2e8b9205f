//! The sending side.

use std::time::Duration;

use async_channel::Sender as Questions;

use super::Service;
use crate::client::transaction::{TransactionCheck, TransactionResolution};
use crate::client::{SendReceipt, Target};
use crate::error::Result;
use crate::message::Message;
use crate::options::ProducerOptions;

/// Sends for one producer.
pub(crate) struct Sender {
    service: Service,
}

impl Sender {
    pub(crate) fn start(options: ProducerOptions, _: Questions<TransactionCheck>) -> Result<Self> {
        Ok(Self { service: Service::new(options.client)? })
    }

    pub(crate) async fn send_message(
        &self,
        message: Message,
        _: Target<'_>,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        self.service.publish(message, timeout).await
    }

    pub(crate) async fn send_half(&self, message: Message) -> Result<SendReceipt> {
        self.service.publish(message, None).await
    }

    pub(crate) async fn end_transaction(&self, _: &SendReceipt, to: TransactionResolution) -> Result<()> {
        self.service.end_transaction("", "", "", to).await
    }

    pub(crate) fn client_id(&self) -> &str {
        self.service.address()
    }

    pub(crate) async fn shutdown(&self) {
        self.service.shutdown().await;
    }
}
