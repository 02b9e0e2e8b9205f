//! The calls of the protocol: publish, consume, acknowledge, end a transaction.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;

use super::names::{self, Target};
use super::parcel::{Parcel, Rules};
use crate::client::instance::new_client_id;
use crate::client::simple::{ReceiptHandle, Received};
use crate::client::transaction::TransactionResolution;
use crate::client::{SendReceipt, SendStatus, deadline_after};
use crate::codec::http::request::{self, Trans};
use crate::codec::http::{
    HandleErrors, Handles, Incoming, Published, decode_message, decode_messages, unfit,
};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::message::{Message, MessageQueue};
use crate::options::{ClientOptions, Protocol};
use crate::transport::http::{Answer, Call, Client, handle_error};

const SEND: &str = "send";
const RECEIVE: &str = "receive";
const ACK: &str = "ack";
const END_TRANSACTION: &str = "end transaction";

/// How to consume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConsumeMode {
    /// Any messages.
    #[default]
    Concurrent,
    /// In order: the next messages of a sharding key come when all that were delivered of it are acknowledged.
    Orderly,
    /// Half messages whose transactions are open.
    Half,
}

/// What to consume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConsume {
    /// Topic.
    pub topic: String,
    /// Consumer group; for half messages that of the producer.
    pub group: String,
    /// Tags separated by `||`; empty or `*`: all.
    pub tag: String,
    /// Default concurrent.
    pub mode: ConsumeMode,
    /// Messages, 1..=16.
    pub max: usize,
    /// How long the server waits for the first one: whole seconds, at most 30 s.
    pub wait: Duration,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumed {
    /// At least one message.
    pub messages: Vec<Received>,
    /// Id of the request, for the service's support; empty if the server gave none.
    pub request_id: String,
}

/// One client of a service.
pub(crate) struct Service {
    options: ClientOptions,
    client_id: String,
    transport: Client,
}

impl Service {
    /// Checks the options. Nothing is dialled, and no task begins before the first call.
    ///
    /// # Errors
    /// `InvalidArgument`; `Unsupported` for an endpoint of another protocol.
    pub(crate) fn new(options: ClientOptions) -> Result<Self> {
        if options.endpoint.protocol != Protocol::Http {
            return Err(options.endpoint.protocol.lacks("start", "HTTP client"));
        }
        if let Some(instance) = options.namespace.as_deref().filter(|name| !name.is_empty()) {
            names::check(ErrorKind::InvalidArgument, "start", "instance id (namespace)", instance)?;
        }
        let client_id = options.client_id.clone().unwrap_or_else(new_client_id);
        Ok(Self { transport: Client::new(&options)?, client_id, options })
    }

    pub(crate) fn address(&self) -> &str {
        self.transport.address()
    }

    /// Fails if the service cannot be connected to; nothing is sent.
    ///
    /// # Errors
    /// `BrokerUnreachable`, `Tls`.
    pub(super) async fn probe(&self) -> Result<()> {
        self.transport.probe("start").await
    }

    /// A name for logs; the protocol has none.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Publishes a message once; `timeout`: that of a request when absent.
    pub(crate) async fn publish(&self, message: Message, timeout: Option<Duration>) -> Result<SendReceipt> {
        let deadline = deadline_after(timeout.unwrap_or(self.options.request_timeout));
        self.post(&Parcel::pack(message, &Rules::default(), &self.options)?, deadline).await
    }

    /// Publishes what is ready, once.
    pub(super) async fn post(&self, parcel: &Parcel, deadline: Instant) -> Result<SendReceipt> {
        let target = self.target(&parcel.topic, None);
        let answer = self.call(SEND, Method::POST, target, parcel.content.clone(), deadline).await?;
        if !answer.is_success() {
            return Err(answer.refusal(SEND, true));
        }
        let published = Published::decode(&answer.content).map_err(|why| answer.unreadable(SEND, &why))?;
        let Published { message_id, body_md5, handle } = published;
        if !body_md5.is_empty() && !body_md5.eq_ignore_ascii_case(&parcel.body_md5) {
            let text = format!(
                "message {message_id} is stored with another body than was sent (its MD5 is {body_md5}, not {}); \
                 something between changed it",
                parcel.body_md5
            );
            let error = Error::new(ErrorKind::Server, SEND, text).with_outcome(Outcome::Done);
            return Err(error.with_response_code(i32::from(answer.status.as_u16())));
        }
        Ok(SendReceipt {
            status: SendStatus::Ok,
            message_id,
            offset_message_id: String::new(),
            queue: MessageQueue { topic: parcel.topic.clone(), broker: String::new(), id: -1 },
            queue_offset: -1,
            transaction_id: handle,
            recall_handle: None,
            region: None,
            request_id: Some(answer.request_id().to_owned()).filter(|id| !id.is_empty()),
            taken_by: None,
        })
    }

