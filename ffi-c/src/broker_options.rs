//! Settings of a loopback broker.

use std::mem::offset_of;
use std::net::SocketAddr;

use tminus_core::broker::{BrokerOptions, BrokerTls, Persona};
use tminus_core::options::Secret;
use tminus_core::{Clock, Result, clock};

use crate::boundary::call;
use crate::credentials::tminus_credentials_t;
use crate::data::{invalid, slice, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::settings::{Growing, duration, init, ms, read};

/// Acts on every delivery property of every server, to the millisecond, one year ahead.
pub const TMINUS_PERSONA_LOOPBACK: i32 = 0;
/// Behaves like Apache RocketMQ 5.
pub const TMINUS_PERSONA_APACHE5: i32 = 1;
/// Behaves like Apache RocketMQ 4.
pub const TMINUS_PERSONA_APACHE4: i32 = 2;
/// Behaves like Huawei DMS.
pub const TMINUS_PERSONA_HUAWEI: i32 = 3;

/// Plain TCP only.
pub const TMINUS_BROKER_TLS_NONE: i32 = 0;
/// TLS beside plain TCP, with a certificate the broker makes; see `tminus_broker_ca_pem`.
pub const TMINUS_BROKER_TLS_SELF_MADE: i32 = 1;
/// TLS beside plain TCP, with `cert_pem` and `key_pem`.
pub const TMINUS_BROKER_TLS_GIVEN: i32 = 2;

/// How a loopback broker runs. `tminus_broker_options_init` fills in the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_broker_options_t {
    pub struct_size: u32,
    /// `TMINUS_PERSONA_*`. Default loopback.
    pub persona: i32,
    /// Loopback address and port. Default "127.0.0.1:0".
    pub listen: tminus_str_t,
    /// Broker name. Default "broker-a".
    pub name: tminus_str_t,
    /// Join the name server of the loopback broker at this address; none by default.
    pub join: tminus_str_t,
    /// 1: a virtual clock, moved by `tminus_broker_advance_ms`. Default 0.
    pub virtual_clock: i32,
    /// 1: the first send creates its topic. Default 1.
    pub auto_create_topics: i32,
    /// Where a virtual clock starts, Unix ms; -1: the machine's time. Default -1.
    pub clock_start_ms: i64,
    /// Queues of a created topic. Default 4.
    pub queues: i32,
    /// `TMINUS_BROKER_TLS_*`. Default none.
    pub tls: i32,
    /// 1: plain connections are refused. Default 0.
    pub tls_only: i32,
    pub reserved: i32,
    /// PEM text of the certificate chain, for `TMINUS_BROKER_TLS_GIVEN`.
    pub cert_pem: tminus_str_t,
    /// PEM text of its private key.
    pub key_pem: tminus_str_t,
    /// PEM text of the authorities client certificates must come from; none: no client certificate is asked for.
    pub client_ca_pem: tminus_str_t,
    /// Users; with at least one, every request must be signed.
    pub credentials: *const tminus_credentials_t,
    pub credential_count: usize,
    /// How long a message consumed over ApsaraMQ HTTP is hidden, and its handle lives, by the broker's clock. Default 300000.
    pub http_invisible_ms: i64,
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Growing for tminus_broker_options_t {
    const NAME: &'static str = "tminus_broker_options_t";
    const FIRST_SIZE: usize = offset_of!(Self, http_invisible_ms);

    fn defaults() -> Result<Self> {
        let core = BrokerOptions::default();
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            persona: TMINUS_PERSONA_LOOPBACK,
            listen: tminus_str_t::NONE,
            name: tminus_str_t::NONE,
            join: tminus_str_t::NONE,
            virtual_clock: core.clock.is_virtual().into(),
            auto_create_topics: core.auto_create_topics.into(),
            clock_start_ms: -1,
            queues: core.queues,
            tls: TMINUS_BROKER_TLS_NONE,
            tls_only: core.tls_only.into(),
            reserved: 0,
            cert_pem: tminus_str_t::NONE,
            key_pem: tminus_str_t::NONE,
            client_ca_pem: tminus_str_t::NONE,
            credentials: std::ptr::null(),
            credential_count: 0,
            http_invisible_ms: ms(core.http_invisible),
        })
    }
}

fn address(text: &str, what: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| {
        invalid("start", format!("{what} {text:?} is no address; give ip:port, for example 127.0.0.1:0"))
    })
}

/// Copies the settings of the host.
///
/// # Safety
/// `given` is NULL or readable options, and so is all they point to.
pub(crate) unsafe fn copy(given: *const tminus_broker_options_t) -> Result<BrokerOptions> {
    let mut options = BrokerOptions::default();
    // SAFETY: all reads rest on the caller's promise.
    let given = unsafe {
        let given = read(given, "start")?;
        if let Some(listen) = given.listen.read_option("listen", "start")? {
            options.listen = address(listen, "listen")?;
        }
        if let Some(name) = given.name.read_option("name", "start")? {
            options.name = name.to_owned();
        }
        options.join =
            given.join.read_option("join", "start")?.map(|join| address(join, "join")).transpose()?;
        options.tls = match given.tls {
            TMINUS_BROKER_TLS_NONE => None,
            TMINUS_BROKER_TLS_SELF_MADE => Some(BrokerTls::SelfMade),
            TMINUS_BROKER_TLS_GIVEN => Some(BrokerTls::Given {
                cert_pem: given.cert_pem.read("cert_pem", "start")?.to_owned(),
                key_pem: Secret::new(given.key_pem.read("key_pem", "start")?),
            }),
            other => return Err(invalid("start", format!("tls is {other}; use one of TMINUS_BROKER_TLS_*"))),
        };
        options.client_ca_pem = given.client_ca_pem.read_option("client_ca_pem", "start")?.map(str::to_owned);
        for user in slice(given.credentials, given.credential_count, "credentials", "start")? {
            let user = user.copy("start")?.ok_or_else(|| invalid("start", "a user has no access_key"))?;
            options.credentials.push(user);
        }
        given
    };
    options.persona = match given.persona {
        TMINUS_PERSONA_LOOPBACK => Persona::Loopback,
        TMINUS_PERSONA_APACHE5 => Persona::Apache5,
        TMINUS_PERSONA_APACHE4 => Persona::Apache4,
        TMINUS_PERSONA_HUAWEI => Persona::Huawei,
        other => return Err(invalid("start", format!("persona is {other}; use one of TMINUS_PERSONA_*"))),
    };
    options.clock = match (given.virtual_clock, given.clock_start_ms) {
        (0, _) => Clock::real(),
        (_, ..0) => Clock::virtual_now(),
        (_, start) => Clock::virtual_at(clock::from_ms(start)),
    };
    options.auto_create_topics = given.auto_create_topics != 0;
    options.queues = given.queues;
    options.tls_only = given.tls_only != 0;
    options.http_invisible = duration(given.http_invisible_ms, "http_invisible_ms", "start")?;
    Ok(options)
}

/// Fills broker options of `size` bytes with the defaults.
///
/// # Safety
/// `options` is NULL or points to `size` writable bytes; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_options_init(
    options: *mut tminus_broker_options_t,
    size: usize,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes NULL or `size` writable bytes.
    call(error, "options", || unsafe { init(options, size, "options") })
}
