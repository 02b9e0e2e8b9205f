//! A received message. It stays valid for as long as it is kept.

use std::time::SystemTime;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use tminus::clock::from_ms;

use crate::message::properties;

/// A received message.
#[pyclass(frozen, module = "tminus")]
pub(crate) struct MessageView(pub(crate) tminus::MessageView);

#[pymethods]
impl MessageView {
    #[getter]
    fn topic(&self) -> &str {
        &self.0.topic
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    #[getter]
    fn tag(&self) -> Option<&str> {
        self.0.tag()
    }

    #[getter]
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.keys().collect::<Vec<_>>())
    }

    #[getter]
    fn message_group(&self) -> Option<&str> {
        self.0.message_group()
    }

    #[getter]
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        properties(py, &self.0.properties)
    }

    fn get_property(&self, name: &str) -> Option<&str> {
        self.0.property(name)
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
    fn broker(&self) -> &str {
        &self.0.broker
    }

    #[getter]
    fn queue_id(&self) -> i32 {
        self.0.queue_id
    }

    #[getter]
    fn queue_offset(&self) -> i64 {
        self.0.queue_offset
    }

    #[getter]
    fn commit_log_offset(&self) -> i64 {
        self.0.commit_log_offset
    }

    #[getter]
    fn prepared_transaction_offset(&self) -> i64 {
        self.0.prepared_transaction_offset
    }

    #[getter]
    fn store_size(&self) -> i32 {
        self.0.store_size
    }

    #[getter]
    fn reconsume_times(&self) -> i32 {
        self.0.reconsume_times
    }

    #[getter]
    fn delivery_attempt(&self) -> i32 {
        self.0.delivery_attempt()
    }

    #[getter]
    fn deliver_at(&self) -> Option<SystemTime> {
        self.0.deliver_at()
    }

    #[getter]
    fn deliver_at_ms(&self) -> Option<i64> {
        self.0.deliver_at_ms()
    }

    #[getter]
    fn born_at(&self) -> SystemTime {
        from_ms(self.0.born_timestamp)
    }

    #[getter]
    fn born_at_ms(&self) -> i64 {
        self.0.born_timestamp
    }

    #[getter]
    fn stored_at(&self) -> SystemTime {
        from_ms(self.0.store_timestamp)
    }

    #[getter]
    fn stored_at_ms(&self) -> i64 {
        self.0.store_timestamp
    }

    fn __repr__(&self) -> String {
        let tminus::MessageView { topic, message_id, body, .. } = &self.0;
        format!("MessageView(topic={topic:?}, message_id={message_id:?}, body=<{} bytes>)", body.len())
    }
}
