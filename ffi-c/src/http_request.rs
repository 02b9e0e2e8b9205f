//! A call of an HTTP client, copied from the host.

use std::time::Duration;

use tminus_core::{HttpConsume, Message, ReceiptHandle, Result, TransactionResolution};

use crate::batch::{Batch, transaction_resolution};
use crate::boundary::wait_ms;
use crate::data::{slice, tminus_str_t};
use crate::driver::{Kind, Payload};
use crate::http_client::tminus_http_client_t;
use crate::http_consume::{self, tminus_http_consume_t};
use crate::message::{self, tminus_message_t};
use crate::request;

/// What is asked of the client.
pub(crate) enum Request {
    Publish { message: Message, timeout: Option<Duration> },
    Consume(HttpConsume),
    Ack { topic: String, group: String, handles: Vec<String> },
    End { topic: String, group: String, handle: String, resolution: TransactionResolution },
}

impl Request {
    /// # Safety
    /// `message` is NULL or readable.
    pub(crate) unsafe fn publish(message: *const tminus_message_t, timeout_ms: i64) -> Result<Self> {
        // SAFETY: the caller's promise.
        Ok(Self::Publish { message: unsafe { message::copy(message)? }, timeout: wait_ms(timeout_ms) })
    }

    /// # Safety
    /// `wanted` is NULL or readable.
    pub(crate) unsafe fn consume(wanted: *const tminus_http_consume_t) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe { http_consume::copy(wanted) }.map(Self::Consume)
    }

    /// # Safety
    /// The texts are readable; `handles` is NULL or an array of `count` readable texts.
    pub(crate) unsafe fn ack(
        topic: tminus_str_t,
        group: tminus_str_t,
        handles: *const tminus_str_t,
        count: usize,
    ) -> Result<Self> {
        let operation = Kind::Ack.operation();
        // SAFETY: the caller's promise.
        unsafe {
            let handles = slice(handles, count, "handles", operation)?;
            let copied = handles.iter().map(|handle| handle.read("handle", operation).map(str::to_owned));
            Ok(Self::Ack {
                topic: topic.read("topic", operation)?.to_owned(),
                group: group.read("group", operation)?.to_owned(),
                handles: copied.collect::<Result<_>>()?,
            })
        }
    }

    /// # Safety
    /// The texts are readable.
    pub(crate) unsafe fn end(
        topic: tminus_str_t,
        group: tminus_str_t,
        handle: tminus_str_t,
        resolution: i32,
    ) -> Result<Self> {
        let operation = Kind::EndTransaction.operation();
        // SAFETY: the caller's promise.
        unsafe {
            Ok(Self::End {
                topic: topic.read("topic", operation)?.to_owned(),
                group: group.read("group", operation)?.to_owned(),
                handle: handle.read("handle", operation)?.to_owned(),
                resolution: transaction_resolution(resolution, operation)?,
            })
        }
    }
}

impl request::Request for Request {
    type Owner = tminus_http_client_t;

    fn kind(&self) -> Kind {
        match self {
            Self::Publish { .. } => Kind::Send,
            Self::Consume(_) => Kind::Receive,
            Self::Ack { .. } => Kind::Ack,
            Self::End { .. } => Kind::EndTransaction,
        }
    }

    fn run(self, owner: &Self::Owner) -> impl Future<Output = Result<Payload>> + Send + 'static {
        let client = owner.client.clone();
        async move {
            Ok(match self {
                Self::Publish { message, timeout } => Payload::Sent(client.publish(message, timeout).await?),
                Self::Consume(wanted) => Payload::Batch(Batch::Consumed(client.consume(&wanted).await?)),
                Self::Ack { topic, group, handles } => {
                    let results = client.ack(&topic, &group, &handles).await?;
                    let receipt = |handle| ReceiptHandle {
                        topic: topic.clone(),
                        broker: String::new(),
                        message_id: String::new(),
                        handle,
                    };
                    Payload::Handles(handles.into_iter().map(receipt).collect(), results)
                }
                Self::End { topic, group, handle, resolution } => {
                    client.end_transaction(&topic, &group, &handle, resolution).await?;
                    Payload::Nothing
                }
            })
        }
    }
}
