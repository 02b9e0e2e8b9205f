//! Half messages: stored, and invisible until their producer commits them. Silent producers are asked; those over HTTP
//! come and fetch the question.

mod polled;

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::{Bytes, BytesMut};

use super::clients::Clients;
use super::groups::Groups;
use super::handlers::to_proto;
use super::state::{Due, Placed, State};
use super::topics::{HALF_TOPIC, TopicConfig};
use crate::codec::grpc::proto::RecoverOrphanedTransactionCommand;
use crate::codec::remoting::Frame;
use crate::codec::remoting::codes::request;
use crate::codec::remoting::frame::FLAG_ONE_WAY;
use crate::codec::remoting::record::{StoredMessage, sys_flag};
use crate::message::properties;

use polled::Polled;

/// Property with the transaction id, as the real server adds it.
pub(crate) const TRANSACTION_ID: &str = "__transactionId__";
const CHECK_IMMUNITY: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";
const CHECK_TIMES: &str = "TRANSACTION_CHECK_TIMES";
/// Time until the first question, where the message does not say.
const FIRST_CHECK_MS: i64 = 6_000;
const CHECK_INTERVAL_MS: i64 = 30_000;
/// After this many questions the message is given up.
const MAX_CHECKS: u32 = 15;

/// A message that waits for the end of its transaction.
#[derive(Debug)]
struct Half {
    /// As it will be, with its own topic and queue.
    message: StoredMessage,
    /// Offset in the queue of half messages.
    queue_offset: i64,
    /// How often somebody was asked.
    checks: u32,
    /// Of one whose producer fetches the question.
    polled: Option<Polled>,
}

/// The open transactions, by commit-log offset of the half message.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    halves: HashMap<i64, Half>,
    /// Unique ids with their commit-log offsets: a producer that had to send twice has two.
    ids: BTreeSet<(String, i64)>,
    /// Half messages that may be fetched, by topic.
    offered: HashMap<String, VecDeque<i64>>,
}

