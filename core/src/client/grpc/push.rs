//! The push consumer over gRPC: what the engine needs of the protocol, and its beginning and end.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::agent::Agent;
use super::assignment;
use super::receiver::{LARGEST_BATCH, Receiver, SHORTEST_POLL, Wanted};
use super::session::ServerCommand;
use super::settings::{Agreed, Role};
use crate::client::delivery::Deliveries;
use crate::client::receive::{Engine, Limits, Running, Source, Tuning};
use crate::client::simple::{ReceiptHandle, Received};
use crate::codec::grpc::decode_message;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::message::MessageQueue;
use crate::options::{
    ConsumeFrom, ConsumeResult, FilterExpression, MessageModel, Protocol, PushConsumerOptions,
};
use crate::route::ProxyQueue;
use crate::transport::grpc::uuid;

/// An SQL92 expression that is not refused by now is one that the server could read.
const FILTER_CHECK: Duration = Duration::from_millis(100);

/// A push consumer. Dropped without a shutdown it ends at once, without a word to the server.
pub(crate) struct Push {
    engine: Engine<PushSource>,
    source: Arc<PushSource>,
    /// Rung when the queues have to be asked for.
    assignment_due: Arc<Notify>,
}

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

impl Push {
    /// Agrees on settings with the proxies and takes the first queues. A topic that does not exist is waited for.
    ///
    /// # Errors
    /// `Unsupported` for broadcasting and for beginning at a time; `InvalidArgument` if order is asked for and the group
    /// does not keep it, or if the server cannot read an SQL92 expression; those of [`Agent::start`].
    pub(crate) async fn start(options: PushConsumerOptions) -> Result<(Self, Deliveries)> {
        let PushConsumerOptions { client, group, subscriptions, .. } = &options;
        if options.model == MessageModel::Broadcasting {
            return Err(Protocol::Grpc.lacks("start", "broadcasting"));
        }
        if matches!(options.consume_from, ConsumeFrom::Timestamp(_)) {
            return Err(Protocol::Grpc.lacks("start", "way to begin at a time"));
        }
        let (group, fifo) = (group.clone(), options.orderly);
        let role = Role::PushConsumer { group: group.clone(), fifo, subscriptions: subscriptions.clone() };
        let agent = Agent::start(client, role, Vec::new()).await?;
        let settings = agent.settings();
        let agreed = settings.borrow().clone();
        if fifo && !agreed.fifo {
            agent.shutdown().await;
            return Err(keeps_no_order(&group));
        }
        let state = State {
            subscriptions: subscriptions.iter().map(|(t, f)| (t.clone(), Arc::new(f.clone()))).collect(),
            ..State::default()
        };
        let source = Arc::new(PushSource {
            receiver: Receiver::new(agent, group.clone()),
            settings,
            max_attempts: options.max_reconsume_times.checked_add(1).filter(|attempts| *attempts > 0),
            long_poll: options.long_poll,
            group: group.clone(),
            state: Mutex::new(state),
            refused: Notify::new(),
        });
        let batch = options.pull_batch.min(agreed.receive_batch);
        let tuning = Tuning {
            group,
            fifo: agreed.fifo,
            batch: usize::try_from(batch).unwrap_or(1).clamp(1, LARGEST_BATCH),
            limits: Limits {
                messages: options.cached_messages_per_queue,
                bytes: options.cached_bytes_per_queue,
            },
            consume_timeout: options.consume_timeout,
        };
        let (engine, deliveries) = Engine::start(Arc::clone(&source), tuning);
        let assignment_due = Arc::new(Notify::new());
        let push = Self { engine, source, assignment_due };
        assignment::assign_all(&push.source, &push.engine).await;
        let topics = push.source.topics();
        let checks = topics.iter().map(|topic| push.source.check_filter("start", topic));
        if let Err(error) = try_join_all(checks).await {
            push.shutdown().await;
            return Err(error);
        }
        let interval = options.rebalance_interval.min(assignment::INTERVAL);
        push.spawn(assignment::run(
            Arc::clone(&push.source),
            Arc::clone(&push.engine),
            interval,
            Arc::clone(&push.assignment_due),
        ));
        push.spawn(obey(Arc::clone(&push.source), Arc::clone(&push.engine)));
        Ok((push, deliveries))
    }

    fn agent(&self) -> &Arc<Agent> {
        &self.source.receiver.agent
    }

