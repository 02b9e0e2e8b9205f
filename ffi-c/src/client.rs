//! How a producer or consumer reaches the servers.

use std::mem::offset_of;

use tminus_core::message::ServerKind;
use tminus_core::options::Secret;
use tminus_core::{ClientOptions, HttpProxy, Result, TlsOptions};

use crate::boundary::{borrow, call};
use crate::broker::tminus_broker_t;
use crate::credentials::tminus_credentials_t;
use crate::data::{invalid, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::settings::{Growing, duration, init, ms, read};

/// Not configured: right for all servers that keep arbitrary times.
pub const TMINUS_SERVER_AUTO: i32 = 0;
/// Apache RocketMQ 5.x.
pub const TMINUS_SERVER_APACHE5: i32 = 1;
/// Apache RocketMQ 4.x: delay levels only.
pub const TMINUS_SERVER_APACHE4: i32 = 2;
/// Huawei Cloud DMS for RocketMQ.
pub const TMINUS_SERVER_HUAWEI: i32 = 3;
/// Alibaba Cloud ApsaraMQ for RocketMQ.
pub const TMINUS_SERVER_ALIBABA: i32 = 4;

/// TLS of a client. Certificates are verified unless `insecure` says otherwise.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_tls_t {
    /// 1: use TLS even if the endpoint does not ask for it (`remotings://`, `grpcs://`).
    pub enabled: i32,
    /// 1: do not verify the server's certificate.
    pub insecure: i32,
    /// PEM text of the authorities to trust; none: the system's.
    pub ca_pem: tminus_str_t,
    /// PEM text of the client's certificate chain, with `client_key_pem`.
    pub client_cert_pem: tminus_str_t,
    pub client_key_pem: tminus_str_t,
    /// Name to verify and to send as SNI; none: the host that is dialled.
    pub server_name: tminus_str_t,
}

/// Connection settings. `tminus_client_options_init` fills in the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_client_options_t {
    pub struct_size: u32,
    /// `TMINUS_SERVER_*`. Default auto.
    pub server_kind: i32,
    /// Name servers: `host:port` or `remoting://host:port`; or proxies: `grpc://host:port`; or an ApsaraMQ HTTP service:
    /// `http://host`. Several name servers or proxies separated by `;`; `remotings://`, `grpcs://` and `https://` for TLS.
    /// Required.
    pub endpoint: tminus_str_t,
    pub credentials: tminus_credentials_t,
    pub tls: tminus_tls_t,
    /// Prefix `namespace%` of topics and groups, or over ApsaraMQ HTTP the instance id; none by default.
    pub name_space: tminus_str_t,
    /// Overrides the generated client id.
    pub client_id: tminus_str_t,
    /// Default 3000.
    pub connect_timeout_ms: i64,
    /// For one request other than a send. Default 3000.
    pub request_timeout_ms: i64,
    /// Default 30000.
    pub heartbeat_interval_ms: i64,
    /// Default 30000.
    pub route_refresh_interval_ms: i64,
    /// Relative delivery times follow this broker's clock, for tests on a virtual one; NULL: the machine's clock.
    pub clock_of: *const tminus_broker_t,
    /// The proxy of an ApsaraMQ HTTP client: `http://[user:password@]host:port`, or `direct` for none. None: what `HTTP_PROXY`,
    /// `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say, never for addresses of this machine.
    pub http_proxy: tminus_str_t,
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Growing for tminus_client_options_t {
    const NAME: &'static str = "tminus_client_options_t";
    const FIRST_SIZE: usize = offset_of!(Self, http_proxy);

    fn defaults() -> Result<Self> {
        let core = ClientOptions::new("localhost:9876")?;
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            server_kind: TMINUS_SERVER_AUTO,
            endpoint: tminus_str_t::NONE,
            credentials: tminus_credentials_t::NONE,
            tls: tminus_tls_t {
                enabled: 0,
                insecure: 0,
                ca_pem: tminus_str_t::NONE,
                client_cert_pem: tminus_str_t::NONE,
                client_key_pem: tminus_str_t::NONE,
                server_name: tminus_str_t::NONE,
            },
            name_space: tminus_str_t::NONE,
            client_id: tminus_str_t::NONE,
            connect_timeout_ms: ms(core.connect_timeout),
            request_timeout_ms: ms(core.request_timeout),
            heartbeat_interval_ms: ms(core.heartbeat_interval),
            route_refresh_interval_ms: ms(core.route_refresh_interval),
            clock_of: std::ptr::null(),
            http_proxy: tminus_str_t::NONE,
        })
    }
}

