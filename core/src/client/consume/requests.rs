//! What the engine asks of the brokers, each request in one place.

use std::sync::Arc;
use std::time::Duration;

use crate::client::{Instance, deadline_after, refusal};
use crate::codec::remoting::Frame;
use crate::codec::remoting::body::{ConsumerList, JsonBody, LockReply, LockRequest, QueueKey};
use crate::codec::remoting::codes::{request, response};
use crate::codec::remoting::header::{PullHeader, PullReplyHeader, SendHeader};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::message::{MessageQueue, MessageView, RETRY_PREFIX, properties};
use crate::route::{DEFAULT_TOPIC, Route};

/// Longer than the broker holds a pull: brokers look for expired ones only every 5 s.
pub(super) const PULL_GRACE: Duration = Duration::from_secs(15);
/// Time for giving a message back.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// Properties that would delay a retried message by its first delivery time again, or that belong to one stored copy.
const NOT_REPUBLISHED: [&str; 10] = [
    properties::START_DELIVER_TIME,
    properties::TIMER_DELIVER_MS,
    properties::TIMER_DELAY_MS,
    properties::TIMER_DELAY_SEC,
    properties::TIMER_OUT_MS,
    properties::MIN_OFFSET,
    properties::MAX_OFFSET,
    properties::REAL_TOPIC,
    properties::REAL_QID,
    properties::TRAN_MSG,
];

/// The requests of one consumer group.
pub(super) struct Requests {
    pub(super) instance: Arc<Instance>,
    /// As the server knows it.
    pub(super) group: String,
    pub(super) max_reconsume_times: i32,
}

impl Requests {
    pub(super) fn retry_topic(&self) -> String {
        format!("{RETRY_PREFIX}{}", self.group)
    }

    pub(super) async fn route(&self, topic: &str) -> Result<Arc<Route>> {
        self.instance.route("consume", topic, None, self.instance.request_deadline()).await
    }

    /// The address to reach `queue` at: the copy with this id if it is there.
    async fn address(&self, queue: &MessageQueue, copy: i64) -> Result<Arc<str>> {
        let route = self.route(&queue.topic).await?;
        let address = route.broker(&queue.broker).and_then(|broker| broker.copy(copy)).cloned();
        address.ok_or_else(|| {
            let text = format!("broker {:?} is not in the route of topic {:?}", queue.broker, queue.topic);
            Error::new(ErrorKind::BrokerUnreachable, "consume", text)
        })
    }

    async fn call(&self, queue: &MessageQueue, request: Frame, timeout: Duration) -> Result<Frame> {
        let address = self.address(queue, 0).await?;
        self.ask(&address, request, timeout).await
    }

    /// Whether a request left is of no interest here: none of them is a message of the user.
    pub(super) async fn ask(&self, address: &Arc<str>, request: Frame, timeout: Duration) -> Result<Frame> {
        let asked = self.instance.call("consume", address, request, deadline_after(timeout)).await;
        asked.map_err(|error| error.with_outcome(Outcome::NotSent))
    }

    fn about(&self, code: i32, queue: &MessageQueue) -> Frame {
        Frame::request(code)
            .with("consumerGroup", &self.group)
            .with("topic", &queue.topic)
            .with("queueId", queue.id)
    }

    pub(super) fn timeout(&self) -> Duration {
        self.instance.options().request_timeout
    }

    /// Asks for a number in the ext field `offset`.
    async fn offset(&self, queue: &MessageQueue, request: Frame) -> Result<Option<i64>> {
        let answer = self.call(queue, request, self.timeout()).await?;
        match answer.code {
            response::SUCCESS => match answer.ext.parse("offset") {
                Some(offset) => Ok(Some(offset)),
                None => Err(malformed("the answer has no offset")),
            },
            response::QUERY_NOT_FOUND => Ok(None),
            _ => Err(refusal("consume", &answer, &queue.topic)),
        }
    }

