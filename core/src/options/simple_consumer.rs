//! Settings of a simple consumer.

use std::time::Duration;

use super::{ClientOptions, FilterExpression};
use crate::error::Result;

/// How a simple consumer receives.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SimpleConsumerOptions {
    /// Connection settings.
    pub client: ClientOptions,
    /// Consumer group.
    pub group: String,
    /// Topics and filters; more can be subscribed after the start.
    pub subscriptions: Vec<(String, FilterExpression)>,
    /// How long a receive waits for a message when the call does not say. Default 15 s.
    pub await_duration: Duration,
    /// Receive in order: the next messages of a message group come when all that were delivered of it are acknowledged.
    /// Default false. Over ApsaraMQ HTTP every receive asks for it; over gRPC it is a property of the consumer group at the
    /// server: groups that keep it keep it anyway, and asking it of another one is refused.
    pub orderly: bool,
}

impl SimpleConsumerOptions {
    /// Options with defaults for `endpoint` and `group`.
    pub fn new(endpoint: &str, group: impl Into<String>) -> Result<Self> {
        Ok(Self::with_client(ClientOptions::new(endpoint)?, group))
    }

    /// Options with defaults over `client`.
    pub fn with_client(client: ClientOptions, group: impl Into<String>) -> Self {
        Self {
            client,
            group: group.into(),
            subscriptions: Vec::new(),
            await_duration: Duration::from_secs(15),
            orderly: false,
        }
    }

    /// Adds a subscription.
    pub fn subscribe(mut self, topic: impl Into<String>, filter: FilterExpression) -> Self {
        self.subscriptions.push((topic.into(), filter));
        self
    }
}
