//! The one tokio runtime of a process, for the bindings. Rust programs bring their own.
//!
//! It starts with the first use. It remembers its process: in a child made by `fork`, where its threads do not exist,
//! every use is a [`ErrorKind::Forked`] error instead of a hang.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, ErrorKind, Result};

struct Shared {
    process: u32,
    runtime: Runtime,
}

static SHARED: OnceLock<Shared> = OnceLock::new();

/// The handle of the process's runtime (2 worker threads named `tminus-worker`), started if need be.
///
/// # Errors
/// `Forked` in a child process of the one that started it; `Internal` if the threads cannot be started.
pub fn handle(operation: &'static str) -> Result<&'static Handle> {
    let shared = match SHARED.get() {
        Some(shared) => shared,
        None => {
            let runtime = Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("tminus-worker")
                .enable_all()
                .build()
                .map_err(|e| {
                    Error::new(ErrorKind::Internal, operation, "cannot start the worker threads").with_source(e)
                })?;
            SHARED.get_or_init(|| Shared { process: std::process::id(), runtime })
        }
    };
    check_process(shared.process, operation)?;
    Ok(shared.runtime.handle())
}

/// `Forked` if `process` (remembered when an object was made) is not the current process.
pub fn check_process(process: u32, operation: &'static str) -> Result<()> {
    if process == std::process::id() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Forked,
        operation,
        format!("this object was made in process {process} and is used in its child {}; make a new one after the fork", std::process::id()),
    ))
}