    /// The offset the broker has stored for the group. Without `exact` a broker may answer 0 for a queue that still
    /// has its first message.
    pub(super) async fn stored_offset(&self, queue: &MessageQueue, exact: bool) -> Result<Option<i64>> {
        let mut request = self.about(request::QUERY_CONSUMER_OFFSET, queue);
        if exact {
            request.ext.set("setZeroIfNotFound", false);
        }
        Ok(self.offset(queue, request).await?.filter(|offset| *offset >= 0))
    }

    /// The offset after the last message.
    pub(super) async fn max_offset(&self, queue: &MessageQueue) -> Result<i64> {
        Ok(self.offset(queue, self.about(request::GET_MAX_OFFSET, queue)).await?.unwrap_or(0))
    }

    /// The offset of the first message stored at or after `time_ms`.
    pub(super) async fn offset_at(&self, queue: &MessageQueue, time_ms: i64) -> Result<i64> {
        let request = self.about(request::SEARCH_OFFSET_BY_TIMESTAMP, queue).with("timestamp", time_ms);
        Ok(self.offset(queue, request).await?.unwrap_or(0))
    }

    /// Stores `offset` for the group.
    pub(super) async fn store_offset(&self, queue: &MessageQueue, offset: i64) -> Result<()> {
        let request = self.about(request::UPDATE_CONSUMER_OFFSET, queue).with("commitOffset", offset);
        let answer = self.call(queue, request, self.timeout()).await?;
        if answer.code == response::SUCCESS { Ok(()) } else { Err(refusal("consume", &answer, &queue.topic)) }
    }

    /// Pulls from `queue`; the broker may hold the request. Any code is an answer.
    pub(super) async fn pull(&self, queue: &MessageQueue, copy: i64, header: PullHeader) -> Result<Frame> {
        let address = self.address(queue, copy).await?;
        let timeout = Duration::from_millis(header.suspend_timeout_millis as u64) + PULL_GRACE;
        let mut request = Frame::request(request::PULL_MESSAGE);
        request.ext = header.into_ext();
        self.ask(&address, request, timeout).await
    }

