//! Log records for Python's `logging`: queued here, carried over in batches by a Python thread.

use std::fmt::{Debug, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use async_channel::{Receiver, Sender, bounded};
use pyo3::prelude::*;
use tminus::runtime::PerProcess;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::runtime::enter;

/// Records kept while Python does not come for them; later ones are counted and dropped.
const CAPACITY: usize = 4096;

/// Level (as `logging` counts), module and text.
type Entry = (u8, String, String);

static QUEUE: PerProcess<(Sender<Entry>, Receiver<Entry>)> = PerProcess::new();
static THRESHOLD: AtomicU8 = AtomicU8::new(u8::MAX);
static DROPPED: AtomicU64 = AtomicU64::new(0);

fn queue() -> &'static (Sender<Entry>, Receiver<Entry>) {
    QUEUE.get_or_init(|| bounded(CAPACITY))
}

fn python_level(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

/// Takes the core's events; there are no spans in it.
struct Forwarder;

impl Subscriber for Forwarder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Asked once a callsite; the level is asked every time, because it can change.
        if metadata.target().starts_with("tminus") { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        python_level(metadata.level()) >= THRESHOLD.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let entry =
            (python_level(metadata.level()), metadata.target().to_owned(), text.message + &text.fields);
        if queue().0.try_send(entry).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Sets the lowest level worth queueing, and takes the core's events from now on.
#[pyfunction]
pub(crate) fn set_log_level(level: u8) {
    static INSTALL: Once = Once::new();
    THRESHOLD.store(level, Ordering::Relaxed);
    // In a process where somebody else listens already, the records are theirs.
    INSTALL.call_once(|| drop(tracing::subscriber::set_global_default(Forwarder)));
}

/// Waits for log records and takes all there are; none when `close_logs` was called.
#[pyfunction]
pub(crate) fn next_logs(py: Python<'_>) -> PyResult<Vec<Entry>> {
    enter(py, "log", async {
        let mut batch = Vec::new();
        let records = &queue().1;
        if let Ok(first) = records.recv().await {
            batch.push(first);
            while let Ok(next) = records.try_recv() {
                batch.push(next);
            }
        }
        let dropped = DROPPED.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = format!("{dropped} log records were dropped: they came faster than Python took them");
            batch.push((python_level(&Level::WARN), "tminus".to_owned(), text));
        }
        Ok(batch)
    })
}

/// Ends `next_logs`.
#[pyfunction]
pub(crate) fn close_logs() {
    queue().0.close();
}
