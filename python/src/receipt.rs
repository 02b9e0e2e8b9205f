//! What the server said about a stored message, and the queue it lies in.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// What the server said about a stored message.
#[pyclass(frozen, module = "tminus")]
pub(crate) struct SendReceipt(pub(crate) tminus::SendReceipt);

#[pymethods]
impl SendReceipt {
    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static STATUS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        STATUS.import(py, "tminus._types", "SendStatus")?.call1((self.0.status as i32,))
    }

    #[getter]
    fn message_id(&self) -> &str {
        &self.0.message_id
    }

    #[getter]
    fn offset_message_id(&self) -> &str {
        &self.0.offset_message_id
    }

    #[getter]
    fn queue(&self) -> MessageQueue {
        MessageQueue(self.0.queue.clone())
    }

    #[getter]
    fn queue_offset(&self) -> i64 {
        self.0.queue_offset
    }

    #[getter]
    fn transaction_id(&self) -> Option<&str> {
        self.0.transaction_id.as_deref()
    }

    #[getter]
    fn recall_handle(&self) -> Option<&str> {
        self.0.recall_handle.as_deref()
    }

    #[getter]
    fn region(&self) -> Option<&str> {
        self.0.region.as_deref()
    }

    #[getter]
    fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    fn __repr__(&self) -> String {
        let tminus::SendReceipt { message_id, queue, queue_offset, .. } = &self.0;
        format!(
            "SendReceipt(message_id={message_id:?}, topic={:?}, queue_id={}, queue_offset={queue_offset})",
            queue.topic, queue.id
        )
    }
}

/// One queue of a topic on one broker.
#[pyclass(frozen, eq, hash, ord, module = "tminus")]
#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MessageQueue(pub(crate) tminus::MessageQueue);

#[pymethods]
impl MessageQueue {
    #[getter]
    fn topic(&self) -> &str {
        &self.0.topic
    }

    #[getter]
    fn broker(&self) -> &str {
        &self.0.broker
    }

    #[getter]
    fn id(&self) -> i32 {
        self.0.id
    }

    fn __repr__(&self) -> String {
        let tminus::MessageQueue { topic, broker, id } = &self.0;
        format!("MessageQueue(topic={topic:?}, broker={broker:?}, id={id})")
    }
}
