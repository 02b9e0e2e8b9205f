//! What a simple consumer receives, and what acknowledges it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use pyo3::prelude::*;
use tminus::clock::from_ms;

use crate::view::MessageView;

/// What acknowledges a received message. Plain text: it may be kept, or handed to another consumer of the group.
#[pyclass(frozen, eq, hash, from_py_object, module = "tminus")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ReceiptHandle(pub(crate) tminus::ReceiptHandle);

#[pymethods]
impl ReceiptHandle {
    #[new]
    fn new(topic: String, broker: String, message_id: String, handle: String) -> Self {
        Self(tminus::ReceiptHandle { topic, broker, message_id, handle })
    }

    #[getter]
    fn topic(&self) -> &str {
        &self.0.topic
    }

    #[getter]
    fn broker(&self) -> &str {
        &self.0.broker
    }

    #[getter]
    fn message_id(&self) -> &str {
        &self.0.message_id
    }

    #[getter]
    fn handle(&self) -> &str {
        &self.0.handle
    }

    /// What `pickle` and `copy` make it anew with.
    fn __getnewargs__(&self) -> (&str, &str, &str, &str) {
        (self.topic(), self.broker(), self.message_id(), self.handle())
    }

    fn __repr__(&self) -> String {
        let tminus::ReceiptHandle { topic, broker, message_id, handle } = &self.0;
        format!(
            "ReceiptHandle(topic={topic:?}, broker={broker:?}, message_id={message_id:?}, handle={handle:?})"
        )
    }
}

/// A received message: hidden from the group until it is acknowledged or its invisible duration ends.
#[pyclass(frozen, module = "tminus")]
pub(crate) struct Received {
    message: Py<MessageView>,
    receipt: Current,
    #[pyo3(get)]
    corrupted: bool,
    #[pyo3(get)]
    invisible_until_ms: Option<i64>,
    #[pyo3(get)]
    first_delivered_at_ms: Option<i64>,
}

impl Received {
    pub(crate) fn new(py: Python<'_>, received: tminus::Received) -> PyResult<Self> {
        let tminus::Received { message, receipt, corrupted, invisible_until_ms, first_delivered_ms } =
            received;
        Ok(Self {
            message: Py::new(py, MessageView(message))?,
            receipt: Current::new(receipt),
            corrupted,
            invisible_until_ms,
            first_delivered_at_ms: first_delivered_ms,
        })
    }
}

#[pymethods]
impl Received {
    #[getter]
    fn message(&self, py: Python<'_>) -> Py<MessageView> {
        self.message.clone_ref(py)
    }

    #[getter]
    fn receipt(&self) -> ReceiptHandle {
        ReceiptHandle(self.receipt.get())
    }

    #[getter]
    fn invisible_until(&self) -> Option<SystemTime> {
        self.invisible_until_ms.map(from_ms)
    }

    #[getter]
    fn first_delivered_at(&self) -> Option<SystemTime> {
        self.first_delivered_at_ms.map(from_ms)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Received({})", self.message.bind(py).repr()?))
    }
}

/// The newest handle of a message: a change of the invisible duration replaces it.
#[derive(Clone)]
pub(crate) struct Current(Arc<Mutex<tminus::ReceiptHandle>>);

impl Current {
    fn new(receipt: tminus::ReceiptHandle) -> Self {
        Self(Arc::new(Mutex::new(receipt)))
    }

    fn lock(&self) -> MutexGuard<'_, tminus::ReceiptHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self) -> tminus::ReceiptHandle {
        self.lock().clone()
    }

    pub(crate) fn replace(&self, receipt: &tminus::ReceiptHandle) {
        self.lock().clone_from(receipt);
    }
}

/// A received message, or just its handle: either says what a call is about.
pub(crate) struct Receipt(pub(crate) Current);

impl<'py> FromPyObject<'_, 'py> for Receipt {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(match object.cast::<Received>() {
            Ok(received) => received.get().receipt.clone(),
            Err(_) => Current::new(object.extract::<ReceiptHandle>()?.0),
        }))
    }
}
