//! What a loopback broker keeps: topics of a type, consumer groups, and messages at a stage of their life.

use std::time::Duration;

use tminus_core::broker::{GroupOptions, MessageStage, TopicType};
use tminus_core::{Error, ErrorKind, Result};

use crate::boundary::{Out, call};
use crate::broker::{tminus_broker_t, with};
use crate::data::{invalid, slice, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::settings::{Growing, duration, init, read};

/// Takes every type of message.
pub const TMINUS_TOPIC_MIXED: i32 = 0;
/// Takes messages that are none of the others.
pub const TMINUS_TOPIC_NORMAL: i32 = 1;
/// Takes messages with a message group.
pub const TMINUS_TOPIC_FIFO: i32 = 2;
/// Takes scheduled messages.
pub const TMINUS_TOPIC_DELAY: i32 = 3;
/// Takes half messages of transactions.
pub const TMINUS_TOPIC_TRANSACTION: i32 = 4;
/// Takes messages with a priority.
pub const TMINUS_TOPIC_PRIORITY: i32 = 5;

/// Its producer did not send it yet.
pub const TMINUS_STAGE_INITIALIZED: i32 = 0;
/// The broker keeps it until its delivery time.
pub const TMINUS_STAGE_TIMING: i32 = 1;
/// Consumers of the group can get it.
pub const TMINUS_STAGE_READY: i32 = 2;
/// A consumer of the group has it and did not settle it yet.
pub const TMINUS_STAGE_IN_FLIGHT: i32 = 3;
/// The group is done with it.
pub const TMINUS_STAGE_ACKNOWLEDGED: i32 = 4;
/// The broker has it no more.
pub const TMINUS_STAGE_DELETED: i32 = 5;

/// How a consumer group is served over gRPC. `tminus_group_options_init` fills in the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_group_options_t {
    pub struct_size: u32,
    /// 1: keep the order of each message group. Default 0.
    pub fifo: i32,
    /// Deliveries of a message before it becomes a dead letter, the first included. Default 17.
    pub max_attempts: i32,
    pub reserved: i32,
    /// Time until a message comes again after its first, second, … failed delivery; the last one repeats. None: the 18
    /// delay levels.
    pub backoff_ms: *const i64,
    pub backoff_count: usize,
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Growing for tminus_group_options_t {
    const NAME: &'static str = "tminus_group_options_t";
    const FIRST_SIZE: usize = size_of::<Self>();

    fn defaults() -> Result<Self> {
        let core = GroupOptions::default();
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            fifo: core.fifo.into(),
            max_attempts: core.max_attempts,
            reserved: 0,
            backoff_ms: std::ptr::null(),
            backoff_count: 0,
        })
    }
}

/// Fills group options of `size` bytes with the defaults.
///
/// # Safety
/// `options` is NULL or points to `size` writable bytes; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_group_options_init(
    options: *mut tminus_group_options_t,
    size: usize,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes NULL or `size` writable bytes.
    call(error, "options", || unsafe { init(options, size, "options") })
}

/// Creates a topic that takes messages of one type, `TMINUS_TOPIC_*`, or changes its number of queues and its type.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_create_topic_of(
    broker: *const tminus_broker_t,
    topic: tminus_str_t,
    queues: i32,
    topic_type: i32,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    with(broker, "create topic", error, |broker| {
        let kind = match topic_type {
            TMINUS_TOPIC_MIXED => TopicType::Mixed,
            TMINUS_TOPIC_NORMAL => TopicType::Normal,
            TMINUS_TOPIC_FIFO => TopicType::Fifo,
            TMINUS_TOPIC_DELAY => TopicType::Delay,
            TMINUS_TOPIC_TRANSACTION => TopicType::Transaction,
            TMINUS_TOPIC_PRIORITY => TopicType::Priority,
            other => {
                let text = format!("the type is {other}; use one of TMINUS_TOPIC_*");
                return Err(invalid("create topic", text));
            }
        };
        // SAFETY: the host passes readable text.
        broker.create_topic_of(unsafe { topic.read("topic", "create topic")? }, queues, kind)
    })
}

/// Creates a consumer group, or changes how it is served. `options` NULL: all defaults.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_create_group(
    broker: *const tminus_broker_t,
    group: tminus_str_t,
    options: *const tminus_group_options_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    with(broker, "create group", error, |broker| {
        // SAFETY: the host passes readable text and NULL or readable options.
        let (group, given, backoff) = unsafe {
            let given = read(options, "create group")?;
            let backoff = slice(given.backoff_ms, given.backoff_count, "backoff_ms", "create group")?;
            (group.read("group", "create group")?, given, backoff)
        };
        let mut options = GroupOptions {
            fifo: given.fifo != 0,
            max_attempts: given.max_attempts,
            ..GroupOptions::default()
        };
        if !backoff.is_empty() {
            options.backoff = backoff
                .iter()
                .map(|ms| duration(*ms, "backoff_ms", "create group"))
                .collect::<Result<Vec<Duration>>>()?;
        }
        broker.create_group(group, options)
    })
}

/// Where a message is in its life, as consumers of `group` see it: `TMINUS_STAGE_*`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `stage` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_broker_message_stage(
    broker: *const tminus_broker_t,
    topic: tminus_str_t,
    group: tminus_str_t,
    message_id: tminus_str_t,
    stage: *mut i32,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    with(broker, "message stage", error, |broker| {
        let out = Out::new(stage, "stage", "message stage")?;
        // SAFETY: the host passes readable texts.
        let (topic, group, message_id) = unsafe {
            (
                topic.read("topic", "message stage")?,
                group.read("group", "message stage")?,
                message_id.read("message_id", "message stage")?,
            )
        };
        out.set(match broker.message_stage(topic, group, message_id) {
            MessageStage::Initialized => TMINUS_STAGE_INITIALIZED,
            MessageStage::Timing => TMINUS_STAGE_TIMING,
            MessageStage::Ready => TMINUS_STAGE_READY,
            MessageStage::InFlight => TMINUS_STAGE_IN_FLIGHT,
            MessageStage::Acknowledged => TMINUS_STAGE_ACKNOWLEDGED,
            MessageStage::Deleted => TMINUS_STAGE_DELETED,
            other => {
                let text = format!("this library has no number for stage {other:?}");
                return Err(Error::new(ErrorKind::Internal, "message stage", text));
            }
        });
        Ok(())
    })
}
