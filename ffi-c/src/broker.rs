//! The loopback broker: name server and broker on one port, for tests and for learning.

use std::net::SocketAddr;

use tminus_core::broker::{Broker, BrokerOptions, BrokerTls, Fault, Persona};
use tminus_core::options::Secret;
use tminus_core::{Clock, Outcome, Result, clock};

use crate::boundary::{Handle, Out, block_on, borrow, call, quietly, take};
use crate::cancel::tminus_cancel_t;
use crate::client::tminus_credentials_t;
use crate::data::{invalid, slice, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::settings::{Sized32, count, duration, init, read};

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

/// Answer with `response_code` and `remark`; the request has no effect.
pub const TMINUS_FAULT_REFUSE: i32 = 0;
/// Read the request, do nothing, never answer.
pub const TMINUS_FAULT_SWALLOW: i32 = 1;
/// Close the connection without handling the request.
pub const TMINUS_FAULT_CLOSE_BEFORE: i32 = 2;
/// Handle the request, then close the connection instead of answering.
pub const TMINUS_FAULT_CLOSE_AFTER: i32 = 3;

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
}

/// What happens to requests. All-zero is a refusal with code 0 and no remark.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_fault_t {
    /// `TMINUS_FAULT_*`.
    pub kind: i32,
    /// For `TMINUS_FAULT_REFUSE`.
    pub response_code: i32,
    /// For `TMINUS_FAULT_REFUSE`.
    pub remark: tminus_str_t,
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Sized32 for tminus_broker_options_t {
    const NAME: &'static str = "tminus_broker_options_t";
    const FIRST_SIZE: usize = size_of::<Self>();

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
        })
    }
}

/// A running loopback broker. Any thread may use it.
pub struct tminus_broker_t {
    process: u32,
    broker: Broker,
    address: String,
}

impl Handle for tminus_broker_t {
    const NOUN: &'static str = "broker";

    fn process(&self) -> u32 {
        self.process
    }
}

impl tminus_broker_t {
    pub(crate) fn clock(&self) -> &Clock {
        self.broker.clock()
    }
}

fn address(text: &str, what: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| {
        invalid("start", format!("{what} {text:?} is no address; give ip:port, for example 127.0.0.1:0"))
    })
}

/// # Safety
/// `given` is NULL or readable options, and so is all they point to.
unsafe fn options(given: *const tminus_broker_options_t) -> Result<BrokerOptions> {
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

/// Starts a broker, which accepts connections when this returns. `options` NULL: all defaults. Free it with
/// `tminus_broker_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `out` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_start(
    options: *const tminus_broker_options_t,
    out: *mut *mut tminus_broker_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "start", || {
        let out = Out::new(out, "out", "start")?;
        // SAFETY: the host passes NULL or readable options; there is no token.
        let broker = unsafe {
            let options = self::options(options)?;
            block_on(std::ptr::null(), "start", Outcome::NotSent, Broker::start(options))?
        };
        let address = broker.address().to_string();
        out.give(tminus_broker_t { process: std::process::id(), broker, address });
        Ok(())
    })
}

/// Runs `body` with the broker.
fn with(
    broker: *const tminus_broker_t,
    operation: &'static str,
    error: *mut *mut tminus_error_t,
    body: impl FnOnce(&Broker) -> Result<()>,
) -> tminus_status_t {
    // SAFETY: the host passes NULL or a live broker.
    call(error, operation, || body(&unsafe { borrow(broker, operation)? }.broker))
}

/// Reads a text of the broker, none if it is unusable.
fn text(broker: *const tminus_broker_t, body: impl FnOnce(&tminus_broker_t) -> Option<&str>) -> tminus_str_t {
    quietly(tminus_str_t::NONE, || {
        // SAFETY: the host passes NULL or a live broker.
        tminus_str_t::lend_option(unsafe { borrow(broker, "broker") }.ok().and_then(body))
    })
}

/// Where it listens, "127.0.0.1:12345": an endpoint for clients. Lives as long as the broker.
///
/// # Safety
/// `broker` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_address(broker: *const tminus_broker_t) -> tminus_str_t {
    text(broker, |broker| Some(&broker.address))
}

/// PEM text of the authority that signed the self-made certificate; none without one. Lives as long as the broker.
///
/// # Safety
/// `broker` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_ca_pem(broker: *const tminus_broker_t) -> tminus_str_t {
    text(broker, |broker| broker.broker.ca_pem())
}

/// Creates a topic, or changes its number of queues.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_create_topic(
    broker: *const tminus_broker_t,
    topic: tminus_str_t,
    queues: i32,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    with(broker, "create topic", error, |broker| {
        // SAFETY: the host passes readable text.
        broker.create_topic(unsafe { topic.read("topic", "create topic")? }, queues)
    })
}

