//! What has to be right before a request is looked into: its version, its date, who signed it, its digest.

use http::HeaderMap;
use http::header::DATE;
use http::request::Parts;

use super::refusal::Refusal;
use crate::broker::acl::{self, Distrust};
use crate::broker::node::Node;
use crate::clock::{Clock, to_ms};
use crate::codec::http::request::{CONTENT_MD5, VERSION, VERSION_VALUE};
use crate::codec::http::{code, digest};

/// How far the date of a request may be from the machine's, either way.
const MAX_SKEW_MS: i64 = 15 * 60 * 1000;

/// Checks a request with this document, in the order of the service.
pub(super) fn check(node: &Node, request: &Parts, document: &[u8]) -> Result<(), Refusal> {
    check_version(&request.headers)?;
    check_date(&request.headers)?;
    acl::check_request(&node.credentials, request)?;
    check_digest(&request.headers, document)
}

fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get(VERSION).is_some_and(|version| version == VERSION_VALUE) {
        return Ok(());
    }
    let text = format!("the header {VERSION} is not {VERSION_VALUE}");
    Err(Refusal::new(code::INVALID_ARGUMENT, text))
}

/// The date belongs to the signature and to the network: it is compared with real time, whatever clock the broker has.
fn check_date(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(date) = headers.get(DATE) else {
        return Err(Refusal::new(code::MISSING_DATE_HEADER, "the header Date is missing"));
    };
    let Some(sent) = date.to_str().ok().and_then(|text| httpdate::parse_http_date(text.trim()).ok()) else {
        return Err(Refusal::new(
            code::INVALID_DATE_HEADER,
            format!("the header Date is {date:?}, no date of HTTP"),
        ));
    };
    let skew_ms = to_ms(sent).saturating_sub(Clock::real().now_ms());
    if skew_ms.abs() <= MAX_SKEW_MS {
        return Ok(());
    }
    let (seconds, way) = (skew_ms.abs() / 1000, if skew_ms > 0 { "ahead of" } else { "behind" });
    let text = format!("the header Date is {seconds} s {way} the server's clock; allowed are 15 minutes");
    Err(Refusal::new(code::TIME_EXPIRED, text))
}

fn check_digest(headers: &HeaderMap, document: &[u8]) -> Result<(), Refusal> {
    // Some clients leave it out, and some leave it empty.
    let Some(header) = headers.get(CONTENT_MD5).filter(|header| !header.is_empty()) else { return Ok(()) };
    if header.to_str().is_ok_and(|header| digest::content_md5_fits(header, document)) {
        return Ok(());
    }
    let text = format!("the header Content-MD5 is {header:?}, which is not the digest of what came");
    Err(Refusal::new(code::INVALID_DIGEST, text))
}

impl From<Distrust> for Refusal {
    fn from(distrust: Distrust) -> Self {
        let code = match &distrust {
            Distrust::NotSigned => code::MISSING_AUTHORIZATION_HEADER,
            Distrust::Unreadable => code::INVALID_AUTHORIZATION_HEADER,
            Distrust::Unknown(_) => code::INVALID_ACCESS_KEY_ID,
            Distrust::Token(_) => code::ACCESS_DENIED,
            Distrust::Signature(_) => code::SIGNATURE_DOES_NOT_MATCH,
        };
        Self::new(code, distrust.to_string())
    }
}
