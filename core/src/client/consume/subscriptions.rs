//! What a consumer group is subscribed to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codec::remoting::body::SubscriptionData;
use crate::error::{Error, ErrorKind, Result};
use crate::message::check_topic;
use crate::options::FilterExpression;

/// Refuses what no server takes.
///
/// # Errors
/// `InvalidArgument` for an illegal topic or an empty SQL92 expression.
pub(in crate::client) fn check(topic: &str, filter: &FilterExpression) -> Result<()> {
    let invalid = |text: String| Error::new(ErrorKind::InvalidArgument, "subscribe", text);
    check_topic(topic).map_err(|error| invalid(error.text().to_owned()))?;
    match filter {
        FilterExpression::Sql92(text) if text.trim().is_empty() => Err(invalid(format!(
            "the SQL92 expression for topic {topic:?} is empty; subscribe by tag \"*\" for all"
        ))),
        _ => Ok(()),
    }
}

/// Subscriptions by topic, as the server knows the topic.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Mutex<BTreeMap<String, Arc<SubscriptionData>>>);

impl Subscriptions {
    /// Adds or replaces the subscription of `topic`; its version is `now_ms`, or more if the old one had that.
    pub(super) fn add(&self, topic: &str, filter: &FilterExpression, now_ms: i64) {
        let mut all = self.lock();
        let version = all.get(topic).map_or(now_ms, |old| now_ms.max(old.sub_version + 1));
        let data = match filter {
            FilterExpression::Tag(tags) => SubscriptionData::tags(topic, tags, version),
            FilterExpression::Sql92(text) => SubscriptionData::sql92(topic, text, version),
        };
        all.insert(topic.to_owned(), Arc::new(data));
    }

    pub(super) fn remove(&self, topic: &str) {
        self.lock().remove(topic);
    }

    pub(super) fn get(&self, topic: &str) -> Option<Arc<SubscriptionData>> {
        self.lock().get(topic).cloned()
    }

    pub(super) fn topics(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// All of them, for the heartbeat.
    pub(super) fn all(&self) -> Vec<SubscriptionData> {
        self.lock().values().map(|data| (**data).clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<SubscriptionData>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_subscription_has_a_higher_version() {
        let all = Subscriptions::default();
        all.add("T", &FilterExpression::Tag("a || b".into()), 5);
        all.add("T", &FilterExpression::Sql92("x > 1".into()), 5);
        let data = all.get("T").unwrap();
        assert_eq!((data.sub_version, data.expression_type.as_str()), (6, "SQL92"));
        all.remove("T");
        assert!(all.topics().is_empty());
    }
}
