//! Carries out what became of messages. One task a consumer: acknowledgements travel together, other requests side by
//! side, and what fails is tried again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::pause::pause;
use super::shelf::Shelf;
use super::source::Source;
use crate::client::simple::ReceiptHandle;
use crate::clock;
use crate::error::{ErrorKind, Result};
use crate::message::DELAY_LEVELS;
use crate::options::ConsumeResult;

/// Acknowledgements of one request.
const BATCH: usize = 64;
/// Requests with acknowledgements under way, a topic and broker: what comes meanwhile goes together with the next.
const ACKS_AT_ONCE: usize = 2;
/// Other requests under way.
const OTHERS_AT_ONCE: usize = 64;
/// Results taken in one turn.
const TURN: usize = 256;
/// A request is tried so often: with its pauses over a minute, as long as messages stay hidden.
const TRIES: u32 = 16;

/// What became of a message.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) receipt: ReceiptHandle,
    pub(super) attempt: i32,
    pub(super) result: ConsumeResult,
    /// Where it stays on the shelf until it comes again or is given up.
    pub(super) key: Option<u64>,
}

/// What the engine wants of the settler.
#[derive(Debug)]
pub(super) enum Work {
    Settled(Settled),
    /// Messages that no handler had: the group may have them.
    Returned(Vec<ReceiptHandle>),
}

/// What a request says about its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ack,
    Hide { after: Duration, untouched: bool },
    GiveUp,
}

#[derive(Debug)]
struct Item {
    receipt: ReceiptHandle,
    attempt: i32,
    key: Option<u64>,
    tries: u32,
}

#[derive(Debug)]
struct Request {
    verdict: Verdict,
    items: Vec<Item>,
}

/// What waits for an instant.
#[derive(Debug)]
enum Later {
    Again(u64),
    Retry(Verdict, Item),
}

/// Acknowledgements for one topic on one broker.
#[derive(Debug, Default)]
struct Acks {
    waiting: VecDeque<Item>,
    under_way: usize,
}

#[derive(Debug)]
struct Settler<S> {
    source: Arc<S>,
    shelf: Arc<Shelf>,
    acks: Vec<((String, String), Acks)>,
    others: VecDeque<Request>,
    others_under_way: usize,
    later: BTreeMap<(Instant, u64), Later>,
    next: u64,
    draining: bool,
}

/// Works until `draining`, and then until everything is carried out; nothing is tried again any more then.
pub(super) async fn run<S: Source>(
    source: Arc<S>,
    shelf: Arc<Shelf>,
    mut work: UnboundedReceiver<Work>,
    mut draining: watch::Receiver<bool>,
) {
    let mut settler = Settler {
        source: Arc::clone(&source),
        shelf,
        acks: Vec::new(),
        others: VecDeque::new(),
        others_under_way: 0,
        later: BTreeMap::new(),
        next: 0,
        draining: false,
    };
    let mut requests = FuturesUnordered::new();
    let mut turn = Vec::with_capacity(TURN);
    let mut open = true;
    loop {
        while let Some(request) = settler.next_request() {
            requests.push(perform(&*source, request));
        }
        if !open && requests.is_empty() {
            return;
        }
        let due = settler.later.first_key_value().map(|((due, _), _)| *due);
        tokio::select! {
            taken = work.recv_many(&mut turn, TURN), if open => {
                open = taken > 0;
                turn.drain(..).for_each(|work| settler.take(work));
            }
            Some((request, results)) = requests.next(), if !requests.is_empty() => settler.done(request, results),
            () = sleep_until(due.unwrap_or_else(clock::instant).into()), if due.is_some() => {
                settler.wake(clock::instant());
            }
            _ = draining.wait_for(|draining| *draining), if !settler.draining => {
                work.close();
                settler.drain();
            }
        }
    }
}

async fn perform<S: Source>(source: &S, request: Request) -> (Request, Vec<Result<()>>) {
    let first = request.items.first();
    let results = match (request.verdict, first) {
        (_, None) => Vec::new(),
        (Verdict::Ack, _) => {
            let receipts: Vec<_> = request.items.iter().map(|item| item.receipt.clone()).collect();
            source.ack(&receipts).await
        }
        (Verdict::Hide { after, untouched }, Some(item)) => {
            vec![source.hide(&item.receipt, after, untouched).await]
        }
        (Verdict::GiveUp, Some(item)) => vec![source.give_up(&item.receipt, item.attempt).await],
    };
    (request, results)
}

impl<S: Source> Settler<S> {
    fn take(&mut self, work: Work) {
        match work {
            Work::Settled(settled) => self.settle(settled),
            Work::Returned(receipts) => {
                for receipt in receipts {
                    let item = Item { receipt, attempt: 1, key: None, tries: 0 };
                    self.ask(Verdict::Hide { after: Duration::ZERO, untouched: true }, item);
                }
            }
        }
    }

