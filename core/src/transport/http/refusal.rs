//! What a server's refusal means, as an error that says what to do.

use http::StatusCode;

use super::Answer;
use crate::clock::Clock;
use crate::codec::http::{ErrorDocument, HandleError, XmlError, code};
use crate::error::{Error, ErrorKind, Outcome, Refusal};

impl Answer {
    /// The error of an answer that is no success; `publishing`: of one to a publish.
    pub(crate) fn refusal(&self, operation: &'static str, publishing: bool) -> Error {
        let failed = self.status.is_server_error();
        let error = match ErrorDocument::decode(&self.content) {
            Ok(document) => self.refused(operation, publishing, document),
            Err(_) => self.answered_by_another(operation),
        };
        let may_be_stored = failed && publishing;
        let outcome = if may_be_stored { Outcome::MaybeSent } else { Outcome::NotSent };
        let retryable = failed || error.is_retryable();
        error
            .with_outcome(outcome)
            .with_retryable(retryable)
            .with_response_code(i32::from(self.status.as_u16()))
    }

    /// The error of an answer that says success and cannot be read.
    pub(crate) fn unreadable(&self, operation: &'static str, why: &XmlError) -> Error {
        let (kind, text) = if self.is_xml() {
            (ErrorKind::Protocol, format!("{} answers {}, but {why}", self.address, self.status))
        } else {
            let text = format!("{} answers {} with no document of ApsaraMQ HTTP", self.address, self.status);
            (ErrorKind::WrongProtocol, text)
        };
        Error::new(kind, operation, format!("{text}; check the endpoint, and what stands between"))
            .with_response_code(i32::from(self.status.as_u16()))
            .with_refusal(self.page())
            .with_outcome(Outcome::MaybeSent)
    }

    /// The server's own refusal.
    fn refused(&self, operation: &'static str, publishing: bool, document: ErrorDocument) -> Error {
        let (kind, advice) = meaning(&document.code, publishing);
        let said = said(&document.code, &document.message);
        let text = match kind {
            ErrorKind::ClockSkew => {
                let theirs = self.date().map_or_else(|| "unknown".to_owned(), httpdate::fmt_http_date);
                let ours = httpdate::fmt_http_date(Clock::real().now());
                format!(
                    "the server does not take the time of the request ({said}): its clock says {theirs}, this machine's {ours}; {advice}"
                )
            }
            _ => format!("the server refused the request: {said}; {advice}"),
        };
        let ErrorDocument { code, message, mut request_id, host_id } = document;
        if request_id.is_empty() {
            request_id = self.request_id().to_owned();
        }
        Error::new(kind, operation, text).with_refusal(Refusal { code, message, request_id, host_id })
    }

    /// A middle box answered, or no server of this protocol.
    fn answered_by_another(&self, operation: &'static str) -> Error {
        let (address, status) = (&self.address, self.status);
        let (kind, advice) = match status {
            _ if status.is_redirection() => (
                ErrorKind::WrongProtocol,
                format!(
                    "it redirects to {:?}, which is not followed; give the address of the service",
                    self.location()
                ),
            ),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                (ErrorKind::PermissionDenied, "what stands between lets nobody through".to_owned())
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => (
                ErrorKind::PermissionDenied,
                "set http_proxy with the user and password of the proxy".to_owned(),
            ),
            StatusCode::PAYLOAD_TOO_LARGE => {
                (ErrorKind::MessageRefused, "what stands between takes no requests of this size".to_owned())
            }
            StatusCode::TOO_MANY_REQUESTS => (ErrorKind::Busy, "try again later".to_owned()),
            _ if status.is_client_error() => (
                ErrorKind::WrongProtocol,
                "it is no ApsaraMQ HTTP service, or something between answers; check the endpoint".to_owned(),
            ),
            _ => (ErrorKind::Server, "the service or what stands between fails; try again later".to_owned()),
        };
        let page = self.page();
        let said =
            if page.message.is_empty() { "nothing more".to_owned() } else { format!("{:?}", page.message) };
        let text = format!("{address} answers {status} and {said}; {advice}");
        Error::new(kind, operation, text).with_refusal(page)
    }

    fn page(&self) -> Refusal {
        let request_id = self.request_id().to_owned();
        Refusal { message: self.beginning(), request_id, ..Refusal::default() }
    }
}

/// The error of one handle of `answer`.
pub(crate) fn handle_error(operation: &'static str, answer: &Answer, refused: HandleError) -> Error {
    let (kind, advice) = meaning(&refused.code, false);
    let text = format!("the server refused the handle: {}; {advice}", said(&refused.code, &refused.message));
    let HandleError { code, message, .. } = refused;
    let request_id = answer.request_id().to_owned();
    Error::new(kind, operation, text)
        .with_response_code(i32::from(answer.status.as_u16()))
        .with_refusal(Refusal { code, message, request_id, host_id: String::new() })
}

fn said(code: &str, message: &str) -> String {
    match message.trim() {
        "" => code.to_owned(),
        message => format!("{code}, {message}"),
    }
}