/// Whether `message` is a half message; brokers go by the property.
pub(crate) fn is_half(message: &StoredMessage) -> bool {
    message.properties.get(properties::TRAN_MSG).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

fn unique_id(message: &StoredMessage) -> &str {
    message.properties.get(properties::UNIQ_KEY).unwrap_or_default()
}

impl Transactions {
    /// Keeps `message`, whose half record was placed there.
    fn begin(&mut self, mut message: StoredMessage, placed: Placed, polled: Option<Polled>) {
        // The body is a part of the buffer it was read into, which must not live as long.
        message.body = Bytes::copy_from_slice(&message.body);
        let Placed { queue_offset, commit_log_offset, .. } = placed;
        self.ids.insert((unique_id(&message).to_owned(), commit_log_offset));
        self.halves.insert(commit_log_offset, Half { message, queue_offset, checks: 0, polled });
    }

    /// The next half message of `topic` that may be fetched.
    fn next_offered(&mut self, topic: &str) -> Option<i64> {
        let offered = self.offered.get_mut(topic)?;
        let next = offered.pop_front();
        if offered.is_empty() {
            self.offered.remove(topic);
        }
        next
    }

    fn remove(&mut self, commit_log_offset: i64) -> Option<Half> {
        let half = self.halves.remove(&commit_log_offset)?;
        self.ids.remove(&(unique_id(&half.message).to_owned(), commit_log_offset));
        if let Some(offered) = self.offered.get_mut(&half.message.topic) {
            offered.retain(|offset| *offset != commit_log_offset);
        }
        Some(half)
    }

    /// Ends the transaction of the message with this id, sent over gRPC, where the topic stands for the producer group:
    /// the message, ready to be published.
    ///
    /// # Errors
    /// A remark, when there is no such transaction.
    pub(crate) fn end_by_id(&mut self, topic: &str, id: &str) -> Result<StoredMessage, String> {
        let ids = self.ids.range((id.to_owned(), i64::MIN)..=(id.to_owned(), i64::MAX));
        let mut halves = ids.filter_map(|(_, offset)| Some((*offset, self.halves.get(offset)?)));
        let Some((offset, half)) = halves.find(|(_, half)| half.message.topic == topic) else {
            return Err(format!("topic {topic} has no open transaction {id}"));
        };
        let queue_offset = half.queue_offset;
        self.end(topic, queue_offset, offset)
    }

    /// Ends a transaction: the message, ready to be published.
    ///
    /// # Errors
    /// A remark, when there is no such transaction of this group.
    pub(crate) fn end(
        &mut self,
        group: &str,
        queue_offset: i64,
        commit_log_offset: i64,
    ) -> Result<StoredMessage, String> {
        let Some(half) = self.halves.get(&commit_log_offset) else {
            return Err(format!("no open transaction at commit-log offset {commit_log_offset}"));
        };
        if half.message.properties.get(properties::PGROUP) != Some(group) {
            return Err(format!("the transaction belongs to another producer group than {group}"));
        }
        if half.queue_offset != queue_offset {
            return Err(format!(
                "the transaction is at queue offset {}, not {queue_offset}",
                half.queue_offset
            ));
        }
        let Some(half) = self.remove(commit_log_offset) else { return Err(String::new()) };
        Ok(committed(half, commit_log_offset))
    }

    /// Asks a producer of the group about the transaction.
    fn check(&mut self, commit_log_offset: i64, groups: &Groups, clients: &Clients, broker: &str) {
        let Some(half) = self.halves.get_mut(&commit_log_offset) else { return };
        half.checks += 1;
        let group = half.message.properties.get(properties::PGROUP).unwrap_or_default();
        if let Some(producer) = groups.producers.get(group).and_then(|members| members.values().next()) {
            producer.outbox.push(question(half, commit_log_offset, broker));
        } else if group == half.message.topic {
            clients.ask_about(group, recovery(half));
        }
    }
}

impl State {
    /// Keeps the half message of a transaction until its producer ends it.
    pub(crate) fn begin_transaction(&mut self, message: StoredMessage, now_ms: i64) -> Placed {
        let (message, placed) = self.store_half(message, now_ms);
        let immunity = message.properties.get(CHECK_IMMUNITY).and_then(|text| text.parse::<i64>().ok());
        let ahead = immunity.filter(|seconds| *seconds >= 0);
        let ahead = ahead.map_or(FIRST_CHECK_MS, |seconds| seconds.saturating_mul(1000));
        self.at(now_ms.saturating_add(ahead), Due::TransactionCheck(placed.commit_log_offset));
        self.transactions.begin(message, placed, None);
        placed
    }

    /// Stores the half record of `message`; the message as it will be.
    fn store_half(&mut self, mut message: StoredMessage, now_ms: i64) -> (StoredMessage, Placed) {
        self.store.topics.ensure(HALF_TOPIC, TopicConfig::new(1));
        let id = unique_id(&message).to_owned();
        message.properties.set(TRANSACTION_ID, id);
        let mut half = message.clone();
        half.sys_flag &= !sys_flag::TRANSACTION;
        half.properties
            .set(properties::REAL_TOPIC, std::mem::replace(&mut half.topic, HALF_TOPIC.to_owned()));
        half.properties.set(properties::REAL_QID, std::mem::take(&mut half.queue_id).to_string());
        let placed = self.make_visible(&mut half, now_ms);
        (message, placed)
    }

    /// The time of the next question about the half message at this commit-log offset has come.
    pub(super) fn check_transaction(&mut self, commit_log_offset: i64, now_ms: i64) {
        let Some(half) = self.transactions.halves.get(&commit_log_offset) else { return };
        let unfetched = half.polled.as_ref().is_some_and(Polled::is_offered);
        if half.checks >= MAX_CHECKS || unfetched {
            tracing::warn!(commit_log_offset, "transaction given up: its producers did not say how it ended");
            self.transactions.remove(commit_log_offset);
        } else if half.polled.is_some() {
            self.offer_half(commit_log_offset, now_ms);
        } else {
            self.transactions.check(commit_log_offset, &self.groups, &self.clients, &self.broker_name);
            self.at(now_ms.saturating_add(CHECK_INTERVAL_MS), Due::TransactionCheck(commit_log_offset));
        }
    }
}

/// The message of an ended transaction, ready to be published.
fn committed(half: Half, commit_log_offset: i64) -> StoredMessage {
    let mut message = half.message;
    message.sys_flag = message.sys_flag & !sys_flag::TRANSACTION | sys_flag::TRANSACTION_COMMIT;
    message.prepared_transaction_offset = commit_log_offset;
    message
}

/// The message of a question.
fn asked_about(half: &Half) -> StoredMessage {
    let mut message = StoredMessage { queue_offset: half.queue_offset, ..half.message.clone() };
    message.properties.set(CHECK_TIMES, half.checks.to_string());
    message
}

/// The question over gRPC.
fn recovery(half: &Half) -> RecoverOrphanedTransactionCommand {
    RecoverOrphanedTransactionCommand {
        transaction_id: unique_id(&half.message).to_owned(),
        message: Some(to_proto(asked_about(half))),
    }
}

/// The question over remoting.
fn question(half: &Half, commit_log_offset: i64, broker: &str) -> Frame {
    let mut message = asked_about(half);
    message.commit_log_offset = commit_log_offset;
    let mut record = BytesMut::new();
    message.encode(&mut record);
    let unique_id = unique_id(&message);
    Frame { flag: FLAG_ONE_WAY, ..Frame::request(request::CHECK_TRANSACTION_STATE) }
        .with("topic", super::topics::HALF_TOPIC)
        .with("tranStateTableOffset", half.queue_offset)
        .with("commitLogOffset", commit_log_offset)
        .with("msgId", unique_id)
        .with("transactionId", unique_id)
        .with("offsetMsgId", message.offset_message_id())
        .with("bname", broker)
        .with_body(record.freeze())
}

#[cfg(test)]
mod tests;