    /// Adds or replaces a subscription whose topic and expression were checked, as far as that can be done here.
    ///
    /// # Errors
    /// `Closed`; `InvalidArgument` if the server cannot read an SQL92 expression; the earlier subscription stays then.
    pub(crate) async fn subscribe(&self, topic: &str, filter: &FilterExpression) -> Result<()> {
        const OPERATION: &str = "subscribe";
        self.agent().check_open(OPERATION)?;
        let before = self.set_filter(topic, Some(Arc::new(filter.clone())));
        if let FilterExpression::Tag(_) = filter {
            self.assignment_due.notify_one();
            return Ok(());
        }
        assignment::assign(&self.source, &self.engine, topic).await;
        self.source.check_filter(OPERATION, topic).await.inspect_err(|_| {
            self.set_filter(topic, before);
            self.assignment_due.notify_one();
        })
    }

    /// Sets or ends the subscription of `topic`, and returns the earlier one. What was asked for with that is not wanted
    /// any more.
    fn set_filter(
        &self,
        topic: &str,
        filter: Option<Arc<FilterExpression>>,
    ) -> Option<Arc<FilterExpression>> {
        let (before, same) = {
            let mut state = self.source.lock();
            state.unreadable.remove(topic);
            let same = state.subscriptions.get(topic) == filter.as_ref();
            let before = match filter {
                Some(filter) => state.subscriptions.insert(topic.to_owned(), filter),
                None => state.subscriptions.remove(topic),
            };
            if !same {
                state.queues.retain(|queue, _| queue.topic != topic);
            }
            (before, same)
        };
        if !same {
            self.engine.forget(topic);
            self.agent().set_subscriptions(self.source.subscriptions());
        }
        before
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) async fn unsubscribe(&self, topic: &str) -> Result<()> {
        self.agent().check_open("unsubscribe")?;
        self.set_filter(topic, None);
        Ok(())
    }

    /// Stops receiving, or goes on.
    pub(crate) fn suspend(&self, suspended: bool) {
        self.engine.suspend(suspended);
    }

    /// Queues this consumer receives from; id −1 stands for all queues of a broker.
    pub(crate) fn assigned_queues(&self) -> Vec<MessageQueue> {
        self.engine.assigned()
    }

    /// The client id in use.
    pub(crate) fn client_id(&self) -> &str {
        self.agent().client_id()
    }

    /// Runs `task` until the consumer ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.engine.spawn(task);
    }

    /// Stops receiving, waits for handlers, carries out what they said and signs off. Idempotent.
    pub(crate) async fn shutdown(&self) {
        self.engine.shutdown().await;
        self.agent().shutdown().await;
    }
}

/// Consumes messages that a server wants to see consumed, until it is aborted.
async fn obey(source: Arc<PushSource>, engine: Arc<Running<PushSource>>) {
    let commands = source.receiver.agent.commands();
    let mut under_way = FuturesUnordered::new();
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            Some(()) = under_way.next(), if !under_way.is_empty() => continue,
        };
        match command {
            Ok(ServerCommand::VerifyMessage { message, answer }) => {
                let incoming = decode_message(message, "");
                if incoming.corrupted {
                    answer.answer(false);
                    continue;
                }
                let mut message = incoming.view;
                let topic = source.receiver.agent.namespace().strip(&message.topic).into_owned();
                message.topic = topic;
                let engine = &engine;
                under_way.push(async move {
                    let result = engine.consume_directly(message).await;
                    answer.answer(result == Some(ConsumeResult::Success));
                });
            }
            Ok(ServerCommand::RecoverTransaction { .. }) => {}
            Err(_) => return,
        }
    }
}

impl PushSource {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    pub(super) fn topics(&self) -> Vec<String> {
        self.lock().subscriptions.keys().cloned().collect()
    }

    fn subscriptions(&self) -> Vec<(String, FilterExpression)> {
        let subscriptions = &self.lock().subscriptions;
        subscriptions.iter().map(|(topic, filter)| (topic.clone(), (**filter).clone())).collect()
    }

    /// Gives the server the time to refuse the SQL92 expression for `topic`, which it reads with the first receive.
    ///
    /// # Errors
    /// `InvalidArgument` if it does.
    async fn check_filter(&self, operation: &'static str, topic: &str) -> Result<()> {
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

fn keeps_no_order(group: &str) -> Error {
    let text = format!(
        "consumer group {group} does not keep the order of messages, and over gRPC that is set at the server: mqadmin \
         updateSubGroup -n NAMESRV -c CLUSTER -g {group} -o true"
    );
    Error::new(ErrorKind::InvalidArgument, "start", text)
}