impl tminus_tls_t {
    /// Copies the input.
    ///
    /// # Safety
    /// The texts are readable.
    unsafe fn copy(&self, operation: &'static str) -> Result<TlsOptions> {
        // SAFETY: the caller's promise is the same.
        unsafe {
            Ok(TlsOptions {
                enabled: self.enabled != 0,
                ca_pem: self.ca_pem.read_option("tls.ca_pem", operation)?.map(str::to_owned),
                client_cert_pem: self
                    .client_cert_pem
                    .read_option("tls.client_cert_pem", operation)?
                    .map(str::to_owned),
                client_key_pem: self
                    .client_key_pem
                    .read_option("tls.client_key_pem", operation)?
                    .map(Secret::new),
                server_name: self.server_name.read_option("tls.server_name", operation)?.map(str::to_owned),
                insecure: self.insecure != 0,
            })
        }
    }
}

/// Copies the connection settings of the host.
///
/// # Safety
/// `given` is NULL or readable options, and so is all they point to.
pub(crate) unsafe fn copy(
    given: *const tminus_client_options_t,
    operation: &'static str,
) -> Result<ClientOptions> {
    if given.is_null() {
        return Err(invalid(operation, "the client options are NULL"));
    }
    // SAFETY: all reads rest on the caller's promise.
    unsafe {
        let given = read(given, operation)?;
        let mut options = ClientOptions::new(given.endpoint.read("endpoint", operation)?)?;
        options.credentials = given.credentials.copy(operation)?.map(Into::into);
        options.tls = given.tls.copy(operation)?;
        options.namespace = given.name_space.read_option("name_space", operation)?.map(str::to_owned);
        options.client_id = given.client_id.read_option("client_id", operation)?.map(str::to_owned);
        options.server_kind = match given.server_kind {
            TMINUS_SERVER_AUTO => ServerKind::Auto,
            TMINUS_SERVER_APACHE5 => ServerKind::Apache5,
            TMINUS_SERVER_APACHE4 => ServerKind::Apache4,
            TMINUS_SERVER_HUAWEI => ServerKind::Huawei,
            TMINUS_SERVER_ALIBABA => ServerKind::Alibaba,
            other => {
                return Err(invalid(
                    operation,
                    format!("server_kind is {other}; use one of TMINUS_SERVER_*"),
                ));
            }
        };
        options.connect_timeout = duration(given.connect_timeout_ms, "connect_timeout_ms", operation)?;
        options.request_timeout = duration(given.request_timeout_ms, "request_timeout_ms", operation)?;
        options.heartbeat_interval =
            duration(given.heartbeat_interval_ms, "heartbeat_interval_ms", operation)?;
        options.route_refresh_interval =
            duration(given.route_refresh_interval_ms, "route_refresh_interval_ms", operation)?;
        if !given.clock_of.is_null() {
            options.clock = borrow(given.clock_of, operation)?.clock().clone();
        }
        options.http_proxy = match given.http_proxy.read_option("http_proxy", operation)? {
            None => HttpProxy::Environment,
            Some("direct") => HttpProxy::Direct,
            Some(url) => HttpProxy::Url(Secret::new(url)),
        };
        Ok(options)
    }
}

/// Fills client options of `size` bytes with the defaults.
///
/// # Safety
/// `options` is NULL or points to `size` writable bytes; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_client_options_init(
    options: *mut tminus_client_options_t,
    size: usize,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes NULL or `size` writable bytes.
    call(error, "options", || unsafe { init(options, size, "options") })
}
