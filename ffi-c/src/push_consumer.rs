//! The push consumer.

use std::time::Duration;

use tminus_core::runtime::handle as runtime;
use tminus_core::{Deliveries, Delivery, Error, ErrorKind, Outcome, PushConsumer, Result, SharedCredentials};

use crate::batch::{self, Batch, tminus_batch_t};
use crate::boundary::{Handle, Out, block_on, borrow, call, quietly, take, wait_ms};
use crate::cancel::tminus_cancel_t;
use crate::client::tminus_client_options_t;
use crate::completion::tminus_op_t;
use crate::credentials::{self, tminus_credentials_t};
use crate::data::{invalid, tminus_str_t};
use crate::driver::{Kind, Payload};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::message_queue::{self, tminus_message_queues_t};
use crate::push_consumer_options::{self, tminus_push_consumer_options_t};
use crate::queue::tminus_queue_t;
use crate::subscription::{self, tminus_subscription_t};

/// Consumes topics as a member of a group. Any thread may use it.
pub struct tminus_push_consumer_t {
    process: u32,
    credentials: Option<SharedCredentials>,
    consumer: PushConsumer,
    deliveries: Deliveries,
}

impl Handle for tminus_push_consumer_t {
    const NOUN: &'static str = "push consumer";

    fn process(&self) -> u32 {
        self.process
    }
}

/// Starts a push consumer; its messages are taken with `tminus_push_consumer_receive` or `_submit_receive`. Free it with
/// `tminus_push_consumer_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `out` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_start(
    client: *const tminus_client_options_t,
    options: *const tminus_push_consumer_options_t,
    subscriptions: *const tminus_subscription_t,
    subscription_count: usize,
    cancel: *const tminus_cancel_t,
    out: *mut *mut tminus_push_consumer_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "start", || {
        let out = Out::new(out, "out", "start")?;
        // SAFETY: the host passes readable options and NULL or a live token.
        let (consumer, deliveries, credentials) = unsafe {
            let options = push_consumer_options::copy(client, options, subscriptions, subscription_count)?;
            let credentials = options.client.credentials.clone();
            let start = PushConsumer::start_stream(options);
            let (consumer, deliveries) = block_on(cancel, "start", Outcome::NotSent, start)?;
            (consumer, deliveries, credentials)
        };
        out.give(tminus_push_consumer_t { process: std::process::id(), credentials, consumer, deliveries });
        Ok(())
    })
}

/// Adds or replaces a subscription.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_subscribe(
    consumer: *const tminus_push_consumer_t,
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
pub unsafe extern "C" fn tminus_push_consumer_unsubscribe(
    consumer: *const tminus_push_consumer_t,
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

/// Stops pulling until `tminus_push_consumer_resume`; what is under way goes on.
///
/// # Safety
/// `consumer` is NULL or live; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_suspend(
    consumer: *const tminus_push_consumer_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "suspend", || {
        // SAFETY: the host passes NULL or a live consumer.
        unsafe { borrow(consumer, "suspend")? }.consumer.suspend();
        Ok(())
    })
}

/// Pulls again.
///
/// # Safety
/// `consumer` is NULL or live; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_resume(
    consumer: *const tminus_push_consumer_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "resume", || {
        // SAFETY: the host passes NULL or a live consumer.
        unsafe { borrow(consumer, "resume")? }.consumer.resume();
        Ok(())
    })
}

/// Takes 1 to `max` messages from the stream.
async fn next(deliveries: Deliveries, max: usize) -> Result<Vec<Delivery>> {
    let batch = deliveries.next(max).await;
    if batch.is_empty() {
        return Err(Error::new(ErrorKind::Closed, "receive", "the push consumer was shut down"));
    }
    Ok(batch)
}

fn check_max(max: usize) -> Result<()> {
    if max == 0 { Err(invalid("receive", "max is 0; ask for at least one message")) } else { Ok(()) }
}

