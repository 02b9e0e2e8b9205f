//! How answers say what became of a call.

use super::super::Refusal;
use crate::codec::grpc::proto::{Code, Status};
use crate::codec::remoting::codes::response;

/// gRPC's codes begin here; smaller ones are those of the remoting protocol.
const FIRST: i32 = Code::Ok as i32;

/// Success.
pub(super) fn ok() -> Option<Status> {
    Some(Status { code: Code::Ok.into(), message: "OK".into() })
}

/// A refusal with this code.
pub(super) fn refusal(code: Code, remark: impl Into<String>) -> Refusal {
    Refusal::new(code.into(), remark)
}

/// What an answer says about a refusal; the codes of the remoting protocol become those of gRPC.
pub(super) fn of(refusal: &Refusal) -> Status {
    let code = match refusal.code {
        code if code >= FIRST => code,
        response::SUCCESS => Code::Ok.into(),
        response::SYSTEM_BUSY => Code::TooManyRequests.into(),
        response::REQUEST_CODE_NOT_SUPPORTED => Code::NotImplemented.into(),
        response::FLUSH_DISK_TIMEOUT => Code::MasterPersistenceTimeout.into(),
        response::SLAVE_NOT_AVAILABLE => Code::HaNotAvailable.into(),
        response::FLUSH_SLAVE_TIMEOUT => Code::SlavePersistenceTimeout.into(),
        response::TOPIC_NOT_EXIST => Code::TopicNotFound.into(),
        response::SUBSCRIPTION_GROUP_NOT_EXIST => Code::ConsumerGroupNotFound.into(),
        _ => Code::InternalServerError.into(),
    };
    Status { code, message: refusal.remark.clone() }
}
