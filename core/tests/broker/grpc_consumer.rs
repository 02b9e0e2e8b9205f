//! A consumer over gRPC, call by call.

use std::net::SocketAddr;
use std::time::Duration;

use tminus::codec::grpc::proto::receive_message_response::Content;
use tminus::codec::grpc::proto::*;
use tminus::codec::grpc::time;

use crate::grpc_peer::{GrpcPeer, TelemetryPeer, code, consumer, named};

/// What a receive answered.
pub(crate) struct Received {
    pub(crate) code: i32,
    pub(crate) messages: Vec<Message>,
}

/// A consumer that has told its settings.
pub(crate) struct Consumer {
    pub(crate) peer: GrpcPeer,
    group: Resource,
    topic: Resource,
    _telemetry: TelemetryPeer,
}

/// A receive of up to 32 messages, hidden for 15 s, that waits as briefly as the broker allows.
pub(crate) fn receive() -> ReceiveMessageRequest {
    ReceiveMessageRequest {
        group: Some(named("G")),
        message_queue: Some(MessageQueue { topic: Some(named("T")), id: -1, ..Default::default() }),
        filter_expression: None,
        batch_size: 32,
        invisible_duration: Some(time::duration(HIDDEN)),
        auto_renew: false,
        long_polling_timeout: Some(time::duration(Duration::from_secs(5))),
        attempt_id: None,
    }
}

/// The invisible time of [`receive`].
pub(crate) const HIDDEN: Duration = Duration::from_secs(15);

/// A receive as push consumers make it.
pub(crate) fn pushed() -> ReceiveMessageRequest {
    ReceiveMessageRequest { auto_renew: true, invisible_duration: None, ..receive() }
}

impl Consumer {
    /// A consumer of group `G` and topic `T`.
    pub(crate) async fn start(address: SocketAddr, client_id: &str) -> Self {
        Self::of(address, client_id, "G", "T").await
    }

    pub(crate) async fn of(address: SocketAddr, client_id: &str, group: &str, topic: &str) -> Self {
        let peer = GrpcPeer::connect(address, client_id).await;
        let (telemetry, _) = peer.handshake(consumer(group, &[topic])).await;
        Self { peer, group: named(group), topic: named(topic), _telemetry: telemetry }
    }

    /// [`receive`] of its own group and topic.
    pub(crate) fn request(&self) -> ReceiveMessageRequest {
        let queue = MessageQueue { topic: Some(self.topic.clone()), id: -1, ..Default::default() };
        ReceiveMessageRequest { group: Some(self.group.clone()), message_queue: Some(queue), ..receive() }
    }

    /// What there is now.
    pub(crate) async fn receive(&self) -> Vec<Message> {
        let received = self.received(self.request()).await;
        assert_eq!(received.code, Code::Ok as i32);
        received.messages
    }

    /// The answer to a receive: a status, messages and the time, in this order.
    pub(crate) async fn received(&self, request: ReceiveMessageRequest) -> Received {
        self.try_receive(request).await.expect("the receive failed")
    }

    pub(crate) async fn try_receive(
        &self,
        request: ReceiveMessageRequest,
    ) -> Result<Received, tonic::Status> {
        let mut answers = self.peer.stream::<_, ReceiveMessageResponse>("ReceiveMessage", request).await?;
        let mut contents = Vec::new();
        while let Some(answer) = answers.message().await? {
            contents.push(answer.content.expect("an empty element"));
        }
        let Some(Content::DeliveryTimestamp(_)) = contents.pop() else { panic!("no time at the end") };
        let mut contents = contents.into_iter();
        let Some(Content::Status(status)) = contents.next() else { panic!("no status in front") };
        let messages = contents.map(|content| match content {
            Content::Message(message) => message,
            other => panic!("{other:?} among the messages"),
        });
        Ok(Received { code: status.code, messages: messages.collect() })
    }

    /// Acknowledges by these handles: the overall code, and that of each.
    pub(crate) async fn ack(&self, handles: &[&str]) -> (i32, Vec<i32>) {
        let entries = handles.iter().map(|handle| AckMessageEntry {
            message_id: "id".into(),
            receipt_handle: (*handle).into(),
            lite_topic: None,
        });
        let request = AckMessageRequest {
            group: Some(self.group.clone()),
            topic: Some(self.topic.clone()),
            entries: entries.collect(),
        };
        let answer: AckMessageResponse = self.peer.call("AckMessage", request).await.unwrap();
        let entry = |entry: &AckMessageResultEntry| {
            assert_eq!(entry.message_id, "id");
            code(&entry.status)
        };
        let echoed: Vec<_> = answer.entries.iter().map(|entry| &*entry.receipt_handle).collect();
        assert_eq!(echoed, handles);
        (code(&answer.status), answer.entries.iter().map(entry).collect())
    }

    /// Acknowledges messages.
    pub(crate) async fn acknowledge(&self, messages: &[Message]) {
        let handles: Vec<_> = messages.iter().map(handle).collect();
        assert_eq!(self.ack(&handles).await.0, Code::Ok as i32);
    }

    /// Hides a message for another while: the code and the new handle.
    pub(crate) async fn change(&self, handle: &str, invisible: Duration) -> (i32, String) {
        let request = ChangeInvisibleDurationRequest {
            group: Some(self.group.clone()),
            topic: Some(self.topic.clone()),
            receipt_handle: handle.into(),
            invisible_duration: Some(time::duration(invisible)),
            message_id: "id".into(),
            lite_topic: None,
            suspend: None,
        };
        let answer: ChangeInvisibleDurationResponse =
            self.peer.call("ChangeInvisibleDuration", request).await.unwrap();
        (code(&answer.status), answer.receipt_handle)
    }

    /// Gives a message up.
    pub(crate) async fn forward(&self, handle: &str) -> i32 {
        let request = ForwardMessageToDeadLetterQueueRequest {
            group: Some(self.group.clone()),
            topic: Some(self.topic.clone()),
            receipt_handle: handle.into(),
            message_id: "id".into(),
            delivery_attempt: 1,
            max_delivery_attempts: 1,
            lite_topic: None,
        };
        let answer: ForwardMessageToDeadLetterQueueResponse =
            self.peer.call("ForwardMessageToDeadLetterQueue", request).await.unwrap();
        code(&answer.status)
    }

    /// The queues to receive from.
    pub(crate) async fn assignments(&self, topic: &str) -> (i32, Vec<MessageQueue>) {
        let request = QueryAssignmentRequest {
            topic: Some(named(topic)),
            group: Some(self.group.clone()),
            endpoints: None,
        };
        let answer: QueryAssignmentResponse = self.peer.call("QueryAssignment", request).await.unwrap();
        let queues = answer.assignments.into_iter().map(|one| one.message_queue.unwrap());
        (code(&answer.status), queues.collect())
    }
}

pub(crate) fn system(message: &Message) -> &SystemProperties {
    message.system_properties.as_ref().unwrap()
}

pub(crate) fn handle(message: &Message) -> &str {
    system(message).receipt_handle.as_ref().unwrap()
}

/// Body and attempt of each.
pub(crate) fn seen(messages: &[Message]) -> Vec<(&str, i32)> {
    let one = |message: &'_ Message| system(message).delivery_attempt.unwrap();
    messages.iter().map(|message| (std::str::from_utf8(&message.body).unwrap(), one(message))).collect()
}
