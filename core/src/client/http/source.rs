//! What the engine of push consumers needs of the HTTP protocol: topics in place of queues, and a handle's life.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::receiver::{LONGEST_POLL, Receiver, comes_again_by_itself};
use crate::client::receive::Source;
use crate::client::simple::{ReceiptHandle, Received};
use crate::clock;
use crate::error::{ErrorKind, Result};
use crate::message::MessageQueue;

const SHORTEST_POLL: Duration = Duration::from_secs(1);
/// A message of an ordered group that failed is tried again after this, doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// What the engine receives from and acknowledges to.
pub(crate) struct PushSource {
    pub(super) receiver: Receiver,
    orderly: bool,
    long_poll: Duration,
    state: Mutex<State>,
    warned: AtomicBool,
}

#[derive(Default)]
struct State {
    /// The tags of every topic.
    subscriptions: BTreeMap<String, Arc<str>>,
    /// What came when the servers were asked for the first time.
    first: HashMap<String, Vec<Received>>,
}

/// The one queue of a topic: servers name none.
pub(super) fn queue_of(topic: &str) -> MessageQueue {
    MessageQueue { topic: topic.to_owned(), broker: String::new(), id: -1 }
}

impl PushSource {
    pub(super) fn new(receiver: Receiver, orderly: bool, long_poll: Duration) -> Self {
        Self {
            receiver,
            orderly,
            long_poll: Duration::from_secs(long_poll.clamp(SHORTEST_POLL, LONGEST_POLL).as_secs()),
            state: Mutex::default(),
            warned: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets or ends the subscription of `topic`; whether that is a change.
    pub(super) fn set_tag(&self, topic: &str, tag: Option<&str>) -> bool {
        let mut state = self.lock();
        if state.subscriptions.get(topic).map(|tag| &**tag) == tag {
            return false;
        }
        state.first.remove(topic);
        match tag {
            Some(tag) => state.subscriptions.insert(topic.to_owned(), tag.into()),
            None => state.subscriptions.remove(topic),
        };
        true
    }

    /// Asks for the first messages of every topic, up to `max` each, so that a wrong endpoint or key shows at the start.
    ///
    /// # Errors
    /// Why no server can be asked, or why it refuses; not for a topic that may come, nor for what passes.
    pub(super) async fn ask_first(&self, max: usize) -> Result<()> {
        let subscriptions = self.lock().subscriptions.clone();
        let answers = subscriptions.iter().map(|(topic, tag)| async move {
            match self.receiver.receive(topic, tag, max, Duration::ZERO).await {
                Ok(messages) => Ok((topic.clone(), messages)),
                Err(error) => match error.kind() {
                    ErrorKind::TopicNotFound
                    | ErrorKind::GroupNotFound
                    | ErrorKind::Busy
                    | ErrorKind::Server => Ok((topic.clone(), Vec::new())),
                    _ => Err(error),
                },
            }
        });
        let first = try_join_all(answers).await?;
        self.lock().first.extend(first.into_iter().filter(|(_, messages)| !messages.is_empty()));
        Ok(())
    }
}

impl Source for PushSource {
    async fn receive(&self, queue: &MessageQueue, max: usize) -> (Vec<Received>, Result<()>) {
        let (first, tag) = {
            let mut state = self.lock();
            (state.first.remove(&queue.topic), state.subscriptions.get(&queue.topic).cloned())
        };
        let received = match (first, tag) {
            (Some(first), _) => Ok(first),
            (None, Some(tag)) => self.receiver.receive(&queue.topic, &tag, max, self.long_poll).await,
            (None, None) => Ok(Vec::new()),
        };
        match received {
            Ok(mut messages) => {
                if self.orderly {
                    leave_out_behind_corrupted(&mut messages);
                }
                (messages, Ok(()))
            }
            Err(error) => (Vec::new(), Err(error)),
        }
    }

    /// A handler has a quarter of the handle's life at least.
    fn until(&self, received: &Received) -> Option<Instant> {
        Some(clock::instant() + self.receiver.life_of(received) * 3 / 4)
    }

    async fn ack(&self, receipts: &[ReceiptHandle]) -> Vec<Result<()>> {
        self.receiver.ack(receipts).await
    }

    async fn hide(&self, _: &ReceiptHandle, _: Duration, _: bool) -> Result<()> {
        Err(comes_again_by_itself("hide"))
    }

    async fn give_up(&self, receipt: &ReceiptHandle, _: i32) -> Result<()> {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                topic = receipt.topic,
                message_id = receipt.message_id,
                "a message was given up, which cannot be told over ApsaraMQ HTTP: such messages come again until the \
                 server gives them up"
            );
        }
        Err(comes_again_by_itself("dead letter"))
    }

    /// Only in order are messages tried again from here. The server counts on its own, and decides about dead letters.
    fn retry_after(&self, attempt: i32) -> Option<Duration> {
        let doublings = attempt.clamp(1, 16) - 1;
        Some(FIRST_RETRY.saturating_mul(1 << doublings).min(LONGEST_RETRY))
    }
}

/// A corrupted message comes again, and in order those behind it of its message group with it.
fn leave_out_behind_corrupted(messages: &mut Vec<Received>) {
    let mut broken = HashSet::new();
    messages.retain(|received| {
        let group = received.message.message_group().map(str::to_owned);
        let stays = !broken.contains(&group);
        if received.corrupted {
            broken.insert(group);
        }
        stays
    });
}
