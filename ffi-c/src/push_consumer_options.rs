//! Settings of a push consumer.

use tminus_core::{ConsumeFrom, MessageModel, PushConsumerOptions, Result, clock};

use crate::boundary::call;
use crate::client::{self, tminus_client_options_t};
use crate::data::{invalid, slice, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::settings::{Growing, count, duration, init, ms, read};
use crate::subscription::tminus_subscription_t;

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
unsafe impl Growing for tminus_push_consumer_options_t {
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

/// Copies the settings of the host.
///
/// # Safety
/// All are NULL or readable options, and so is all they point to.
pub(crate) unsafe fn copy(
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
