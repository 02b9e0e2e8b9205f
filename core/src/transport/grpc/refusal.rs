//! What a proxy's refusal means, as an error that says what to do.

use crate::codec::grpc::proto::{Code, Status};
use crate::error::{Error, ErrorKind, Outcome};
use crate::transport::Fault;

/// The error of an answer whose status is no success; `resource` is the topic or group.
pub(crate) fn refusal(operation: &'static str, status: &Status, resource: &str) -> Error {
    use ErrorKind as K;
    let code = Code::try_from(status.code).unwrap_or(Code::Unspecified);
    let (kind, advice) = match code {
        Code::TooManyRequests | Code::LiteTopicQuotaExceeded | Code::LiteSubscriptionQuotaExceeded => {
            (K::Busy, "try again later")
        }
        Code::Unauthorized => (K::PermissionDenied, "check access key, secret key and what they may use"),
        Code::Forbidden | Code::PaymentRequired => (
            K::PermissionDenied,
            "check that the topic has queues that may be used, and what the keys may use",
        ),
        Code::NotFound | Code::TopicNotFound => (K::TopicNotFound, "create the topic: mqadmin updateTopic"),
        Code::ConsumerGroupNotFound => {
            (K::GroupNotFound, "create the group (mqadmin updateSubGroup), or check its name")
        }
        Code::IllegalDeliveryTime => {
            (K::InvalidDeliveryTime, "give a time within the server's limit (Apache over gRPC: 1 day ahead)")
        }
        Code::InvalidReceiptHandle => {
            (K::InvalidReceipt, "the message comes again unless it was acknowledged before")
        }
        Code::MessagePropertyConflictWithType => {
            (K::TopicTypeMismatch, "send it to a topic for messages of its type")
        }
        Code::IllegalMessageTag
        | Code::IllegalMessageKey
        | Code::IllegalMessageGroup
        | Code::IllegalMessagePropertyKey
        | Code::IllegalMessageId
        | Code::MessageCorrupted
        | Code::PayloadTooLarge
        | Code::MessageBodyTooLarge
        | Code::MessageBodyEmpty
        | Code::RequestHeaderFieldsTooLarge
        | Code::MessagePropertiesTooLarge => {
            (K::MessageRefused, "check body, tag, keys, group and properties")
        }
        Code::BadRequest
        | Code::IllegalAccessPoint
        | Code::IllegalTopic
        | Code::IllegalConsumerGroup
        | Code::IllegalFilterExpression
        | Code::IllegalInvisibleTime
        | Code::IllegalPollingTime
        | Code::IllegalOffset
        | Code::InvalidTransactionId
        | Code::IllegalLiteTopic
        | Code::ClientIdRequired => (K::InvalidArgument, "check what was asked for"),
        Code::RequestTimeout | Code::ProxyTimeout => (K::Timeout, "the proxy waited for its broker in vain"),
        Code::NotImplemented | Code::Unsupported | Code::VersionUnsupported => {
            (K::Unsupported, "this server cannot do it")
        }
        _ => (K::Server, "see the server's log"),
    };
    let said = if status.message.is_empty() { code.as_str_name() } else { status.message.trim() };
    let outcome = if kind == K::Timeout { Outcome::MaybeSent } else { Outcome::NotSent };
    Error::new(kind, operation, format!("the server refused {resource:?}: {said}; {advice}"))
        .with_response_code(status.code)
        .with_outcome(outcome)
}

/// What it means that a call ended with a status of gRPC itself, and what that says about the request.
pub(super) fn rpc_fault(status: i32, said: &str, address: &str) -> (Fault, Outcome) {
    let (kind, outcome) = match status {
        4 => (ErrorKind::Timeout, Outcome::MaybeSent),
        7 | 16 => (ErrorKind::PermissionDenied, Outcome::NotSent),
        8 => (ErrorKind::Busy, Outcome::NotSent),
        12 => (ErrorKind::Unsupported, Outcome::NotSent),
        3 => (ErrorKind::InvalidArgument, Outcome::NotSent),
        9 => (ErrorKind::Server, Outcome::NotSent),
        1 | 14 => (ErrorKind::ConnectionClosed, Outcome::MaybeSent),
        _ => (ErrorKind::Server, Outcome::MaybeSent),
    };
    let text = match status {
        12 => format!("{address} does not know this call ({said}): it is no RocketMQ proxy, or cannot do it"),
        _ => format!("{address} ended the call with gRPC status {status}: {said}"),
    };
    (Fault::new(kind, text), outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i32) -> Error {
        refusal("send", &Status { code, message: "no".into() }, "T")
    }

    #[test]
    fn codes_are_kinds() {
        for (code, kind) in [
            (40012, ErrorKind::InvalidDeliveryTime),
            (40013, ErrorKind::InvalidReceipt),
            (40014, ErrorKind::TopicTypeMismatch),
            (40100, ErrorKind::PermissionDenied),
            (40402, ErrorKind::TopicNotFound),
            (40403, ErrorKind::GroupNotFound),
            (41301, ErrorKind::MessageRefused),
            (42900, ErrorKind::Busy),
            (50100, ErrorKind::Unsupported),
            (50001, ErrorKind::Server),
            // Codes nobody knows yet.
            (49_999, ErrorKind::Server),
            (-1, ErrorKind::Server),
        ] {
            let error = refused(code);
            assert_eq!((error.kind(), error.response_code()), (kind, Some(code)), "{error}");
            assert_eq!(error.outcome(), Outcome::NotSent);
            assert_eq!(error.is_retryable(), kind == ErrorKind::Busy);
        }
    }

    #[test]
    fn a_proxy_that_waited_in_vain_may_have_stored_the_message() {
        assert_eq!(
            (refused(50400).kind(), refused(50400).outcome()),
            (ErrorKind::Timeout, Outcome::MaybeSent)
        );
    }
}
