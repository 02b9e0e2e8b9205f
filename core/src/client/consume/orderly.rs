//! Orderly consumption: one message of a queue at a time, and the queue locked at the broker (41, 42).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::consumer::Consumer;
use super::process_queue::ProcessQueue;
use crate::client::delivery::{DEAD_LETTER, Pending, Ticket};
use crate::codec::remoting::codes::request;
use crate::message::{MessageQueue, MessageView};
use crate::options::ConsumeResult;

/// A broker keeps a lock for 60 s.
const RENEWAL: Duration = Duration::from_secs(20);
/// Pause before a message is delivered again.
const SUSPENSION: Duration = Duration::from_secs(1);

/// Delivers `message` until it is consumed or given up; returns early when the queue is dropped.
pub(super) async fn hand_over(consumer: &Arc<Consumer>, queue: &Arc<ProcessQueue>, message: MessageView) {
    let offset = message.queue_offset;
    let mut shown = message.clone();
    consumer.localise(&mut shown);
    loop {
        let (result, settled) = oneshot::channel();
        let ticket = Ticket::Direct { queue: Some(Arc::clone(queue)), offset, result };
        let _ = consumer.pending.send(Pending { message: shown.clone(), ticket }).await;
        // Without a result the message was not handed out any more.
        let Ok(result) = settled.await else { return };
        let give_up = match result {
            ConsumeResult::Success => return,
            ConsumeResult::DeadLetter => true,
            ConsumeResult::RetryLater | ConsumeResult::RetryAfterLevel(_) => {
                shown.reconsume_times >= consumer.options.max_reconsume_times
            }
        };
        if give_up && dead_letter(consumer, queue, &message).await {
            queue.settle(offset);
            return;
        }
        shown.reconsume_times += 1;
        sleep(SUSPENSION).await;
    }
}

/// `false` if the message could not be moved to the dead letters and has to be delivered again.
async fn dead_letter(consumer: &Consumer, queue: &ProcessQueue, message: &MessageView) -> bool {
    if !consumer.is_clustering() {
        return true;
    }
    let (name, id) = (queue.queue(), &message.message_id);
    let moved = consumer.requests.give_back(name, message.commit_log_offset, id, DEAD_LETTER).await;
    if let Err(error) = &moved {
        tracing::warn!(%error, topic = name.topic, queue = name.id, "a dead letter could not be moved; it is delivered again");
    }
    moved.is_ok()
}

/// Renews the locks of all assigned queues until the consumer ends; a queue whose lock is lost is dropped.
pub(super) async fn keep_locks(consumer: Arc<Consumer>) {
    loop {
        sleep(RENEWAL).await;
        let held: Vec<_> = consumer.queues().iter().map(|queue| queue.queue().clone()).collect();
        let locked = consumer.lock_queues_of(held.clone()).await;
        for lost in held.iter().filter(|queue| !locked.contains(queue)) {
            tracing::warn!(
                topic = lost.topic,
                broker = lost.broker,
                queue = lost.id,
                "the lock of a queue is lost"
            );
            consumer.unassign(lost);
            consumer.rebalance_due.notify_one();
        }
    }
}

impl Consumer {
    /// Locks `queues` at their brokers and returns those that are this member's now.
    pub(super) async fn lock_queues_of(&self, queues: Vec<MessageQueue>) -> Vec<MessageQueue> {
        let answers = join_all(by_broker(queues).into_values().map(async |queues| {
            let locked = self.requests.lock(request::LOCK_BATCH_MQ, &queues).await;
            locked.unwrap_or_else(|error| {
                tracing::warn!(%error, group = self.requests.group, "queues could not be locked");
                Vec::new()
            })
        }));
        answers.await.concat()
    }

    /// Gives the locks of `queues` back, if this consumer locks at all.
    pub(super) async fn unlock(&self, queues: &[Arc<ProcessQueue>]) {
        if !self.options.orderly || !self.is_clustering() {
            return;
        }
        let names = queues.iter().map(|queue| queue.queue().clone()).collect();
        join_all(by_broker(names).into_values().map(async |queues| {
            if let Err(error) = self.requests.lock(request::UNLOCK_BATCH_MQ, &queues).await {
                tracing::debug!(%error, "locks could not be given back; they expire");
            }
        }))
        .await;
    }
}

fn by_broker(queues: Vec<MessageQueue>) -> HashMap<String, Vec<MessageQueue>> {
    let mut brokers: HashMap<String, Vec<MessageQueue>> = HashMap::new();
    for queue in queues {
        brokers.entry(queue.broker.clone()).or_default().push(queue);
    }
    brokers
}
