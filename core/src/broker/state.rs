//! Everything that changes while the broker runs, behind one lock that is held for one request at a time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::clients::Clients;
use super::delivery;
use super::groups::Groups;
use super::handlers::Refusal;
use super::locks::QueueLocks;
use super::persona::DeliveryProperties;
use super::polls::Polls;
use super::pop::Pop;
use super::registry::Registry;
use super::relays::Relays;
use super::store::{Offsets, Store};
use super::timer::{Timer, TimerId};
use super::transactions::Transactions;
use super::{PendingMessage, Persona};
use crate::codec::remoting::RecallHandle;
use crate::codec::remoting::codes::response;
use crate::codec::remoting::record::StoredMessage;
use crate::message::{Properties, properties};

/// Commit-log offsets of messages that wait start here: they are not in the log yet.
const WAITING_OFFSETS: i64 = 1 << 62;

/// What happens at an instant.
#[derive(Debug)]
pub(crate) enum Due {
    /// A scheduled message becomes visible: its record, in memory of its own.
    Delivery(Bytes),
    /// The producers of the half message at this commit-log offset are asked.
    TransactionCheck(i64),
    /// The invisible time of this delivery ends.
    Reappearance(u64),
}

/// Where a message went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) queue_offset: i64,
    pub(crate) commit_log_offset: i64,
    /// When it becomes visible, if it has to wait.
    pub(crate) deliver_at_ms: Option<i64>,
}

/// The broker's state.
#[derive(Debug)]
pub(crate) struct State {
    persona: Persona,
    pub(super) broker_name: String,
    pub(crate) store: Store,
    pub(crate) offsets: Offsets,
    pub(crate) timer: Timer<Due>,
    pub(crate) polls: Polls,
    pub(crate) pop: Pop,
    pub(crate) groups: Groups,
    /// The clients of the gRPC protocol.
    pub(crate) clients: Clients,
    pub(crate) locks: QueueLocks,
    pub(crate) registry: Registry,
    pub(crate) relays: Relays,
    pub(crate) transactions: Transactions,
    /// Told when the next instant to act at comes earlier than it was.
    pub(crate) sooner: Arc<Notify>,
    scheduled: i64,
    /// Messages whose queue was chosen here.
    spread: u32,
}

impl State {
    pub(crate) fn new(persona: Persona, broker_name: &str) -> Self {
        Self {
            persona,
            broker_name: broker_name.to_owned(),
            sooner: Arc::default(),
            store: Store::new(),
            offsets: Offsets::default(),
            timer: Timer::new(),
            polls: Polls::default(),
            pop: Pop::default(),
            groups: Groups::default(),
            clients: Clients::default(),
            locks: QueueLocks::default(),
            registry: Registry::default(),
            relays: Relays::default(),
            transactions: Transactions::default(),
            scheduled: 0,
            spread: 0,
        }
    }

    /// Makes `message` visible now or, if its properties say so, keeps it until its time. Its topic and queue exist.
    ///
    /// # Errors
    /// `MESSAGE_ILLEGAL` for a delivery time that cannot be read or is too far ahead.
    pub(crate) fn publish(&mut self, mut message: StoredMessage, now_ms: i64) -> Result<Placed, Refusal> {
        match self.deliver_at(&message.properties, now_ms)? {
            Some(at) => Ok(self.schedule(message, at)),
            None => Ok(self.make_visible(&mut message, now_ms)),
        }
    }

    /// When a message with these properties becomes visible; `None`: at once.
    ///
    /// # Errors
    /// As [`State::publish`].
    pub(crate) fn deliver_at(&self, properties: &Properties, now_ms: i64) -> Result<Option<i64>, Refusal> {
        let wanted = wanted(properties);
        self.persona
            .deliver_at(&wanted, now_ms)
            .map_err(|remark| Refusal::new(response::MESSAGE_ILLEGAL, remark))
    }

    /// The next of `queues` queues in turn.
    pub(crate) fn next_queue(&mut self, queues: i32) -> i32 {
        self.spread = self.spread.wrapping_add(1);
        i32::try_from(self.spread % queues.max(1).unsigned_abs()).unwrap_or(0)
    }

    /// Keeps `message` until `at`.
    fn schedule(&mut self, mut message: StoredMessage, at: i64) -> Placed {
        let placed = Placed {
            queue_offset: self.scheduled,
            commit_log_offset: WAITING_OFFSETS + self.scheduled,
            deliver_at_ms: Some(at),
        };
        self.scheduled += 1;
        let (topic, queue) = (message.topic.clone(), message.queue_id.to_string());
        message.properties.set(properties::REAL_TOPIC, topic);
        message.properties.set(properties::REAL_QID, queue);
        message.properties.set(properties::TIMER_OUT_MS, at.to_string());
        message.commit_log_offset = placed.commit_log_offset;
        let mut record = BytesMut::new();
        message.encode(&mut record);
        self.at(at, Due::Delivery(record.freeze()));
        placed
    }

    /// Lets `due` happen at `deadline_ms`.
    pub(super) fn at(&mut self, deadline_ms: i64, due: Due) -> TimerId {
        if self.timer.next_deadline().is_none_or(|next| deadline_ms < next) {
            self.sooner.notify_one();
        }
        self.timer.insert(deadline_ms, due)
    }

