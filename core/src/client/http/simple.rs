//! The simple consumer.

use std::time::Duration;

use super::Service;
use crate::client::simple::{ReceiptHandle, Received};
use crate::error::Result;
use crate::options::{FilterExpression, Protocol, SimpleConsumerOptions};

/// A simple consumer.
pub(crate) struct Simple {
    service: Service,
}

impl Simple {
    pub(crate) fn start(options: SimpleConsumerOptions) -> Result<Self> {
        Ok(Self { service: Service::new(options.client)? })
    }

    pub(crate) async fn receive(&self, _: usize, _: Duration, _: Option<Duration>) -> Result<Vec<Received>> {
        Err(Protocol::Http.lacks("receive", "simple consumer"))
    }

    pub(crate) async fn ack(&self, _: &[ReceiptHandle]) -> Vec<Result<()>> {
        Vec::new()
    }

    pub(crate) async fn subscribe(&self, _: &str, _: &FilterExpression) -> Result<()> {
        Ok(())
    }

    pub(crate) async fn unsubscribe(&self, _: &str) -> Result<()> {
        Ok(())
    }

    pub(crate) fn client_id(&self) -> &str {
        self.service.address()
    }

    pub(crate) async fn shutdown(&self) {
        self.service.shutdown().await;
    }
}
