//! The server asks nobody how a transaction ends: half messages without an end are fetched, as messages are consumed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Sender as Questions, TrySendError};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

use super::service::{ConsumeMode, HttpConsume, Service};
use crate::client::instance::SIGN_OFF;
use crate::client::simple::Received;
use crate::client::transaction::{TransactionCheck, TransactionResolution};
use crate::clock;
use crate::codec::http::request::{MAX_COUNT, MAX_WAIT_SECONDS};
use crate::error::{Error, ErrorKind};

/// Polls that end at once, against their wait, are no further apart.
const SHORTEST_POLL: Duration = Duration::from_secs(1);
/// Longest pause after polls that fail.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The topics that a producer has half messages in. Dropping it ends the questions.
pub(super) struct Halves {
    topics: watch::Sender<BTreeSet<String>>,
    /// Answers that are on their way to the server.
    answers: Answers,
}

impl Halves {
    /// Those of `topics`, from before.
    pub(super) fn new(topics: &[String]) -> Self {
        let topics = watch::Sender::new(topics.iter().cloned().collect());
        Self { topics, answers: Answers(Arc::default()) }
    }

    /// Notes that there is one in `topic`.
    pub(super) fn of(&self, topic: &str) {
        self.topics.send_if_modified(|topics| !topics.contains(topic) && topics.insert(topic.to_owned()));
    }

    /// Fetches the half messages of `group` and asks `questions` about them, from when they are `wanted` until nobody
    /// takes them, or the producer ends. One task.
    pub(super) fn ask(
        &self,
        service: &Arc<Service>,
        group: String,
        questions: Questions<TransactionCheck>,
        mut wanted: watch::Receiver<bool>,
    ) {
        let mut topics = self.topics.subscribe();
        let (service, answers) = (Arc::clone(service), self.answers.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = service.closed() => return,
                // The end of a producer that was not shut down.
                () = async { while topics.changed().await.is_ok() {} } => return,
                known = wanted.wait_for(|wanted| *wanted) => if known.is_err() { return },
            }
            topics.mark_changed();
            let poller = Poller { service, group, questions, answers };
            let mut polled = BTreeSet::new();
            let mut polls = FuturesUnordered::new();
            loop {
                tokio::select! {
                    biased;
                    () = poller.service.closed() => return,
                    () = poller.questions.closed() => return,
                    changed = topics.changed() => if changed.is_err() { return },
                    Some(()) = polls.next() => {}
                }
                for topic in topics.borrow_and_update().iter() {
                    if polled.insert(topic.clone()) {
                        polls.push(poller.poll(topic.clone()));
                    }
                }
            }
        });
    }

    /// Waits until the server was told what has been said so far, for a second at most.
    pub(super) async fn told(&self) {
        let _ = timeout(SIGN_OFF, self.answers.0.subscribe().wait_for(|under_way| *under_way == 0)).await;
    }
}

/// How many answers are on their way.
#[derive(Clone)]
struct Answers(Arc<watch::Sender<usize>>);

impl Answers {
    /// One more, until what is returned is dropped.
    fn begin(&self) -> UnderWay {
        self.0.send_modify(|under_way| *under_way += 1);
        UnderWay(self.clone())
    }
}

struct UnderWay(Answers);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_modify(|under_way| *under_way -= 1);
    }
}

struct Poller {
    service: Arc<Service>,
    group: String,
    questions: Questions<TransactionCheck>,
    answers: Answers,
}

impl Poller {
    /// Fetches the half messages of `topic` until the client ends.
    async fn poll(&self, topic: String) {
        let wanted = HttpConsume {
            topic,
            group: self.group.clone(),
            tag: String::new(),
            mode: ConsumeMode::Half,
            max: MAX_COUNT,
            wait: Duration::from_secs(MAX_WAIT_SECONDS),
        };
        let mut failures = 0;
        loop {
            let begun = clock::instant();
            match self.service.consume(&wanted).await {
                Ok(consumed) => {
                    failures = 0;
                    consumed.messages.into_iter().for_each(|half| self.question(&wanted, half));
                }
                Err(error) if error.kind() == ErrorKind::Closed => return,
                Err(error) if error.kind() == ErrorKind::MessageNotFound => {
                    failures = 0;
                    sleep_until((begun + SHORTEST_POLL).into()).await;
                }
                Err(error) => {
                    self.complain(&wanted.topic, &error, failures);
                    let pause = SHORTEST_POLL.saturating_mul(1 << failures.min(5)).min(LONGEST_PAUSE);
                    failures = failures.saturating_add(1);
                    sleep(pause).await;
                }
            }
        }
    }

    fn question(&self, wanted: &HttpConsume, half: Received) {
        if half.corrupted {
            tracing::warn!(
                topic = wanted.topic,
                id = half.message.message_id,
                "a half message came corrupted"
            );
            return;
        }
        let service = Arc::downgrade(&self.service);
        let (runtime, answers) = (tokio::runtime::Handle::current(), self.answers.clone());
        let (topic, group, handle) = (wanted.topic.clone(), wanted.group.clone(), half.receipt.handle);
        let check = TransactionCheck::new(half.message, move |resolution| {
            let Some(service) = service.upgrade().filter(|_| resolution != TransactionResolution::Unknown)
            else {
                return;
            };
            let under_way = answers.begin();
            runtime.spawn(async move {
                let _under_way = under_way;
                let ended = service.end_transaction(&topic, &group, &handle, resolution).await;
                if let Err(error) = ended {
                    tracing::warn!(%error, "the end of a transaction could not be told; the server asks again");
                }
            });
        });
        if let Err(TrySendError::Full(check)) = self.questions.try_send(check) {
            tracing::warn!(topic = check.message.topic, "too many questions about transactions wait");
        }
    }

    fn complain(&self, topic: &str, error: &Error, failures: u32) {
        if failures == 0 {
            tracing::warn!(%error, topic, "half messages cannot be fetched; it is tried again");
        } else {
            tracing::debug!(%error, topic, "half messages cannot be fetched; it is tried again");
        }
    }
}