/// Waits for at least one message and takes up to `max`. `timeout_ms`: 0 does not wait, negative waits without limit; a
/// receive that timed out is `TMINUS_OK` with `*batch` NULL. `TMINUS_CLOSED`: the consumer was shut down. Free the batch
/// with `tminus_batch_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `batch` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_receive(
    consumer: *const tminus_push_consumer_t,
    max: usize,
    timeout_ms: i64,
    cancel: *const tminus_cancel_t,
    batch: *mut *mut tminus_batch_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "receive", || {
        let out = Out::new(batch, "batch", "receive")?;
        check_max(max)?;
        // SAFETY: the host passes a live consumer, and NULL or a live token.
        let received = unsafe {
            let consumer = borrow(consumer, "receive")?;
            let next = next(consumer.deliveries.clone(), max);
            block_on(cancel, "receive", Outcome::NotSent, async {
                // Without a limit: longer than any process runs.
                let limit = wait_ms(timeout_ms).unwrap_or(Duration::from_secs(u32::MAX.into()));
                tokio::time::timeout(limit, next).await.ok().transpose()
            })?
        };
        out.set(
            received.map_or(std::ptr::null_mut(), |deliveries| batch::give(Batch::Delivered(deliveries))),
        );
        Ok(())
    })
}

/// Submits a receive of 1 to `max` messages: when this is `TMINUS_OK`, exactly one completion with `user_data` comes to
/// `queue`, else none. `op` may be NULL; `tminus_op_cancel` takes it.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `op` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_submit_receive(
    consumer: *const tminus_push_consumer_t,
    max: usize,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "receive", || {
        check_max(max)?;
        // SAFETY: the host passes a live consumer and a live queue.
        let (consumer, queue) = unsafe { (borrow(consumer, "receive")?, borrow(queue, "receive")?) };
        let next = next(consumer.deliveries.clone(), max);
        let work = async { next.await.map(|deliveries| Payload::Batch(Batch::Delivered(deliveries))) };
        // SAFETY: the host passes NULL or a place for one value.
        unsafe { queue.submit(Kind::Receive, user_data, op, work) }
    })
}

/// The queues this consumer holds now. Free the list with `tminus_message_queues_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `out` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_assigned_queues(
    consumer: *const tminus_push_consumer_t,
    out: *mut *mut tminus_message_queues_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "queues", || {
        let out = Out::new(out, "out", "queues")?;
        // SAFETY: the host passes NULL or a live consumer.
        out.set(message_queue::give(unsafe { borrow(consumer, "queues")? }.consumer.assigned_queues()));
        Ok(())
    })
}

/// Replaces the credentials: every request from now on is signed with these. For temporary ones, which expire. Refused for
/// a push consumer that was started without.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_set_credentials(
    consumer: *const tminus_push_consumer_t,
    credentials: *const tminus_credentials_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "set credentials", || {
        // SAFETY: the host passes a live push consumer and NULL or readable credentials.
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
pub unsafe extern "C" fn tminus_push_consumer_client_id(
    consumer: *const tminus_push_consumer_t,
) -> tminus_str_t {
    quietly(tminus_str_t::NONE, || {
        // SAFETY: the host passes NULL or a live consumer.
        unsafe { borrow(consumer, "client id") }
            .map_or(tminus_str_t::NONE, |consumer| tminus_str_t::lend(consumer.consumer.client_id()))
    })
}

/// Stops pulling, stores the offsets and signs off, in at most 5 s. Receives end with `TMINUS_CLOSED`; a second shutdown
/// does nothing.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_shutdown(
    consumer: *const tminus_push_consumer_t,
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

/// Shuts the consumer down if need be, and frees it. Batches taken from it stay readable. NULL is allowed.
///
/// # Safety
/// `consumer` is NULL or live, and no other call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_free(consumer: *mut tminus_push_consumer_t) {
    quietly((), || {
        // SAFETY: the host passes NULL or a consumer that nothing else uses.
        let Some(consumer) = (unsafe { take(consumer) }) else { return };
        if let Ok(runtime) = runtime("shutdown") {
            runtime.block_on(consumer.consumer.shutdown());
        }
    });
}
