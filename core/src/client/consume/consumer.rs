//! One consumer: its state, its tasks, its beginning and its end.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{timeout, timeout_at};

use super::process_queue::{Limits, ProcessQueue};
use super::requests::Requests;
use super::subscriptions::{self, Subscriptions};
use super::{commit, orderly, pull, rebalance, settle};
use crate::client::delivery::{Deliveries, Pending, Unsuccessful};
use crate::client::troubles::Troubles;
use crate::client::{Instance, deadline_after};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{MessageQueue, check_group};
use crate::options::{FilterExpression, MessageModel, PushConsumerOptions};

/// How long the end waits for handlers that still run.
const HANDLERS_END: Duration = Duration::from_secs(5);
/// How long it then waits for messages to be given back, and for the offsets to be stored.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Retries where the options leave the number open.
const DEFAULT_RECONSUME_TIMES: i32 = 16;

/// What a consumer is doing, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    /// Nothing more is handed out; handlers finish.
    Closing,
    /// The handlers are through: what they said is carried out.
    Draining,
}

/// An assigned queue and the task that pulls it.
struct Assigned {
    queue: Arc<ProcessQueue>,
    puller: AbortHandle,
}

/// The hold on a running consumer: it ends, without a farewell, when this is dropped.
pub(crate) struct Membership(Arc<Consumer>);

/// A member of a consumer group.
pub(crate) struct Consumer {
    /// Itself, for tasks that a server's request starts.
    pub(super) me: Weak<Self>,
    pub(super) requests: Requests,
    pub(super) options: PushConsumerOptions,
    pub(super) subscriptions: Subscriptions,
    pub(super) troubles: Troubles,
    pub(super) pending: async_channel::Sender<Pending>,
    pub(super) unsuccessful: UnboundedSender<Unsuccessful>,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) rebalance_due: Notify,
    /// Held while queues are shared out, so that two causes do not do it at the same time.
    pub(super) sharing_out: tokio::sync::Mutex<()>,
    pub(super) started_ms: i64,
    suspended: watch::Sender<bool>,
    queues: Mutex<HashMap<MessageQueue, Assigned>>,
    tasks: Mutex<Vec<AbortHandle>>,
    settler: Mutex<Option<JoinHandle<()>>>,
    ended: tokio::sync::Mutex<bool>,
}

