//! The push consumer over gRPC: its subscriptions, its beginning and its end, and what servers ask of it.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

use super::agent::Agent;
use super::assignment;
use super::receiver::LARGEST_BATCH;
use super::session::ServerCommand;
use super::settings::Role;
use super::source::PushSource;
use crate::client::delivery::Deliveries;
use crate::client::receive::{Engine, Limits, Running, Tuning};
use crate::codec::grpc::decode_message;
use crate::error::Result;
use crate::message::MessageQueue;
use crate::options::{
    ConsumeFrom, ConsumeResult, FilterExpression, MessageModel, Protocol, PushConsumerOptions,
};

/// A push consumer. Dropped without a shutdown it ends at once, without a word to the server.
pub(crate) struct Push {
    engine: Engine<PushSource>,
    source: Arc<PushSource>,
    /// Rung when the queues have to be asked for.
    assignment_due: Arc<Notify>,
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
        if fifo {
            agent.require_order(&group).await?;
        }
        let agreed = agent.settings().borrow().clone();
        let source = Arc::new(PushSource::new(agent, &options));
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
        let (before, changed) = self.source.set_filter(topic, filter);
        if changed {
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
