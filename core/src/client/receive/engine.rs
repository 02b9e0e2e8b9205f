//! One consumer: its tasks, its beginning and its end.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{interval, timeout};

use super::settler::Work;
use super::shelf::Shelf;
use super::source::Source;
use super::stock::Limits;
use super::{intake, settler};
use crate::client::delivery::{Deliveries, Pending, Ticket};
use crate::client::troubles::Troubles;
use crate::clock;
use crate::message::{MessageQueue, MessageView};
use crate::options::ConsumeResult;

/// How long the end waits for handlers that still run.
const HANDLERS_END: Duration = Duration::from_secs(5);
/// How long it then waits for what they said, and for messages that are given back.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// How a consumer receives.
#[derive(Debug, Clone)]
pub(crate) struct Tuning {
    /// For log lines.
    pub(crate) group: String,
    /// Whether messages of a group keep their order.
    pub(crate) fifo: bool,
    /// Messages of one receive.
    pub(crate) batch: usize,
    /// What the consumer may keep.
    pub(crate) limits: Limits,
    /// A handler that has a message for longer is counted as failed.
    pub(crate) consume_timeout: Duration,
}

/// The hold on a running engine: it ends, without a word to the server, when this is dropped.
pub(crate) struct Engine<S: Source>(Arc<Running<S>>);

/// What the tasks of an engine share.
pub(crate) struct Running<S> {
    pub(super) source: Arc<S>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) tuning: Tuning,
    pub(super) troubles: Troubles,
    pub(super) work: UnboundedSender<Work>,
    pending: async_channel::Sender<Pending>,
    suspended: watch::Sender<bool>,
    draining: watch::Sender<bool>,
    /// The queues and the tasks that receive from them; `None` at the end.
    intakes: Mutex<Option<HashMap<MessageQueue, AbortHandle>>>,
    tasks: Mutex<Vec<AbortHandle>>,
    settler: Mutex<Option<JoinHandle<()>>>,
}

impl<S: Source> Engine<S> {
    /// Starts with no queue assigned.
    pub(crate) fn start(source: Arc<S>, tuning: Tuning) -> (Self, Deliveries) {
        let (pending, deliveries) = async_channel::unbounded();
        let (work, to_do) = unbounded_channel();
        let shelf = Shelf::new(tuning.limits, tuning.fifo, pending.clone(), work.clone());
        let draining = watch::Sender::new(false);
        let settling = settler::run(Arc::clone(&source), Arc::clone(&shelf), to_do, draining.subscribe());
        let engine = Self(Arc::new(Running {
            source,
            shelf,
            tuning,
            troubles: Troubles::default(),
            work,
            pending,
            suspended: watch::Sender::new(false),
            draining,
            intakes: Mutex::new(Some(HashMap::new())),
            tasks: Mutex::default(),
            settler: Mutex::new(Some(tokio::spawn(settling))),
        }));
        engine.spawn(watch_times(Arc::clone(&engine)));
        (engine, Deliveries::new(deliveries))
    }

    /// Stops receiving, waits for handlers, carries out what they said and gives back what none of them had.
    /// Idempotent.
    pub(crate) async fn shutdown(&self) {
        let intakes = self.lock_intakes().take();
        intakes.into_iter().flatten().for_each(|(_, intake)| intake.abort());
        self.give_back(self.shelf.seal());
        if timeout(HANDLERS_END, self.shelf.is_idle()).await.is_err() {
            tracing::warn!(
                group = self.tuning.group,
                "handlers still run at the end; their messages come again"
            );
        }
        self.draining.send_replace(true);
        let settler = self.settler.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(settler) = settler {
            let abort = settler.abort_handle();
            if timeout(LAST_REQUESTS, settler).await.is_err() {
                abort.abort();
            }
        }
        self.abort();
    }
}

impl<S: Source> Running<S> {
    fn lock_intakes(&self) -> MutexGuard<'_, Option<HashMap<MessageQueue, AbortHandle>>> {
        self.intakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives from these queues of `topic` and from no others of it. What came from others is still delivered.
    pub(crate) fn assign(self: &Arc<Self>, topic: &str, queues: &[MessageQueue]) {
        let mut intakes = self.lock_intakes();
        let Some(intakes) = intakes.as_mut() else { return };
        intakes.retain(|queue, intake| {
            let stays = queue.topic != topic || queues.contains(queue);
            if !stays {
                intake.abort();
            }
            stays
        });
        for queue in queues {
            intakes
                .entry(queue.clone())
                .or_insert_with(|| tokio::spawn(intake::run(Arc::clone(self), queue.clone())).abort_handle());
        }
    }

    /// Receives nothing of `topic` any more, and gives back what no handler has.
    pub(crate) fn forget(self: &Arc<Self>, topic: &str) {
        self.assign(topic, &[]);
        self.give_back(self.shelf.take_back(Some(topic)));
    }

    fn give_back(&self, receipts: Vec<crate::client::simple::ReceiptHandle>) {
        if !receipts.is_empty() {
            let _ = self.work.send(Work::Returned(receipts));
        }
    }

    /// The queues that are received from.
    pub(crate) fn assigned(&self) -> Vec<MessageQueue> {
        let mut queues: Vec<_> = self.lock_intakes().iter().flat_map(HashMap::keys).cloned().collect();
        queues.sort_unstable();
        queues
    }

    pub(super) fn queues_assigned(&self) -> usize {
        self.lock_intakes().as_ref().map_or(0, HashMap::len)
    }

    /// Stops receiving, or goes on.
    pub(crate) fn suspend(&self, suspended: bool) {
        self.suspended.send_replace(suspended);
    }

    pub(super) async fn not_suspended(&self) {
        let _ = self.suspended.subscribe().wait_for(|suspended| !*suspended).await;
    }

    /// Lets a handler consume a message that is no delivery; `None` if the consumer ends before.
    pub(crate) async fn consume_directly(&self, message: MessageView) -> Option<ConsumeResult> {
        let (result, settled) = oneshot::channel();
        let ticket = Ticket::Direct { queue: None, offset: 0, result };
        let _ = self.pending.try_send(Pending { message, ticket });
        settled.await.ok()
    }

    /// Runs `task` until the consumer ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(task).abort_handle();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Ends without waiting for anything.
    fn abort(&self) {
        let intakes = self.lock_intakes().take();
        intakes.into_iter().flatten().for_each(|(_, intake)| intake.abort());
        self.shelf.seal();
        self.pending.close();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|task| task.abort());
        let settler = self.settler.lock().unwrap_or_else(PoisonError::into_inner).take();
        settler.inspect(JoinHandle::abort);
    }
}

/// Finds handlers that never say what became of their message, and messages that handlers never took.
async fn watch_times<S: Source>(engine: Arc<Running<S>>) {
    let patience = engine.tuning.consume_timeout;
    let mut look = interval((patience / 4).clamp(Duration::from_millis(10), Duration::from_secs(30)));
    loop {
        look.tick().await;
        let now = clock::instant();
        let expired = engine.shelf.expire(now);
        if expired > 0 {
            tracing::debug!(
                group = engine.tuning.group,
                expired,
                "messages waited for handlers until their handles were about to expire; they come again"
            );
        }
        let late = engine.shelf.overdue(now, patience);
        if late > 0 {
            tracing::warn!(
                group = engine.tuning.group,
                late,
                "messages were not settled in time; they come again"
            );
        }
    }
}

impl<S: Source> Deref for Engine<S> {
    type Target = Arc<Running<S>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<S: Source> Drop for Engine<S> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
