//! Settings that producers and consumers share.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::{Endpoint, Secret, TlsOptions};
use crate::clock::Clock;
use crate::error::Result;
use crate::message::ServerKind;

/// Access key pair, with a security token for temporary credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Access key: names the user.
    pub access_key: String,
    /// Secret key: signs the requests, never travels.
    pub secret_key: Secret,
    /// Security token of temporary credentials.
    pub security_token: Option<Secret>,
}

impl Credentials {
    /// A pair without security token.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self { access_key: access_key.into(), secret_key: Secret::new(secret_key), security_token: None }
    }
}

/// Credentials that may change while clients use them, as temporary ones do: clones share them, and each request is signed
/// with those that are set by then.
#[derive(Debug, Clone)]
pub struct SharedCredentials(Arc<RwLock<Arc<Credentials>>>);

impl SharedCredentials {
    /// Replaces the credentials of all clients that share them.
    pub fn set(&self, credentials: Credentials) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(credentials);
    }

    /// The credentials now.
    pub fn get(&self) -> Arc<Credentials> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<Credentials> for SharedCredentials {
    fn from(credentials: Credentials) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(credentials))))
    }
}

/// Which HTTP proxy requests go through. Only for `http://` and `https://` endpoints. A plain request is given to the proxy,
/// an encrypted one goes through a tunnel that it opens (`CONNECT`). Proxies of other kinds (`https://`, SOCKS) are refused
/// with `InvalidArgument`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HttpProxy {
    /// What `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say (also in lower case), read when the client
    /// starts; never for addresses of this machine.
    #[default]
    Environment,
    /// None.
    Direct,
    /// This one, for every address: `http://[user:password@]host:port`.
    Url(Secret),
}

/// How a client reaches the servers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Name servers (remoting), proxies (gRPC) or the service (ApsaraMQ HTTP).
    pub endpoint: Endpoint,
    /// Requests are signed when set.
    pub credentials: Option<SharedCredentials>,
    /// TLS; off by default.
    pub tls: TlsOptions,
    /// Prefix `namespace%` for topics and groups; none by default. Over gRPC to [`ServerKind::Alibaba`] it travels in a
    /// field of its own instead, and over ApsaraMQ HTTP it is the instance id (`MQ_INST_…`).
    pub namespace: Option<String>,
    /// Overrides the generated client id (`host@pid@random`), which ApsaraMQ HTTP servers are not told.
    pub client_id: Option<String>,
    /// Which kind of server this is; `Auto` works with all that keep arbitrary times.
    pub server_kind: ServerKind,
    /// Time allowed to connect to one address, also through a proxy. Default 3 s.
    pub connect_timeout: Duration,
    /// Time allowed for one request other than a send; added to the time that a receive waits. Default 3 s.
    pub request_timeout: Duration,
    /// Interval of heartbeats; over gRPC at most 10 s, over ApsaraMQ HTTP there are none. Default 30 s.
    pub heartbeat_interval: Duration,
    /// Interval of route refreshes. Default 30 s.
    pub route_refresh_interval: Duration,
    /// The clock that relative delivery times are computed with. Default real.
    pub clock: Clock,
    /// The proxy of an ApsaraMQ HTTP client. Default [`HttpProxy::Environment`].
    pub http_proxy: HttpProxy,
}

impl ClientOptions {
    /// Options with defaults for `endpoint` (see [`Endpoint`] for the syntax).
    pub fn new(endpoint: &str) -> Result<Self> {
        Ok(Self {
            endpoint: endpoint.parse()?,
            credentials: None,
            tls: TlsOptions::default(),
            namespace: None,
            client_id: None,
            server_kind: ServerKind::Auto,
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(3),
            heartbeat_interval: Duration::from_secs(30),
            route_refresh_interval: Duration::from_secs(30),
            clock: Clock::real(),
            http_proxy: HttpProxy::default(),
        })
    }

    /// Whether connections use TLS.
    pub fn uses_tls(&self) -> bool {
        self.tls.enabled || self.endpoint.tls
    }
}
