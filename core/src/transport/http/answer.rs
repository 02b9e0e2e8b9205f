//! What a server answered.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, DATE, LOCATION};
use http::{HeaderMap, HeaderName, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::codec::http::request::REQUEST_ID;
use crate::codec::http::{ErrorDocument, code};

/// An answer, read whole.
pub(crate) struct Answer {
    /// `host:port` of the service.
    pub(super) address: String,
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) content: Bytes,
}

impl Answer {
    pub(super) fn new(address: &str, status: StatusCode, headers: HeaderMap, content: Bytes) -> Self {
        Self { address: address.to_owned(), status, headers, content }
    }

    /// Whether the server did what was asked.
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The server's id of the request; empty if it gave none.
    pub(crate) fn request_id(&self) -> &str {
        self.text(&REQUEST_ID)
    }

    /// The server's clock, if the answer is that it does not take ours.
    pub(super) fn other_clock(&self) -> Option<SystemTime> {
        let refused = !self.is_success()
            && ErrorDocument::decode(&self.content).is_ok_and(|error| error.code == code::TIME_EXPIRED);
        if refused { self.date() } else { None }
    }

    /// When the server answered, by its clock.
    pub(super) fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.text(&DATE)).ok()
    }

    /// Where a redirect leads.
    pub(super) fn location(&self) -> &str {
        self.text(&LOCATION)
    }

    /// Whether it says that it is a document of the protocol.
    pub(super) fn is_xml(&self) -> bool {
        self.text(&CONTENT_TYPE).contains("xml")
    }

    /// Up to 200 characters of what came, on one line.
    pub(super) fn beginning(&self) -> String {
        let text = String::from_utf8_lossy(&self.content[..self.content.len().min(4096)]);
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
    }

    fn text(&self, name: &HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The first bytes of `body`, at most `limit` and the rest of their frame, and whether that was all.
pub(super) async fn read(mut body: Incoming, limit: usize) -> Result<(Bytes, bool), hyper::Error> {
    let mut whole = Bytes::new();
    let mut parts = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame?.into_data() else { continue };
        if whole.is_empty() && parts.is_empty() {
            whole = part;
        } else {
            parts.extend_from_slice(&std::mem::take(&mut whole));
            parts.extend_from_slice(&part);
        }
        if whole.len() + parts.len() > limit {
            return Ok((joined(whole, parts), false));
        }
    }
    Ok((joined(whole, parts), true))
}

fn joined(whole: Bytes, parts: BytesMut) -> Bytes {
    if parts.is_empty() { whole } else { parts.freeze() }
}
