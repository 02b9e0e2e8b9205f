//! The push consumer.

use std::time::Duration;

use tminus_core::{
    ConsumeFrom, Deliveries, Delivery, Error, ErrorKind, FilterExpression, MessageModel, Outcome,
    PushConsumer, PushConsumerOptions, Result, clock,
};

use crate::batch::{self, tminus_batch_t};
use crate::boundary::{Handle, Out, block_on, borrow, call, quietly, take, wait_ms};
use crate::cancel::tminus_cancel_t;
use crate::client::{self, tminus_client_options_t};
use crate::data::{invalid, slice, tminus_str_t};
use crate::driver::{Kind, Payload};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::message_queue::{self, tminus_message_queues_t};
use crate::queue::{tminus_op_t, tminus_queue_t};
use crate::settings::{Sized32, count, duration, init, ms, read};

/// Tags separated by `||`; `*` (or none) is all.
pub const TMINUS_FILTER_TAG: i32 = 0;
/// An SQL92 expression over properties.
pub const TMINUS_FILTER_SQL92: i32 = 1;

/// One consumer of the group gets a message.
pub const TMINUS_MODEL_CLUSTERING: i32 = 0;
/// Every consumer of the group gets a message.
pub const TMINUS_MODEL_BROADCASTING: i32 = 1;

/// A group without stored offsets starts after what is there.
pub const TMINUS_CONSUME_FROM_LAST: i32 = 0;
/// A group without stored offsets starts at the oldest message.
pub const TMINUS_CONSUME_FROM_FIRST: i32 = 1;
/// A group without stored offsets starts at the first message stored at `consume_from_ms` or later.
pub const TMINUS_CONSUME_FROM_TIMESTAMP: i32 = 2;

/// Which messages of a topic are wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_subscription_t {
    pub topic: tminus_str_t,
    pub expression: tminus_str_t,
    /// `TMINUS_FILTER_*`: how to read `expression`.
    pub filter: i32,
    pub reserved: i32,
}

/// How a push consumer consumes. `tminus_push_consumer_options_init` fills in the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_push_consumer_options_t {
    pub struct_size: u32,
    /// `TMINUS_MODEL_*`. Default clustering.
    pub model: i32,
    /// Consumer group. Required.
    pub group: tminus_str_t,
    /// `TMINUS_CONSUME_FROM_*`. Default last.
    pub consume_from: i32,
    /// 1: keep the order within a queue. Default 0.
    pub orderly: i32,
    /// For `TMINUS_CONSUME_FROM_TIMESTAMP`, Unix ms.
    pub consume_from_ms: i64,
    /// Messages handled at the same time. Default 20.
    pub concurrency: i32,
    /// Retries before a message becomes a dead letter. Default 16.
    pub max_reconsume_times: i32,
    /// A message not settled for this long is given back. Default 15 min.
    pub consume_timeout_ms: i64,
    /// Messages of one pull. Default 32.
    pub pull_batch: i32,
    /// Unsettled messages kept per queue. Default 1024.
    pub cached_messages_per_queue: i32,
    /// Bytes of unsettled bodies kept per queue. Default 64 MiB.
    pub cached_bytes_per_queue: i64,
    /// How long the broker may hold a pull without messages. Default 15000.
    pub long_poll_ms: i64,
    /// How often offsets are stored at the broker. Default 5000.
    pub offset_commit_interval_ms: i64,
    /// How often queues are shared out anew without notice. Default 20000.
    pub rebalance_interval_ms: i64,
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Sized32 for tminus_push_consumer_options_t {
    const NAME: &'static str = "tminus_push_consumer_options_t";
    const FIRST_SIZE: usize = size_of::<Self>();

    fn defaults() -> Result<Self> {
        let core = PushConsumerOptions::new("localhost:9876", "")?;
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            model: TMINUS_MODEL_CLUSTERING,
            group: tminus_str_t::NONE,
            consume_from: TMINUS_CONSUME_FROM_LAST,
            orderly: core.orderly.into(),
            consume_from_ms: 0,
            concurrency: i32::try_from(core.concurrency).unwrap_or(i32::MAX),
            max_reconsume_times: core.max_reconsume_times,
            consume_timeout_ms: ms(core.consume_timeout),
            pull_batch: core.pull_batch,
            cached_messages_per_queue: i32::try_from(core.cached_messages_per_queue).unwrap_or(i32::MAX),
            cached_bytes_per_queue: core.cached_bytes_per_queue as i64,
            long_poll_ms: ms(core.long_poll),
            offset_commit_interval_ms: ms(core.offset_commit_interval),
            rebalance_interval_ms: ms(core.rebalance_interval),
        })
    }
}

