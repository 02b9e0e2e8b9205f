//! The simple consumer: its life and its subscriptions.

use tminus_core::runtime::handle as runtime;
use tminus_core::{Outcome, SharedCredentials, SimpleConsumer};

use crate::boundary::{Handle, Out, block_on, borrow, call, quietly, take};
use crate::cancel::tminus_cancel_t;
use crate::client::tminus_client_options_t;
use crate::credentials::{self, tminus_credentials_t};
use crate::data::tminus_str_t;
use crate::error::{tminus_error_t, tminus_status_t};
use crate::simple_consumer_options::{self, tminus_simple_consumer_options_t};
use crate::subscription::{self, tminus_subscription_t};

/// Receives messages when asked, and hides them from the rest of the group until they are acknowledged or their invisible
/// duration ends. Any thread may use it.
pub struct tminus_simple_consumer_t {
    process: u32,
    credentials: Option<SharedCredentials>,
    pub(crate) consumer: SimpleConsumer,
}

impl Handle for tminus_simple_consumer_t {
    const NOUN: &'static str = "simple consumer";

    fn process(&self) -> u32 {
        self.process
    }
}

/// Starts a simple consumer; over a protocol that has none this is `TMINUS_UNSUPPORTED`. Free it with
/// `tminus_simple_consumer_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `out` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_start(
    client: *const tminus_client_options_t,
    options: *const tminus_simple_consumer_options_t,
    subscriptions: *const tminus_subscription_t,
    subscription_count: usize,
    cancel: *const tminus_cancel_t,
    out: *mut *mut tminus_simple_consumer_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "start", || {
        let out = Out::new(out, "out", "start")?;
        // SAFETY: the host passes readable options and NULL or a live token.
        let (consumer, credentials) = unsafe {
            let options = simple_consumer_options::copy(client, options, subscriptions, subscription_count)?;
            let credentials = options.client.credentials.clone();
            (block_on(cancel, "start", Outcome::NotSent, SimpleConsumer::start(options))?, credentials)
        };
        out.give(tminus_simple_consumer_t { process: std::process::id(), credentials, consumer });
        Ok(())
    })
}

/// Adds or replaces a subscription.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_subscribe(
    consumer: *const tminus_simple_consumer_t,
    subscription: *const tminus_subscription_t,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "subscribe", || {
        // SAFETY: the host passes a live consumer, NULL or a readable subscription, and NULL or a live token.
        unsafe {
            let consumer = borrow(consumer, "subscribe")?;
            let (topic, filter) = subscription::copy_one(subscription, "subscribe")?;
            block_on(cancel, "subscribe", Outcome::NotSent, consumer.consumer.subscribe(&topic, filter))
        }
    })
}

/// Ends a subscription.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_unsubscribe(
    consumer: *const tminus_simple_consumer_t,
    topic: tminus_str_t,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "unsubscribe", || {
        // SAFETY: the host passes a live consumer, readable text, and NULL or a live token.
        unsafe {
            let consumer = borrow(consumer, "unsubscribe")?;
            let topic = topic.read("topic", "unsubscribe")?;
            block_on(cancel, "unsubscribe", Outcome::NotSent, consumer.consumer.unsubscribe(topic))
        }
    })
}

/// Replaces the credentials: every request from now on is signed with these. For temporary ones, which expire. Refused for
/// a simple consumer that was started without.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_set_credentials(
    consumer: *const tminus_simple_consumer_t,
    credentials: *const tminus_credentials_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "set credentials", || {
        // SAFETY: the host passes a live simple consumer and NULL or readable credentials.
        unsafe {
            let consumer = borrow(consumer, "set credentials")?;
            credentials::replace(consumer.credentials.as_ref(), credentials)
        }
    })
}

/// The client id in use; it lives as long as the consumer. None if the consumer is unusable.
///
/// # Safety
/// `consumer` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_client_id(
    consumer: *const tminus_simple_consumer_t,
) -> tminus_str_t {
    quietly(tminus_str_t::NONE, || {
        // SAFETY: the host passes NULL or a live consumer.
        unsafe { borrow(consumer, "client id") }
            .map_or(tminus_str_t::NONE, |consumer| tminus_str_t::lend(consumer.consumer.client_id()))
    })
}

/// Signs off and closes the connections. Receives under way end with `TMINUS_CLOSED`; a second shutdown does nothing. What
/// was not acknowledged comes again.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_shutdown(
    consumer: *const tminus_simple_consumer_t,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "shutdown", || {
        // SAFETY: the host passes a live consumer, and NULL or a live token.
        unsafe {
            let consumer = borrow(consumer, "shutdown")?;
            block_on(cancel, "shutdown", Outcome::NotSent, async {
                consumer.consumer.shutdown().await;
                Ok(())
            })
        }
    })
}

/// Shuts the consumer down if need be, and frees it. Submitted operations may still be under way: they complete as
/// `TMINUS_CLOSED` at the latest. Batches taken from it stay readable. NULL is allowed.
///
/// # Safety
/// `consumer` is NULL or live, and no other call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_free(consumer: *mut tminus_simple_consumer_t) {
    quietly((), || {
        // SAFETY: the host passes NULL or a consumer that nothing else uses.
        let Some(consumer) = (unsafe { take(consumer) }) else { return };
        if let Ok(runtime) = runtime("shutdown") {
            runtime.block_on(consumer.consumer.shutdown());
        }
    });
}
