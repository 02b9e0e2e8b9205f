//! The one tokio runtime of a process, for the bindings. Rust programs bring their own.
//!
//! It starts with the first use. After a `fork` its threads do not exist in the child, so the child gets a runtime of its
//! own with its first use, and what was made before the fork is refused with [`ErrorKind::Forked`] instead of hanging.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, ErrorKind, Result};

static RUNTIME: PerProcess<std::io::Result<Runtime>> = PerProcess::new();

/// The handle of the process's runtime (2 worker threads named `tminus-worker`), started if need be.
///
/// # Errors
/// `Internal` if the threads cannot be started.
pub fn handle(operation: &'static str) -> Result<&'static Handle> {
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).thread_name("tminus-worker").enable_all().build()
    });
    match runtime {
        Ok(runtime) => Ok(runtime.handle()),
        Err(e) => {
            Err(Error::new(ErrorKind::Internal, operation, format!("cannot start the worker threads: {e}")))
        }
    }
}

/// `Forked` if `process` (remembered when an object was made) is not the current process.
pub fn check_process(process: u32, operation: &'static str) -> Result<()> {
    if process == std::process::id() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Forked,
        operation,
        format!(
            "this object was made in process {process} and is used in its child {}; make a new one after the fork",
            std::process::id()
        ),
    ))
}

/// A static value that each process of a chain of forks makes for itself, with its first use.
///
/// The value of the parent stays untouched in the child: its locks may be held by threads that were not copied.
#[derive(Debug)]
pub struct PerProcess<T> {
    own: OnceLock<(u32, T)>,
    child: OnceLock<Box<PerProcess<T>>>,
}

impl<T> PerProcess<T> {
    /// No value yet.
    pub const fn new() -> Self {
        Self { own: OnceLock::new(), child: OnceLock::new() }
    }

    /// The value of this process, made by `init` if there is none.
    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let process = std::process::id();
        let mut slot = self;
        while slot.own.get().is_some_and(|(owner, _)| *owner != process) {
            slot = slot.child.get_or_init(Box::default);
        }
        &slot.own.get_or_init(|| (process, init())).1
    }
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}
