//! Settings: what a client says of itself, and what the servers make of it.

use std::time::Duration;

use crate::codec::grpc::proto::retry_policy::Strategy;
use crate::codec::grpc::proto::settings::PubSub;
use crate::codec::grpc::proto::{
    ClientType, ExponentialBackoff, FilterExpression as WireFilter, FilterType, Publishing, Resource,
    RetryPolicy, Settings, Subscription, SubscriptionEntry,
};
use crate::codec::grpc::time::{duration, from_duration};
use crate::message::MAX_BODY_BYTES;
use crate::options::FilterExpression;

/// Topics and filters of a consumer.
pub(crate) type Subscriptions = Vec<(String, FilterExpression)>;

/// What kind of client this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    Producer { max_attempts: i32 },
    PushConsumer { group: String, fifo: bool, subscriptions: Subscriptions },
    SimpleConsumer { group: String, subscriptions: Subscriptions },
}

impl Role {
    pub(super) fn client_type(&self) -> ClientType {
        match self {
            Self::Producer { .. } => ClientType::Producer,
            Self::PushConsumer { .. } => ClientType::PushConsumer,
            Self::SimpleConsumer { .. } => ClientType::SimpleConsumer,
        }
    }

    /// The consumer group.
    pub(super) fn group(&self) -> Option<&str> {
        match self {
            Self::Producer { .. } => None,
            Self::PushConsumer { group, .. } | Self::SimpleConsumer { group, .. } => Some(group),
        }
    }

    pub(super) fn subscriptions_mut(&mut self) -> Option<&mut Subscriptions> {
        match self {
            Self::Producer { .. } => None,
            Self::PushConsumer { subscriptions, .. } | Self::SimpleConsumer { subscriptions, .. } => {
                Some(subscriptions)
            }
        }
    }

    /// What `settings` say of this role; `topics`: those a producer sends to; `resource` names topics and groups as
    /// servers know them.
    pub(super) fn describe(
        &self,
        settings: &mut Settings,
        topics: impl Iterator<Item = Resource>,
        resource: impl Fn(&str) -> Resource,
    ) {
        settings.client_type = Some(self.client_type().into());
        let subscription = |group: &str, fifo, subscriptions: &Subscriptions| Subscription {
            group: Some(resource(group)),
            fifo,
            subscriptions: subscriptions
                .iter()
                .map(|(topic, filter)| SubscriptionEntry {
                    topic: Some(resource(topic)),
                    expression: Some(wire_filter(filter)),
                })
                .collect(),
            ..Subscription::default()
        };
        settings.pub_sub = Some(match self {
            Self::Producer { max_attempts } => {
                settings.backoff_policy = Some(Agreed::default().backoff.policy(*max_attempts));
                PubSub::Publishing(Publishing {
                    topics: topics.collect(),
                    max_body_size: MAX_BODY_BYTES as i32,
                    validate_message_type: true,
                })
            }
            Self::PushConsumer { group, fifo, subscriptions } => {
                PubSub::Subscription(subscription(group, Some(*fifo), subscriptions))
            }
            Self::SimpleConsumer { group, subscriptions } => {
                PubSub::Subscription(subscription(group, None, subscriptions))
            }
        });
    }
}

/// A filter for the wire.
pub(crate) fn wire_filter(filter: &FilterExpression) -> WireFilter {
    let (kind, expression) = match filter {
        FilterExpression::Tag(expression) => (FilterType::Tag, expression),
        FilterExpression::Sql92(expression) => (FilterType::Sql, expression),
    };
    WireFilter { r#type: kind.into(), expression: expression.clone() }
}

/// How long to wait before something is tried again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Backoff {
    Exponential {
        initial: Duration,
        max: Duration,
        multiplier: f32,
    },
    /// The last one repeats.
    Steps(Vec<Duration>),
}

impl Backoff {
    /// The pause before attempt `attempt + 1`; attempts count from 1.
    pub(crate) fn after(&self, attempt: i32) -> Duration {
        let steps = attempt.max(1) - 1;
        match self {
            Self::Exponential { initial, max, multiplier } => {
                let pause = initial.as_secs_f64() * f64::from(*multiplier).max(0.0).powi(steps);
                Duration::try_from_secs_f64(pause).unwrap_or(*max).min(*max)
            }
            Self::Steps(pauses) => pauses.get(steps as usize).or(pauses.last()).copied().unwrap_or_default(),
        }
    }

