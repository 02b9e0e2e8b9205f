//! Which HTTP proxy stands between a client and its service.

use std::net::IpAddr;

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::error::{Error, ErrorKind, Result};
use crate::options::HttpProxy;

/// A proxy: where it is, and what it wants to be told.
#[derive(Clone)]
pub(super) struct Proxy {
    /// `http://host:port/`.
    pub(super) uri: Uri,
    /// `host:port`.
    pub(super) address: String,
    /// What authorizes us.
    pub(super) authorization: Option<HeaderValue>,
}

impl Proxy {
    /// The proxy on the way to `service`, if there is one.
    ///
    /// # Errors
    /// `InvalidArgument` for one that is no `http://` proxy.
    pub(super) fn find(option: &HttpProxy, service: &Uri) -> Result<Option<Self>> {
        let intercept = match option {
            HttpProxy::Direct => None,
            HttpProxy::Environment if is_this_machine(service) => None,
            HttpProxy::Environment => Matcher::from_env().intercept(service),
            HttpProxy::Url(url) => {
                let found = Matcher::builder().all(url.expose()).build().intercept(service);
                Some(found.ok_or_else(|| invalid("http_proxy is no URL of a proxy"))?)
            }
        };
        intercept.map(|intercept| Self::of(&intercept)).transpose()
    }

    fn of(intercept: &Intercept) -> Result<Self> {
        let uri = intercept.uri();
        let Some(host) = uri.host().filter(|_| uri.scheme() == Some(&Scheme::HTTP)) else {
            return Err(invalid(&format!("the proxy {uri} cannot be used")));
        };
        Ok(Self {
            address: format!("{host}:{}", uri.port_u16().unwrap_or(80)),
            uri: uri.clone(),
            authorization: intercept.basic_auth().cloned(),
        })
    }
}

fn invalid(what: &str) -> Error {
    let text = format!(
        "{what}; give http://[user:password@]host:port (characters such as @ and : of a password percent-encoded), or \
         none"
    );
    Error::new(ErrorKind::InvalidArgument, "start", text)
}

fn is_this_machine(service: &Uri) -> bool {
    let host = service.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(option: &HttpProxy, service: &'static str) -> Result<Option<Proxy>> {
        Proxy::find(option, &Uri::from_static(service))
    }

    #[test]
    fn a_proxy_is_an_http_url_with_or_without_a_user() {
        let url = HttpProxy::Url("http://me:p%40ss@10.0.0.1:3128".into());
        let proxy = find(&url, "https://127.0.0.1:1/").unwrap().unwrap();
        assert_eq!(proxy.address, "10.0.0.1:3128");
        assert_eq!(proxy.authorization.unwrap(), "Basic bWU6cEBzcw==");
        let plain = find(&HttpProxy::Url("proxy.example".into()), "http://h:1/").unwrap().unwrap();
        assert_eq!((plain.address.as_str(), plain.authorization), ("proxy.example:80", None));
        for bad in ["socks5://h:1080", "https://h:443", "", "ftp://h", "http://"] {
            let error = find(&HttpProxy::Url(bad.into()), "http://h:1/").err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{bad:?}");
        }
        assert!(find(&HttpProxy::Direct, "http://h:1/").unwrap().is_none());
    }

    #[test]
    fn this_machine_is_reached_without_the_proxy_of_the_environment() {
        for service in ["http://localhost:1/", "http://127.8.0.1:1/", "http://[::1]:1/"] {
            assert!(is_this_machine(&Uri::from_static(service)), "{service}");
        }
        assert!(!is_this_machine(&Uri::from_static("http://128.0.0.1:1/")));
    }
}
