//! Half messages sent over HTTP: nobody is asked about them. Who produces fetches those whose time has come, and ends
//! each by the handle that came with it.

use super::{Half, Transactions, committed};
use crate::broker::pop::{Delivery, HandleFault, Mode, Receipt, Receive};
use crate::broker::state::{Due, State};
use crate::broker::timer::TimerId;
use crate::codec::remoting::record::StoredMessage;

/// What nobody fetches for this long is given up.
const UNFETCHED_MS: i64 = 24 * 3600 * 1000;

/// What a half message that is fetched has beyond others.
#[derive(Debug)]
pub(super) struct Polled {
    /// The handle that ends the transaction, as long as it lives.
    receipt: Receipt,
    /// When it was fetched first.
    first_ms: Option<i64>,
    /// Whether its time has come and nobody has fetched it since.
    is_offered: bool,
    /// When it is offered, or given up.
    ends: TimerId,
}

impl Polled {
    pub(super) fn is_offered(&self) -> bool {
        self.is_offered
    }
}

impl Transactions {
    /// Whether this receipt ends a transaction.
    pub(crate) fn is_open(&self, receipt: &Receipt) -> bool {
        let half = self.halves.get(&receipt.commit_log_offset);
        half.and_then(|half| half.polled.as_ref()).is_some_and(|polled| polled.receipt == *receipt)
    }
}

impl State {
    /// Keeps the half message of a transaction, to be fetched after `check_after_ms`; the receipt that ends it until then.
    pub(crate) fn begin_polled_transaction(
        &mut self,
        message: StoredMessage,
        check_after_ms: i64,
        now_ms: i64,
    ) -> Receipt {
        let (message, placed) = self.store_half(message, now_ms);
        let receipt = Receipt {
            number: self.pop.number(),
            since_ms: now_ms,
            invisible_ms: check_after_ms,
            retried: false,
            changed: false,
            queue_id: 0,
            queue_offset: placed.queue_offset,
            commit_log_offset: placed.commit_log_offset,
        };
        let ends = self.at(receipt.ends_ms(), Due::TransactionCheck(placed.commit_log_offset));
        let polled = Polled { receipt, first_ms: None, is_offered: false, ends };
        self.transactions.begin(message, placed, Some(polled));
        receipt
    }

    /// Ends a transaction by its receipt: the message, ready to be published.
    pub(crate) fn end_polled_transaction(
        &mut self,
        topic: &str,
        receipt: &Receipt,
        now_ms: i64,
    ) -> Result<StoredMessage, HandleFault> {
        if receipt.ends_ms() <= now_ms {
            return Err(HandleFault::Expired);
        }
        let offset = receipt.commit_log_offset;
        if self.pop.never_was(receipt) {
            return Err(HandleFault::Unknown);
        }
        let Some(half) = self.transactions.halves.get(&offset) else { return Err(HandleFault::Gone) };
        let Some(polled) = half.polled.as_ref().filter(|_| half.message.topic == topic) else {
            return Err(HandleFault::Unknown);
        };
        if polled.receipt != *receipt {
            return Err(HandleFault::Replaced);
        }
        self.timer.cancel(polled.ends);
        let half = self.transactions.remove(offset).ok_or(HandleFault::Gone)?;
        Ok(committed(half, offset))
    }

    /// Hands out half messages whose time has come, in the order it came.
    pub(crate) fn receive_halves(&mut self, wanted: &Receive, now_ms: i64) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        while deliveries.len() < wanted.count
            && let Some(offset) = self.transactions.next_offered(&wanted.topic)
        {
            let number = self.pop.number();
            let ends_ms = now_ms.saturating_add(wanted.invisible_ms);
            let ends = self.at(ends_ms, Due::TransactionCheck(offset));
            let Some(Half { message, checks, polled: Some(polled), .. }) =
                self.transactions.halves.get_mut(&offset)
            else {
                continue;
            };
            self.timer.cancel(std::mem::replace(&mut polled.ends, ends));
            polled.is_offered = false;
            polled.receipt =
                Receipt { number, since_ms: now_ms, invisible_ms: wanted.invisible_ms, ..polled.receipt };
            *checks += 1;
            deliveries.push(Delivery {
                message: message.clone(),
                receipt: polled.receipt,
                attempt: i32::try_from(*checks).unwrap_or(i32::MAX),
                first_ms: *polled.first_ms.get_or_insert(now_ms),
            });
        }
        deliveries
    }

    /// The time of a half message has come, or it was offered for long enough.
    pub(super) fn offer_half(&mut self, offset: i64, now_ms: i64) {
        let ends = self.at(now_ms.saturating_add(UNFETCHED_MS), Due::TransactionCheck(offset));
        let half = self.transactions.halves.get_mut(&offset);
        let Some(Half { message, polled: Some(polled), .. }) = half else { return };
        polled.is_offered = true;
        polled.ends = ends;
        let topic = message.topic.clone();
        self.transactions.offered.entry(topic.clone()).or_default().push_back(offset);
        self.wake_receives(&topic, now_ms, |wanted| wanted.mode == Mode::Halves);
    }

    /// Who fetched this half message was gone before it came: as if it had not been fetched.
    pub(crate) fn take_back_half(&mut self, receipt: &Receipt, now_ms: i64) {
        let offset = receipt.commit_log_offset;
        let Some(Half { checks, polled: Some(polled), .. }) = self.transactions.halves.get_mut(&offset)
        else {
            return;
        };
        if polled.receipt != *receipt {
            return;
        }
        *checks -= 1;
        if *checks == 0 {
            polled.first_ms = None;
        }
        self.timer.cancel(polled.ends);
        self.offer_half(offset, now_ms);
    }
}