    fn policy(&self, max_attempts: i32) -> RetryPolicy {
        let strategy = match self {
            Self::Exponential { initial, max, multiplier } => {
                Some(Strategy::ExponentialBackoff(ExponentialBackoff {
                    initial: Some(duration(*initial)),
                    max: Some(duration(*max)),
                    multiplier: *multiplier,
                }))
            }
            Self::Steps(_) => None,
        };
        RetryPolicy { max_attempts, strategy }
    }
}

/// What the servers' settings say, merged; before any came, what servers say by default.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agreed {
    pub(crate) backoff: Backoff,
    /// Deliveries of a message before it becomes a dead letter. A producer keeps its own number.
    pub(crate) max_attempts: i32,
    pub(crate) max_body_bytes: usize,
    /// Whether messages have to be of a type that their topic takes.
    pub(crate) validate_types: bool,
    /// Whether the consumer group keeps the order of message groups.
    pub(crate) fifo: bool,
    pub(crate) receive_batch: i32,
    pub(crate) long_poll: Duration,
}

impl Default for Agreed {
    fn default() -> Self {
        Self {
            backoff: Backoff::Exponential {
                initial: Duration::from_millis(10),
                max: Duration::from_secs(1),
                multiplier: 2.0,
            },
            max_attempts: 17,
            max_body_bytes: MAX_BODY_BYTES,
            validate_types: true,
            fifo: false,
            receive_batch: 32,
            long_poll: Duration::from_secs(20),
        }
    }
}

impl Agreed {
    /// Takes over what `settings` say; whether that changed anything.
    pub(super) fn merge(&mut self, settings: &Settings) -> bool {
        let before = self.clone();
        if let Some(policy) = &settings.backoff_policy {
            self.max_attempts = policy.max_attempts;
            match &policy.strategy {
                Some(Strategy::ExponentialBackoff(exponential)) => {
                    let read = |time: &Option<_>| time.as_ref().map(from_duration).unwrap_or_default();
                    self.backoff = Backoff::Exponential {
                        initial: read(&exponential.initial),
                        max: read(&exponential.max),
                        multiplier: exponential.multiplier,
                    };
                }
                Some(Strategy::CustomizedBackoff(customized)) if !customized.next.is_empty() => {
                    self.backoff = Backoff::Steps(customized.next.iter().map(from_duration).collect());
                }
                _ => {}
            }
        }
        match &settings.pub_sub {
            Some(PubSub::Publishing(publishing)) => {
                if let Ok(bytes @ 1..) = usize::try_from(publishing.max_body_size) {
                    self.max_body_bytes = bytes;
                }
                self.validate_types = publishing.validate_message_type;
            }
            Some(PubSub::Subscription(subscription)) => {
                self.fifo = subscription.fifo.unwrap_or(self.fifo);
                self.receive_batch =
                    subscription.receive_batch_size.filter(|size| *size > 0).unwrap_or(self.receive_batch);
                let long_poll = subscription.long_polling_timeout.as_ref().map(from_duration);
                self.long_poll = long_poll.filter(|time| !time.is_zero()).unwrap_or(self.long_poll);
            }
            None => {}
        }
        *self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit() {
        let default = Agreed::default().backoff;
        let ms = |attempt| default.after(attempt).as_millis();
        assert_eq!([ms(0), ms(1), ms(2), ms(3), ms(8), ms(i32::MAX)], [10, 10, 20, 40, 1000, 1000]);
        let steps = Backoff::Steps(vec![Duration::from_secs(1), Duration::from_secs(5)]);
        assert_eq!([steps.after(1), steps.after(2), steps.after(9)].map(|d| d.as_secs()), [1, 5, 5]);
        assert_eq!(Backoff::Steps(Vec::new()).after(3), Duration::ZERO);
    }

    #[test]
    fn nonsense_from_a_server_changes_nothing() {
        let mut agreed = Agreed::default();
        let publishing =
            Publishing { max_body_size: -1, validate_message_type: true, ..Publishing::default() };
        let settings = Settings { pub_sub: Some(PubSub::Publishing(publishing)), ..Settings::default() };
        assert!(!agreed.merge(&settings));
        let subscription = Subscription { receive_batch_size: Some(0), ..Subscription::default() };
        let settings = Settings { pub_sub: Some(PubSub::Subscription(subscription)), ..Settings::default() };
        assert!(!agreed.merge(&settings));
        assert_eq!(agreed, Agreed::default());
    }
}
