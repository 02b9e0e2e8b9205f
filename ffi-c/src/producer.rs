//! The producer.

use tminus_core::runtime::handle as runtime;
use tminus_core::{Outcome, Producer, SharedCredentials, TransactionChecks};

use crate::boundary::{Handle, Out, block_on, borrow, call, quietly, take};
use crate::cancel::tminus_cancel_t;
use crate::client::tminus_client_options_t;
use crate::credentials::{self, tminus_credentials_t};
use crate::data::tminus_str_t;
use crate::error::{tminus_error_t, tminus_status_t};
use crate::message_queue::{self, tminus_message_queues_t};
use crate::producer_options::{self, tminus_producer_options_t};
use crate::text::{self, tminus_text_t};

/// Sends messages. Any thread may use it.
pub struct tminus_producer_t {
    process: u32,
    credentials: Option<SharedCredentials>,
    pub(crate) producer: Producer,
    /// Questions about transactions, where the host takes them.
    pub(crate) checks: Option<TransactionChecks>,
}

impl Handle for tminus_producer_t {
    const NOUN: &'static str = "producer";

    fn process(&self) -> u32 {
        self.process
    }
}

/// Starts a producer: checks the options and connects to a name server, proxy or service. `options` NULL: all defaults.
/// Free it with `tminus_producer_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `out` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_start(
    client: *const tminus_client_options_t,
    options: *const tminus_producer_options_t,
    cancel: *const tminus_cancel_t,
    out: *mut *mut tminus_producer_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "start", || {
        let out = Out::new(out, "out", "start")?;
        // SAFETY: the host passes readable options and NULL or a live token.
        let (producer, checks, credentials) = unsafe {
            let (options, take_checks) = producer_options::copy(client, options)?;
            let credentials = options.client.credentials.clone();
            let start = Producer::start_with_checks(options);
            let (producer, checks) = block_on(cancel, "start", Outcome::NotSent, start)?;
            (producer, take_checks.then_some(checks), credentials)
        };
        out.give(tminus_producer_t { process: std::process::id(), credentials, producer, checks });
        Ok(())
    })
}

/// The queues that messages for `topic` can go to. Free the list with `tminus_message_queues_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `out` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_queues(
    producer: *const tminus_producer_t,
    topic: tminus_str_t,
    cancel: *const tminus_cancel_t,
    out: *mut *mut tminus_message_queues_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "queues", || {
        let out = Out::new(out, "out", "queues")?;
        // SAFETY: the host passes a live producer, readable text, and NULL or a live token.
        let queues = unsafe {
            let producer = borrow(producer, "queues")?;
            let topic = topic.read("topic", "queues")?;
            block_on(cancel, "queues", Outcome::NotSent, producer.producer.queues(topic))?
        };
        out.set(message_queue::give(queues));
        Ok(())
    })
}

/// Takes back a scheduled message of `topic` that is not delivered yet, by the `recall_handle` of its receipt.
/// `message_id` (may be NULL) gets its id; free it with `tminus_text_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `message_id` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_recall(
    producer: *const tminus_producer_t,
    topic: tminus_str_t,
    recall_handle: tminus_str_t,
    cancel: *const tminus_cancel_t,
    message_id: *mut *mut tminus_text_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "recall", || {
        // SAFETY: the host passes a live producer, readable texts, and NULL or a live token.
        let recalled = unsafe {
            let producer = borrow(producer, "recall")?;
            let (topic, handle) =
                (topic.read("topic", "recall")?, recall_handle.read("recall_handle", "recall")?);
            block_on(cancel, "recall", Outcome::MaybeSent, producer.producer.recall(topic, handle))?
        };
        if !message_id.is_null() {
            // SAFETY: the host passes NULL or a place for one pointer.
            unsafe { message_id.write(text::give(recalled)) };
        }
        Ok(())
    })
}

/// Replaces the credentials: every request from now on is signed with these. For temporary ones, which expire. Refused for
/// a producer that was started without.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_set_credentials(
    producer: *const tminus_producer_t,
    credentials: *const tminus_credentials_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "set credentials", || {
        // SAFETY: the host passes a live producer and NULL or readable credentials.
        unsafe {
            let producer = borrow(producer, "set credentials")?;
            credentials::replace(producer.credentials.as_ref(), credentials)
        }
    })
}

/// The client id in use; it lives as long as the producer. None if the producer is unusable.
///
/// # Safety
/// `producer` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_client_id(producer: *const tminus_producer_t) -> tminus_str_t {
    quietly(tminus_str_t::NONE, || {
        // SAFETY: the host passes NULL or a live producer.
        unsafe { borrow(producer, "client id") }
            .map_or(tminus_str_t::NONE, |producer| tminus_str_t::lend(producer.producer.client_id()))
    })
}

/// Signs off at the brokers and closes the connections, in at most 3 s. Later sends are `TMINUS_CLOSED`; a second
/// shutdown does nothing.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_shutdown(
    producer: *const tminus_producer_t,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "shutdown", || {
        // SAFETY: the host passes a live producer, and NULL or a live token.
        unsafe {
            let producer = borrow(producer, "shutdown")?;
            block_on(cancel, "shutdown", Outcome::NotSent, async {
                producer.producer.shutdown().await;
                Ok(())
            })
        }
    })
}

/// Shuts the producer down if need be, and frees it. Submitted sends may still be under way: they complete as
/// `TMINUS_CLOSED` at the latest. NULL is allowed.
///
/// # Safety
/// `producer` is NULL or live, and no other call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_free(producer: *mut tminus_producer_t) {
    quietly((), || {
        // SAFETY: the host passes NULL or a producer that nothing else uses.
        let Some(producer) = (unsafe { take(producer) }) else { return };
        if let Ok(runtime) = runtime("shutdown") {
            runtime.block_on(producer.producer.shutdown());
        }
    });
}