    /// Appends `message` to its queue, stored now, and answers the pulls that wait for it.
    pub(crate) fn make_visible(&mut self, message: &mut StoredMessage, now_ms: i64) -> Placed {
        message.store_timestamp = now_ms;
        match self.store.append(message) {
            Some(tag_hash) => {
                delivery::wake(self, message, tag_hash);
                self.wake_for(message, tag_hash, now_ms);
            }
            // Deleted while the message waited.
            None => tracing::info!(topic = message.topic, queue = message.queue_id, "dropped: no such queue"),
        }
        Placed {
            queue_offset: message.queue_offset,
            commit_log_offset: message.commit_log_offset,
            deliver_at_ms: None,
        }
    }

    /// Does everything that is due at `now_ms`, in order; the number of messages that became visible.
    pub(crate) fn fire(&mut self, now_ms: i64) -> usize {
        let mut visible = 0;
        while let Some(due) = self.timer.pop_due(now_ms) {
            match due {
                Due::Delivery(mut record) => match StoredMessage::decode(&mut record) {
                    Ok(mut message) => {
                        self.make_visible(&mut message, now_ms);
                        visible += 1;
                    }
                    Err(error) => tracing::error!(%error, "a scheduled message was lost"),
                },
                Due::TransactionCheck(offset) => self.check_transaction(offset, now_ms),
                Due::Reappearance(number) => self.reappear(number, now_ms),
            }
        }
        visible
    }

    /// Where a group goes on in a queue; `None` when it never stored an offset and the queue has lost its first messages.
    pub(crate) fn first_offset(&self, group: &str, topic: &str, queue: i32) -> Option<i64> {
        // Without a stored offset the real server answers 0 as long as the first message is still in memory.
        let from_start = || {
            let whole = self.store.topics.queue(topic, queue).is_some_and(|queue| queue.min_offset() == 0);
            whole.then_some(0)
        };
        self.offsets.get(group, topic, queue).or_else(from_start)
    }

    /// Takes back the scheduled message of a recall handle; its id.
    ///
    /// # Errors
    /// `ILLEGAL_OPERATION`: no handle of this topic, or its message does not wait any more.
    pub(crate) fn recall_by(&mut self, topic: &str, handle: &str) -> Result<String, Refusal> {
        let illegal = |remark: &str| Refusal::new(response::ILLEGAL_OPERATION, remark);
        let handle = RecallHandle::parse(handle).ok_or_else(|| illegal("the recall handle is invalid"))?;
        if handle.topic != topic {
            return Err(illegal("the recall handle is one of another topic"));
        }
        if !self.recall(topic, &handle.message_id, handle.deliver_at_ms) {
            return Err(illegal("the message does not wait any more: it was delivered or recalled"));
        }
        Ok(handle.message_id)
    }

    /// Takes back a scheduled message; whether it was still waiting.
    fn recall(&mut self, topic: &str, unique_id: &str, deliver_at_ms: i64) -> bool {
        let is_it = |due: &Due| {
            waiting(due).is_some_and(|message| {
                message.topic == topic && message.properties.get(properties::UNIQ_KEY) == Some(unique_id)
            })
        };
        let id: Option<TimerId> = self.timer.at(deliver_at_ms).find(|(_, due)| is_it(due)).map(|(id, _)| id);
        id.and_then(|id| self.timer.cancel(id)).is_some()
    }

    /// The scheduled messages, in order.
    pub(crate) fn pending(&self) -> Vec<PendingMessage> {
        let message = |(id, due): (TimerId, &Due)| {
            let message = waiting(due)?;
            let message_id = message.properties.get(properties::UNIQ_KEY).unwrap_or_default().to_owned();
            Some(PendingMessage { topic: message.topic, message_id, deliver_at_ms: id.deadline_ms })
        };
        self.timer.iter().filter_map(message).collect()
    }

    /// Whether a message with this id waits for its time.
    pub(crate) fn is_scheduled(&self, topic: &str, unique_id: &str) -> bool {
        let is_it = |message: StoredMessage| {
            message.topic == topic && message.properties.get(properties::UNIQ_KEY) == Some(unique_id)
        };
        self.timer.iter().any(|(_, due)| waiting(due).is_some_and(is_it))
    }

    /// Forgets a closed connection: its pulls, its place in groups, its registration as a broker. Tells the groups.
    pub(crate) fn session_closed(&mut self, session: u64) {
        self.polls.forget(Some(session));
        self.registry.forget(session);
        self.relays.session_closed(session);
        self.groups.session_closed(session);
    }
}

fn waiting(due: &Due) -> Option<StoredMessage> {
    match due {
        Due::Delivery(record) => StoredMessage::decode(&mut record.clone()).ok(),
        Due::TransactionCheck(_) | Due::Reappearance(_) => None,
    }
}

fn wanted(properties: &Properties) -> DeliveryProperties<'_> {
    DeliveryProperties {
        level: properties.get(properties::DELAY),
        delay_s: properties.get(properties::TIMER_DELAY_SEC),
        delay_ms: properties.get(properties::TIMER_DELAY_MS),
        deliver_ms: properties.get(properties::TIMER_DELIVER_MS),
        start_deliver_time: properties.get(properties::START_DELIVER_TIME),
    }
}
