//! Receiving, and saying what became of messages: every request about it in one place.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout_at;

use super::agent::Agent;
use super::settings::wire_filter;
use crate::client::acks::{same, together};
use crate::client::deadline_after;
use crate::client::polls::{Brought, GiveBack};
use crate::client::simple::{ReceiptHandle, Received};
use crate::codec::grpc::decode_message;
use crate::codec::grpc::proto::receive_message_response::Content;
use crate::codec::grpc::proto::{
    AckMessageEntry, AckMessageRequest, ChangeInvisibleDurationRequest, Code,
    ForwardMessageToDeadLetterQueueRequest, Message, ReceiveMessageRequest, Resource, Status,
};
use crate::codec::grpc::time::duration;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::options::FilterExpression;
use crate::route::ProxyQueue;
use crate::transport::grpc::refusal;

/// Servers refuse to hold a receive for less.
pub(super) const SHORTEST_POLL: Duration = Duration::from_secs(5);
/// Servers hand out no more at a time.
pub(super) const LARGEST_BATCH: usize = 32;

/// The receiving side of a member of a group.
pub(super) struct Receiver {
    pub(super) agent: Arc<Agent>,
    group: String,
}

/// What one receive asks for.
pub(super) struct Wanted<'a> {
    /// Topic, by its own name.
    pub(super) topic: &'a str,
    pub(super) queue: &'a ProxyQueue,
    pub(super) filter: &'a FilterExpression,
    pub(super) max: usize,
    /// How long messages stay hidden; absent: as long as this client is there, the proxy sees to that.
    pub(super) invisible: Option<Duration>,
    pub(super) long_poll: Duration,
    /// Asked again under the same id, what was handed out to a lost answer is handed out again at once where the server
    /// keeps messages in order.
    pub(super) attempt_id: String,
}

impl Receiver {
    pub(super) fn new(agent: Arc<Agent>, group: String) -> Self {
        Self { agent, group }
    }

    fn group(&self) -> Option<Resource> {
        Some(self.agent.resource(&self.group))
    }

    /// One receive. What came before a fault is in the first part all the same.
    pub(super) async fn receive(&self, wanted: Wanted<'_>) -> Brought {
        let mut messages = Vec::new();
        let mut status = None;
        let deadline = deadline_after(wanted.long_poll + self.agent.options().request_timeout);
        let Some(address) = self.healthy(wanted.queue) else {
            return (messages, Err(nowhere("receive", wanted.topic)));
        };
        let mut queue = wanted.queue.described.clone();
        queue.topic = Some(self.agent.resource(wanted.topic));
        let request = ReceiveMessageRequest {
            group: self.group(),
            message_queue: Some(queue),
            filter_expression: Some(wire_filter(wanted.filter)),
            batch_size: i32::try_from(wanted.max).unwrap_or(i32::MAX),
            invisible_duration: wanted.invisible.map(duration),
            auto_renew: wanted.invisible.is_none(),
            long_polling_timeout: Some(duration(wanted.long_poll)),
            attempt_id: Some(wanted.attempt_id),
        };
        let reading = async {
            let mut answers = self.agent.receive(address, &request, deadline).await?;
            while let Some(answer) = answers.next().await? {
                match answer.content {
                    Some(Content::Status(said)) => status = Some(said),
                    Some(Content::Message(message)) => {
                        messages.push(received(message, wanted.topic, &wanted.queue.broker));
                    }
                    Some(Content::DeliveryTimestamp(_)) | None => {}
                }
            }
            Ok(())
        };
        let read = timeout_at(deadline.into(), reading).await.unwrap_or_else(|_| {
            let text = format!("{address} neither sent messages nor ended the receive in time");
            Err(Error::new(ErrorKind::Timeout, "receive", text).with_outcome(Outcome::MaybeSent))
        });
        let result = match (read, status) {
            (Err(error), _) => {
                self.agent.health().failed(address);
                Err(error)
            }
            (Ok(()), Some(status)) if [Code::Ok, Code::MessageNotFound].contains(&status.code()) => Ok(()),
            (Ok(()), Some(status)) if is_unreadable(wanted.filter, &status) => {
                let filter = wire_filter(wanted.filter).expression;
                let text = format!(
                    "the server cannot read the filter {filter:?} of topic {}: {}",
                    wanted.topic, status.message
                );
                Err(Error::new(ErrorKind::InvalidArgument, "receive", text).with_response_code(status.code))
            }
            (Ok(()), Some(status)) => Err(refusal("receive", &status, wanted.topic)),
            (Ok(()), None) if !messages.is_empty() => Ok(()),
            (Ok(()), None) => {
                let text = format!("{address} ended a receive without a status");
                Err(Error::new(ErrorKind::Protocol, "receive", text))
            }
        };
        (messages, result)
    }

