//! Shares the queues out among the members of the group.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::assignment::by_average;
use super::consumer::Consumer;
use super::process_queue::ProcessQueue;
use crate::error::{Error, ErrorKind, Result};
use crate::message::MessageQueue;

/// How soon to try again when something was missing: a topic, a broker, the membership itself.
const INCOMPLETE: Duration = Duration::from_secs(1);

/// Shares out when a broker says so and in the interval of the options, until the consumer ends.
pub(super) async fn run(consumer: Arc<Consumer>, mut complete: bool) {
    let interval = consumer.options.rebalance_interval;
    loop {
        let wait = if complete { interval } else { interval.min(INCOMPLETE) };
        tokio::select! {
            () = consumer.rebalance_due.notified() => {}
            () = sleep(wait) => {}
        }
        complete = consumer.rebalance().await;
    }
}

impl Consumer {
    /// Takes this member's share of every topic and drops what is no longer its own. `false` if it has to be done
    /// again soon.
    pub(super) async fn rebalance(self: &Arc<Self>) -> bool {
        let _sharing_out = self.sharing_out.lock().await;
        let topics = self.subscriptions.topics();
        let orphans: Vec<_> =
            self.queues().iter().map(|q| q.queue().clone()).filter(|q| !topics.contains(&q.topic)).collect();
        self.give_up(&orphans).await;
        let mut complete = true;
        for topic in topics {
            match self.share(&topic).await {
                Ok(queues) => complete &= self.take(&topic, queues).await,
                Err(error) => {
                    complete = false;
                    if error.kind() == ErrorKind::TopicNotFound {
                        tracing::debug!(%error, "a subscribed topic does not exist yet");
                    } else {
                        tracing::warn!(%error, topic, "the queues could not be shared out");
                    }
                }
            }
        }
        complete
    }

    /// The queues of `topic` that are this member's.
    async fn share(&self, topic: &str) -> Result<Vec<MessageQueue>> {
        let route = self.requests.route(topic).await?;
        if !self.is_clustering() {
            return Ok(route.readable().to_vec());
        }
        let me = self.client_id().to_owned();
        let mut members = self.requests.members(&route).await?;
        if !members.contains(&me) {
            // The brokers of a new route do not know this member yet.
            self.sign_on().await;
            members = self.requests.members(&route).await?;
        }
        if !members.contains(&me) {
            let text =
                format!("the broker does not list {me} as a member of group {:?} yet", self.requests.group);
            return Err(Error::new(ErrorKind::Server, "rebalance", text));
        }
        Ok(by_average(route.readable(), &members, &me).to_vec())
    }

    /// Makes `queues` the assignment of `topic`. `false` if one of them could not be had.
    async fn take(self: &Arc<Self>, topic: &str, queues: Vec<MessageQueue>) -> bool {
        let held: Vec<MessageQueue> =
            self.queues().iter().map(|q| q.queue().clone()).filter(|q| q.topic == topic).collect();
        let (kept, lost): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|queue| queues.contains(queue) && self.is_pulled(queue));
        self.give_up(&lost).await;
        let new: Vec<_> = queues.into_iter().filter(|queue| !kept.contains(queue)).collect();
        let wanted = new.len();
        let new =
            if self.options.orderly && self.is_clustering() { self.lock_queues_of(new).await } else { new };
        let complete = new.len() == wanted;
        let begun = join_all(new.into_iter().map(async |name| {
            let queue = ProcessQueue::new(name);
            // The puller tries again if this fails.
            if let Err(error) = self.begin(&queue).await {
                let name = queue.queue();
                tracing::warn!(%error, topic = name.topic, queue = name.id, "the first offset could not be found");
            }
            queue
        }));
        begun.await.into_iter().for_each(|queue| self.assign(queue));
        complete
    }

    /// Drops `queues`, stores how far they came, and lets others lock them.
    async fn give_up(&self, queues: &[MessageQueue]) {
        let dropped: Vec<_> = queues.iter().filter_map(|queue| self.unassign(queue)).collect();
        self.commit(&dropped).await;
        self.unlock(&dropped).await;
    }

    /// Goes on with `queue` at `offset`, forwards or backwards; what is under way of it is forgotten.
    pub(super) async fn reset_offset(self: &Arc<Self>, queue: &MessageQueue, offset: i64) -> Result<()> {
        if self.is_clustering() {
            self.requests.store_offset(queue, offset).await?;
        }
        let reset = ProcessQueue::new(queue.clone());
        reset.begin(offset, true);
        self.assign(reset);
        Ok(())
    }
}
