//! A message to send.

use std::time::{Duration, SystemTime};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};

/// One key or several.
#[derive(FromPyObject)]
pub(crate) enum Keys {
    One(String),
    Several(Vec<String>),
}

/// A message to send: topic, body, and what travels beside it.
#[pyclass(frozen, module = "tminus")]
pub(crate) struct Message(pub(crate) tminus::Message);

#[pymethods]
impl Message {
    #[new]
    #[pyo3(signature = (
        topic, body, *, tag=None, keys=None, properties=None, message_group=None, priority=None, deliver_at=None,
        deliver_after=None, delay_level=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        topic: String,
        body: PyBackedBytes,
        tag: Option<String>,
        keys: Option<Keys>,
        properties: Option<Bound<'_, PyDict>>,
        message_group: Option<String>,
        priority: Option<i64>,
        deliver_at: Option<Bound<'_, PyAny>>,
        deliver_after: Option<Duration>,
        delay_level: Option<i64>,
    ) -> PyResult<Self> {
        let mut message = tminus::Message::new(topic, body.to_vec());
        for (name, value) in properties.iter().flat_map(|properties| properties.iter()) {
            message = message.property(name.extract::<String>()?, value.extract::<String>()?);
        }
        message = match keys {
            None => message,
            Some(Keys::One(key)) => message.keys([key]),
            Some(Keys::Several(keys)) => message.keys(keys),
        };
        if let Some(tag) = tag {
            message = message.tag(tag);
        }
        if let Some(group) = message_group {
            message = message.message_group(group);
        }
        if let Some(priority) = priority {
            message = message.priority(priority_number(priority)?);
        }
        Ok(Self(match (deliver_at, deliver_after, delay_level) {
            (None, None, None) => message,
            (Some(at), None, None) => message.deliver_at(aware(&at)?),
            (None, Some(after), None) => message.deliver_after(after),
            (None, None, Some(level)) => message.delay_level(delay_level_number(level)?),
            _ => {
                let text = "deliver_at, deliver_after and delay_level say the same thing; give one of them";
                return Err(PyValueError::new_err(text));
            }
        }))
    }

    #[getter]
    fn topic(&self) -> &str {
        self.0.topic()
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.body())
    }

    #[getter]
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        properties(py, self.0.properties())
    }

    fn __repr__(&self) -> String {
        format!("Message(topic={:?}, body=<{} bytes>)", self.0.topic(), self.0.body().len())
    }
}

pub(crate) fn properties<'py>(
    py: Python<'py>,
    properties: &tminus::message::Properties,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in properties.iter() {
        dict.set_item(name, value)?;
    }
    Ok(dict)
}

/// The instant of an aware `datetime`; a naive one could mean any of 24 hours.
pub(crate) fn aware(time: &Bound<'_, PyAny>) -> PyResult<SystemTime> {
    if time.call_method0("utcoffset")?.is_none() {
        return Err(PyValueError::new_err(format!(
            "{time} has no time zone; use for example datetime.now(timezone.utc) + timedelta(...)"
        )));
    }
    time.extract()
}

pub(crate) fn delay_level_number(level: i64) -> PyResult<u8> {
    u8::try_from(level)
        .map_err(|_| PyValueError::new_err(format!("delay level {level} is not one of 1 to 18")))
}

fn priority_number(priority: i64) -> PyResult<u32> {
    u32::try_from(priority)
        .map_err(|_| PyValueError::new_err(format!("priority {priority} is not 0 or more")))
}
