//! What calls answer, on its way from the core to Python.

use pyo3::prelude::*;
use tminus::Result;

use crate::delivery::Delivery;
use crate::errors::to_exception;
use crate::http_client::Consumed;
use crate::receipt::{MessageQueue, SendReceipt};
use crate::received::{ReceiptHandle, Received};
use crate::transaction::TransactionCheck;

/// An answer of the core, made on any thread; it becomes a Python object where the interpreter lock is held.
pub(crate) trait Reply: Send {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>>;
}

impl Reply for () {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(py.None().into_bound(py))
    }
}

impl Reply for String {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok((*self).into_pyobject(py)?.into_any())
    }
}

impl Reply for tminus::SendReceipt {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Bound::new(py, SendReceipt(*self)).map(Bound::into_any)
    }
}

impl Reply for tminus::ReceiptHandle {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Bound::new(py, ReceiptHandle(*self)).map(Bound::into_any)
    }
}

impl Reply for Vec<tminus::MessageQueue> {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        self.into_iter().map(MessageQueue).collect::<Vec<_>>().into_pyobject(py)
    }
}

impl Reply for Vec<tminus::Delivery> {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        list(py, *self, Delivery::new)
    }
}

impl Reply for Vec<tminus::Received> {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        list(py, *self, Received::new)
    }
}

impl Reply for tminus::Consumed {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Bound::new(py, Consumed::new(py, *self)?).map(Bound::into_any)
    }
}

impl Reply for Vec<tminus::TransactionCheck> {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        list(py, *self, TransactionCheck::new)
    }
}

/// For each its error, or `None`.
impl Reply for Vec<Result<()>> {
    fn into_python(self: Box<Self>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let errors =
            self.into_iter().map(|result| result.err().map(|error| to_exception(py, &error)).transpose());
        errors.collect::<PyResult<Vec<_>>>()?.into_pyobject(py)
    }
}

fn list<'py, T, P>(
    py: Python<'py>,
    items: Vec<T>,
    convert: impl Fn(Python<'py>, T) -> PyResult<P>,
) -> PyResult<Bound<'py, PyAny>>
where
    Vec<P>: IntoPyObject<'py, Target = PyAny, Output = Bound<'py, PyAny>, Error = PyErr>,
{
    items.into_iter().map(|item| convert(py, item)).collect::<PyResult<Vec<_>>>()?.into_pyobject(py)
}
