//! How a transaction ends, and the questions of servers about those that did not.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use tminus::{TransactionAnswer, TransactionResolution};

use crate::options::choose;
use crate::owned::Owned;
use crate::view::MessageView;

const RESOLUTIONS: [(&str, TransactionResolution); 3] = [
    ("unknown", TransactionResolution::Unknown),
    ("commit", TransactionResolution::Commit),
    ("rollback", TransactionResolution::Rollback),
];

/// A question about one transaction; one that is dropped unanswered is asked again later.
#[pyclass(frozen, module = "tminus._native")]
pub(crate) struct TransactionCheck {
    message: Py<MessageView>,
    answer: Mutex<Owned<TransactionAnswer>>,
}

impl TransactionCheck {
    pub(crate) fn new(py: Python<'_>, check: tminus::TransactionCheck) -> PyResult<Self> {
        let tminus::TransactionCheck { message, answer } = check;
        Ok(Self { message: Py::new(py, MessageView(message))?, answer: Mutex::new(Owned::new(answer)) })
    }
}

#[pymethods]
impl TransactionCheck {
    #[getter]
    fn message(&self, py: Python<'_>) -> Py<MessageView> {
        self.message.clone_ref(py)
    }

    /// Says how the transaction ends, once; returns at once, the answer travels in the background.
    fn resolve(&self, resolution: &Bound<'_, PyAny>) -> PyResult<()> {
        let resolution = transaction_resolution(resolution)?;
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take("resolve")?.resolve(resolution);
        Ok(())
    }
}

/// A `tminus.TransactionResolution`.
pub(crate) fn transaction_resolution(resolution: &Bound<'_, PyAny>) -> PyResult<TransactionResolution> {
    choose("resolution", &resolution.getattr("value")?.extract::<String>()?, &RESOLUTIONS)
}
