//! Receiving without owning queues, as clients of the gRPC protocol and over HTTP do: any consumer of a group gets the next messages
//! of any queue, each hidden from the others for a while, and settles them one by one.
//!
//! How far a group has come is kept in the same offsets that remoting consumers store, so that it may change protocol.
//! A group that consumes side by side passes its offset with the delivery: what is not settled in time comes again
//! through its retry topic. One that consumes in order passes its offset when all before it is settled, and gets the
//! message itself again.

mod in_flight;
mod in_order;
mod lines;
mod receipt;
mod receive;
mod settle;
mod stage;
mod waiting;

use std::collections::{BTreeSet, HashMap, HashSet};

use in_flight::InFlight;
pub(crate) use in_flight::RENEWED_MS;
use lines::Lines;
pub(crate) use receipt::{HandleFault, Receipt};
pub(crate) use receive::{Delivery, Mode, Receive};
pub(crate) use settle::Expired;
pub use stage::MessageStage;
pub(crate) use waiting::Waiting;

/// What the broker knows of received messages.
#[derive(Debug, Default)]
pub(crate) struct Pop {
    /// Messages that consumers have, by the number of the delivery.
    in_flight: HashMap<u64, InFlight>,
    /// Numbers given so far, to deliveries and batches.
    numbers: u64,
    /// The order of FIFO groups, by group and topic, then queue. Only where something is unsettled.
    lines: HashMap<(String, String), HashMap<i32, Lines>>,
    /// Messages of retry topics that were delivered before earlier ones of other topics, by group.
    ahead: HashMap<String, BTreeSet<i64>>,
    /// Receives that wait for a message.
    pub(crate) waiting: Waiting,
    /// Queue to begin with, so that every queue has its turn.
    turn: usize,
    /// Topic and id of the messages that somebody asked for and that were there.
    asked: HashSet<(String, String)>,
}

impl Pop {
    /// A number that no delivery and no batch has.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Whether no delivery that was settled or replaced had this receipt: its number is that of one that is under way, or of
    /// none.
    pub(crate) fn never_was(&self, receipt: &Receipt) -> bool {
        receipt.number > self.numbers || self.in_flight.contains_key(&receipt.number)
    }
}

#[cfg(test)]
mod tests;