    fn settle(&mut self, Settled { receipt, attempt, result, key }: Settled) {
        let item = Item { receipt, attempt, key, tries: 0 };
        let scheduled = match result {
            ConsumeResult::Success => {
                self.ask(Verdict::Ack, item);
                return;
            }
            ConsumeResult::DeadLetter => return self.give_up(item),
            ConsumeResult::RetryLater => self.source.retry_after(attempt),
            ConsumeResult::RetryAfterLevel(level) => {
                let wanted = DELAY_LEVELS.get(usize::from(level).min(DELAY_LEVELS.len()).wrapping_sub(1));
                let scheduled = self.source.retry_after(attempt);
                scheduled.map(|backoff| wanted.map_or(backoff, |seconds| Duration::from_secs(*seconds)))
            }
        };
        let Some(after) = scheduled else {
            tracing::warn!(
                topic = item.receipt.topic,
                message_id = item.receipt.message_id,
                attempt,
                "a message was not consumed in its last attempt and becomes a dead letter"
            );
            return self.give_up(item);
        };
        match key {
            Some(key) => self.at(clock::instant() + after, Later::Again(key)),
            None => self.ask(Verdict::Hide { after, untouched: false }, item),
        }
    }

    fn give_up(&mut self, item: Item) {
        if item.key.is_none_or(|key| self.shelf.leave(key)) {
            self.ask(Verdict::GiveUp, item);
        }
    }

    fn ask(&mut self, verdict: Verdict, item: Item) {
        if verdict != Verdict::Ack {
            return self.others.push_back(Request { verdict, items: vec![item] });
        }
        let ReceiptHandle { topic, broker, .. } = &item.receipt;
        let at = self.acks.iter().position(|((t, b), _)| t == topic && b == broker);
        let at = at.unwrap_or_else(|| {
            self.acks.push(((topic.clone(), broker.clone()), Acks::default()));
            self.acks.len() - 1
        });
        self.acks[at].1.waiting.push_back(item);
    }

    fn next_request(&mut self) -> Option<Request> {
        let ready = |acks: &&mut ((String, String), Acks)| {
            !acks.1.waiting.is_empty() && acks.1.under_way < ACKS_AT_ONCE
        };
        if let Some((_, acks)) = self.acks.iter_mut().find(ready) {
            acks.under_way += 1;
            let batch = acks.waiting.len().min(BATCH);
            return Some(Request { verdict: Verdict::Ack, items: acks.waiting.drain(..batch).collect() });
        }
        if self.others_under_way == OTHERS_AT_ONCE {
            return None;
        }
        let request = self.others.pop_front()?;
        self.others_under_way += 1;
        Some(request)
    }

    fn done(&mut self, request: Request, results: Vec<Result<()>>) {
        match (request.verdict, request.items.first()) {
            (Verdict::Ack, Some(first)) => {
                let ReceiptHandle { topic, broker, .. } = &first.receipt;
                self.acks.retain_mut(|((t, b), acks)| {
                    acks.under_way -= usize::from(t == topic && b == broker);
                    acks.under_way > 0 || !acks.waiting.is_empty()
                });
            }
            _ => self.others_under_way -= 1,
        }
        for (mut item, result) in request.items.into_iter().zip(results) {
            let ReceiptHandle { topic, message_id, .. } = &item.receipt;
            item.tries += 1;
            match result {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::InvalidReceipt => {
                    tracing::debug!(%error, topic, message_id, "a message was hidden no longer; it comes again");
                }
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    tracing::debug!(%error, topic, message_id, "a message comes again by itself");
                    if let Some(key) = item.key {
                        self.shelf.abandon(key);
                    }
                    continue;
                }
                Err(error) if self.draining || item.tries >= TRIES => {
                    tracing::warn!(%error, topic, message_id, "the server was not told what became of a message");
                }
                Err(error) => {
                    tracing::debug!(%error, topic, message_id, "what became of a message is told again");
                    let due = clock::instant() + pause(&error, item.tries);
                    self.at(due, Later::Retry(request.verdict, item));
                    continue;
                }
            }
            if let Some(key) = item.key {
                self.shelf.left(key);
            }
        }
    }

    fn at(&mut self, due: Instant, later: Later) {
        self.next += 1;
        self.later.insert((due, self.next), later);
    }

    fn wake(&mut self, now: Instant) {
        let rest = self.later.split_off(&(now, u64::MAX));
        for (_, later) in std::mem::replace(&mut self.later, rest) {
            match later {
                Later::Again(key) => self.shelf.again(key),
                Later::Retry(verdict, item) => self.ask(verdict, item),
            }
        }
    }

    /// What waits for its next try has it now; messages that wait for their next attempt were taken back.
    fn drain(&mut self) {
        self.draining = true;
        for (_, later) in std::mem::take(&mut self.later) {
            if let Later::Retry(verdict, item) = later {
                self.ask(verdict, item);
            }
        }
    }
}
