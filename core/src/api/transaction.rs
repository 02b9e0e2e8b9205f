//! A transaction: a half message, and how it ends.

use super::{Producer, SendReceipt};
pub use crate::client::{TransactionAnswer, TransactionCheck, TransactionChecks, TransactionResolution};
use crate::error::Result;

/// A half message that waits for its end. Dropping it leaves the end to the transaction checker.
#[derive(Debug, Clone)]
pub struct Transaction {
    producer: Producer,
    receipt: SendReceipt,
}

impl Transaction {
    pub(super) fn new(producer: Producer, receipt: SendReceipt) -> Self {
        Self { producer, receipt }
    }

    /// What the server said about the half message.
    pub fn receipt(&self) -> &SendReceipt {
        &self.receipt
    }

    /// Lets consumers have the message.
    ///
    /// # Errors
    /// As [`Producer::end_transaction`].
    pub async fn commit(self) -> Result<()> {
        self.producer.end_transaction(&self.receipt, TransactionResolution::Commit).await
    }

    /// Drops the message.
    ///
    /// # Errors
    /// As [`Producer::end_transaction`].
    pub async fn rollback(self) -> Result<()> {
        self.producer.end_transaction(&self.receipt, TransactionResolution::Rollback).await
    }
}
