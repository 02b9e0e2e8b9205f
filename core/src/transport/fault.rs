//! Why a connection cannot be had or is gone: one cause, many callers to tell.

use crate::error::{Error, ErrorKind, Outcome};

/// A cause that every waiting call turns into its own [`Error`].
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// The error of one call in `operation`, with what is known about its request.
    pub(crate) fn error(&self, operation: &'static str, outcome: Outcome) -> Error {
        Error::new(self.kind, operation, self.text.clone()).with_outcome(outcome)
    }
}