impl tminus_subscription_t {
    /// Copies the input.
    ///
    /// # Safety
    /// The texts are readable.
    unsafe fn copy(&self, operation: &'static str) -> Result<(String, FilterExpression)> {
        // SAFETY: the caller's promise is the same.
        let (topic, expression) = unsafe {
            (
                self.topic.read("subscription topic", operation)?,
                self.expression.read_option("expression", operation)?,
            )
        };
        let filter = match (self.filter, expression) {
            (TMINUS_FILTER_TAG, None) => FilterExpression::all(),
            (TMINUS_FILTER_TAG, Some(tags)) => FilterExpression::Tag(tags.to_owned()),
            (TMINUS_FILTER_SQL92, Some(sql)) => FilterExpression::Sql92(sql.to_owned()),
            (TMINUS_FILTER_SQL92, None) => return Err(invalid(operation, "the SQL92 expression is empty")),
            (other, _) => {
                return Err(invalid(operation, format!("filter is {other}; use one of TMINUS_FILTER_*")));
            }
        };
        Ok((topic.to_owned(), filter))
    }
}

/// Consumes topics as a member of a group. Any thread may use it.
pub struct tminus_push_consumer_t {
    process: u32,
    consumer: PushConsumer,
    deliveries: Deliveries,
}

impl Handle for tminus_push_consumer_t {
    const NOUN: &'static str = "push consumer";

    fn process(&self) -> u32 {
        self.process
    }
}

/// # Safety
/// All are NULL or readable options, and so is all they point to.
unsafe fn options(
    client: *const tminus_client_options_t,
    given: *const tminus_push_consumer_options_t,
    subscriptions: *const tminus_subscription_t,
    subscription_count: usize,
) -> Result<PushConsumerOptions> {
    let operation = "start";
    // SAFETY: the caller's promise.
    let (given, mut options) = unsafe {
        let given = read(given, operation)?;
        let group = given.group.read("group", operation)?;
        let mut options = PushConsumerOptions::with_client(client::copy(client, operation)?, group);
        for subscription in slice(subscriptions, subscription_count, "subscriptions", operation)? {
            options.subscriptions.push(subscription.copy(operation)?);
        }
        (given, options)
    };
    options.model = match given.model {
        TMINUS_MODEL_CLUSTERING => MessageModel::Clustering,
        TMINUS_MODEL_BROADCASTING => MessageModel::Broadcasting,
        other => return Err(invalid(operation, format!("model is {other}; use one of TMINUS_MODEL_*"))),
    };
    options.consume_from = match given.consume_from {
        TMINUS_CONSUME_FROM_LAST => ConsumeFrom::LastOffset,
        TMINUS_CONSUME_FROM_FIRST => ConsumeFrom::FirstOffset,
        TMINUS_CONSUME_FROM_TIMESTAMP => ConsumeFrom::Timestamp(clock::from_ms(given.consume_from_ms)),
        other => {
            return Err(invalid(
                operation,
                format!("consume_from is {other}; use one of TMINUS_CONSUME_FROM_*"),
            ));
        }
    };
    options.orderly = given.orderly != 0;
    options.concurrency = count(given.concurrency.into(), "concurrency", operation)?;
    options.max_reconsume_times = given.max_reconsume_times;
    options.consume_timeout = duration(given.consume_timeout_ms, "consume_timeout_ms", operation)?;
    options.pull_batch = given.pull_batch;
    options.cached_messages_per_queue =
        count(given.cached_messages_per_queue.into(), "cached_messages_per_queue", operation)?;
    options.cached_bytes_per_queue =
        count(given.cached_bytes_per_queue, "cached_bytes_per_queue", operation)?;
    options.long_poll = duration(given.long_poll_ms, "long_poll_ms", operation)?;
    options.offset_commit_interval =
        duration(given.offset_commit_interval_ms, "offset_commit_interval_ms", operation)?;
    options.rebalance_interval = duration(given.rebalance_interval_ms, "rebalance_interval_ms", operation)?;
    Ok(options)
}

/// Fills push consumer options of `size` bytes with the defaults.
///
/// # Safety
/// `options` is NULL or points to `size` writable bytes; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_push_consumer_options_init(
    options: *mut tminus_push_consumer_options_t,
    size: usize,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes NULL or `size` writable bytes.
    call(error, "options", || unsafe { init(options, size, "options") })
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
        let (consumer, deliveries) = unsafe {
            let options = self::options(client, options, subscriptions, subscription_count)?;
            block_on(cancel, "start", Outcome::NotSent, PushConsumer::start_stream(options))?
        };
        out.give(tminus_push_consumer_t { process: std::process::id(), consumer, deliveries });
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
            let subscription =
                subscription.as_ref().ok_or_else(|| invalid("subscribe", "the subscription is NULL"))?;
            let (topic, filter) = subscription.copy("subscribe")?;
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
        out.set(received.map_or(std::ptr::null_mut(), batch::give));
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
        let id =
            queue.submit(Kind::Receive, user_data, Box::pin(async { next.await.map(Payload::Received) }))?;
        if !op.is_null() {
            // SAFETY: the host passes NULL or a place for one value.
            unsafe { op.write(id) };
        }
        Ok(())
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
        if let Ok(runtime) = tminus_core::runtime::handle("shutdown") {
            runtime.block_on(consumer.consumer.shutdown());
        }
    });
}
