//! The task that pulls one queue.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::consumer::Consumer;
use super::process_queue::ProcessQueue;
use super::requests::{malformed, pull_reply};
use crate::client::delivery::{DEAD_LETTER, Pending, Ticket, Unsuccessful};
use crate::client::refusal;
use crate::clock;
use crate::codec::remoting::Frame;
use crate::codec::remoting::codes::response;
use crate::codec::remoting::decode_messages;
use crate::codec::remoting::header::{PullHeader, PullReplyHeader, pull_flag};
use crate::codec::remoting::record::{RecordError, take_record};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{MessageView, RETRY_PREFIX, properties};
use crate::options::ConsumeFrom;

/// Pause after a first fault is random up to this; every further one doubles it.
const PAUSE_BASE: Duration = Duration::from_millis(100);
/// Longest pause: a broker that comes back is noticed within about a second.
const PAUSE_CAP: Duration = Duration::from_secs(1);
/// Pause that a broker asks for with its flow control.
const FLOW_CONTROL: Duration = Duration::from_millis(20);
/// An empty answer that comes faster than this was not held by the broker.
const NOT_HELD: Duration = Duration::from_millis(5);
/// So many of those in a row are not by chance.
const NOT_HELD_LIMIT: u32 = 16;

/// Pulls `queue` until it is dropped.
pub(super) async fn run(consumer: Arc<Consumer>, queue: Arc<ProcessQueue>) {
    let mut faults = 0;
    let mut puller = Puller { consumer, queue, copy: 0, not_held: 0 };
    while !puller.queue.is_dropped() {
        puller.consumer.not_suspended().await;
        let pause = match puller.step().await {
            Ok(pause) => {
                faults = 0;
                pause
            }
            Err(error) => {
                let pause = PAUSE_BASE.saturating_mul(1 << faults.min(8)).min(PAUSE_CAP);
                faults += 1;
                puller.report(&error, faults).await;
                pause.mul_f64(0.5 + fastrand::f64() / 2.0)
            }
        };
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}

struct Puller {
    consumer: Arc<Consumer>,
    queue: Arc<ProcessQueue>,
    /// The copy of the broker to pull from, as it suggested.
    copy: i64,
    /// Empty answers in a row that came at once.
    not_held: u32,
}

impl Puller {
    /// One pull and the delivery of what it brought; returns how long to pause.
    async fn step(&mut self) -> Result<Duration> {
        if self.queue.next_offset() < 0 {
            self.consumer.begin(&self.queue).await?;
        }
        self.queue.has_room(self.consumer.limits()).await;
        let name = self.queue.queue();
        let Some(subscription) = self.consumer.subscriptions.get(&name.topic) else {
            // The next sharing out drops the queue.
            return Ok(PAUSE_CAP);
        };
        let by_tag = subscription.is_by_tag();
        let header = PullHeader {
            consumer_group: self.consumer.requests.group.clone(),
            topic: name.topic.clone(),
            queue_id: name.id,
            queue_offset: self.queue.next_offset(),
            max_msg_nums: self.consumer.options.pull_batch,
            // No offset to store travels along: the broker may store it after a later one of its own request.
            sys_flag: pull_flag::SUSPEND,
            commit_offset: 0,
            suspend_timeout_millis: self.consumer.options.long_poll.as_millis() as i64,
            subscription: None,
            sub_version: subscription.sub_version,
            expression_type: (!by_tag).then(|| subscription.expression_type.clone()),
        };
        let begun = clock::instant();
        self.queue.pulling(Some(begun));
        let answer = self.consumer.requests.pull(name, self.copy, header).await;
        self.queue.pulling(None);
        let answer = answer.inspect_err(|_| self.copy = 0)?;
        match answer.code {
            response::SUCCESS => {
                self.not_held = 0;
                let reply = self.reply(&answer)?;
                let wants = |message: &MessageView| !by_tag || subscription.wants_tag(message.tag());
                self.deliver(answer, reply, wants).await?;
                Ok(Duration::ZERO)
            }
            response::PULL_NOT_FOUND | response::PULL_RETRY_IMMEDIATELY => {
                let reply = self.reply(&answer)?;
                self.queue.advance(reply.next_begin_offset);
                let held = clock::instant().duration_since(begun) >= NOT_HELD;
                self.not_held = if held { 0 } else { self.not_held + 1 };
                Ok(if self.not_held > NOT_HELD_LIMIT { PAUSE_BASE } else { Duration::ZERO })
            }
            response::PULL_OFFSET_MOVED => {
                let next = self.reply(&answer)?.next_begin_offset;
                self.moved(next, answer.remark.as_deref().unwrap_or_default()).await
            }
            response::FLOW_CONTROL => Ok(FLOW_CONTROL),
            _ => Err(refusal("consume", &answer, &name.topic)),
        }
    }

    fn reply(&mut self, answer: &Frame) -> Result<PullReplyHeader> {
        let reply = pull_reply(answer)?;
        self.consumer.troubles.answered(&self.queue.queue().broker);
        self.copy = reply.suggest_which_broker_id;
        Ok(reply)
    }

    /// The broker has no such offset, or was told to reset it: go where it says.
    async fn moved(&self, next: i64, why: &str) -> Result<Duration> {
        let (name, wanted) = (self.queue.queue(), self.queue.next_offset());
        if next == wanted {
            return Ok(PAUSE_CAP);
        }
        tracing::warn!(
            topic = name.topic,
            broker = name.broker,
            queue = name.id,
            from = wanted,
            to = next,
            why,
            "the broker moved the offset"
        );
        self.consumer.reset_offset(&self.queue, next).await?;
        // Another puller has taken over; this one is being ended.
        Ok(PAUSE_CAP)
    }

    async fn deliver(
        &self,
        answer: Frame,
        reply: PullReplyHeader,
        wants: impl Fn(&MessageView) -> bool,
    ) -> Result<()> {
        let mut records = answer.body;
        let (min, max) = (reply.min_offset.to_string(), reply.max_offset.to_string());
        while !records.is_empty() {
            let record = take_record(&mut records).map_err(|e| malformed(&e.to_string()))?;
            for message in decode_messages(record.clone(), &self.queue.queue().broker) {
                match message {
                    Ok(mut message) if wants(&message) => {
                        if self.queue.add(message.queue_offset, record.clone()) {
                            message.properties.set(properties::MIN_OFFSET, min.as_str());
                            message.properties.set(properties::MAX_OFFSET, max.as_str());
                            self.hand_over(message).await;
                        }
                    }
                    Ok(_) => {}
                    Err(RecordError::Damaged { queue_offset, commit_log_offset, why }) => {
                        tracing::error!(
                            queue_offset,
                            commit_log_offset,
                            why,
                            "a damaged message goes to the dead letters"
                        );
                        if self.queue.add(queue_offset, record.clone()) {
                            self.give_up(queue_offset);
                        }
                    }
                    Err(error) => return Err(malformed(&error.to_string())),
                }
            }
        }
        self.queue.advance(reply.next_begin_offset);
        Ok(())
    }

    async fn hand_over(&self, message: MessageView) {
        if self.consumer.options.orderly {
            super::orderly::hand_over(&self.consumer, &self.queue, message).await;
        } else {
            self.consumer.hand_over(&self.queue, message).await;
        }
    }

    fn give_up(&self, offset: i64) {
        let failed = Unsuccessful { queue: Arc::clone(&self.queue), offset, delay_level: DEAD_LETTER };
        let _ = self.consumer.unsuccessful.send(failed);
    }

    /// Logs a fault and does what may help.
    async fn report(&self, error: &Error, faults: u32) {
        let name = self.queue.queue();
        self.consumer.troubles.failed("a pull failed", name, error);
        let unknown_here = matches!(
            error.response_code(),
            Some(
                response::SUBSCRIPTION_NOT_EXIST
                    | response::SUBSCRIPTION_NOT_LATEST
                    | response::SUBSCRIPTION_GROUP_NOT_EXIST
            )
        );
        if unknown_here {
            self.consumer.sign_on().await;
        } else if faults.is_power_of_two()
            && matches!(error.kind(), ErrorKind::BrokerUnreachable | ErrorKind::TopicNotFound)
        {
            // The broker may have moved to another address.
            let deadline = self.consumer.instance().request_deadline();
            let _ = self.consumer.instance().refresh_route("consume", &name.topic, None, deadline).await;
        }
    }
}

impl Consumer {
    /// Hands `message`, pulled from `queue`, to the handlers; waits while they have enough.
    pub(super) async fn hand_over(&self, queue: &Arc<ProcessQueue>, mut message: MessageView) {
        let ticket = Ticket::Queue {
            queue: Arc::clone(queue),
            offset: message.queue_offset,
            unsuccessful: self.unsuccessful.clone(),
        };
        self.localise(&mut message);
        // Closed at the end of the consumer only.
        let _ = self.pending.send(Pending { message, ticket }).await;
    }

    /// Shows the topic as the user knows it.
    pub(super) fn localise(&self, message: &mut MessageView) {
        let namespace = self.instance().namespace();
        if namespace.name().is_some() {
            message.topic = namespace.strip(&message.topic).into_owned();
        }
    }

    /// Finds out where to begin with a queue: at the stored offset, or where the options say.
    pub(super) async fn begin(&self, queue: &ProcessQueue) -> Result<()> {
        let name = queue.queue();
        let from = self.options.consume_from;
        if self.is_clustering() {
            let exact = matches!(from, ConsumeFrom::Timestamp(_));
            if let Some(offset) = self.requests.stored_offset(name, exact).await? {
                queue.begin(offset, true);
                return Ok(());
            }
        }
        let is_retry = name.topic.starts_with(RETRY_PREFIX);
        let offset = match from {
            ConsumeFrom::LastOffset if is_retry => 0,
            ConsumeFrom::FirstOffset => 0,
            ConsumeFrom::LastOffset => self.requests.max_offset(name).await?,
            ConsumeFrom::Timestamp(_) if is_retry => self.requests.max_offset(name).await?,
            ConsumeFrom::Timestamp(time) => self.requests.offset_at(name, clock::to_ms(time)).await?,
        };
        queue.begin(offset, false);
        Ok(())
    }
}
