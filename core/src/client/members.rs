//! The groups a client is a member of: what its heartbeat says, and who takes a server's request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::half::Questions;
use crate::codec::remoting::Frame;
use crate::codec::remoting::body::{ConsumerData, HeartbeatData, JsonBody, ProducerData};
use crate::codec::remoting::codes::{request, response};
use crate::codec::remoting::record;
use crate::message::properties;
use crate::transport::remoting::ServerRequest;

/// A consumer, as its instance sees it. Both calls come on tasks of the instance and must not block.
pub(crate) trait GroupMember: Send + Sync {
    /// What the heartbeat says of the group.
    fn heartbeat_data(&self) -> ConsumerData;

    /// Takes a request from a server for the group: 40, 220, 221, 307 or 309.
    fn handle(&self, request: ServerRequest);
}

type Producers = BTreeMap<String, Questions>;
type Consumers = BTreeMap<String, Arc<dyn GroupMember>>;

#[derive(Default)]
struct Groups {
    producers: Producers,
    consumers: Consumers,
}

/// The groups of one client.
#[derive(Default)]
pub(super) struct Members(Mutex<Groups>);

impl Members {
    pub(super) fn add_producer(&self, group: &str, questions: Questions) {
        self.lock().producers.insert(group.to_owned(), questions);
    }

    pub(super) fn add_consumer(&self, group: &str, member: Arc<dyn GroupMember>) {
        self.lock().consumers.insert(group.to_owned(), member);
    }

    pub(super) fn remove_consumer(&self, group: &str) {
        self.lock().consumers.remove(group);
    }

    pub(super) fn has_consumers(&self) -> bool {
        !self.lock().consumers.is_empty()
    }

    /// The heartbeat (34); `None` while there is no group.
    pub(super) fn heartbeat(&self, client_id: &str) -> Option<Frame> {
        let (producers, consumers) = self.copies();
        if producers.is_empty() && consumers.is_empty() {
            return None;
        }
        let data = HeartbeatData {
            client_id: client_id.to_owned(),
            producer_data_set: producers.into_keys().map(|group_name| ProducerData { group_name }).collect(),
            consumer_data_set: consumers.values().map(|member| member.heartbeat_data()).collect(),
            ..HeartbeatData::default()
        };
        Some(Frame::request(request::HEART_BEAT).with_body(data.encode()))
    }

    /// The requests (35) that sign every group off.
    pub(super) fn sign_off(&self, client_id: &str) -> Vec<Frame> {
        let (producers, consumers) = self.copies();
        let frame = || Frame::request(request::UNREGISTER_CLIENT).with("clientID", client_id);
        let producers = producers.into_keys().map(|group| frame().with("producerGroup", group));
        producers.chain(consumers.into_keys().map(|group| frame().with("consumerGroup", group))).collect()
    }

    /// Gives a server's request to the group it names; what nobody takes is answered with "not supported".
    pub(super) fn dispatch(&self, request: ServerRequest) {
        if request.frame.code == request::CHECK_TRANSACTION_STATE
            && let Some(questions) = self.producer_of(&request.frame.body)
        {
            return questions.ask(request);
        }
        let ext = &request.frame.ext;
        let group = ext.get("consumerGroup").or_else(|| ext.get("group"));
        let known = matches!(
            request.frame.code,
            request::NOTIFY_CONSUMER_IDS_CHANGED
                | request::RESET_CONSUMER_CLIENT_OFFSET
                | request::GET_CONSUMER_STATUS_FROM_CLIENT
                | request::GET_CONSUMER_RUNNING_INFO
                | request::CONSUME_MESSAGE_DIRECTLY
        );
        let member = group.filter(|_| known).and_then(|group| self.lock().consumers.get(group).cloned());
        match member {
            Some(member) => member.handle(request),
            None => {
                let remark = format!("request {} is not for this client", request.frame.code);
                let code = response::REQUEST_CODE_NOT_SUPPORTED;
                let answer = Frame::response(&request.frame, code).with_remark(remark);
                request.answer(answer);
            }
        }
    }

    /// The producers that sent this half message.
    fn producer_of(&self, record: &[u8]) -> Option<Questions> {
        let group = properties::find(record::properties_text(record)?, properties::PGROUP)?;
        self.lock().producers.get(group).cloned()
    }

    /// Copies, so that no lock is held while members are called.
    fn copies(&self) -> (Producers, Consumers) {
        let groups = self.lock();
        (groups.producers.clone(), groups.consumers.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
