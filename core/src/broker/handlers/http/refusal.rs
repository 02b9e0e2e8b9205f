//! Why a request is refused, as this protocol says it.

use crate::broker::handlers;
use crate::codec::grpc::proto::Code;
use crate::codec::http::{XmlError, code};
use crate::codec::remoting::codes::response;

/// An answer other than success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// One of [`code`], which decides about the status.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn no_topic(topic: &str) -> Self {
        Self::new(code::TOPIC_NOT_EXIST, format!("topic {topic} does not exist"))
    }
}

impl From<XmlError> for Refusal {
    fn from(error: XmlError) -> Self {
        Self::new(code::MALFORMED_XML, error.to_string())
    }
}

/// The codes of the other protocols become the code of the same meaning.
impl From<handlers::Refusal> for Refusal {
    fn from(refusal: handlers::Refusal) -> Self {
        const ILLEGAL: [Code; 3] =
            [Code::MessagePropertyConflictWithType, Code::IllegalDeliveryTime, Code::BadRequest];
        let is = |any: &[Code]| any.iter().any(|code| *code as i32 == refusal.code);
        let code = match refusal.code {
            response::SYSTEM_BUSY | response::FLOW_CONTROL => code::QPS_LIMIT_EXCEEDED,
            response::TOPIC_NOT_EXIST => code::TOPIC_NOT_EXIST,
            response::NO_PERMISSION => code::ACCESS_DENIED,
            response::MESSAGE_ILLEGAL | response::INVALID_PARAMETER => code::INVALID_ARGUMENT,
            _ if is(&[Code::TooManyRequests]) => code::QPS_LIMIT_EXCEEDED,
            _ if is(&[Code::TopicNotFound]) => code::TOPIC_NOT_EXIST,
            _ if is(&[Code::Forbidden, Code::Unauthorized]) => code::ACCESS_DENIED,
            _ if is(&[Code::MessageNotFound]) => code::MESSAGE_NOT_EXIST,
            _ if is(&[Code::InvalidReceiptHandle]) => code::RECEIPT_HANDLE_ERROR,
            _ if is(&ILLEGAL) => code::INVALID_ARGUMENT,
            _ => code::INTERNAL_ERROR,
        };
        Self { code, message: refusal.remark }
    }
}
