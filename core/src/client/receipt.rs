//! What a producer gets for a stored message.

use std::sync::Arc;

use super::attempts::Sent;
use super::namespace::Namespace;
use super::parcel::Parcel;
use crate::codec::remoting::codes::response;
use crate::message::{MessageQueue, properties};

/// How durable the stored message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum SendStatus {
    /// Stored as configured.
    Ok = 0,
    /// Stored; flushing to disk timed out (response code 10).
    FlushDiskTimeout = 1,
    /// Stored; copying to the replica timed out (response code 12).
    FlushSlaveTimeout = 2,
    /// Stored; no replica was there (response code 11).
    SlaveNotAvailable = 3,
}

/// What the server said about a stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReceipt {
    /// Durability.
    pub status: SendStatus,
    /// The unique id the client made (comma-joined for a batch); over ApsaraMQ HTTP the server's.
    pub message_id: String,
    /// The server's id (comma-joined for a batch); empty over gRPC and ApsaraMQ HTTP, which have none.
    pub offset_message_id: String,
    /// Queue it went to. Over gRPC a proxy chooses it and does not say which: number -1, and the broker's name only where
    /// its address leads to no other. Over ApsaraMQ HTTP neither is known.
    pub queue: MessageQueue,
    /// Position in that queue (in the timer's queue for a scheduled message); -1 over ApsaraMQ HTTP.
    pub queue_offset: i64,
    /// Transaction id, if the server gave one; over ApsaraMQ HTTP the receipt handle of the half message.
    pub transaction_id: Option<String>,
    /// Handle for recalling a scheduled message, where the server offers it.
    pub recall_handle: Option<String>,
    /// Region of the server.
    pub region: Option<String>,
    /// Id of the request, for the support of a cloud service (ApsaraMQ HTTP).
    pub request_id: Option<String>,
    /// The address that took it, where a transaction has to end there.
    pub(super) taken_by: Option<Arc<str>>,
}

impl SendReceipt {
    /// The receipt of `parcel`, as the answer over remoting says it.
    pub(super) fn of_remoting(parcel: Parcel, sent: Sent, namespace: &Namespace) -> Self {
        let Sent { answer, broker, queue } = sent;
        let text = |name| answer.ext.get(name).map(str::to_owned);
        Self {
            status: match answer.code {
                response::FLUSH_DISK_TIMEOUT => SendStatus::FlushDiskTimeout,
                response::FLUSH_SLAVE_TIMEOUT => SendStatus::FlushSlaveTimeout,
                response::SLAVE_NOT_AVAILABLE => SendStatus::SlaveNotAvailable,
                _ => SendStatus::Ok,
            },
            offset_message_id: text("msgId").unwrap_or_default(),
            queue: MessageQueue {
                topic: namespace.strip(&parcel.topic).into_owned(),
                broker: broker.as_ref().to_owned(),
                id: queue,
            },
            message_id: parcel.ids,
            queue_offset: answer.ext.parse("queueOffset").unwrap_or(-1),
            transaction_id: text("transactionId"),
            recall_handle: text("recallHandle"),
            region: text(properties::MSG_REGION),
            request_id: None,
            taken_by: None,
        }
    }
}
