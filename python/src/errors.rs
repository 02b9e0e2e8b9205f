//! `tminus.Error` and its subclasses, raised from the core's one error type.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use tminus::{Error, ErrorKind};

/// The exception that Python code sees for `error`; `tminus.errors` picks the class by the kind.
pub(crate) fn raise(error: Error) -> PyErr {
    Python::attach(|py| to_exception(py, &error).map_or_else(|failed| failed, PyErr::from_value))
}

/// The same as an object, for futures.
pub(crate) fn to_exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static FACTORY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        text = format!("{text}: {cause}");
    }
    FACTORY.import(py, "tminus.errors", "_from_native")?.call1((
        error.kind().name(),
        text,
        error.response_code(),
        error.outcome() as i32,
        error.is_retryable(),
        error.operation(),
        error.refusal().map(|refusal| {
            let tminus::Refusal { code, message, request_id, host_id } = refusal;
            (code, message, request_id, host_id)
        }),
    ))
}

/// Stable name and number of every kind.
pub(crate) fn kinds(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let kinds = PyDict::new(py);
    for kind in ErrorKind::ALL {
        kinds.set_item(kind.name(), *kind as i32)?;
    }
    Ok(kinds)
}