    /// Acknowledges messages with one request a topic and broker; one result each, in their order.
    pub(super) async fn ack(&self, receipts: &[ReceiptHandle]) -> Vec<Result<()>> {
        together(receipts, usize::MAX, |together| self.ack_together(together)).await
    }

    /// Receipts of one topic and broker.
    async fn ack_together(&self, receipts: Vec<&ReceiptHandle>) -> Vec<Result<()>> {
        const OPERATION: &str = "ack";
        let Some(first) = receipts.first() else { return Vec::new() };
        let entry = |receipt: &&ReceiptHandle| AckMessageEntry {
            message_id: receipt.message_id.clone(),
            receipt_handle: receipt.handle.clone(),
            lite_topic: None,
        };
        let request = AckMessageRequest {
            group: self.group(),
            topic: Some(self.agent.resource(&first.topic)),
            entries: receipts.iter().map(entry).collect(),
        };
        let answer = async {
            let address = self.address_of(OPERATION, first).await?;
            self.agent.ask(OPERATION, &address, &request, self.agent.request_deadline()).await
        };
        let answer = match answer.await {
            Ok(answer) => answer,
            Err(error) => return receipts.iter().map(|_| Err(same(&error))).collect(),
        };
        let verdict = |receipt: &&ReceiptHandle| {
            let entry = answer.entries.iter().find(|entry| entry.receipt_handle == receipt.handle);
            let status = entry.map_or(answer.status.as_ref(), |entry| entry.status.as_ref());
            accepted(OPERATION, status, receipt)
        };
        receipts.iter().map(verdict).collect()
    }

    /// Hides a message until `invisible` from now; its new handle. `untouched`: nobody had it, it counts no attempt where
    /// the server can tell the difference.
    pub(super) async fn change_invisible(
        &self,
        receipt: &ReceiptHandle,
        invisible: Duration,
        untouched: bool,
    ) -> Result<String> {
        const OPERATION: &str = "change invisible duration";
        let request = ChangeInvisibleDurationRequest {
            group: self.group(),
            topic: Some(self.agent.resource(&receipt.topic)),
            receipt_handle: receipt.handle.clone(),
            invisible_duration: Some(duration(invisible)),
            message_id: receipt.message_id.clone(),
            lite_topic: None,
            suspend: untouched.then_some(true),
        };
        let address = self.address_of(OPERATION, receipt).await?;
        let answer = self.agent.ask(OPERATION, &address, &request, self.agent.request_deadline()).await?;
        accepted(OPERATION, answer.status.as_ref(), receipt)?;
        Ok(answer.receipt_handle)
    }

    /// Moves a message to the dead letter queue of the group.
    pub(super) async fn give_up(
        &self,
        receipt: &ReceiptHandle,
        attempt: i32,
        max_attempts: i32,
    ) -> Result<()> {
        const OPERATION: &str = "dead letter";
        let request = ForwardMessageToDeadLetterQueueRequest {
            group: self.group(),
            topic: Some(self.agent.resource(&receipt.topic)),
            receipt_handle: receipt.handle.clone(),
            message_id: receipt.message_id.clone(),
            delivery_attempt: attempt,
            max_delivery_attempts: max_attempts,
            lite_topic: None,
        };
        let address = self.address_of(OPERATION, receipt).await?;
        let answer = self.agent.ask(OPERATION, &address, &request, self.agent.request_deadline()).await?;
        accepted(OPERATION, answer.status.as_ref(), receipt)
    }

