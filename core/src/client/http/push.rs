//! The push consumer.

use super::Service;
use crate::client::delivery::Deliveries;
use crate::error::Result;
use crate::message::MessageQueue;
use crate::options::{FilterExpression, Protocol, PushConsumerOptions};

/// A push consumer.
pub(crate) struct Push {
    service: Service,
}

impl Push {
    pub(crate) fn start(_: PushConsumerOptions) -> Result<(Self, Deliveries)> {
        Err(Protocol::Http.lacks("start", "push consumer"))
    }

    pub(crate) fn subscribe(&self, _: &str, _: &FilterExpression) -> Result<()> {
        Ok(())
    }

    pub(crate) fn unsubscribe(&self, _: &str) -> Result<()> {
        Ok(())
    }

    pub(crate) fn suspend(&self, _: bool) {}

    pub(crate) fn assigned_queues(&self) -> Vec<MessageQueue> {
        Vec::new()
    }

    pub(crate) fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {}

    pub(crate) fn client_id(&self) -> &str {
        self.service.address()
    }

    pub(crate) async fn shutdown(&self) {
        self.service.shutdown().await;
    }
}
