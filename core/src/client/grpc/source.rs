//! What the engine of push consumers needs of the gRPC protocol.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::agent::Agent;
use super::receiver::{Receiver, SHORTEST_POLL, Wanted};
use super::settings::Agreed;
use crate::client::receive::Source;
use crate::client::simple::{ReceiptHandle, Received};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::message::MessageQueue;
use crate::options::{FilterExpression, PushConsumerOptions};
use crate::route::ProxyQueue;
use crate::transport::grpc::uuid;

/// An SQL92 expression that is not refused by now is one that the server could read.
const FILTER_CHECK: Duration = Duration::from_millis(100);

/// What the engine receives from and acknowledges to.
pub(crate) struct PushSource {
    pub(super) receiver: Receiver,
    settings: watch::Receiver<Agreed>,
    /// Deliveries that the options allow, if they say.
    max_attempts: Option<i32>,
    long_poll: Duration,
    group: String,
    state: Mutex<State>,
    /// Rung when a filter was refused.
    refused: Notify,
}

#[derive(Default)]
struct State {
    subscriptions: BTreeMap<String, Arc<FilterExpression>>,
    queues: HashMap<MessageQueue, Arc<ProxyQueue>>,
    /// The ids of receives whose answers got lost.
    lost: HashMap<MessageQueue, String>,
    /// Why the server cannot read the filter of a topic.
    unreadable: HashMap<String, String>,
}

impl PushSource {
    pub(super) fn new(agent: Arc<Agent>, options: &PushConsumerOptions) -> Self {
        let PushConsumerOptions { group, subscriptions, max_reconsume_times, long_poll, .. } = options;
        let subscriptions = subscriptions.iter().map(|(t, f)| (t.clone(), Arc::new(f.clone()))).collect();
        Self {
            settings: agent.settings(),
            receiver: Receiver::new(agent, group.clone()),
            max_attempts: max_reconsume_times.checked_add(1).filter(|attempts| *attempts > 0),
            long_poll: *long_poll,
            group: group.clone(),
            state: Mutex::new(State { subscriptions, ..State::default() }),
            refused: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    pub(super) fn topics(&self) -> Vec<String> {
        self.lock().subscriptions.keys().cloned().collect()
    }

    pub(super) fn subscriptions(&self) -> Vec<(String, FilterExpression)> {
        let subscriptions = &self.lock().subscriptions;
        subscriptions.iter().map(|(topic, filter)| (topic.clone(), (**filter).clone())).collect()
    }

    /// Sets or ends the subscription of `topic`; the earlier one, and whether that is a change.
    pub(super) fn set_filter(
        &self,
        topic: &str,
        filter: Option<Arc<FilterExpression>>,
    ) -> (Option<Arc<FilterExpression>>, bool) {
        let mut state = self.lock();
        state.unreadable.remove(topic);
        let changed = state.subscriptions.get(topic) != filter.as_ref();
        if changed {
            state.queues.retain(|queue, _| queue.topic != topic);
        }
        let before = match filter {
            Some(filter) => state.subscriptions.insert(topic.to_owned(), filter),
            None => state.subscriptions.remove(topic),
        };
        (before, changed)
    }

    /// Gives the server the time to refuse the SQL92 expression for `topic`, which it reads with the first receive.
    ///
    /// # Errors
    /// `InvalidArgument` if it does.
    pub(super) async fn check_filter(&self, operation: &'static str, topic: &str) -> Result<()> {
        let by_sql = self
            .lock()
            .subscriptions
            .get(topic)
            .is_some_and(|filter| matches!(**filter, FilterExpression::Sql92(_)));
        if !by_sql {
            return Ok(());
        }
        let refused = async {
            loop {
                let rung = self.refused.notified();
                if let Some(why) = self.lock().unreadable.get(topic) {
                    return Error::new(ErrorKind::InvalidArgument, operation, why);
                }
                rung.await;
            }
        };
        match timeout(FILTER_CHECK, refused).await {
            Ok(error) => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// Takes over the queues of `topic`; `false` if it is not subscribed to.
    pub(super) fn assign(&self, topic: &str, queues: HashMap<MessageQueue, Arc<ProxyQueue>>) -> bool {
        let mut state = self.lock();
        if !state.subscriptions.contains_key(topic) {
            return false;
        }
        state.queues.retain(|queue, _| queue.topic != topic);
        state.queues.extend(queues);
        true
    }

    fn max_attempts(&self) -> i32 {
        let servers = self.settings.borrow().max_attempts;
        self.max_attempts.map_or(servers, |own| own.min(servers))
    }
}

impl Source for PushSource {
    async fn receive(&self, queue: &MessageQueue, max: usize) -> (Vec<Received>, Result<()>) {
        let (assigned, filter, attempt_id) = {
            let mut state = self.lock();
            let attempt_id = state.lost.remove(queue).unwrap_or_else(uuid);
            match (state.queues.get(queue).cloned(), state.subscriptions.get(&queue.topic).cloned()) {
                (Some(assigned), Some(filter)) => (assigned, filter, attempt_id),
                _ => return (Vec::new(), Ok(())),
            }
        };
        let long_poll = self.long_poll.min(self.settings.borrow().long_poll).max(SHORTEST_POLL);
        let wanted = Wanted {
            topic: &queue.topic,
            queue: &assigned,
            filter: &filter,
            max,
            invisible: None,
            long_poll,
            attempt_id: attempt_id.clone(),
        };
        let (messages, result) = self.receiver.receive(wanted).await;
        match &result {
            Err(error) if error.outcome() == Outcome::MaybeSent => {
                self.lock().lost.insert(queue.clone(), attempt_id);
            }
            Err(error) if error.kind() == ErrorKind::InvalidArgument => {
                self.lock().unreadable.insert(queue.topic.clone(), error.text().to_owned());
                self.refused.notify_waiters();
            }
            _ => {}
        }
        (messages, result)
    }

    /// Proxies renew the handles of their push consumers.
    fn until(&self, _: &Received) -> Option<Instant> {
        None
    }

    async fn ack(&self, receipts: &[ReceiptHandle]) -> Vec<Result<()>> {
        self.receiver.ack(receipts).await
    }

    async fn hide(&self, receipt: &ReceiptHandle, after: Duration, untouched: bool) -> Result<()> {
        self.receiver.change_invisible(receipt, after, untouched).await.map(drop)
    }

    async fn give_up(&self, receipt: &ReceiptHandle, attempt: i32) -> Result<()> {
        self.receiver.give_up(receipt, attempt, self.max_attempts()).await
    }

    fn retry_after(&self, attempt: i32) -> Option<Duration> {
        (attempt < self.max_attempts()).then(|| self.settings.borrow().backoff.after(attempt))
    }
}
