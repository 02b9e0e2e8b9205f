//! What travels with every call: who asks, when, for how long, and the signature.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use tonic::metadata::MetadataMap;

use crate::clock::Clock;
use crate::codec::grpc::{metadata, signature};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{ClientOptions, Credentials, SharedCredentials};

const CLIENT_ID: HeaderName = HeaderName::from_static(metadata::CLIENT_ID);
const LANGUAGE: HeaderName = HeaderName::from_static(metadata::LANGUAGE);
const CLIENT_VERSION: HeaderName = HeaderName::from_static(metadata::CLIENT_VERSION);
const DATE_TIME: HeaderName = HeaderName::from_static(metadata::DATE_TIME);
const NAMESPACE: HeaderName = HeaderName::from_static(metadata::NAMESPACE);
const REQUEST_ID: HeaderName = HeaderName::from_static(metadata::REQUEST_ID);
const PROTOCOL: HeaderName = HeaderName::from_static(metadata::PROTOCOL);
const SESSION_TOKEN: HeaderName = HeaderName::from_static(metadata::SESSION_TOKEN);
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Our version, as settings and metadata tell it.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The longest number of a `grpc-timeout`.
const LONGEST_TIMEOUT: u128 = 99_999_999;

/// Makes the metadata of calls.
pub(crate) struct Metadata {
    clock: Clock,
    credentials: Option<SharedCredentials>,
    /// What is the same for every call.
    fixed: HeaderMap,
    /// The headers that were made last.
    dated: Mutex<Option<Dated>>,
}

/// What changes with the second and with the credentials.
#[derive(Clone)]
struct Dated {
    second: i64,
    credentials: Option<Arc<Credentials>>,
    date: HeaderValue,
    authorization: Option<HeaderValue>,
    token: Option<HeaderValue>,
}

impl Metadata {
    /// Metadata of the client named `client_id`.
    ///
    /// # Errors
    /// `InvalidArgument` for a client id, namespace or key that no header can carry.
    pub(crate) fn new(options: &ClientOptions, client_id: &str) -> Result<Self> {
        let mut fixed = HeaderMap::new();
        fixed.insert(USER_AGENT, HeaderValue::from_static(concat!("tminus/", env!("CARGO_PKG_VERSION"))));
        fixed.insert(CLIENT_ID, value("client id", client_id)?);
        fixed.insert(LANGUAGE, HeaderValue::from_static("RUST"));
        fixed.insert(CLIENT_VERSION, HeaderValue::from_static(VERSION));
        fixed.insert(PROTOCOL, HeaderValue::from_static("v2"));
        fixed.insert(NAMESPACE, value("namespace", options.namespace.as_deref().unwrap_or_default())?);
        let new = Self {
            clock: options.clock.clone(),
            credentials: options.credentials.clone(),
            fixed,
            dated: Mutex::default(),
        };
        new.dated()?;
        Ok(new)
    }

    /// The metadata of one call that may take `timeout`.
    ///
    /// # Errors
    /// After [`Metadata::new`] only for credentials that were changed to what no header can carry.
    pub(super) fn of_call(&self, timeout: Option<Duration>) -> Result<MetadataMap> {
        self.headers(timeout).map(MetadataMap::from_headers)
    }

    /// The same as headers.
    ///
    /// # Errors
    /// None after [`Metadata::new`].
    fn headers(&self, timeout: Option<Duration>) -> Result<HeaderMap> {
        let mut headers = self.fixed.clone();
        let Dated { date, authorization, token, .. } = self.dated()?;
        headers.insert(DATE_TIME, date);
        if let Some(token) = token {
            headers.insert(SESSION_TOKEN, token);
        }
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        headers.insert(REQUEST_ID, value("request id", &uuid())?);
        if let Some(timeout) = timeout {
            let timeout = match timeout.as_millis().max(1) {
                ms if ms <= LONGEST_TIMEOUT => format!("{ms}m"),
                ms => format!("{}S", (ms / 1000).min(LONGEST_TIMEOUT)),
            };
            headers.insert(GRPC_TIMEOUT, value("timeout", &timeout)?);
        }
        Ok(headers)
    }

    /// The headers that change with the second and with the credentials.
    fn dated(&self) -> Result<Dated> {
        let second = self.clock.now_ms().div_euclid(1000);
        let credentials = self.credentials.as_ref().map(SharedCredentials::get);
        let mut dated = self.dated.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = dated.as_ref().filter(|d| d.second == second && d.credentials == credentials) {
            return Ok(last.clone());
        }
        let date = signature::date_text(second);
        let signed = credentials.as_ref().map(|c| signature::authorization(c, &date));
        let token = credentials.as_ref().and_then(|c| c.security_token.as_ref());
        let new = Dated {
            authorization: signed.map(|text| value("access key", &text).map(secret)).transpose()?,
            token: token.map(|t| value("security token", t.expose()).map(secret)).transpose()?,
            date: value("date", &date)?,
            second,
            credentials,
        };
        Ok(dated.insert(new).clone())
    }
}

fn value(what: &str, text: &str) -> Result<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        let text = format!("the {what} holds a control character, which cannot travel over gRPC");
        Error::new(ErrorKind::InvalidArgument, "start", text)
    })
}

/// Keeps `value` out of `Debug` texts and of the tables of HTTP/2's header compression.
fn secret(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// A random UUID.
pub(crate) fn uuid() -> String {
    let bits = fastrand::u128(..) & !(0xF000_u128 << 64) & !(0xC000_u128 << 48)
        | 0x4000_u128 << 64
        | 0x8000_u128 << 48;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        bits >> 80 & 0xFFFF,
        bits >> 64 & 0xFFFF,
        bits >> 48 & 0xFFFF,
        bits & 0xFFFF_FFFF_FFFF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(change: impl FnOnce(&mut ClientOptions), timeout: Option<Duration>) -> HeaderMap {
        let mut options = ClientOptions::new("grpc://127.0.0.1:1").unwrap();
        change(&mut options);
        Metadata::new(&options, "host@1@2").unwrap().headers(timeout).unwrap()
    }

    #[test]
    fn a_call_says_who_asks_and_for_how_long() {
        let headers = headers(|o| o.namespace = Some("ns".into()), Some(Duration::from_millis(1500)));
        for (name, value) in [
            ("x-mq-client-id", "host@1@2"),
            ("x-mq-language", "RUST"),
            ("x-mq-namespace", "ns"),
            ("grpc-timeout", "1500m"),
        ] {
            assert_eq!(headers[name], value);
        }
        assert!(!headers.contains_key("authorization"));
    }

    #[test]
    fn secrets_stay_out_of_debug_texts() {
        let credentials =
            Credentials { security_token: Some("t0ken".into()), ..Credentials::new("ak", "s3cret") };
        let headers = headers(|o| o.credentials = Some(credentials.into()), None);
        assert_eq!(headers["x-mq-session-token"], "t0ken");
        assert!(headers["authorization"].to_str().unwrap().starts_with("MQv2-HMAC-SHA1 Credential=ak, "));
        let shown = format!("{headers:?}");
        assert!(
            !shown.contains("t0ken") && !shown.contains("Signature") && !shown.contains("s3cret"),
            "{shown}"
        );
    }

    #[test]
    fn ids_of_requests_are_uuids_of_version_4() {
        let (one, two) = (uuid(), uuid());
        assert_ne!(one, two);
        assert_eq!((one.len(), one.as_bytes()[14]), (36, b'4'));
        assert!(b"89ab".contains(&one.as_bytes()[19]));
    }
}