/// Moves a virtual clock forward; `visible` (may be NULL) gets the number of messages that became visible, which they
/// are when this returns.
///
/// # Safety
/// `broker` is NULL or live; `visible` and `error` are NULL or places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_advance_ms(
    broker: *const tminus_broker_t,
    by_ms: i64,
    visible: *mut usize,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    with(broker, "advance", error, |broker| {
        let count = broker.advance(duration(by_ms, "by_ms", "advance")?)?;
        if !visible.is_null() {
            // SAFETY: the host passes NULL or a place for one value.
            unsafe { visible.write(count) };
        }
        Ok(())
    })
}

/// The broker's time, Unix ms; -1 if it is unusable.
///
/// # Safety
/// `broker` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_now_ms(broker: *const tminus_broker_t) -> i64 {
    // SAFETY: the host passes NULL or a live broker.
    quietly(-1, || unsafe { borrow(broker, "broker") }.map_or(-1, |broker| broker.clock().now_ms()))
}

/// Scheduled messages (and delayed retries) that wait; `next_ms` (may be NULL) gets when the next is due, Unix ms, or -1.
///
/// # Safety
/// `broker` is NULL or live; `pending`, `next_ms` and `error` are NULL or places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_pending(
    broker: *const tminus_broker_t,
    pending: *mut usize,
    next_ms: *mut i64,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    with(broker, "pending", error, |broker| {
        let out = Out::new(pending, "pending", "pending")?;
        let waiting = broker.pending();
        if !next_ms.is_null() {
            // SAFETY: the host passes NULL or a place for one value.
            unsafe { next_ms.write(waiting.first().map_or(-1, |message| message.deliver_at_ms)) };
        }
        out.set(waiting.len());
        Ok(())
    })
}

/// Lets the next `times` requests with this remoting request code meet `fault`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_inject(
    broker: *const tminus_broker_t,
    request_code: i32,
    times: i32,
    fault: *const tminus_fault_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    with(broker, "inject", error, |broker| {
        // SAFETY: the host passes NULL or a readable fault.
        let fault = unsafe { fault.as_ref() }.ok_or_else(|| invalid("inject", "the fault is NULL"))?;
        let times = count(times.into(), "times", "inject")?;
        broker.inject(
            request_code,
            times,
            match fault.kind {
                TMINUS_FAULT_REFUSE => Fault::Refuse {
                    code: fault.response_code,
                    // SAFETY: the host passes readable text.
                    remark: unsafe { fault.remark.read("remark", "inject")? }.to_owned(),
                },
                TMINUS_FAULT_SWALLOW => Fault::Swallow,
                TMINUS_FAULT_CLOSE_BEFORE => Fault::CloseBefore,
                TMINUS_FAULT_CLOSE_AFTER => Fault::CloseAfter,
                other => {
                    return Err(invalid(
                        "inject",
                        format!("the fault is {other}; use one of TMINUS_FAULT_*"),
                    ));
                }
            },
        );
        Ok(())
    })
}

/// Number of requests with this remoting request code received so far.
///
/// # Safety
/// `broker` is NULL or live; `requests` and `error` are NULL or places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_request_count(
    broker: *const tminus_broker_t,
    request_code: i32,
    requests: *mut u64,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    with(broker, "request count", error, |broker| {
        Out::new(requests, "requests", "request count")?.set(broker.request_count(request_code));
        Ok(())
    })
}

/// Closes the port and every connection, waits `down_ms`, and opens the same port again; messages and offsets stay.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_restart(
    broker: *const tminus_broker_t,
    down_ms: i64,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    with(broker, "restart", error, |broker| {
        let down = duration(down_ms, "down_ms", "restart")?;
        // SAFETY: the host passes NULL or a live token.
        unsafe { block_on(cancel, "restart", Outcome::NotSent, broker.restart(down)) }
    })
}

/// Closes the port and every connection. A second stop does nothing.
///
/// # Safety
/// `broker` is NULL or live; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_stop(
    broker: *const tminus_broker_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    with(broker, "stop", error, |broker| {
        let stop = async {
            broker.stop().await;
            Ok(())
        };
        // SAFETY: there is no token.
        unsafe { block_on(std::ptr::null(), "stop", Outcome::NotSent, stop) }
    })
}

/// Stops the broker if need be, and frees it. NULL is allowed.
///
/// # Safety
/// `broker` is NULL or live, and no other call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_free(broker: *mut tminus_broker_t) {
    quietly((), || {
        // SAFETY: the host passes NULL or a broker that nothing else uses.
        let Some(broker) = (unsafe { take(broker) }) else { return };
        if let Ok(runtime) = tminus_core::runtime::handle("stop") {
            runtime.block_on(broker.broker.stop());
        }
    });
}
