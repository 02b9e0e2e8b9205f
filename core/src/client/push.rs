//! The consuming side of a client that calls its listeners, whatever the protocol of its endpoint.

use super::consume::{Consumer, Membership, check_options, check_subscription};
use super::delivery::Deliveries;
use super::{grpc, http};
use crate::error::Result;
use crate::message::MessageQueue;
use crate::options::{FilterExpression, Protocol, PushConsumerOptions};

/// A push consumer of one protocol. Dropped without a shutdown it ends at once.
pub(crate) enum PushClient {
    Remoting(Membership),
    Grpc(grpc::Push),
    Http(http::Push),
}

impl PushClient {
    /// Checks the options, connects and takes the first share of queues.
    ///
    /// # Errors
    /// `InvalidArgument`; those of the protocol's start.
    pub(crate) async fn start(options: PushConsumerOptions) -> Result<(Self, Deliveries)> {
        check_options(&options)?;
        Ok(match options.client.endpoint.protocol {
            Protocol::Remoting => {
                let (membership, deliveries) = Consumer::start(options).await?;
                (Self::Remoting(membership), deliveries)
            }
            Protocol::Grpc => {
                let (push, deliveries) = grpc::Push::start(options).await?;
                (Self::Grpc(push), deliveries)
            }
            Protocol::Http => {
                let (push, deliveries) = http::Push::start(options).await?;
                (Self::Http(push), deliveries)
            }
        })
    }

    /// Adds or replaces a subscription.
    pub(crate) async fn subscribe(&self, topic: &str, filter: &FilterExpression) -> Result<()> {
        check_subscription(topic, filter)?;
        match self {
            Self::Remoting(consumer) => consumer.subscribe(topic, filter).await,
            Self::Grpc(push) => push.subscribe(topic, filter).await,
            Self::Http(push) => push.subscribe(topic, filter),
        }
    }

    /// Ends a subscription.
    pub(crate) async fn unsubscribe(&self, topic: &str) -> Result<()> {
        match self {
            Self::Remoting(consumer) => consumer.unsubscribe(topic).await,
            Self::Grpc(push) => push.unsubscribe(topic).await,
            Self::Http(push) => push.unsubscribe(topic),
        }
    }

    /// Stops asking for messages, or goes on.
    pub(crate) fn suspend(&self, suspended: bool) {
        match self {
            Self::Remoting(consumer) => consumer.suspend(suspended),
            Self::Grpc(push) => push.suspend(suspended),
            Self::Http(push) => push.suspend(suspended),
        }
    }

    /// Queues this consumer holds now, under the names the user knows.
    pub(crate) fn assigned_queues(&self) -> Vec<MessageQueue> {
        match self {
            Self::Remoting(consumer) => consumer.assigned_queues(),
            Self::Grpc(push) => push.assigned_queues(),
            Self::Http(push) => push.assigned_queues(),
        }
    }

    /// Runs `task` until the consumer ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Remoting(consumer) => consumer.spawn(task),
            Self::Grpc(push) => push.spawn(task),
            Self::Http(push) => push.spawn(task),
        }
    }

    /// The client id in use.
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::Remoting(consumer) => consumer.client_id(),
            Self::Grpc(push) => push.client_id(),
            Self::Http(push) => push.client_id(),
        }
    }

    /// Stops, waits for running handlers, tells the servers and signs off. Idempotent.
    pub(crate) async fn shutdown(&self) {
        match self {
            Self::Remoting(consumer) => consumer.shutdown().await,
            Self::Grpc(push) => push.shutdown().await,
            Self::Http(push) => push.shutdown().await,
        }
    }
}
