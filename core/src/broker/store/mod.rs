//! What the broker keeps: the commit log and, by topic, the queues that point into it.

mod log;
mod offsets;
mod queue;

use bytes::{Bytes, BytesMut};

use super::filter::Filter;
use super::topics::Topics;
use crate::codec::remoting::body::tag_hash;
use crate::codec::remoting::record::StoredMessage;
use crate::message::properties;

use log::CommitLog;
pub(crate) use offsets::Offsets;
pub(crate) use queue::{Entry, Queue};

/// The log drops its oldest messages beyond this many bytes.
const LOG_BYTES: usize = 1 << 30;
/// A pull gets at most this much, as from the real server.
const MAX_READ_BYTES: usize = 256 * 1024;
/// Messages that a pull looks at before it answers that none matched.
const MAX_SCANNED: i64 = 16_000;

/// Topics with their queues, and the log behind them.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) topics: Topics,
    log: CommitLog,
    record: BytesMut,
}

/// What a read found, with the bounds of the queue.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) status: ReadStatus,
    pub(crate) next: i64,
    pub(crate) min: i64,
    pub(crate) max: i64,
}

/// The situation of a read; the names are those of the real server.
#[derive(Debug)]
pub(crate) enum ReadStatus {
    /// These records.
    Found(Bytes),
    /// At the end: nothing yet.
    OffsetOverflowOne,
    /// Beyond the end.
    OffsetOverflowBadly,
    /// Before the oldest message.
    OffsetTooSmall,
    /// There are messages, and none passed the filter.
    NoMatchedMessage,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { topics: Topics::default(), log: CommitLog::new(LOG_BYTES), record: BytesMut::new() }
    }

    /// Appends `message` to the queue it names and fills in its offsets; the hash of its tag, or `None` when there is
    /// no such queue.
    pub(crate) fn append(&mut self, message: &mut StoredMessage) -> Option<i32> {
        let queue = self.topics.queue_mut(&message.topic, message.queue_id)?;
        message.queue_offset = queue.max_offset();
        message.commit_log_offset = self.log.end();
        self.record.clear();
        message.encode(&mut self.record);
        let tag_hash = message.properties.get(properties::TAGS).map_or(0, tag_hash);
        queue.push(Entry { commit_log_offset: message.commit_log_offset, tag_hash });
        if self.log.append(&self.record) {
            let start = self.log.start();
            self.topics.iter_mut().flat_map(|topic| &mut topic.queues).for_each(|queue| queue.trim(start));
        }
        Some(tag_hash)
    }

    /// Reads up to `count` messages that pass `filter` from `offset` of a queue on; `None` when there is no such queue.
    pub(crate) fn read(
        &self,
        topic: &str,
        queue: i32,
        offset: i64,
        count: usize,
        filter: &Filter,
    ) -> Option<Read> {
        let queue = self.topics.queue(topic, queue)?;
        let (min, max) = (queue.min_offset(), queue.max_offset());
        let found = |status, next| Some(Read { status, next, min, max });
        if offset == max {
            return found(ReadStatus::OffsetOverflowOne, max);
        }
        if offset > max {
            return found(ReadStatus::OffsetOverflowBadly, max);
        }
        if offset < min {
            return found(ReadStatus::OffsetTooSmall, min);
        }
        let mut records = BytesMut::new();
        let (mut next, mut left) = (offset, count);
        while left > 0 && next < max.min(offset + MAX_SCANNED) {
            let Some(entry) = queue.get(next) else { break };
            if filter.may_pass(entry.tag_hash)
                && let Some(record) = self.log.get(entry.commit_log_offset)
                && filter.passes_record(record)
            {
                if !records.is_empty() && records.len() + record.len() > MAX_READ_BYTES {
                    break;
                }
                records.extend_from_slice(record);
                left -= 1;
            }
            next += 1;
        }
        let status = if records.is_empty() {
            ReadStatus::NoMatchedMessage
        } else {
            ReadStatus::Found(records.freeze())
        };
        found(status, next)
    }

    /// The message whose record starts at this commit-log offset.
    pub(crate) fn message_at(&self, commit_log_offset: i64) -> Option<StoredMessage> {
        let mut record = Bytes::copy_from_slice(self.log.get(commit_log_offset)?);
        StoredMessage::decode(&mut record)
            .ok()
            .filter(|message| message.commit_log_offset == commit_log_offset)
    }

    /// Up to `count` messages of a topic that pass `matches`, the newest of each queue first. Only messages that contain
    /// `bytes` somewhere are looked at.
    pub(crate) fn find(
        &self,
        topic: &str,
        count: usize,
        bytes: &[u8],
        matches: impl Fn(&StoredMessage) -> bool,
    ) -> Vec<StoredMessage> {
        let queues = self.topics.get(topic).map_or(&[][..], |topic| &topic.queues);
        let newest_first = queues.iter().flat_map(|queue| {
            (queue.min_offset()..queue.max_offset()).rev().filter_map(|offset| queue.get(offset))
        });
        let contains =
            |record: &[u8]| !bytes.is_empty() && record.windows(bytes.len()).any(|part| part == bytes);
        newest_first
            .filter(|entry| self.log.get(entry.commit_log_offset).is_some_and(contains))
            .filter_map(|entry| self.message_at(entry.commit_log_offset))
            .filter(matches)
            .take(count)
            .collect()
    }

    /// The first offset of a queue whose message was stored at `timestamp` or later; the end if none was.
    pub(crate) fn offset_at(&self, queue: &Queue, timestamp: i64) -> i64 {
        queue.partition_offset(|entry| self.store_timestamp(entry).is_none_or(|stored| stored < timestamp))
    }

    /// When the message of this entry was stored.
    pub(crate) fn store_timestamp(&self, entry: &Entry) -> Option<i64> {
        self.message_at(entry.commit_log_offset).map(|message| message.store_timestamp)
    }
}