    /// The client ids of the group's members, sorted.
    pub(super) async fn members(&self, route: &Route) -> Result<Vec<String>> {
        let mut last = Error::new(ErrorKind::BrokerUnreachable, "consume", "the topic has no broker");
        let brokers = route.brokers();
        let first = fastrand::usize(..brokers.len().max(1));
        for turn in 0..brokers.len() {
            let Some(address) = brokers[(first + turn) % brokers.len()].copy(0) else { continue };
            let request =
                Frame::request(request::GET_CONSUMER_LIST_BY_GROUP).with("consumerGroup", &self.group);
            let answer = match self.ask(address, request, self.timeout()).await {
                Ok(answer) => answer,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            // A group without members is an error to Apache brokers.
            let list = match answer.code {
                response::SUCCESS if answer.body.is_empty() => ConsumerList::default(),
                response::SUCCESS => {
                    ConsumerList::decode(&answer.body).map_err(|e| malformed(&e.to_string()))?
                }
                response::SYSTEM_ERROR => ConsumerList::default(),
                _ => return Err(refusal("consume", &answer, &self.group)),
            };
            let mut members = list.consumer_id_list;
            members.sort_unstable();
            return Ok(members);
        }
        Err(last)
    }

    /// Locks or unlocks queues of one broker (41, 42) and returns which are locked now.
    pub(super) async fn lock(&self, code: i32, queues: &[MessageQueue]) -> Result<Vec<MessageQueue>> {
        let Some(first) = queues.first() else { return Ok(Vec::new()) };
        let body = LockRequest {
            client_id: self.instance.client_id().to_owned(),
            consumer_group: self.group.clone(),
            mq_set: queues.iter().map(QueueKey::from).collect(),
            only_this_broker: false,
        };
        let answer = self.call(first, Frame::request(code).with_body(body.encode()), self.timeout()).await?;
        match answer.code {
            response::SUCCESS if code == request::UNLOCK_BATCH_MQ => Ok(Vec::new()),
            response::SUCCESS => {
                let reply = LockReply::decode(&answer.body).map_err(|e| malformed(&e.to_string()))?;
                Ok(reply.locked.into_iter().map(MessageQueue::from).collect())
            }
            _ => Err(refusal("consume", &answer, &self.group)),
        }
    }

    /// Gives the message at `commit_log_offset` back to the broker it was pulled from (36).
    pub(super) async fn give_back(
        &self,
        queue: &MessageQueue,
        commit_log_offset: i64,
        message_id: &str,
        delay_level: i32,
    ) -> Result<()> {
        let request = Frame::request(request::CONSUMER_SEND_MSG_BACK)
            .with("offset", commit_log_offset)
            .with("group", &self.group)
            .with("delayLevel", delay_level)
            .with("originMsgId", message_id)
            .with("originTopic", &queue.topic)
            .with("unitMode", false)
            .with("maxReconsumeTimes", self.max_reconsume_times);
        let answer = self.call(queue, request, GIVE_BACK).await?;
        if answer.code == response::SUCCESS { Ok(()) } else { Err(refusal("consume", &answer, &self.group)) }
    }

    /// Publishes a copy of `message` to the group's retry topic. One retry more than allowed makes the broker put it
    /// into the dead letter queue.
    pub(super) async fn republish(&self, message: &MessageView, topic: &str, delay_level: i32) -> Result<()> {
        let retry_topic = self.retry_topic();
        let route = self.route(&retry_topic).await?;
        let Some(queue) = route.select(self.instance.health(), Some(&message.broker)) else {
            let text = format!("no queue of {retry_topic} can be written");
            return Err(Error::new(ErrorKind::BrokerUnreachable, "consume", text));
        };
        let mut properties = message.properties.clone();
        for name in NOT_REPUBLISHED {
            properties.remove(name);
        }
        let level = if delay_level > 0 { delay_level } else { 3 + message.reconsume_times };
        properties.set(properties::DELAY, level.to_string());
        properties.set(properties::RETRY_TOPIC, topic);
        if properties.get(properties::ORIGIN_MESSAGE_ID).is_none() {
            properties.set(properties::ORIGIN_MESSAGE_ID, message.offset_message_id.as_str());
        }
        let dead = delay_level < 0;
        let header = SendHeader {
            producer_group: self.group.clone(),
            topic: retry_topic.clone(),
            default_topic: DEFAULT_TOPIC.into(),
            default_topic_queue_nums: 1,
            queue_id: queue.id,
            born_timestamp: message.born_timestamp,
            flag: message.flag,
            properties: properties.encode(),
            reconsume_times: if dead { self.max_reconsume_times + 1 } else { message.reconsume_times + 1 },
            max_reconsume_times: Some(self.max_reconsume_times),
            ..SendHeader::default()
        };
        let mut request = Frame::request(request::SEND_MESSAGE_V2).with_body(message.body.clone());
        request.ext = header.into_ext();
        let answer = self.ask(&queue.address, request, GIVE_BACK).await?;
        match answer.code {
            response::SUCCESS
            | response::FLUSH_DISK_TIMEOUT
            | response::FLUSH_SLAVE_TIMEOUT
            | response::SLAVE_NOT_AVAILABLE => Ok(()),
            _ => Err(refusal("consume", &answer, &retry_topic)),
        }
    }
}

/// Reads the header of the answer to a pull.
pub(super) fn pull_reply(answer: &Frame) -> Result<PullReplyHeader> {
    PullReplyHeader::read(&answer.ext).map_err(|e| malformed(&e.to_string()))
}

pub(super) fn malformed(why: &str) -> Error {
    Error::new(ErrorKind::Protocol, "consume", format!("the broker's answer is malformed: {why}"))
}
