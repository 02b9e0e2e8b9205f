//! What the library has to say, for the host's own log: nothing is written anywhere else.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use tminus_core::runtime::PerProcess;
use tminus_core::{Error, ErrorKind, Result};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::boundary::{Out, call, lock, quietly, wait_ms};
use crate::data::{invalid, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};

/// No log.
pub const TMINUS_LOG_OFF: i32 = 0;
/// Something failed for good.
pub const TMINUS_LOG_ERROR: i32 = 1;
/// Something a person should look at.
pub const TMINUS_LOG_WARN: i32 = 2;
/// Milestones of a client's life.
pub const TMINUS_LOG_INFO: i32 = 3;
/// For finding mistakes.
pub const TMINUS_LOG_DEBUG: i32 = 4;
/// Everything.
pub const TMINUS_LOG_TRACE: i32 = 5;

/// Records kept until the host drains them; later ones are counted and dropped.
const CAPACITY: usize = 4096;

/// One event.
#[repr(C)]
pub struct tminus_log_record_t {
    /// `TMINUS_LOG_ERROR` to `TMINUS_LOG_TRACE`.
    pub level: i32,
    pub reserved: i32,
    /// The part of the library it comes from.
    pub target: tminus_str_t,
    /// The text, with the event's fields as ` name=value`.
    pub message: tminus_str_t,
}

/// Drained events. Made by the library, freed by `tminus_log_free`.
#[repr(C)]
pub struct tminus_log_t {
    /// `size` records, oldest first.
    pub records: *const tminus_log_record_t,
    pub size: usize,
    /// Events lost since the last drain, because nobody drained them in time.
    pub dropped: u64,
}

/// The records and the texts they lend; the host sees a pointer to the first field.
#[repr(C)]
struct Owned {
    view: tminus_log_t,
    lent: Vec<tminus_log_record_t>,
    entries: Vec<Entry>,
}

struct Entry {
    level: i32,
    target: &'static str,
    message: String,
}

/// The process's log: a `tracing` subscriber that keeps events for the host.
#[derive(Default)]
struct Log {
    level: AtomicU8,
    kept: Mutex<Kept>,
    ready: Condvar,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<Entry>,
    dropped: u64,
    waiting: usize,
}

static LOG: PerProcess<Log> = PerProcess::new();

fn log() -> &'static Log {
    LOG.get_or_init(Log::default)
}

fn number(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// Forwards to [`log`]; spans are not kept.
struct Forward;

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && number(metadata.level()) <= log().level.load(Ordering::Relaxed)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match log().level.load(Ordering::Relaxed) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let message = text.message + &text.fields;
        log().keep(Entry { level: number(metadata.level()).into(), target: metadata.target(), message });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

impl Log {
    fn keep(&self, entry: Entry) {
        let mut kept = lock(&self.kept);
        if kept.entries.len() == CAPACITY {
            kept.dropped += 1;
            return;
        }
        kept.entries.push_back(entry);
        if kept.waiting > 0 {
            self.ready.notify_one();
        }
    }

    fn is_off(&self) -> bool {
        self.level.load(Ordering::Relaxed) == 0
    }

    fn drain(&self, max: usize, timeout_ms: i64) -> Result<(Vec<Entry>, u64)> {
        let mut kept = lock(&self.kept);
        let nothing = |kept: &mut Kept| kept.entries.is_empty() && !self.is_off();
        if nothing(&mut kept) && timeout_ms != 0 {
            kept.waiting += 1;
            kept = match wait_ms(timeout_ms) {
                None => self.ready.wait_while(kept, nothing).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => {
                    self.ready
                        .wait_timeout_while(kept, limit, nothing)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            kept.waiting -= 1;
        }
        if kept.entries.is_empty() && self.is_off() {
            return Err(off());
        }
        let count = kept.entries.len().min(max);
        Ok((kept.entries.drain(..count).collect(), std::mem::take(&mut kept.dropped)))
    }
}

fn off() -> Error {
    Error::new(ErrorKind::Closed, "log", "the log is off; set a level with tminus_log_set_level first")
}

/// Starts to keep events up to `level` (`TMINUS_LOG_*`) for `tminus_log_drain`, or changes the level. With
/// `TMINUS_LOG_OFF` (the state at the start), waiting drains end with `TMINUS_CLOSED`. One log per process.
///
/// # Safety
/// `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_log_set_level(
    level: i32,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "log", || {
        let level = u8::try_from(level)
            .ok()
            .filter(|level| i32::from(*level) <= TMINUS_LOG_TRACE)
            .ok_or_else(|| invalid("log", format!("the level is {level}; use one of TMINUS_LOG_*")))?;
        let log = log();
        log.level.store(level, Ordering::Relaxed);
        // Set once; a program written in Rust may have its own subscriber, whose choice stands.
        let _ = tracing::subscriber::set_global_default(Forward);
        tracing::callsite::rebuild_interest_cache();
        let _kept = lock(&log.kept);
        log.ready.notify_all();
        Ok(())
    })
}

/// Takes up to `max` events, waiting for the first as `tminus_queue_wait` does; none in time is `TMINUS_OK` with
/// `*out` NULL. `TMINUS_CLOSED`: the log is off. Free them with `tminus_log_free`.
///
/// # Safety
/// `out` and `error` are NULL or places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_log_drain(
    max: usize,
    timeout_ms: i64,
    out: *mut *mut tminus_log_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "log", || {
        let out = Out::new(out, "out", "log")?;
        let (entries, dropped) = log().drain(max, timeout_ms)?;
        if entries.is_empty() && dropped == 0 {
            out.set(std::ptr::null_mut());
            return Ok(());
        }
        let lend = |entry: &Entry| tminus_log_record_t {
            level: entry.level,
            reserved: 0,
            target: tminus_str_t::lend(entry.target),
            message: tminus_str_t::lend(&entry.message),
        };
        let lent: Vec<_> = entries.iter().map(lend).collect();
        let view = tminus_log_t { records: lent.as_ptr(), size: lent.len(), dropped };
        out.set(Box::into_raw(Box::new(Owned { view, lent, entries })).cast());
        Ok(())
    })
}

/// Frees drained events. NULL is allowed.
///
/// # Safety
/// `log` is NULL or came from `tminus_log_drain` and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_log_free(log: *mut tminus_log_t) {
    if !log.is_null() {
        // SAFETY: every such list is an `Owned` from `tminus_log_drain`.
        quietly((), || drop(unsafe { Box::from_raw(log.cast::<Owned>()) }));
    }
}
