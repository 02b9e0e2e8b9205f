//! What a server's refusal means, as an error that says what to do.

use crate::codec::remoting::Frame;
use crate::codec::remoting::codes::response;
use crate::error::{Error, ErrorKind};

/// The error of an answer whose code is none of the successes of its request; `resource` is the topic or group.
pub(crate) fn refusal(operation: &'static str, answer: &Frame, resource: &str) -> Error {
    let code = answer.code;
    let remark = answer.remark.as_deref().unwrap_or_default().trim();
    let (kind, advice) = match code {
        response::SYSTEM_BUSY | response::SERVICE_NOT_AVAILABLE | response::FLOW_CONTROL => {
            (ErrorKind::Busy, "try again later")
        }
        response::GO_AWAY => (ErrorKind::Busy, "the server is shutting down; try again"),
        response::NO_PERMISSION => (ErrorKind::PermissionDenied, PERMISSION),
        response::SYSTEM_ERROR if is_about_access(remark) => (ErrorKind::PermissionDenied, PERMISSION),
        response::TOPIC_NOT_EXIST => (
            ErrorKind::TopicNotFound,
            "create the topic (mqadmin updateTopic), or allow the broker to create topics by itself",
        ),
        response::SUBSCRIPTION_GROUP_NOT_EXIST => {
            (ErrorKind::GroupNotFound, "create the group (mqadmin updateSubGroup), or check its name")
        }
        response::SUBSCRIPTION_PARSE_FAILED | response::FILTER_DATA_NOT_EXIST => {
            (ErrorKind::InvalidArgument, "correct the filter expression of the subscription")
        }
        response::MESSAGE_ILLEGAL if is_about_time(remark) => {
            return delivery_time(operation, code, remark, resource);
        }
        response::MESSAGE_ILLEGAL => (ErrorKind::MessageRefused, "check the size of body and properties"),
        response::INVALID_PARAMETER => (ErrorKind::InvalidArgument, "check topic, group and queue"),
        response::REQUEST_CODE_NOT_SUPPORTED => {
            (ErrorKind::Unsupported, "this server does not know the request")
        }
        _ => (ErrorKind::Server, "see the server's log"),
    };
    let text = format!("the server refused {resource:?}: {remark}; {advice}");
    Error::new(kind, operation, text).with_response_code(code)
}

const PERMISSION: &str = "check access key, secret key and what they may use";

fn is_about_access(remark: &str) -> bool {
    remark.contains("AclException")
        || remark.contains("AuthenticationException")
        || remark.contains("signature")
}

fn is_about_time(remark: &str) -> bool {
    let remark = remark.to_ascii_lowercase();
    ["timer", "delay time", "deliver"].iter().any(|word| remark.contains(word))
}

/// Reads the server's limit out of texts like "… the max delay 259200000ms".
fn delivery_time(operation: &'static str, code: i32, remark: &str, topic: &str) -> Error {
    let limit = remark.to_ascii_lowercase().find("max delay").and_then(|at| {
        let tail = remark[at + "max delay".len()..].trim_start_matches([' ', ':', '=']);
        let end = tail.char_indices().find(|(at, c)| !c.is_ascii_digit() && (*at > 0 || *c != '-'));
        tail[..end.map_or(tail.len(), |(at, _)| at)].parse::<i64>().ok()
    });
    let advice = match limit {
        Some(ms) if ms < 0 => {
            format!("its limit reads {ms} ms, an overflow in its configuration (timerMaxDelaySec)")
        }
        Some(ms) => format!("it takes at most {ms} ms ({:.1} days) ahead", ms as f64 / 86_400_000.0),
        None => "give a time within the server's limits, in Unix milliseconds".into(),
    };
    let text = format!("the server refused the delivery time of a message for {topic:?}: {remark}; {advice}");
    Error::new(ErrorKind::InvalidDeliveryTime, operation, text).with_response_code(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i32, remark: &str) -> Error {
        refusal("send", &Frame { code, remark: Some(remark.into()), ..Frame::default() }, "T")
    }

    #[test]
    fn the_limit_for_delivery_times_is_read_from_the_text() {
        let error = refused(
            13,
            "timer message illegal, the delay time should not be bigger than the max delay 259200000ms",
        );
        assert_eq!(error.kind(), ErrorKind::InvalidDeliveryTime);
        assert!(error.text().contains("at most 259200000 ms (3.0 days)"), "{error}");
        let error = refused(13, "timer message illegal, max delay -1702967296ms");
        assert!(error.text().contains("overflow"), "{error}");
        assert_eq!(refused(13, "message size over").kind(), ErrorKind::MessageRefused);
    }

    #[test]
    fn access_faults_of_old_and_new_servers_are_one_kind() {
        assert_eq!(refused(16, "no permission").kind(), ErrorKind::PermissionDenied);
        let old = "org.apache.rocketmq.acl.common.AclException: No acl config for u";
        assert_eq!(refused(1, old).kind(), ErrorKind::PermissionDenied);
        assert_eq!(refused(1, "disk").kind(), ErrorKind::Server);
    }
}