/// What a code means, and what to do.
fn meaning(code: &str, publishing: bool) -> (ErrorKind, &'static str) {
    match code {
        code::TOPIC_NOT_EXIST => {
            (ErrorKind::TopicNotFound, "create the topic, or check its name and the instance id (namespace)")
        }
        code::ACCESS_DENIED
        | code::INVALID_ACCESS_KEY_ID
        | code::SIGNATURE_DOES_NOT_MATCH
        | code::HTTP_FORBIDDEN
        | code::INVALID_AUTHORIZATION_HEADER
        | code::MISSING_AUTHORIZATION_HEADER => {
            (ErrorKind::PermissionDenied, "check access key, secret key and token, and what they may use")
        }
        code::TIME_EXPIRED => (ErrorKind::ClockSkew, "set the wrong one, by NTP for instance"),
        code::MESSAGE_NOT_EXIST => (ErrorKind::MessageNotFound, "there is none now"),
        code::RECEIPT_HANDLE_ERROR => {
            (ErrorKind::InvalidReceipt, "the message comes again unless it was acknowledged before")
        }
        code::QPS_LIMIT_EXCEEDED => (ErrorKind::Busy, "try again later, or raise the limit of the instance"),
        code::INVALID_DIGEST | code::MALFORMED_XML | code::INVALID_ARGUMENT if publishing => {
            (ErrorKind::MessageRefused, "check size, tag and properties of the message")
        }
        code::INVALID_DIGEST
        | code::MALFORMED_XML
        | code::INVALID_ARGUMENT
        | code::INVALID_REQUEST_URL
        | code::INVALID_QUERY_STRING
        | code::MISSING_RECEIPT_HANDLE => (ErrorKind::InvalidArgument, "check what was asked for"),
        _ => (ErrorKind::Server, "ask the service's support, with the id of the request"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header::{DATE, LOCATION};
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::codec::http::request::REQUEST_ID;

    fn answer(status: u16, content: impl Into<Bytes>) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("R1"));
        headers.insert(LOCATION, HeaderValue::from_static("http://elsewhere/"));
        headers.insert(DATE, HeaderValue::from_static("Mon, 01 Jan 2024 00:00:00 GMT"));
        Answer::new("h:80", StatusCode::from_u16(status).unwrap(), headers, content.into())
    }

    fn document(code: &str) -> Vec<u8> {
        let document = ErrorDocument { code: code.into(), message: "why".into(), ..ErrorDocument::default() };
        document.encode()
    }

    #[test]
    fn codes_are_kinds_and_keep_status_and_words() {
        use ErrorKind as K;
        for (code, publish, else_) in [
            ("TopicNotExist", K::TopicNotFound, K::TopicNotFound),
            ("AccessDenied", K::PermissionDenied, K::PermissionDenied),
            ("SignatureDoesNotMatch", K::PermissionDenied, K::PermissionDenied),
            ("MissingAuthorizationHeader", K::PermissionDenied, K::PermissionDenied),
            ("TimeExpired", K::ClockSkew, K::ClockSkew),
            ("MessageNotExist", K::MessageNotFound, K::MessageNotFound),
            ("ReceiptHandleError", K::InvalidReceipt, K::InvalidReceipt),
            ("QpsLimitExceeded", K::Busy, K::Busy),
            ("InvalidDigest", K::MessageRefused, K::InvalidArgument),
            ("MalformedXML", K::MessageRefused, K::InvalidArgument),
            ("InvalidArgument", K::MessageRefused, K::InvalidArgument),
            ("MissingReceiptHandle", K::InvalidArgument, K::InvalidArgument),
            ("InternalError", K::Server, K::Server),
            ("NobodyKnowsIt", K::Server, K::Server),
        ] {
            let status = code::status(code);
            for (publishing, kind) in [(true, publish), (false, else_)] {
                let error = answer(status, document(code)).refusal("send", publishing);
                assert_eq!((error.kind(), error.response_code()), (kind, Some(i32::from(status))), "{error}");
                let refusal = error.refusal().unwrap();
                assert_eq!((&*refusal.code, &*refusal.message, &*refusal.request_id), (code, "why", "R1"));
                let doubt = publishing && status == 500;
                assert_eq!(error.outcome() == Outcome::MaybeSent, doubt, "{error}");
                assert_eq!(error.is_retryable(), status == 500 || kind == K::Busy, "{error}");
            }
        }
    }

    #[test]
    fn pages_of_others_keep_the_status_and_their_beginning() {
        use ErrorKind as K;
        for (status, kind) in [
            (301, K::WrongProtocol),
            (307, K::WrongProtocol),
            (403, K::PermissionDenied),
            (404, K::WrongProtocol),
            (407, K::PermissionDenied),
            (413, K::MessageRefused),
            (429, K::Busy),
            (500, K::Server),
            (502, K::Server),
            (503, K::Server),
        ] {
            let error = answer(status, "<html>\n <h1>Oops</h1>").refusal("send", true);
            assert_eq!((error.kind(), error.response_code()), (kind, Some(i32::from(status))), "{error}");
            assert_eq!(error.refusal().unwrap().message, "<html> <h1>Oops</h1>");
            assert_eq!(error.outcome() == Outcome::MaybeSent, status >= 500);
        }
        let error = answer(302, "").refusal("send", true);
        assert!(error.text().contains("http://elsewhere/"), "{error}");
        let long = answer(502, "x".repeat(5000)).refusal("send", true);
        assert_eq!(long.refusal().unwrap().message.len(), 200);
    }

    #[test]
    fn a_wrong_clock_is_told_with_both_clocks() {
        let error = answer(408, document("TimeExpired")).refusal("send", true);
        assert!(error.text().contains("Mon, 01 Jan 2024 00:00:00 GMT"), "{error}");
        assert_eq!(error.text().matches(" GMT").count(), 2, "{error}");
    }
}
