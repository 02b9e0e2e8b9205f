//! Stores offsets at the brokers, and takes back what handlers have held for too long.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::consumer::Consumer;
use super::process_queue::ProcessQueue;
use crate::client::delivery::Unsuccessful;
use crate::clock;

/// Delay level of a message that was consumed for too long.
const TIMED_OUT_LEVEL: i32 = 3;
/// Overdue messages are looked for at least this often.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Stores offsets in the interval of the options until the consumer ends.
pub(super) async fn run(consumer: Arc<Consumer>) {
    let interval = consumer.options.offset_commit_interval.min(LOOK_INTERVAL);
    loop {
        sleep(interval).await;
        take_back_overdue(&consumer);
        consumer.commit(&consumer.queues()).await;
    }
}

fn take_back_overdue(consumer: &Consumer) {
    let (now, timeout) = (clock::instant(), consumer.options.consume_timeout);
    if consumer.options.orderly {
        return;
    }
    for queue in consumer.queues() {
        for offset in queue.overdue(now, timeout) {
            let name = queue.queue();
            tracing::warn!(
                topic = name.topic,
                queue = name.id,
                offset,
                ?timeout,
                "a message was not settled in time"
            );
            let overdue = Unsuccessful { queue: Arc::clone(&queue), offset, delay_level: TIMED_OUT_LEVEL };
            let _ = consumer.unsuccessful.send(overdue);
        }
    }
}

impl Consumer {
    /// Stores the offsets of `queues` that have grown. Broadcasting keeps them in memory only.
    pub(super) async fn commit(&self, queues: &[Arc<ProcessQueue>]) {
        if !self.is_clustering() {
            return;
        }
        join_all(queues.iter().map(|queue| self.commit_one(queue))).await;
    }

    async fn commit_one(&self, queue: &ProcessQueue) {
        let _storing = queue.storing.lock().await;
        let Some(offset) = queue.uncommitted() else { return };
        match self.requests.store_offset(queue.queue(), offset).await {
            Ok(()) => queue.committed(offset),
            Err(error) => self.troubles.failed("an offset was not stored", queue.queue(), &error),
        }
    }
}
