//! What an HTTP client consumes.

use tminus_core::{ConsumeMode, HttpConsume, Result};

use crate::data::{invalid, tminus_str_t};
use crate::driver::Kind;
use crate::settings::{Growing, count, duration, read};

/// Any messages.
pub const TMINUS_HTTP_CONSUME_CONCURRENT: i32 = 0;
/// In order: the next messages of a sharding key come when all that were delivered of it are acknowledged.
pub const TMINUS_HTTP_CONSUME_ORDERLY: i32 = 1;
/// Half messages whose transactions are open.
pub const TMINUS_HTTP_CONSUME_HALF: i32 = 2;

/// What to consume. Start with `TMINUS_HTTP_CONSUME_INIT`; `topic` and `group` are required.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_http_consume_t {
    pub struct_size: u32,
    /// `TMINUS_HTTP_CONSUME_*`. Default concurrent.
    pub mode: i32,
    pub topic: tminus_str_t,
    /// Consumer group; for half messages that of the producer.
    pub group: tminus_str_t,
    /// Tags separated by `||`; none or `*`: all.
    pub tag: tminus_str_t,
    /// Messages, 1..=16. Default 16.
    pub max: i32,
    pub reserved: i32,
    /// How long the server waits for the first one: whole seconds, at most 30000. Default 0.
    pub wait_ms: i64,
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Growing for tminus_http_consume_t {
    const NAME: &'static str = "tminus_http_consume_t";
    const FIRST_SIZE: usize = size_of::<Self>();

    fn defaults() -> Result<Self> {
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            mode: TMINUS_HTTP_CONSUME_CONCURRENT,
            topic: tminus_str_t::NONE,
            group: tminus_str_t::NONE,
            tag: tminus_str_t::NONE,
            max: 16,
            reserved: 0,
            wait_ms: 0,
        })
    }
}

/// Copies what the host wants.
///
/// # Safety
/// `given` is NULL or readable, and so are its texts.
pub(crate) unsafe fn copy(given: *const tminus_http_consume_t) -> Result<HttpConsume> {
    let operation = Kind::Receive.operation();
    if given.is_null() {
        return Err(invalid(operation, "what to consume is NULL"));
    }
    // SAFETY: the caller's promise.
    unsafe {
        let given = read(given, operation)?;
        let wait = duration(given.wait_ms, "wait_ms", operation)?;
        Ok(HttpConsume {
            topic: given.topic.read("topic", operation)?.to_owned(),
            group: given.group.read("group", operation)?.to_owned(),
            tag: given.tag.read("tag", operation)?.to_owned(),
            mode: match given.mode {
                TMINUS_HTTP_CONSUME_CONCURRENT => ConsumeMode::Concurrent,
                TMINUS_HTTP_CONSUME_ORDERLY => ConsumeMode::Orderly,
                TMINUS_HTTP_CONSUME_HALF => ConsumeMode::Half,
                other => {
                    let text = format!("mode is {other}; use one of TMINUS_HTTP_CONSUME_*");
                    return Err(invalid(operation, text));
                }
            },
            max: count(given.max.into(), "max", operation)?,
            wait,
        })
    }
}
