//! The loopback broker: name server and broker on one port, for tests and for learning.

use tminus_core::broker::{Broker, Fault};
use tminus_core::runtime::handle as runtime;
use tminus_core::{Clock, Outcome, Result};

use crate::boundary::{Handle, Out, block_on, borrow, call, quietly, take};
use crate::broker_options::{self, tminus_broker_options_t};
use crate::cancel::tminus_cancel_t;
use crate::data::{invalid, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::settings::{count, duration};

/// Answer with `response_code` and `remark`; the request has no effect.
pub const TMINUS_FAULT_REFUSE: i32 = 0;
/// Read the request, do nothing, never answer.
pub const TMINUS_FAULT_SWALLOW: i32 = 1;
/// Close the connection without handling the request.
pub const TMINUS_FAULT_CLOSE_BEFORE: i32 = 2;
/// Handle the request, then close the connection instead of answering.
pub const TMINUS_FAULT_CLOSE_AFTER: i32 = 3;
/// Answer a receive over gRPC or HTTP (request code 200050), or a publish over HTTP (310), with a wrong digest for every
/// body.
pub const TMINUS_FAULT_CORRUPT: i32 = 4;
/// Answer as a middle box that cannot reach its server: over HTTP with status 502 and a page of HTML, elsewhere with the end of
/// the connection. The request has no effect.
pub const TMINUS_FAULT_GATEWAY: i32 = 5;

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
            let options = broker_options::copy(options)?;
            block_on(std::ptr::null(), "start", Outcome::NotSent, Broker::start(options))?
        };
        let address = broker.address().to_string();
        out.give(tminus_broker_t { process: std::process::id(), broker, address });
        Ok(())
    })
}

/// Runs `body` with the broker.
pub(crate) fn with(
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

/// Where it listens, "127.0.0.1:12345", for every protocol: an endpoint for clients, with `grpc://` in front for gRPC,
/// with `http://` for ApsaraMQ HTTP. Lives as long as the broker.
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

/// Lets the next `times` requests with this remoting request code, or gRPC calls and HTTP requests of the same meaning,
/// meet `fault`.
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
                TMINUS_FAULT_CORRUPT => Fault::Corrupt,
                TMINUS_FAULT_GATEWAY => Fault::Gateway,
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

/// Number of requests with this remoting request code, and of gRPC calls and HTTP requests of the same meaning, received
/// so far.
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
        if let Ok(runtime) = runtime("stop") {
            runtime.block_on(broker.broker.stop());
        }
    });
}
