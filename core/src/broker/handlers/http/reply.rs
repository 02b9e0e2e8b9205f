//! Answers.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::refusal::Refusal;
use crate::codec::http::request::{CONTENT_TYPE_VALUE, REQUEST_ID, VERSION, VERSION_VALUE};
use crate::codec::http::{ErrorDocument, code};

pub(super) type Reply = Response<Full<Bytes>>;

/// An answer with a document.
pub(super) fn document(status: StatusCode, document: Vec<u8>) -> Reply {
    page(status, CONTENT_TYPE_VALUE, document.into())
}

/// Success without a document.
pub(super) fn nothing() -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

/// The answer to a request that was refused by the server with this URL.
pub(super) fn refused(refusal: Refusal, request_id: &str, url: String) -> Reply {
    let status =
        StatusCode::from_u16(code::status(refusal.code)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let error = ErrorDocument {
        code: refusal.code.to_owned(),
        message: refusal.message,
        request_id: request_id.to_owned(),
        host_id: url,
    };
    complete(document(status, error.encode()), request_id)
}

/// What a middle box says that cannot reach its server.
pub(super) fn gateway() -> Reply {
    const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                        <center><h1>502 Bad Gateway</h1></center>\r\n<hr>\r\n</body>\r\n</html>\r\n";
    page(StatusCode::BAD_GATEWAY, "text/html", PAGE.into())
}

/// What is said to anything but a client of a protocol that is spoken here.
pub(super) fn for_people() -> Reply {
    const TEXT: &str = "This port speaks RocketMQ's remoting protocol, gRPC over HTTP/2, and ApsaraMQ's HTTP below /topics/.\n";
    let mut reply = page(StatusCode::UPGRADE_REQUIRED, "text/plain; charset=utf-8", TEXT.into());
    reply.headers_mut().insert(UPGRADE, HeaderValue::from_static("h2c"));
    reply
}

fn page(status: StatusCode, kind: &'static str, content: Bytes) -> Reply {
    let mut reply = Reply::new(Full::new(content));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

/// An id for a request.
pub(super) fn request_id() -> String {
    format!("{:024X}", fastrand::u128(..) >> 32)
}

/// Adds what every answer of the service carries, and no other.
pub(super) fn complete(mut reply: Reply, request_id: &str) -> Reply {
    let headers = reply.headers_mut();
    headers.insert(VERSION, HeaderValue::from_static(VERSION_VALUE));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    reply
}
