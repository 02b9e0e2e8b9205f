//! Receives that outlive the call that began them. Servers hand messages out to a receive although nobody waits for it any
//! more; so a call that is given up leaves its receive standing, and the next call takes it over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::simple::{ReceiptHandle, Received};
use crate::error::Result;

/// Receives that may stand; one more ends the oldest.
const STANDING: usize = 32;

/// What a receive brought: messages that came before a fault count all the same.
pub(super) type Brought = (Vec<Received>, Result<()>);

/// What becomes of messages that nobody takes over.
pub(super) trait GiveBack: Send + Sync + 'static {
    /// How long they wait for that, hidden for `invisible` as asked.
    fn patience(&self, invisible: Duration, messages: &[Received]) -> Duration;

    /// Lets the group have a message again, as far as the protocol can.
    fn give_back(&self, receipt: &ReceiptHandle) -> impl Future<Output = Result<()>> + Send;
}

/// The receives of one consumer that nobody waits for now.
#[derive(Default)]
pub(super) struct Polls {
    standing: Mutex<Vec<Poll>>,
}

/// One receive.
pub(super) struct Poll {
    topic: String,
    max: usize,
    invisible: Duration,
    end: Arc<End>,
    task: AbortHandle,
}

#[derive(Default)]
struct End {
    brought: Mutex<Option<Brought>>,
    rung: Notify,
}

impl End {
    fn lock(&self) -> MutexGuard<'_, Option<Brought>> {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Poll {
    /// Begins `receive`. What it brings and nobody takes over in time is given back by `giver`.
    pub(super) fn begin<G: GiveBack>(
        giver: &Arc<G>,
        topic: String,
        max: usize,
        invisible: Duration,
        receive: impl Future<Output = Brought> + Send + 'static,
    ) -> Self {
        let end = Arc::new(End::default());
        let (reached, giver) = (Arc::clone(&end), Arc::clone(giver));
        let task = tokio::spawn(async move {
            let brought = receive.await;
            let patience = (!brought.0.is_empty()).then(|| giver.patience(invisible, &brought.0));
            *reached.lock() = Some(brought);
            reached.rung.notify_one();
            if let Some(patience) = patience {
                sleep(patience).await;
                let forgotten = reached.lock().take();
                give_back(&*giver, forgotten).await;
            }
        });
        Self { topic, max, invisible, end, task: task.abort_handle() }
    }

    /// Waits for what the receive brings. Cancel-safe.
    async fn brought(&self) -> Brought {
        loop {
            if let Some(brought) = self.end.lock().take() {
                self.task.abort();
                return brought;
            }
            self.end.rung.notified().await;
        }
    }

    /// Whether it ended without a message.
    fn is_over(&self) -> bool {
        self.task.is_finished() || matches!(&*self.end.lock(), Some((messages, _)) if messages.is_empty())
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Polls {
    fn lock(&self) -> MutexGuard<'_, Vec<Poll>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A standing receive that asks for what the caller wants, or less.
    pub(super) fn take_over(&self, max: usize, invisible: Duration) -> Option<Poll> {
        let mut standing = self.lock();
        standing.retain(|poll| !poll.is_over());
        let at = standing.iter().position(|poll| poll.max <= max && poll.invisible == invisible)?;
        Some(standing.remove(at))
    }

    /// Waits for what `poll` brings; given up before, it is left standing.
    pub(super) async fn wait_for(&self, poll: Poll) -> Brought {
        let poll = Leaving { polls: self, poll: Some(poll) };
        match &poll.poll {
            Some(receive) => {
                let brought = receive.brought().await;
                poll.forget();
                brought
            }
            None => (Vec::new(), Ok(())),
        }
    }

    /// Ends the standing receives of `topic`, or all, and gives back what they brought.
    pub(super) async fn end(&self, topic: Option<&str>, giver: &Arc<impl GiveBack>) {
        let ended: Vec<Poll> = {
            let mut standing = self.lock();
            standing.extract_if(.., |poll| topic.is_none_or(|topic| poll.topic == topic)).collect()
        };
        for poll in ended {
            let brought = poll.end.lock().take();
            give_back(&**giver, brought).await;
        }
    }
}

/// A receive somebody waits for; left standing when that is given up.
struct Leaving<'a> {
    polls: &'a Polls,
    poll: Option<Poll>,
}

impl Leaving<'_> {
    fn forget(mut self) {
        self.poll = None;
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let Some(poll) = self.poll.take() else { return };
        let mut standing = self.polls.lock();
        if standing.len() == STANDING {
            standing.remove(0);
        }
        standing.push(poll);
    }
}

async fn give_back(giver: &impl GiveBack, brought: Option<Brought>) {
    for received in brought.into_iter().flat_map(|(messages, _)| messages) {
        if let Err(error) = giver.give_back(&received.receipt).await {
            let message_id = received.receipt.message_id;
            tracing::debug!(%error, message_id, "a message could not be given back; it comes again later");
        }
    }
}
