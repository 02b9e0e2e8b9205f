//! The simple consumer over gRPC: its subscriptions, and whose turn it is to be received from.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::agent::Agent;
use super::receiver::{Receiver, SHORTEST_POLL, Wanted};
use super::replaced::Replaced;
use super::settings::Role;
use crate::client::acks::checked;
use crate::client::deadline_after;
use crate::client::polls::{Poll, Polls};
use crate::client::simple::{ReceiptHandle, Received};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{FilterExpression, SimpleConsumerOptions};
use crate::route::ProxyQueue;
use crate::transport::grpc::uuid;

/// The queue id that stands for all queues of a broker.
const ALL_QUEUES: i32 = -1;
/// A server that answers an empty receive at once is not asked in a hot loop.
const NOT_HELD: Duration = Duration::from_millis(100);

/// A simple consumer.
pub(crate) struct Simple {
    receiver: Arc<Receiver>,
    await_duration: Duration,
    subscriptions: Mutex<BTreeMap<String, FilterExpression>>,
    polls: Polls,
    replaced: Replaced,
    turn: AtomicUsize,
}

/// Where one receive can ask.
struct Place {
    topic: String,
    filter: FilterExpression,
    queue: ProxyQueue,
}

impl Simple {
    /// Agrees on settings with the proxies.
    ///
    /// # Errors
    /// Those of [`Agent::start`]; `InvalidArgument` if order is asked for and the group does not keep it.
    pub(crate) async fn start(options: SimpleConsumerOptions) -> Result<Self> {
        let SimpleConsumerOptions { client, group, subscriptions, await_duration, orderly } = options;
        let role = Role::SimpleConsumer { group: group.clone(), subscriptions: subscriptions.clone() };
        let topics = subscriptions.iter().map(|(topic, _)| topic.clone()).collect();
        let agent = Agent::start(&client, role, topics).await?;
        if orderly {
            agent.require_order(&group).await?;
        }
        Ok(Self {
            receiver: Arc::new(Receiver::new(agent, group)),
            await_duration,
            subscriptions: Mutex::new(subscriptions.into_iter().collect()),
            polls: Polls::default(),
            replaced: Replaced::default(),
            turn: AtomicUsize::new(fastrand::usize(..1024)),
        })
    }

