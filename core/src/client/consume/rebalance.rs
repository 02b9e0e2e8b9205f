//! Shares the queues out among the members of the group.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::assignment::by_average;
use super::consumer::Consumer;
use super::process_queue::ProcessQueue;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{MessageQueue, RETRY_PREFIX};

/// How soon to try again when something was missing: a topic, a broker, the membership itself.
const INCOMPLETE: Duration = Duration::from_secs(1);

/// Shares out when a broker says so and in the interval of the options, until the consumer ends. `last` is how it went
/// at the start.
pub(super) async fn run(consumer: Arc<Consumer>, mut last: Result<Shared>) {
    let interval = consumer.options.rebalance_interval;
    report(&Ok(Shared::All), &last);
    loop {
        let wait = if matches!(last, Ok(Shared::All)) { interval } else { interval.min(INCOMPLETE) };
        tokio::select! {
            () = consumer.rebalance_due.notified() => {}
            () = sleep(wait) => {}
        }
        let now = consumer.rebalance().await;
        report(&last, &now);
        last = now;
    }
}

/// How far the queues could be shared out without a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shared {
    All,
    /// The broker has yet to create the group's retry topic.
    NotRetries,
}

/// One line when it begins to fail. The end of the client is no trouble, nor is a topic that does not exist yet: it may
/// come with its first message.
fn report(last: &Result<Shared>, now: &Result<Shared>) {
    match (last, now) {
        (_, Ok(_)) => {}
        (_, Err(error)) if error.kind() == ErrorKind::Closed => {}
        (Ok(_), Err(error)) if error.kind() == ErrorKind::TopicNotFound => {
            tracing::info!(%error, "the consumer waits for its topic");
        }
        (Ok(_), Err(error)) => {
            tracing::warn!(%error, "the queues could not be shared out; it is tried again");
        }
        (Err(_), Err(error)) => tracing::debug!(%error, "the queues could not be shared out"),
    }
}

impl Consumer {
    /// Takes this member's share of every topic and drops what is no longer its own.
    ///
    /// # Errors
    /// The first fault; the other topics were shared out all the same, and it has to be done again soon.
    pub(super) async fn rebalance(self: &Arc<Self>) -> Result<Shared> {
        let _sharing_out = self.sharing_out.lock().await;
        let topics = self.subscriptions.topics();
        let orphans: Vec<_> =
            self.queues().iter().map(|q| q.queue().clone()).filter(|q| !topics.contains(&q.topic)).collect();
        self.give_up(&orphans).await;
        let (mut result, mut shared) = (Ok(()), Shared::All);
        for topic in topics {
            let taken = match self.share(&topic).await {
                Ok(queues) => self.take(&topic, queues).await,
                Err(error) if error.kind() == ErrorKind::TopicNotFound && topic.starts_with(RETRY_PREFIX) => {
                    shared = Shared::NotRetries;
                    Ok(())
                }
                Err(error) => Err(error),
            };
            result = result.and(taken);
        }
        result.map(|()| shared)
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

    /// Makes `queues` the assignment of `topic`.
    ///
    /// # Errors
    /// `Busy` if another member still has the lock of one of them.
    async fn take(self: &Arc<Self>, topic: &str, queues: Vec<MessageQueue>) -> Result<()> {
        let held: Vec<MessageQueue> =
            self.queues().iter().map(|q| q.queue().clone()).filter(|q| q.topic == topic).collect();
        let (kept, lost): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|queue| queues.contains(queue) && self.is_pulled(queue));
        let lost = self.give_up(&lost).await;
        let new: Vec<_> = queues.into_iter().filter(|queue| !kept.contains(queue)).collect();
        let wanted = new.len();
        let new =
            if self.options.orderly && self.is_clustering() { self.lock_queues_of(new).await } else { new };
        let locked = new.len();
        let begun = join_all(new.into_iter().map(async |name| {
            let queue = ProcessQueue::new(name);
            let before = lost.iter().find(|lost| lost.queue() == queue.queue() && lost.next_offset() >= 0);
            if let Some(before) = before.filter(|_| !self.is_clustering()) {
                // Nobody but this member knows how far it came.
                queue.begin(before.commit_offset(), true);
                return queue;
            }
            // The puller tries again if this fails.
            if let Err(error) = self.begin(&queue).await {
                self.troubles.failed("the first offset could not be found", queue.queue(), &error);
            }
            queue
        }));
        begun.await.into_iter().for_each(|queue| self.assign(queue, None));
        if locked == wanted {
            return Ok(());
        }
        let text =
            format!("{} queues of topic {topic:?} are still locked by another member", wanted - locked);
        Err(Error::new(ErrorKind::Busy, "rebalance", text))
    }

    /// Drops `queues`, stores how far they came, and lets others lock them. Returns what was dropped.
    async fn give_up(&self, queues: &[MessageQueue]) -> Vec<Arc<ProcessQueue>> {
        let dropped: Vec<_> = queues.iter().filter_map(|queue| self.unassign(queue)).collect();
        self.commit(&dropped).await;
        self.unlock(&dropped).await;
        dropped
    }

    /// Goes on with `queue` at `offset`, forwards or backwards; what is under way of it is forgotten.
    pub(super) async fn reset_offset(self: &Arc<Self>, queue: &Arc<ProcessQueue>, offset: i64) -> Result<()> {
        let _storing = queue.storing.lock().await;
        if self.is_clustering() {
            self.requests.store_offset(queue.queue(), offset).await?;
        }
        queue.supersede();
        let reset = ProcessQueue::new(queue.queue().clone());
        reset.begin(offset, true);
        self.assign(reset, Some(queue));
        Ok(())
    }
}
