//! Transactions: how they end, and the questions of servers about those that did not.

use std::fmt;
use std::sync::Arc;

use async_channel::{Receiver, Sender};
use tokio::sync::watch;

use crate::message::MessageView;

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum TransactionResolution {
    /// Not known yet: the server asks again later.
    Unknown = 0,
    /// Consumers get the message.
    Commit = 1,
    /// The message is dropped.
    Rollback = 2,
}

/// Questions of servers about transactions that were neither committed nor rolled back. Ends with the producer. May be
/// shared by many tasks.
#[derive(Debug, Clone)]
pub struct TransactionChecks {
    questions: Receiver<TransactionCheck>,
    /// Whether somebody ever waited for one.
    wanted: Arc<watch::Sender<bool>>,
}

/// A question about one transaction. Dropping it answers `Unknown`.
#[derive(Debug)]
pub struct TransactionCheck {
    /// The half message.
    pub message: MessageView,
    /// What answers; take it out to keep the message longer than the answer.
    pub answer: TransactionAnswer,
}

/// The duty to answer one question. Dropping it means `Unknown`.
pub struct TransactionAnswer(Option<Box<dyn FnOnce(TransactionResolution) + Send>>);

impl TransactionChecks {
    /// Where the questions of a producer go, and where they are taken. At most `capacity` wait.
    pub(super) fn channel(capacity: usize) -> (Sender<TransactionCheck>, Self) {
        let (sender, questions) = async_channel::bounded(capacity);
        (sender, Self { questions, wanted: Arc::new(watch::Sender::new(false)) })
    }

    /// Turns true when somebody waits for questions; ends with the last who could.
    pub(super) fn wanted(&self) -> watch::Receiver<bool> {
        self.wanted.subscribe()
    }

    /// Waits for at least one question and takes up to `max`; empty when the producer has ended. Cancel-safe: a
    /// dropped call takes nothing.
    pub async fn next(&self, max: usize) -> Vec<TransactionCheck> {
        self.wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
        let Ok(first) = self.questions.recv().await else { return Vec::new() };
        let mut taken = vec![first];
        while taken.len() < max
            && let Ok(more) = self.questions.try_recv()
        {
            taken.push(more);
        }
        taken
    }
}

impl TransactionCheck {
    /// A question about `message`; `answer` is called once, with what is said, or with `Unknown`.
    pub(super) fn new(
        message: MessageView,
        answer: impl FnOnce(TransactionResolution) + Send + 'static,
    ) -> Self {
        Self { message, answer: TransactionAnswer(Some(Box::new(answer))) }
    }

    /// Says how the transaction ends; returns at once, the answer travels in the background.
    pub fn resolve(self, resolution: TransactionResolution) {
        self.answer.resolve(resolution);
    }
}

impl TransactionAnswer {
    /// See [`TransactionCheck::resolve`].
    pub fn resolve(mut self, resolution: TransactionResolution) {
        if let Some(answer) = self.0.take() {
            answer(resolution);
        }
    }
}

impl Drop for TransactionAnswer {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            answer(TransactionResolution::Unknown);
        }
    }
}

impl fmt::Debug for TransactionAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransactionAnswer")
    }
}
