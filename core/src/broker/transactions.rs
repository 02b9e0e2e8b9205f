//! Half messages: stored, and invisible until their producer commits them. Silent producers are asked.

use std::collections::{BTreeSet, HashMap};

use bytes::{Bytes, BytesMut};

use super::clients::Clients;
use super::groups::Groups;
use super::handlers::to_proto;
use crate::codec::grpc::proto::RecoverOrphanedTransactionCommand;
use crate::codec::remoting::Frame;
use crate::codec::remoting::codes::request;
use crate::codec::remoting::frame::FLAG_ONE_WAY;
use crate::codec::remoting::record::{StoredMessage, sys_flag};
use crate::message::properties;

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
    checks: u32,
}

/// The open transactions, by commit-log offset of the half message.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    halves: HashMap<i64, Half>,
    /// Unique ids with their commit-log offsets: a producer that had to send twice has two.
    ids: BTreeSet<(String, i64)>,
}

/// Whether `message` is a half message; brokers go by the property.
pub(crate) fn is_half(message: &StoredMessage) -> bool {
    message.properties.get(properties::TRAN_MSG).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

fn unique_id(message: &StoredMessage) -> &str {
    message.properties.get(properties::UNIQ_KEY).unwrap_or_default()
}

impl Transactions {
    /// Keeps `message`, whose half record lies at these offsets; how long until the first question.
    pub(crate) fn begin(
        &mut self,
        mut message: StoredMessage,
        queue_offset: i64,
        commit_log_offset: i64,
    ) -> i64 {
        // The body is a part of the buffer it was read into, which must not live as long.
        message.body = Bytes::copy_from_slice(&message.body);
        let immunity = message.properties.get(CHECK_IMMUNITY).and_then(|text| text.parse::<i64>().ok());
        self.ids.insert((unique_id(&message).to_owned(), commit_log_offset));
        self.halves.insert(commit_log_offset, Half { message, queue_offset, checks: 0 });
        immunity
            .filter(|seconds| *seconds >= 0)
            .map_or(FIRST_CHECK_MS, |seconds| seconds.saturating_mul(1000))
    }

    fn remove(&mut self, commit_log_offset: i64) -> Option<Half> {
        let half = self.halves.remove(&commit_log_offset)?;
        self.ids.remove(&(unique_id(&half.message).to_owned(), commit_log_offset));
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
        let mut message = half.message;
        message.sys_flag = message.sys_flag & !sys_flag::TRANSACTION | sys_flag::TRANSACTION_COMMIT;
        message.prepared_transaction_offset = commit_log_offset;
        Ok(message)
    }

    /// Asks a producer of the group about the transaction; how long until the next question, `None` when it is over.
    pub(crate) fn check(
        &mut self,
        commit_log_offset: i64,
        groups: &Groups,
        clients: &Clients,
        broker: &str,
    ) -> Option<i64> {
        let half = self.halves.get_mut(&commit_log_offset)?;
        half.checks += 1;
        if half.checks > MAX_CHECKS {
            tracing::warn!(commit_log_offset, "transaction given up: its producers did not say how it ended");
            self.remove(commit_log_offset);
            return None;
        }
        let group = half.message.properties.get(properties::PGROUP).unwrap_or_default();
        if let Some(producer) = groups.producers.get(group).and_then(|members| members.values().next()) {
            producer.outbox.push(question(half, commit_log_offset, broker));
        } else if group == half.message.topic {
            clients.ask_about(group, recovery(half));
        }
        Some(CHECK_INTERVAL_MS)
    }
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