    fn agent(&self) -> &Arc<Agent> {
        &self.receiver.agent
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, FilterExpression>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up to `max` messages from the place whose turn it is; no message within `wait` is no error.
    ///
    /// # Errors
    /// `InvalidArgument`, `Closed`, `Busy`, or why the server cannot be asked.
    pub(crate) async fn receive(
        &self,
        max: usize,
        invisible: Duration,
        wait: Option<Duration>,
    ) -> Result<Vec<Received>> {
        let deadline = deadline_after(wait.unwrap_or(self.await_duration));
        loop {
            self.agent().check_open("receive")?;
            let begun = clock::instant();
            let poll = match self.polls.take_over(max, invisible) {
                Some(poll) => poll,
                None => self.poll(max, invisible, deadline).await?,
            };
            let Ok((messages, result)) = timeout_at(deadline.into(), self.polls.wait_for(poll)).await else {
                return Ok(Vec::new());
            };
            if !messages.is_empty() {
                return Ok(messages);
            }
            result?;
            let now = clock::instant();
            if now >= deadline {
                return Ok(Vec::new());
            }
            if now.duration_since(begun) < NOT_HELD {
                sleep(NOT_HELD.min(deadline - now)).await;
            }
        }
    }

    /// Begins a receive from the place whose turn it is.
    async fn poll(&self, max: usize, invisible: Duration, deadline: Instant) -> Result<Poll> {
        let (place, places) = self.next_place().await?;
        let left = deadline.saturating_duration_since(clock::instant());
        // With other places waiting for their turn, none is asked for longer than it has to be.
        let longest = if places > 1 { SHORTEST_POLL } else { self.agent().settings().borrow().long_poll };
        let long_poll = left.min(longest).max(SHORTEST_POLL);
        let (topic, receiver) = (place.topic.clone(), Arc::clone(&self.receiver));
        let receive = async move {
            let wanted = Wanted {
                topic: &place.topic,
                queue: &place.queue,
                filter: &place.filter,
                max,
                invisible: Some(invisible),
                long_poll,
                attempt_id: uuid(),
            };
            receiver.receive(wanted).await
        };
        Ok(Poll::begin(&self.receiver, topic, max, invisible, receive))
    }

    /// One broker of one subscribed topic, in turn, and how many there are.
    async fn next_place(&self) -> Result<(Place, usize)> {
        let subscriptions = self.lock().clone();
        if subscriptions.is_empty() {
            let text = "no topic is subscribed to; subscribe first";
            return Err(Error::new(ErrorKind::InvalidArgument, "receive", text));
        }
        let mut places: Vec<Place> = Vec::new();
        for (topic, filter) in subscriptions {
            let route = self.agent().route("receive", &topic, self.agent().request_deadline()).await?;
            for queue in route.queues().iter().filter(|queue| queue.is_readable() && queue.is_master()) {
                let known = |place: &Place| place.topic == topic && place.queue.broker == queue.broker;
                if places.iter().any(known) {
                    continue;
                }
                let mut described = queue.described.clone();
                described.id = ALL_QUEUES;
                let queue = ProxyQueue {
                    broker: Arc::clone(&queue.broker),
                    addresses: Arc::clone(&queue.addresses),
                    described,
                };
                places.push(Place { topic: topic.clone(), filter: filter.clone(), queue });
            }
        }
        let count = places.len();
        if count == 0 {
            let text = "no queue of the subscribed topics can be read";
            return Err(Error::new(ErrorKind::PermissionDenied, "receive", text));
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % count;
        Ok((places.swap_remove(turn), count))
    }

    /// One result a receipt, in their order.
    pub(crate) async fn ack(&self, receipts: &[ReceiptHandle]) -> Vec<Result<()>> {
        let check = |receipt: &ReceiptHandle| self.replaced.check("ack", receipt);
        checked(receipts, check, |receipts| async move { self.receiver.ack(&receipts).await }).await
    }

    /// Hides a message until `invisible` from now; `receipt` has the new handle then.
    ///
    /// # Errors
    /// `InvalidReceipt`, `InvalidArgument`, `Closed`, or why the server cannot be asked.
    pub(crate) async fn change_invisible(
        &self,
        receipt: &mut ReceiptHandle,
        invisible: Duration,
    ) -> Result<()> {
        self.replaced.check("change invisible duration", receipt)?;
        let newer = self.receiver.change_invisible(receipt, invisible, false).await?;
        self.replaced.add(std::mem::replace(&mut receipt.handle, newer));
        Ok(())
    }

    /// Adds or replaces a subscription whose topic and expression were checked.
    ///
    /// # Errors
    /// `TopicNotFound`; `Closed`.
    pub(crate) async fn subscribe(&self, topic: &str, filter: &FilterExpression) -> Result<()> {
        self.agent().check_open("subscribe")?;
        self.agent().route("subscribe", topic, self.agent().request_deadline()).await?;
        let before = self.lock().insert(topic.to_owned(), filter.clone());
        if before.is_some_and(|before| before != *filter) {
            self.polls.end(Some(topic), &self.receiver).await;
        }
        self.subscriptions_changed();
        Ok(())
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) async fn unsubscribe(&self, topic: &str) -> Result<()> {
        self.agent().check_open("unsubscribe")?;
        self.lock().remove(topic);
        self.polls.end(Some(topic), &self.receiver).await;
        self.subscriptions_changed();
        Ok(())
    }

    fn subscriptions_changed(&self) {
        let subscriptions = self.lock().clone();
        self.agent().set_subscriptions(subscriptions.into_iter().collect());
    }

    /// The client id in use.
    pub(crate) fn client_id(&self) -> &str {
        self.agent().client_id()
    }

    /// Gives back what nobody asked for and signs off. Idempotent.
    pub(crate) async fn shutdown(&self) {
        self.polls.end(None, &self.receiver).await;
        self.agent().shutdown().await;
        // What a call left standing meanwhile.
        self.polls.end(None, &self.receiver).await;
    }
}