impl Consumer {
    /// Starts the client, becomes a member of the group and takes the first share of queues.
    ///
    /// # Errors
    /// `InvalidArgument`, `Unsupported` for a filter; those of [`Instance::start`].
    pub(crate) async fn start(mut options: PushConsumerOptions) -> Result<(Membership, Deliveries)> {
        if options.max_reconsume_times < 0 {
            options.max_reconsume_times = if options.orderly { i32::MAX } else { DEFAULT_RECONSUME_TIMES };
        }
        let instance = Instance::start(options.client.clone()).await?;
        let group = instance.namespace().wrap(&options.group).into_owned();
        // Room for a few rounds of all handlers; the queues themselves limit what is kept.
        let (pending, deliveries) =
            async_channel::bounded(options.concurrency.saturating_mul(2).clamp(32, 1024));
        let (unsuccessful, to_settle) = unbounded_channel();
        let consumer = Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            requests: Requests { instance, group, max_reconsume_times: options.max_reconsume_times },
            subscriptions: Subscriptions::default(),
            troubles: Troubles::default(),
            pending,
            unsuccessful,
            phase: watch::Sender::new(Phase::Running),
            rebalance_due: Notify::new(),
            sharing_out: tokio::sync::Mutex::default(),
            started_ms: options.client.clock.now_ms(),
            suspended: watch::Sender::new(false),
            queues: Mutex::default(),
            tasks: Mutex::default(),
            settler: Mutex::default(),
            ended: tokio::sync::Mutex::default(),
            options,
        });
        // From here on whatever ends this call early ends the tasks too.
        let membership = Membership(Arc::clone(&consumer));
        if let Err(error) = consumer.first_subscriptions().await {
            consumer.instance().shutdown().await;
            return Err(error);
        }
        consumer.instance().register_consumer(&consumer.requests.group, Arc::clone(&consumer) as _);
        let settler = tokio::spawn(settle::run(Arc::clone(&consumer), to_settle));
        *consumer.settler.lock().unwrap_or_else(PoisonError::into_inner) = Some(settler);
        // What is sent after this returns is not before the offset that a new group begins with.
        let shared_out = consumer.rebalance().await;
        consumer.spawn(rebalance::run(Arc::clone(&consumer), shared_out));
        consumer.spawn(commit::run(Arc::clone(&consumer)));
        if consumer.options.orderly && consumer.is_clustering() {
            consumer.spawn(orderly::keep_locks(Arc::clone(&consumer)));
        }
        Ok((membership, Deliveries::new(deliveries)))
    }

    async fn first_subscriptions(&self) -> Result<()> {
        for (topic, filter) in &self.options.subscriptions {
            let topic = self.server_name(topic);
            self.requests.check_filter("start", &topic, filter).await?;
            self.subscriptions.add(&topic, filter, self.started_ms);
        }
        if self.is_clustering() {
            let retry_topic = self.requests.retry_topic();
            self.subscriptions.add(&retry_topic, &FilterExpression::all(), self.started_ms);
        }
        Ok(())
    }

    pub(super) fn instance(&self) -> &Arc<Instance> {
        &self.requests.instance
    }

    /// The client id in use.
    pub(crate) fn client_id(&self) -> &str {
        self.instance().client_id()
    }

    pub(super) fn is_clustering(&self) -> bool {
        self.options.model == MessageModel::Clustering
    }

    fn server_name(&self, topic: &str) -> String {
        self.instance().namespace().wrap(topic).into_owned()
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            messages: self.options.cached_messages_per_queue,
            bytes: self.options.cached_bytes_per_queue,
        }
    }

    /// Adds or replaces a subscription whose topic and expression were checked.
    ///
    /// # Errors
    /// `InvalidArgument`, `Unsupported`, `Closed`.
    pub(crate) async fn subscribe(&self, topic: &str, filter: &FilterExpression) -> Result<()> {
        self.instance().check_open("subscribe")?;
        let topic = self.server_name(topic);
        self.requests.check_filter("subscribe", &topic, filter).await?;
        self.subscriptions.add(&topic, filter, self.options.client.clock.now_ms());
        self.subscriptions_changed().await;
        Ok(())
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) async fn unsubscribe(&self, topic: &str) -> Result<()> {
        self.instance().check_open("unsubscribe")?;
        self.subscriptions.remove(&self.server_name(topic));
        self.subscriptions_changed().await;
        Ok(())
    }

    /// Tells the brokers before the queues are shared out anew.
    async fn subscriptions_changed(&self) {
        self.sign_on().await;
        self.rebalance_due.notify_one();
    }

    pub(super) async fn sign_on(&self) {
        if let Err(error) = self.instance().heartbeat().await {
            tracing::warn!(%error, group = self.requests.group, "no broker took the heartbeat");
        }
    }

    /// Stops pulling, or goes on.
    pub(crate) fn suspend(&self, suspended: bool) {
        self.suspended.send_replace(suspended);
    }

    /// Waits while the consumer is suspended.
    pub(super) async fn not_suspended(&self) {
        let _ = self.suspended.subscribe().wait_for(|suspended| !*suspended).await;
    }

    /// Waits until the consumer has come to `phase` or beyond.
    pub(super) async fn reaches(&self, phase: Phase) {
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// Queues this consumer holds now, under the names the user knows.
    pub(crate) fn assigned_queues(&self) -> Vec<MessageQueue> {
        let namespace = self.instance().namespace();
        let user_name = |queue: &MessageQueue| MessageQueue {
            topic: namespace.strip(&queue.topic).into_owned(),
            ..queue.clone()
        };
        let mut queues: Vec<_> = self.lock_queues().keys().map(user_name).collect();
        queues.sort_unstable();
        queues
    }

    fn lock_queues(&self) -> MutexGuard<'_, HashMap<MessageQueue, Assigned>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The assigned queue of this name.
    pub(super) fn queue(&self, name: &MessageQueue) -> Option<Arc<ProcessQueue>> {
        self.lock_queues().get(name).map(|assigned| Arc::clone(&assigned.queue))
    }

    /// All assigned queues.
    pub(super) fn queues(&self) -> Vec<Arc<ProcessQueue>> {
        self.lock_queues().values().map(|assigned| Arc::clone(&assigned.queue)).collect()
    }

    /// Whether the queue is assigned and its puller alive and not stuck.
    pub(super) fn is_pulled(&self, queue: &MessageQueue) -> bool {
        let patience = self.options.long_poll + super::requests::PULL_GRACE * 2;
        self.lock_queues().get(queue).is_some_and(|assigned| {
            !assigned.puller.is_finished() && !assigned.queue.is_stuck(crate::clock::instant(), patience)
        })
    }

    /// Assigns `queue` and pulls it; `earlier` is dropped. Nothing happens if the consumer ends, or if another queue
    /// than `earlier` is assigned under this name.
    pub(super) fn assign(self: &Arc<Self>, queue: ProcessQueue, earlier: Option<&Arc<ProcessQueue>>) {
        let queue = Arc::new(queue);
        let mut queues = self.lock_queues();
        let assigned = queues.get(queue.queue()).map(|assigned| Arc::as_ptr(&assigned.queue));
        if *self.phase.borrow() != Phase::Running || assigned != earlier.map(Arc::as_ptr) {
            return;
        }
        let puller = tokio::spawn(pull::run(Arc::clone(self), Arc::clone(&queue))).abort_handle();
        let name = queue.queue().clone();
        let earlier = queues.insert(name, Assigned { queue, puller });
        drop(queues);
        earlier.inspect(Assigned::drop_queue);
    }

    /// Takes `queue` out of the assignment: its unsettled messages are no longer this consumer's. At the end of the
    /// consumer nothing is taken out any more: handlers still settle what they have.
    pub(super) fn unassign(&self, queue: &MessageQueue) -> Option<Arc<ProcessQueue>> {
        let mut queues = self.lock_queues();
        if *self.phase.borrow() != Phase::Running {
            return None;
        }
        let assigned = queues.remove(queue)?;
        drop(queues);
        assigned.drop_queue();
        Some(assigned.queue)
    }

    /// Runs `task` until the consumer ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(task).abort_handle();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Stops pulling, waits for handlers, carries out what they said, stores the offsets and signs off. Idempotent;
    /// a second call waits for the first.
    pub(crate) async fn shutdown(&self) {
        let mut ended = self.ended.lock().await;
        if *ended {
            return;
        }
        self.phase.send_replace(Phase::Closing);
        let queues = self.queues();
        for assigned in self.lock_queues().values() {
            assigned.puller.abort();
            assigned.queue.seal();
        }
        let handlers = async {
            for queue in &queues {
                queue.is_idle().await;
            }
        };
        if timeout(HANDLERS_END, handlers).await.is_err() {
            tracing::warn!(
                group = self.requests.group,
                "handlers still run at the end; their messages come again"
            );
        }
        self.phase.send_replace(Phase::Draining);
        let settler = self.settler.lock().unwrap_or_else(PoisonError::into_inner).take();
        let deadline = deadline_after(LAST_REQUESTS);
        let last_requests = async {
            if let Some(settler) = settler {
                let abort = settler.abort_handle();
                if timeout_at(deadline.into(), settler).await.is_err() {
                    abort.abort();
                }
            }
            self.commit(&queues).await;
            self.unlock(&queues).await;
        };
        let _ = timeout_at(deadline.into(), last_requests).await;
        self.abort();
        self.instance().shutdown().await;
        *ended = true;
    }

    /// Ends without waiting for anything and without telling the brokers.
    fn abort(&self) {
        self.phase.send_replace(Phase::Draining);
        self.lock_queues().drain().for_each(|(_, assigned)| assigned.drop_queue());
        self.pending.close();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|task| task.abort());
        let settler = self.settler.lock().unwrap_or_else(PoisonError::into_inner).take();
        settler.inspect(JoinHandle::abort);
    }
}

