//! The headers of a request: what it carries, when, who asks, and the signature.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};

use crate::clock::{Clock, from_ms, to_ms};
use crate::codec::http::request::{CONTENT_MD5, CONTENT_TYPE_VALUE, SECURITY_TOKEN, VERSION, VERSION_VALUE};
use crate::codec::http::{digest, signature};
use crate::error::{Error, ErrorKind, Result};
use crate::options::SharedCredentials;

/// Makes the headers of a client's requests.
pub(super) struct Headers {
    credentials: Option<SharedCredentials>,
    /// For a proxy that reads the requests itself.
    proxy_authorization: Option<HeaderValue>,
    /// How far the server's clock is ahead of ours, ms.
    skew_ms: AtomicI64,
}

impl Headers {
    pub(super) fn new(
        credentials: Option<SharedCredentials>,
        proxy_authorization: Option<HeaderValue>,
    ) -> Self {
        Self { credentials, proxy_authorization, skew_ms: AtomicI64::new(0) }
    }

    /// The headers of one request; `target`: path and query as they travel.
    ///
    /// # Errors
    /// `InvalidArgument` for credentials that no header can carry.
    pub(super) fn of(
        &self,
        operation: &'static str,
        method: &Method,
        target: &str,
        content: &[u8],
    ) -> Result<HeaderMap> {
        let value = |what: &str, text: &str| {
            HeaderValue::from_str(text).map_err(|_| {
                let text = format!("the {what} has characters that no HTTP header can carry");
                Error::new(ErrorKind::InvalidArgument, operation, text)
            })
        };
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tminus/", env!("CARGO_PKG_VERSION"))));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_VALUE));
        headers.insert(VERSION, HeaderValue::from_static(VERSION_VALUE));
        headers.insert(CONTENT_MD5, value("digest", &digest::content_md5(content))?);
        headers.insert(DATE, value("date", &httpdate::fmt_http_date(self.date()))?);
        if let Some(credentials) = self.credentials.as_ref().map(SharedCredentials::get) {
            let signed = signature::authorization(&credentials, method, &headers, target);
            let mut signed = value("access key", &signed)?;
            signed.set_sensitive(true);
            headers.insert(AUTHORIZATION, signed);
            let token = credentials.security_token.as_ref();
            if let Some(token) = token.filter(|token| !token.expose().is_empty()) {
                let mut token = value("security token", token.expose())?;
                token.set_sensitive(true);
                headers.insert(SECURITY_TOKEN, token);
            }
        }
        if let Some(authorization) = &self.proxy_authorization {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        Ok(headers)
    }

    /// Dates the requests from now on by a server whose clock shows `theirs`.
    pub(super) fn learn(&self, theirs: SystemTime) {
        self.skew_ms.store(to_ms(theirs).saturating_sub(Clock::real().now_ms()), Ordering::Relaxed);
    }

    fn date(&self) -> SystemTime {
        from_ms(Clock::real().now_ms().saturating_add(self.skew_ms.load(Ordering::Relaxed)))
    }
}