    /// Takes messages; never repeated.
    pub(crate) async fn consume(&self, wanted: &HttpConsume) -> Result<Consumed> {
        let HttpConsume { topic, group, tag, mode, max, wait } = wanted;
        check_names(RECEIVE, topic, group)?;
        if !(1..=request::MAX_COUNT).contains(max) {
            return Err(invalid(RECEIVE, format!("max is {max}; one call takes 1 to 16 messages")));
        }
        if wait.subsec_nanos() != 0 || wait.as_secs() > request::MAX_WAIT_SECONDS {
            return Err(invalid(
                RECEIVE,
                format!("the wait is {wait:?}; the server waits whole seconds, at most 30 s"),
            ));
        }
        let trans = match mode {
            ConsumeMode::Concurrent => None,
            ConsumeMode::Orderly => Some(Trans::Order),
            ConsumeMode::Half => Some(Trans::Pop),
        };
        let seconds = Some(wait.as_secs()).filter(|seconds| *seconds > 0);
        let target = self.target(topic, Some(group)).with(request::COUNT, max);
        let target = target.with_some(request::WAIT, seconds).with_tag(tag).with_trans(trans);
        let deadline = deadline_after(self.options.request_timeout.saturating_add(*wait));
        let answer = self.call(RECEIVE, Method::GET, target, Bytes::new(), deadline).await?;
        if !answer.is_success() {
            return Err(answer.refusal(RECEIVE, false));
        }
        let delivered = decode_messages(&answer.content).map_err(|why| answer.unreadable(RECEIVE, &why))?;
        if delivered.is_empty() {
            return Err(Error::new(ErrorKind::MessageNotFound, RECEIVE, "the server has no message now"));
        }
        let messages =
            delivered.into_iter().map(|message| received(decode_message(message, topic))).collect();
        Ok(Consumed { messages, request_id: answer.request_id().to_owned() })
    }

    /// Acknowledges messages; one result a handle, in their order.
    pub(crate) async fn ack(&self, topic: &str, group: &str, handles: &[String]) -> Result<Vec<Result<()>>> {
        if !(1..=request::MAX_COUNT).contains(&handles.len()) {
            let text = format!("{} handles; one call acknowledges 1 to 16 messages", handles.len());
            return Err(invalid(ACK, text));
        }
        self.settle(ACK, topic, group, handles, None).await
    }

    /// Ends the transaction of a half message.
    pub(crate) async fn end_transaction(
        &self,
        topic: &str,
        group: &str,
        handle: &str,
        resolution: TransactionResolution,
    ) -> Result<()> {
        let trans = match resolution {
            TransactionResolution::Unknown => return Ok(()),
            TransactionResolution::Commit => Trans::Commit,
            TransactionResolution::Rollback => Trans::Rollback,
        };
        let handles = [handle.to_owned()];
        let results = self.settle(END_TRANSACTION, topic, group, &handles, Some(trans)).await?;
        results.into_iter().collect()
    }

    async fn settle(
        &self,
        operation: &'static str,
        topic: &str,
        group: &str,
        handles: &[String],
        trans: Option<Trans>,
    ) -> Result<Vec<Result<()>>> {
        check_names(operation, topic, group)?;
        if let Some(bad) = handles.iter().find(|handle| handle.is_empty() || unfit(handle).is_some()) {
            return Err(invalid(operation, format!("{bad:?} is no receipt handle")));
        }
        let target = self.target(topic, Some(group)).with_trans(trans);
        let content = Handles(handles.to_vec()).encode().into();
        let deadline = deadline_after(self.options.request_timeout);
        let answer = self.call(operation, Method::DELETE, target, content, deadline).await?;
        if answer.is_success() {
            return Ok(handles.iter().map(|_| Ok(())).collect());
        }
        settled(operation, &answer, handles)
    }

    /// Waits for the shutdown.
    pub(super) async fn closed(&self) {
        self.transport.closed().await;
    }

    /// Closes the connections; calls under way end with `Closed`. Idempotent.
    pub(crate) async fn shutdown(&self) {
        self.transport.shutdown().await;
    }

    fn target(&self, topic: &str, group: Option<&str>) -> Target {
        let instance = self.options.namespace.as_deref().filter(|name| !name.is_empty());
        Target::of(topic).with_some(request::CONSUMER, group).with_some(request::NAMESPACE, instance)
    }

    async fn call(
        &self,
        operation: &'static str,
        method: Method,
        target: Target,
        content: Bytes,
        deadline: Instant,
    ) -> Result<Answer> {
        let call = Call { operation, method, target: target.into_text(), content, deadline };
        self.transport.call(&call).await
    }
}

fn invalid(operation: &'static str, text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, operation, text)
}

fn check_names(operation: &'static str, topic: &str, group: &str) -> Result<()> {
    names::check(ErrorKind::InvalidArgument, operation, "topic", topic)?;
    names::check(ErrorKind::InvalidArgument, operation, "group", group)
}

fn received(incoming: Incoming) -> Received {
    let Incoming { view, receipt_handle, corrupted, next_consume_ms, first_consume_ms } = incoming;
    let receipt = ReceiptHandle {
        topic: view.topic.clone(),
        broker: String::new(),
        message_id: view.message_id.clone(),
        handle: receipt_handle,
    };
    Received {
        message: view,
        receipt,
        corrupted,
        invisible_until_ms: Some(next_consume_ms),
        first_delivered_ms: Some(first_consume_ms),
    }
}

/// What a refusal says of each handle: those that it does not name were taken.
///
/// # Errors
/// The refusal of the request as a whole.
fn settled(operation: &'static str, answer: &Answer, handles: &[String]) -> Result<Vec<Result<()>>> {
    let Ok(HandleErrors(mut refused)) = HandleErrors::decode(&answer.content) else {
        let error = answer.refusal(operation, false);
        // One handle alone may be refused as a request is.
        return match (error.kind(), handles) {
            (ErrorKind::InvalidReceipt | ErrorKind::MessageNotFound, [_]) => Ok(vec![Err(error)]),
            _ => Err(error),
        };
    };
    refused.retain(|error| handles.contains(&error.handle));
    if refused.is_empty() {
        let text = "the server refuses handles and names none of the request's; it may be repeated";
        let status = i32::from(answer.status.as_u16());
        return Err(Error::new(ErrorKind::Protocol, operation, text).with_response_code(status));
    }
    let result = |handle: &String| match refused.iter().find(|error| error.handle == *handle) {
        Some(error) => Err(handle_error(operation, answer, error.clone())),
        None => Ok(()),
    };
    Ok(handles.iter().map(result).collect())
}
