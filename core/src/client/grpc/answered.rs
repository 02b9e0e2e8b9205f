//! What a proxy's answer to a send says of the messages, and whether another attempt can help.

use crate::client::SendStatus;
use crate::codec::grpc::proto::{Code, SendMessageResponse, Status};
use crate::error::{Error, ErrorKind};

pub(super) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The status of `answer` that says that a message is not stored.
pub(super) fn refused(answer: &SendMessageResponse) -> Option<&Status> {
    let of_entries = answer.entries.iter().filter_map(|entry| entry.status.as_ref());
    let multiple = |status: &&Status| status.code == Code::MultipleResults as i32;
    let overall = answer.status.as_ref().filter(|status| !multiple(status));
    of_entries.chain(overall).find(|status| stored(status).is_none())
}

/// How a message is stored, by its status; `None`: it is not.
fn stored(status: &Status) -> Option<SendStatus> {
    match Code::try_from(status.code) {
        Ok(Code::Ok) => Some(SendStatus::Ok),
        Ok(Code::MasterPersistenceTimeout) => Some(SendStatus::FlushDiskTimeout),
        Ok(Code::SlavePersistenceTimeout) => Some(SendStatus::FlushSlaveTimeout),
        Ok(Code::HaNotAvailable) => Some(SendStatus::SlaveNotAvailable),
        _ => None,
    }
}

pub(super) fn status_of(status: &Option<Status>) -> Option<SendStatus> {
    status.as_ref().and_then(stored)
}

/// Whether another attempt can help; `others`: through another proxy.
pub(super) fn can_retry(error: &Error, others: bool) -> bool {
    match (error.response_code().map(Code::try_from), error.kind()) {
        (_, ErrorKind::PermissionDenied)
        | (None, ErrorKind::Tls | ErrorKind::WrongProtocol | ErrorKind::Protocol | ErrorKind::Unsupported) => {
            others
        }
        (Some(code), _) => matches!(
            code,
            Ok(Code::TooManyRequests
                | Code::TopicNotFound
                | Code::InternalError
                | Code::InternalServerError
                | Code::ProxyTimeout)
        ),
        (None, kind) => matches!(
            kind,
            ErrorKind::Timeout
                | ErrorKind::BrokerUnreachable
                | ErrorKind::ConnectionClosed
                | ErrorKind::Busy
                | ErrorKind::Server
        ),
    }
}
