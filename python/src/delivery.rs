//! A delivered message that wants to be settled.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use tminus::{ConsumeResult, Settlement};

use crate::message::delay_level_number;
use crate::options::choose;
use crate::owned::Owned;
use crate::view::MessageView;

const RESULTS: [(&str, ConsumeResult); 3] = [
    ("success", ConsumeResult::Success),
    ("retry_later", ConsumeResult::RetryLater),
    ("dead_letter", ConsumeResult::DeadLetter),
];

/// A delivered message that wants to be settled; one that is dropped unsettled is delivered again later.
#[pyclass(frozen, module = "tminus")]
pub(crate) struct Delivery {
    message: Py<MessageView>,
    unsettled: Mutex<Owned<Settlement>>,
}

impl Delivery {
    pub(crate) fn new(py: Python<'_>, delivery: tminus::Delivery) -> PyResult<Self> {
        let tminus::Delivery { message, settlement } = delivery;
        Ok(Self {
            message: Py::new(py, MessageView(message))?,
            unsettled: Mutex::new(Owned::new(settlement)),
        })
    }

    fn unsettled(&self) -> MutexGuard<'_, Owned<Settlement>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Delivery {
    #[getter]
    fn message(&self, py: Python<'_>) -> Py<MessageView> {
        self.message.clone_ref(py)
    }

    /// Says what became of the message, once; returns at once, the answer travels in the background.
    fn settle(&self, result: &Bound<'_, PyAny>) -> PyResult<()> {
        let result = match result.getattr_opt("delay_level")? {
            Some(level) => ConsumeResult::RetryAfterLevel(delay_level_number(level.extract()?)?),
            None => choose("result", &result.getattr("value")?.extract::<String>()?, &RESULTS)?,
        };
        self.unsettled().take("settle")?.settle(result);
        Ok(())
    }

    /// The message; leaving the `with` block settles it: success, or retry later after an exception.
    fn __enter__(&self, py: Python<'_>) -> Py<MessageView> {
        self.message.clone_ref(py)
    }

    fn __exit__(
        &self,
        exception_type: Option<&Bound<'_, PyAny>>,
        _exception: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) {
        let result =
            if exception_type.is_none() { ConsumeResult::Success } else { ConsumeResult::RetryLater };
        // Settled inside the block already: that answer stands.
        if let Ok(settlement) = self.unsettled().take("settle") {
            settlement.settle(result);
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Delivery({})", self.message.bind(py).repr()?))
    }
}
