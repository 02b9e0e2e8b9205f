//! What a consumer group is subscribed to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codec::remoting::body::SubscriptionData;
use crate::error::{Error, ErrorKind, Result};
use crate::options::FilterExpression;

/// Subscriptions by topic, as the server knows the topic.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Mutex<BTreeMap<String, Arc<SubscriptionData>>>);

impl Subscriptions {
    /// Adds or replaces the subscription of `topic`; its version is `now_ms`, or more if the old one had that.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty SQL92 expression.
    pub(super) fn add(&self, topic: &str, filter: &FilterExpression, now_ms: i64) -> Result<()> {
        let mut all = self.lock();
        let version = all.get(topic).map_or(now_ms, |old| now_ms.max(old.sub_version + 1));
        let data = match filter {
            FilterExpression::Tag(tags) => SubscriptionData::tags(topic, tags, version),
            FilterExpression::Sql92(text) if text.trim().is_empty() => {
                let text = format!(
                    "the SQL92 expression for topic {topic:?} is empty; subscribe by tag \"*\" for all"
                );
                return Err(Error::new(ErrorKind::InvalidArgument, "subscribe", text));
            }
            FilterExpression::Sql92(text) => SubscriptionData::sql92(topic, text, version),
        };
        all.insert(topic.to_owned(), Arc::new(data));
        Ok(())
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
        all.add("T", &FilterExpression::Tag("a || b".into()), 5).unwrap();
        all.add("T", &FilterExpression::Sql92("x > 1".into()), 5).unwrap();
        let data = all.get("T").unwrap();
        assert_eq!((data.sub_version, data.expression_type.as_str()), (6, "SQL92"));
        let error = all.add("T", &FilterExpression::Sql92(" ".into()), 5).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        all.remove("T");
        assert!(all.topics().is_empty());
    }
}
