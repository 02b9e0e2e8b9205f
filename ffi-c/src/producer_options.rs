//! Settings of a producer.

use std::mem::offset_of;

use tminus_core::message::{BeyondPolicy, DelayLimits, PastPolicy};
use tminus_core::{BodyEncoding, ProducerOptions, Result};

use crate::boundary::call;
use crate::client::{self, tminus_client_options_t};
use crate::data::{invalid, slice, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::settings::{Growing, count, duration, init, ms, read};

/// A body travels as it is; over ApsaraMQ HTTP one that XML cannot carry is refused.
pub const TMINUS_BODY_TEXT: i32 = 0;
/// Over ApsaraMQ HTTP a body that is no text travels in base64, marked by the property `__BODY_ENCODING`, by which
/// consumers of this library decode it over every protocol.
pub const TMINUS_BODY_BASE64: i32 = 1;

/// How a producer sends. `tminus_producer_options_init` fills in the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_producer_options_t {
    pub struct_size: u32,
    /// Further attempts, each on another broker if there is one. Default 2.
    pub retries: i32,
    /// Default "DEFAULT_PRODUCER".
    pub group: tminus_str_t,
    /// Deadline of a send when the call gives none; all attempts share it. Default 3000.
    pub send_timeout_ms: i64,
    /// Largest body. Default 4 MiB.
    pub max_body_bytes: i64,
    /// Bodies of at least this size are compressed; -1: never. Default 4096.
    pub compress_above_bytes: i64,
    /// Farthest delivery time from now. Default 365 days.
    pub delay_max_ahead_ms: i64,
    /// zlib level 1..=9. Default 5.
    pub compress_level: i32,
    /// 1: a delivery time already past is refused. Default 0: delivered at once.
    pub delay_refuse_past: i32,
    /// 1: a delivery time beyond the limit is sent all the same. Default 0: refused.
    pub delay_allow_beyond: i32,
    /// Queue count of a topic that the first send creates. Default 4.
    pub default_topic_queues: i32,
    /// Topics that are looked up at the start, so that it fails early. Over gRPC a producer of transactions is asked
    /// about those of its topics only. Default none.
    pub topics: *const tminus_str_t,
    pub topic_count: usize,
    /// 1: the host takes the servers' questions about transactions with `tminus_producer_receive_checks` or
    /// `_submit_receive_checks`. Default 0: servers are told that nothing is known.
    pub take_checks: i32,
    /// 1: over ApsaraMQ HTTP a send is repeated although the message may be stored, so that it may be stored twice.
    /// Default 0: such a send fails with `TMINUS_OUTCOME_MAYBE_SENT`.
    pub allow_duplicates: i32,
    /// How long after the half message the server first asks how a transaction ended, over ApsaraMQ HTTP: 10 s to 300 s.
    /// Default 10000.
    pub transaction_check_after_ms: i64,
    /// `TMINUS_BODY_*`. Default text.
    pub body_encoding: i32,
    pub reserved: i32,
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Growing for tminus_producer_options_t {
    const NAME: &'static str = "tminus_producer_options_t";
    const FIRST_SIZE: usize = offset_of!(Self, topics);

    fn defaults() -> Result<Self> {
        let core = ProducerOptions::new("localhost:9876")?;
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            retries: i32::try_from(core.retries).unwrap_or(i32::MAX),
            group: tminus_str_t::NONE,
            send_timeout_ms: ms(core.send_timeout),
            max_body_bytes: core.max_body_bytes as i64,
            compress_above_bytes: core.compress_above_bytes.map_or(-1, |bytes| bytes as i64),
            delay_max_ahead_ms: ms(core.delay_limits.max_ahead),
            compress_level: core.compress_level as i32,
            delay_refuse_past: i32::from(core.delay_limits.past == PastPolicy::Refuse),
            delay_allow_beyond: i32::from(core.delay_limits.beyond == BeyondPolicy::LetServerDecide),
            default_topic_queues: core.default_topic_queues,
            topics: std::ptr::null(),
            topic_count: 0,
            take_checks: 0,
            allow_duplicates: core.allow_duplicates.into(),
            transaction_check_after_ms: ms(core.transaction_check_after),
            body_encoding: TMINUS_BODY_TEXT,
            reserved: 0,
        })
    }
}

/// Copies the settings of the host; the second is whether it takes the questions about transactions.
///
/// # Safety
/// Both are NULL or readable options, and so is all they point to.
pub(crate) unsafe fn copy(
    client: *const tminus_client_options_t,
    given: *const tminus_producer_options_t,
) -> Result<(ProducerOptions, bool)> {
    // SAFETY: the caller's promise.
    let (given, mut options) = unsafe {
        let given = read(given, "start")?;
        let mut options = ProducerOptions::with_client(client::copy(client, "start")?);
        if let Some(group) = given.group.read_option("group", "start")? {
            options.group = group.to_owned();
        }
        for topic in slice(given.topics, given.topic_count, "topics", "start")? {
            options.topics.push(topic.read("topic", "start")?.to_owned());
        }
        (given, options)
    };
    options.retries = count(given.retries.into(), "retries", "start")?;
    options.send_timeout = duration(given.send_timeout_ms, "send_timeout_ms", "start")?;
    options.max_body_bytes = count(given.max_body_bytes, "max_body_bytes", "start")?;
    options.compress_above_bytes = usize::try_from(given.compress_above_bytes).ok();
    options.compress_level = count(given.compress_level.into(), "compress_level", "start")?;
    options.default_topic_queues = given.default_topic_queues;
    options.delay_limits = DelayLimits {
        max_ahead: duration(given.delay_max_ahead_ms, "delay_max_ahead_ms", "start")?,
        past: if given.delay_refuse_past != 0 { PastPolicy::Refuse } else { PastPolicy::DeliverNow },
        beyond: if given.delay_allow_beyond != 0 {
            BeyondPolicy::LetServerDecide
        } else {
            BeyondPolicy::Refuse
        },
    };
    options.allow_duplicates = given.allow_duplicates != 0;
    options.transaction_check_after =
        duration(given.transaction_check_after_ms, "transaction_check_after_ms", "start")?;
    options.body_encoding = match given.body_encoding {
        TMINUS_BODY_TEXT => BodyEncoding::Text,
        TMINUS_BODY_BASE64 => BodyEncoding::Base64,
        other => return Err(invalid("start", format!("body_encoding is {other}; use one of TMINUS_BODY_*"))),
    };
    Ok((options, given.take_checks != 0))
}

/// Fills producer options of `size` bytes with the defaults.
///
/// # Safety
/// `options` is NULL or points to `size` writable bytes; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_options_init(
    options: *mut tminus_producer_options_t,
    size: usize,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes NULL or `size` writable bytes.
    call(error, "options", || unsafe { init(options, size, "options") })
}