impl Deref for Membership {
    type Target = Arc<Consumer>;

    fn deref(&self) -> &Arc<Consumer> {
        &self.0
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.0.abort();
        // The instance holds the consumer, and the consumer the instance.
        self.0.instance().forget_consumer(&self.0.requests.group);
    }
}

impl Assigned {
    fn drop_queue(&self) {
        self.queue.set_dropped();
        self.puller.abort();
    }
}

/// Refuses what cannot work, whatever the protocol.
///
/// # Errors
/// `InvalidArgument`.
pub(in crate::client) fn check_options(options: &PushConsumerOptions) -> Result<()> {
    check_group(&options.group)?;
    let fault = if options.concurrency == 0 {
        "concurrency is 0; at least one message has to be handled at a time"
    } else if options.pull_batch <= 0 {
        "pull_batch has to be at least 1"
    } else if options.cached_messages_per_queue == 0 || options.cached_bytes_per_queue == 0 {
        "a queue has to be allowed to cache at least one message and one byte"
    } else if [options.offset_commit_interval, options.rebalance_interval].contains(&Duration::ZERO) {
        "offset_commit_interval and rebalance_interval have to be longer than 0"
    } else {
        return options
            .subscriptions
            .iter()
            .try_for_each(|(topic, filter)| subscriptions::check(topic, filter));
    };
    Err(Error::new(ErrorKind::InvalidArgument, "start", fault))
}
