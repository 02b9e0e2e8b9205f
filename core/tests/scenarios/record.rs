//! What the consumers of a scenario received, and when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tminus::{Clock, ConsumeResult, Deliveries, MessageView};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A message and the time it arrived, by the broker's clock.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub consumer: String,
    pub message: MessageView,
    pub at_ms: i64,
}

/// Arrivals of all consumers, in the order they came.
#[derive(Clone, Default)]
pub struct Record {
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    changed: Arc<Notify>,
}

impl Record {
    /// Records what `deliveries` yields until it ends; messages retried fewer than `fail_first` times fail.
    pub fn follow(
        &self,
        consumer: String,
        deliveries: Deliveries,
        clock: Clock,
        fail_first: i32,
    ) -> JoinHandle<()> {
        let record = self.clone();
        tokio::spawn(async move {
            loop {
                let batch = deliveries.next(32).await;
                if batch.is_empty() {
                    return;
                }
                let at_ms = clock.now_ms();
                for delivery in batch {
                    if delivery.message.reconsume_times < fail_first {
                        delivery.settle(ConsumeResult::RetryAfterLevel(1));
                        continue;
                    }
                    let arrival =
                        Arrival { consumer: consumer.clone(), message: delivery.message.clone(), at_ms };
                    record.arrivals.lock().unwrap().push(arrival);
                    delivery.settle(ConsumeResult::Success);
                }
                record.changed.notify_waiters();
            }
        })
    }

    /// What `consumers` have received and nobody has taken.
    pub fn of(&self, consumers: &[String]) -> Vec<Arrival> {
        let arrivals = self.arrivals.lock().unwrap();
        arrivals.iter().filter(|arrival| consumers.contains(&arrival.consumer)).cloned().collect()
    }

    /// Forgets what `consumers` have received.
    pub fn forget(&self, consumers: &[String]) {
        self.arrivals.lock().unwrap().retain(|arrival| !consumers.contains(&arrival.consumer));
    }

    /// Waits until `enough` says so of the arrivals of `consumers`, at most `limit`; returns them in either case.
    pub async fn wait(
        &self,
        consumers: &[String],
        limit: Duration,
        enough: impl Fn(&[Arrival]) -> bool,
    ) -> Vec<Arrival> {
        let satisfied = async {
            loop {
                let changed = self.changed.notified();
                if enough(&self.of(consumers)) {
                    return;
                }
                changed.await;
            }
        };
        let _ = tokio::time::timeout(limit, satisfied).await;
        self.of(consumers)
    }
}
