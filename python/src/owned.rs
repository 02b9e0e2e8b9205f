//! Values that belong to the process that made them.

use pyo3::prelude::*;
use tminus::runtime::check_process;
use tminus::{Error, ErrorKind};

use crate::errors::raise;

/// A value that is of use only in the process that made it.
///
/// In a forked child it is out of reach, and dropping it there does nothing: its locks may be held for ever by
/// threads that exist in the parent alone.
pub(crate) struct Owned<T> {
    process: u32,
    value: Option<T>,
}

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { process: std::process::id(), value: Some(value) }
    }

    /// Whether this is a forked child of the process that made the value.
    pub(crate) fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// The value, or `Forked`.
    pub(crate) fn get(&self, operation: &'static str) -> PyResult<&T> {
        check_process(self.process, operation).map_err(raise)?;
        self.value.as_ref().ok_or_else(|| raise(closed(operation)))
    }

    /// Takes the value out, once; `Forked` in a child.
    pub(crate) fn take(&mut self, operation: &'static str) -> PyResult<T> {
        check_process(self.process, operation).map_err(raise)?;
        self.value.take().ok_or_else(|| raise(closed(operation)))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.is_forked() {
            std::mem::forget(self.value.take());
        }
    }
}

/// `Closed`, with the way out.
pub(crate) fn closed(operation: &'static str) -> Error {
    Error::new(ErrorKind::Closed, operation, "this object was closed; make a new one")
}
