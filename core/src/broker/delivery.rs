//! From the queues to those who pull: reads, pulls that wait, and how both are answered.

use std::sync::Arc;
use std::time::Instant;

use super::filter::Filter;
use super::outbox::Outbox;
use super::state::State;
use super::store::ReadStatus;
use crate::codec::remoting::Frame;
use crate::codec::remoting::codes::response;
use crate::codec::remoting::frame::FLAG_RESPONSE;
use crate::codec::remoting::header::PullReplyHeader;
use crate::codec::remoting::record::StoredMessage;

/// A pull that was understood: what it wants and where the answer goes.
#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) from: Arc<Outbox>,
    pub(crate) opaque: i32,
    pub(crate) topic: String,
    pub(crate) queue: i32,
    pub(crate) offset: i64,
    pub(crate) count: usize,
    pub(crate) filter: Arc<Filter>,
}

impl Pull {
    /// The answer as things are, and whether waiting could make it better.
    fn read(&self, state: &State) -> (Frame, bool) {
        let base = Frame { opaque: self.opaque, flag: FLAG_RESPONSE, ..Frame::default() };
        let read = state.store.read(&self.topic, self.queue, self.offset, self.count, &self.filter);
        let Some(read) = read else {
            let remark = format!("topic {} has no queue {} any more", self.topic, self.queue);
            return (Frame { code: response::TOPIC_NOT_EXIST, remark: Some(remark), ..base }, false);
        };
        let header = PullReplyHeader {
            next_begin_offset: read.next,
            min_offset: read.min,
            max_offset: read.max,
            suggest_which_broker_id: 0,
        };
        let mut body = bytes::Bytes::new();
        let (code, remark) = match read.status {
            ReadStatus::Found(records) => {
                body = records;
                (response::SUCCESS, "FOUND")
            }
            ReadStatus::OffsetOverflowOne => (response::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE"),
            ReadStatus::OffsetOverflowBadly => (response::PULL_OFFSET_MOVED, "OFFSET_OVERFLOW_BADLY"),
            ReadStatus::OffsetTooSmall => (response::PULL_OFFSET_MOVED, "OFFSET_TOO_SMALL"),
            ReadStatus::NoMatchedMessage => (response::PULL_RETRY_IMMEDIATELY, "NO_MATCHED_MESSAGE"),
        };
        let answer = Frame { code, remark: Some(remark.into()), ext: header.into_ext(), body, ..base };
        (answer, code == response::PULL_NOT_FOUND)
    }

    fn answer(self, state: &State) {
        self.from.push(self.read(state).0);
    }
}

/// Answers `pull` now, or parks it until `hold` when there is nothing for it yet.
pub(crate) fn pull(state: &mut State, pull: Pull, hold: Option<Instant>) -> Option<Frame> {
    match (pull.read(state), hold) {
        ((_, true), Some(expiry)) => {
            if state.polls.next_expiry().is_none_or(|next| expiry < next) {
                state.sooner.notify_one();
            }
            state.polls.park(pull, expiry);
            None
        }
        ((answer, _), _) => Some(answer),
    }
}

/// Answers the pulls that wait for a message like this one, which was stored.
pub(crate) fn wake(state: &mut State, message: &StoredMessage, tag_hash: i32) {
    for pull in state.polls.take(message, tag_hash) {
        pull.answer(state);
    }
}

/// Answers the pulls whose hold has ended.
pub(crate) fn expire(state: &mut State, now: Instant) {
    for pull in state.polls.take_expired(now) {
        pull.answer(state);
    }
}
