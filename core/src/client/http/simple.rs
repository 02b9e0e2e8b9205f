//! The simple consumer: its subscriptions, whose turn it is, and how it waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::receiver::{HIDDEN, LARGEST_BATCH, LONGEST_POLL, Receiver, tag_of};
use crate::client::deadline_after;
use crate::client::instance::check_runtime;
use crate::client::polls::{Poll, Polls};
use crate::client::simple::{ReceiptHandle, Received};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{FilterExpression, Protocol, SimpleConsumerOptions};

/// With other topics waiting for their turn, none is polled for longer.
const SHORTEST_POLL: Duration = Duration::from_secs(1);
/// A server that answers an empty receive at once is not asked in a hot loop.
const NOT_HELD: Duration = Duration::from_millis(100);
/// So much of a second that has begun counts as a whole one.
const SLACK: Duration = Duration::from_millis(50);

/// A simple consumer. It asks nothing of a server before its first receive.
pub(crate) struct Simple {
    receiver: Arc<Receiver>,
    await_duration: Duration,
    /// The tags of every topic.
    subscriptions: Mutex<BTreeMap<String, String>>,
    polls: Polls,
    turn: AtomicUsize,
}

impl Simple {
    /// Checks the options and whether the service can be connected to.
    ///
    /// # Errors
    /// `InvalidArgument`; `Unsupported` for an SQL92 expression; those of [`Service::probe`](super::Service::probe).
    pub(crate) async fn start(options: SimpleConsumerOptions) -> Result<Self> {
        check_runtime()?;
        let SimpleConsumerOptions { client, group, subscriptions, await_duration, orderly } = options;
        let tagged = |(topic, filter)| Ok((topic, tag_of("start", &filter)?));
        let subscriptions = subscriptions.into_iter().map(tagged).collect::<Result<_>>()?;
        let receiver = Receiver::new(client, group, orderly)?;
        receiver.probe().await?;
        Ok(Self {
            subscriptions: Mutex::new(subscriptions),
            receiver: Arc::new(receiver),
            await_duration,
            polls: Polls::default(),
            turn: AtomicUsize::new(fastrand::usize(..1024)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up to `max` messages from the topic whose turn it is; no message within `wait` is no error.
    ///
    /// # Errors
    /// `Unsupported` if they shall stay hidden for longer than the service hides them; `InvalidArgument`; `Closed`; or why
    /// the server cannot be asked.
    pub(crate) async fn receive(
        &self,
        max: usize,
        invisible: Duration,
        wait: Option<Duration>,
    ) -> Result<Vec<Received>> {
        if invisible > HIDDEN {
            let what = format!("way to hide messages for {invisible:?}, only for {HIDDEN:?}");
            return Err(Protocol::Http.lacks("receive", &what));
        }
        let max = max.min(LARGEST_BATCH);
        let deadline = deadline_after(wait.unwrap_or(self.await_duration));
        let mut asked = 0;
        loop {
            self.receiver.check_open("receive")?;
            let begun = clock::instant();
            let topics = self.lock().len();
            // Several topics are all looked at before the server holds a poll of one.
            let longest = match topics {
                ..=1 => LONGEST_POLL,
                _ if asked < topics => Duration::ZERO,
                _ => SHORTEST_POLL,
            };
            let (messages, result) = match self.polls.take_over(max, HIDDEN) {
                // It may stand for longer than this call waits.
                Some(poll) => match timeout_at(deadline.into(), self.polls.wait_for(poll)).await {
                    Ok(brought) => brought,
                    Err(_) => return Ok(Vec::new()),
                },
                None => self.polls.wait_for(self.poll(max, longest, deadline)?).await,
            };
            if !messages.is_empty() {
                return Ok(messages);
            }
            result?;
            asked += 1;
            let now = clock::instant();
            if asked < topics {
                continue;
            }
            if now >= deadline {
                return Ok(Vec::new());
            }
            if now.duration_since(begun) < NOT_HELD {
                sleep(NOT_HELD.min(deadline - now)).await;
            }
        }
    }

    /// Begins a receive from the topic whose turn it is, for the whole seconds that are left: one that stands for longer
    /// would take messages for nobody.
    fn poll(&self, max: usize, longest: Duration, deadline: Instant) -> Result<Poll> {
        let (topic, tag) = {
            let subscriptions = self.lock();
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % subscriptions.len().max(1);
            let Some((topic, tag)) = subscriptions.iter().nth(turn) else {
                let text = "no topic is subscribed to; subscribe first";
                return Err(Error::new(ErrorKind::InvalidArgument, "receive", text));
            };
            (topic.clone(), tag.clone())
        };
        let left = deadline.saturating_duration_since(clock::instant()) + SLACK;
        let wait = Duration::from_secs(left.min(longest).as_secs());
        let (asked, receiver) = (topic.clone(), Arc::clone(&self.receiver));
        let receive = async move {
            match receiver.receive(&asked, &tag, max, wait).await {
                Ok(messages) => (messages, Ok(())),
                Err(error) => (Vec::new(), Err(error)),
            }
        };
        Ok(Poll::begin(&self.receiver, topic, max, HIDDEN, receive))
    }

    /// One result a receipt, in their order.
    pub(crate) async fn ack(&self, receipts: &[ReceiptHandle]) -> Vec<Result<()>> {
        self.receiver.ack(receipts).await
    }

    /// Adds or replaces a subscription whose topic and expression were checked.
    ///
    /// # Errors
    /// `Unsupported` for an SQL92 expression; `Closed`.
    pub(crate) async fn subscribe(&self, topic: &str, filter: &FilterExpression) -> Result<()> {
        self.receiver.check_open("subscribe")?;
        let tag = tag_of("subscribe", filter)?;
        let before = self.lock().insert(topic.to_owned(), tag.clone());
        if before.is_some_and(|before| before != tag) {
            self.polls.end(Some(topic), &self.receiver).await;
        }
        Ok(())
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) async fn unsubscribe(&self, topic: &str) -> Result<()> {
        self.receiver.check_open("unsubscribe")?;
        self.lock().remove(topic);
        self.polls.end(Some(topic), &self.receiver).await;
        Ok(())
    }

    /// The client id: nobody but this program knows it.
    pub(crate) fn client_id(&self) -> &str {
        self.receiver.client_id()
    }

    /// Ends what is under way. Idempotent.
    pub(crate) async fn shutdown(&self) {
        self.receiver.close();
        self.polls.end(None, &self.receiver).await;
        self.receiver.shutdown().await;
        // What a call left standing meanwhile.
        self.polls.end(None, &self.receiver).await;
    }
}