    /// A proxy that leads to the broker that hid the message.
    async fn address_of(&self, operation: &'static str, receipt: &ReceiptHandle) -> Result<Arc<str>> {
        let ReceiptHandle { topic, broker, .. } = receipt;
        self.agent.check_open(operation)?;
        let route = self.agent.route(operation, topic, self.agent.request_deadline()).await?;
        let queues = route.queues();
        let queue = queues.iter().find(|queue| *queue.broker == **broker).or(queues.first());
        let address = queue.and_then(|queue| self.healthy(queue)).cloned();
        address.ok_or_else(|| nowhere(operation, topic))
    }

    fn healthy<'a>(&self, queue: &'a ProxyQueue) -> Option<&'a Arc<str>> {
        let healthy = queue.addresses.iter().find(|address| self.agent.health().is_available(address));
        healthy.or_else(|| queue.addresses.first())
    }
}

impl GiveBack for Receiver {
    /// What a call takes over stays hidden for three quarters of what it asked for at least.
    fn patience(&self, invisible: Duration, _: &[Received]) -> Duration {
        invisible / 4
    }

    async fn give_back(&self, receipt: &ReceiptHandle) -> Result<()> {
        self.change_invisible(receipt, Duration::ZERO, true).await.map(drop)
    }
}

/// A message as it came, under the topic it was asked for.
fn received(message: Message, topic: &str, broker: &str) -> Received {
    let incoming = decode_message(message, broker);
    let mut message = incoming.view;
    topic.clone_into(&mut message.topic);
    let receipt = ReceiptHandle {
        topic: topic.to_owned(),
        broker: broker.to_owned(),
        message_id: message.message_id.clone(),
        handle: incoming.receipt_handle,
    };
    Received {
        message,
        receipt,
        corrupted: incoming.corrupted,
        invisible_until_ms: None,
        first_delivered_ms: None,
    }
}

/// What the server said about one receipt.
fn accepted(operation: &'static str, status: Option<&Status>, receipt: &ReceiptHandle) -> Result<()> {
    match status {
        Some(status) if status.code() == Code::Ok => Ok(()),
        // Servers answer so to a handle that they cannot read.
        Some(status) if status.code() == Code::InternalServerError && !is_handle(&receipt.handle) => {
            let text = "this is no receipt handle of the server; give the one that came with the message";
            Err(Error::new(ErrorKind::InvalidReceipt, operation, text).with_response_code(status.code))
        }
        Some(status) => Err(refusal(operation, status, &receipt.topic)),
        None => Err(Error::new(ErrorKind::Protocol, operation, "the server answered without a status")),
    }
}

/// Whether a receive was refused for its filter. Apache's proxy lets its broker read SQL92, and passes a fault on as one of
/// its own.
fn is_unreadable(filter: &FilterExpression, status: &Status) -> bool {
    let by_sql = matches!(filter, FilterExpression::Sql92(_));
    match status.code() {
        Code::IllegalFilterExpression => true,
        Code::InternalServerError => by_sql && status.message.contains("subscription failed"),
        _ => false,
    }
}

/// Whether `handle` looks like those of the open-source server: at least eight parts, the first three of them numbers.
fn is_handle(handle: &str) -> bool {
    let numbers = handle.split(' ').take(3).all(|part| part.parse::<i64>().is_ok());
    numbers && handle.split(' ').count() >= 8
}

fn nowhere(operation: &'static str, topic: &str) -> Error {
    let text = format!("no broker of topic {topic} can be read from");
    Error::new(ErrorKind::BrokerUnreachable, operation, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_handle_is_told_from_a_fault_of_the_server() {
        let receipt = |handle: &str| ReceiptHandle {
            topic: "T".into(),
            broker: "b".into(),
            message_id: "m".into(),
            handle: handle.into(),
        };
        let failed = Status { code: Code::InternalServerError.into(), message: "parse".into() };
        for (handle, kind) in [
            ("garbage", ErrorKind::InvalidReceipt),
            ("", ErrorKind::InvalidReceipt),
            ("a b c d e f g h i", ErrorKind::InvalidReceipt),
            ("0 1795229547177 15000 0 0 bw 1 0 0", ErrorKind::Server),
        ] {
            let error = accepted("ack", Some(&failed), &receipt(handle)).map_err(|error| error.kind());
            assert_eq!(error, Err(kind), "{handle}");
        }
        assert_eq!(accepted("ack", None, &receipt("")).map_err(|e| e.kind()), Err(ErrorKind::Protocol));
    }
}
