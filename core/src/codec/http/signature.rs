//! Signing requests with an access key: HMAC-SHA1 over method, digest, type, date, the `x-mq-` headers and the resource.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderMap, Method};
use sha1::Sha1;

use super::request::CONTENT_MD5;
use crate::options::Credentials;

/// Headers that begin so are signed.
const SIGNED_PREFIX: &str = "x-mq-";
const SCHEME: &str = "MQ ";

/// The value of `Authorization` for a request with these headers; `resource`: path and query exactly as they travel.
pub fn authorization(
    credentials: &Credentials,
    method: &Method,
    headers: &HeaderMap,
    resource: &str,
) -> String {
    let signature = mac(credentials.secret_key.expose(), method, headers, resource)
        .map(|mac| STANDARD.encode(mac.finalize().into_bytes()));
    format!("{SCHEME}{}:{}", credentials.access_key, signature.unwrap_or_default())
}

/// An authorization as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Who signed.
    pub access_key: &'a str,
    signature: Vec<u8>,
}

impl<'a> Authorization<'a> {
    /// Reads the value of the header.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (access_key, signature) = text.strip_prefix(SCHEME)?.trim().split_once(':')?;
        let signature = STANDARD.decode(signature).ok()?;
        (!access_key.is_empty()).then_some(Self { access_key, signature })
    }

    /// Whether it was made with `secret_key` for this request; takes the same time for every wrong one.
    pub fn verify(&self, secret_key: &str, method: &Method, headers: &HeaderMap, resource: &str) -> bool {
        mac(secret_key, method, headers, resource)
            .is_some_and(|mac| mac.verify_slice(&self.signature).is_ok())
    }
}

/// `None` cannot happen: HMAC takes keys of every length.
fn mac(secret_key: &str, method: &Method, headers: &HeaderMap, resource: &str) -> Option<Hmac<Sha1>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret_key.as_bytes()).ok()?;
    let value = |name| headers.get(name).map_or(&b""[..], |value: &http::HeaderValue| value.as_bytes());
    let mut line = |text: &[u8]| {
        mac.update(text);
        mac.update(b"\n");
    };
    line(method.as_str().as_bytes());
    line(value(CONTENT_MD5));
    line(value(CONTENT_TYPE));
    line(value(DATE));
    let signed = headers.iter().filter(|(name, _)| name.as_str().starts_with(SIGNED_PREFIX));
    let mut signed: Vec<_> = signed.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    signed.sort_unstable();
    for (name, value) in signed {
        line(&[name.as_bytes(), b":", value.trim_ascii()].concat());
    }
    mac.update(resource.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::http::request::{VERSION, VERSION_VALUE};

    const EMPTY_MD5: &str = "ZDQxZDhjZDk4ZjAwYjIwNGU5ODAwOTk4ZWNmODQyN2U=";

    fn headers(md5: &str, date: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (CONTENT_MD5, md5),
            (CONTENT_TYPE, "text/xml;charset=utf-8"),
            (DATE, date),
            (VERSION, VERSION_VALUE),
        ] {
            headers.insert(name, value.parse().unwrap_or_else(|_| http::HeaderValue::from_static("")));
        }
        headers
    }

    #[test]
    fn signatures_are_those_of_the_official_clients() {
        const DATE_SEEN: &str = "Sat, 21 Nov 2026 02:13:45 GMT";
        let consume = "/topics/test/messages?consumer=GID_x&ns=MQ_INST_1&numOfMessages=16&waitseconds=30&tag=TagA%7C%7CTagB";
        for (secret, method, md5, date, resource, signature) in [
            (
                "sk",
                Method::POST,
                "YThiNTk0YmY4ZGNjYTY1NmZiMWViMWI2NjM0NDk0MGE=",
                "Mon, 01 Jan 2024 00:00:00 GMT",
                "/topics/T/messages?ns=INST",
                "rMQ3g7az+av39Loho0qiJqpOxI0=",
            ),
            (
                "SKtest",
                Method::POST,
                "MmU4ZWI4OWIwNWJiNmEyOTA1ZTliMjkxOTYyY2EzNDY=",
                DATE_SEEN,
                "/topics/test/messages?ns=MQ_INST_1",
                "wkj56E+7yxL6oM6ViHimkpHlpm4=",
            ),
            ("SKtest", Method::GET, EMPTY_MD5, DATE_SEEN, consume, "n9t4zI60ERd3MZ4DCSFu0N992JY="),
        ] {
            let headers = headers(md5, date);
            let credentials = Credentials::new("AK", secret);
            let text = authorization(&credentials, &method, &headers, resource);
            assert_eq!(text, format!("MQ AK:{signature}"));
            let read = Authorization::parse(&text);
            assert!(read.as_ref().is_some_and(|a| a.verify(secret, &method, &headers, resource)));
            assert!(read.is_some_and(|a| !a.verify("other", &method, &headers, resource)));
        }
    }

    #[test]
    fn garbage_is_no_authorization() {
        for garbage in ["", "MQ", "MQ :sig=", "MQ ak", "Bearer ak:c2ln", "MQ ak:not base64!"] {
            assert_eq!(Authorization::parse(garbage), None, "{garbage:?}");
        }
    }
}
