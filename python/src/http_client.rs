//! The calls of ApsaraMQ HTTP, each written once, as the producer's are.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyList;
use tminus::{ConsumeMode, HttpConsume, Result};

use crate::aio::Completions;
use crate::broker::SharedClock;
use crate::client::{Client, Connect};
use crate::errors::raise;
use crate::message::Message;
use crate::options::{Connection, Credentials, Tls, choose};
use crate::received::Received;
use crate::runtime::run;
use crate::transaction::transaction_resolution;

type Via<'py> = Option<Bound<'py, Completions>>;

const MODES: [(&str, ConsumeMode); 3] =
    [("concurrent", ConsumeMode::Concurrent), ("orderly", ConsumeMode::Orderly), ("half", ConsumeMode::Half)];

/// It is made with its Python object, so that wrong options are reported there; it connects by itself.
impl Connect for tminus::HttpClient {
    type Options = Self;

    async fn connect(client: Self) -> Result<Self> {
        Ok(client)
    }

    async fn shutdown(&self) {
        tminus::HttpClient::shutdown(self).await;
    }
}

/// What `tminus.HttpClient` and `tminus.aio.AsyncHttpClient` are made of.
#[pyclass(frozen, subclass, module = "tminus._native")]
pub(crate) struct HttpClient(Client<tminus::HttpClient>);

#[pymethods]
impl HttpClient {
    #[new]
    #[pyo3(signature = (
        endpoint, *, credentials=None, tls=None, namespace=None, http_proxy=None, connect_timeout=None,
        request_timeout=None, clock=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        endpoint: &str,
        credentials: Option<Credentials>,
        tls: Option<Tls>,
        namespace: Option<String>,
        http_proxy: Option<String>,
        connect_timeout: Option<Duration>,
        request_timeout: Option<Duration>,
        clock: Option<&Bound<'_, SharedClock>>,
    ) -> PyResult<Self> {
        let connection = Connection { credentials, tls, namespace, http_proxy, ..Connection::default() };
        let mut options = connection.to(endpoint)?;
        options.connect_timeout = connect_timeout.unwrap_or(options.connect_timeout);
        options.request_timeout = request_timeout.unwrap_or(options.request_timeout);
        if let Some(clock) = clock {
            options.clock = clock.get().0.clone();
        }
        let credentials = options.credentials.clone();
        Ok(Self(Client::new(tminus::HttpClient::new(options).map_err(raise)?, credentials)))
    }

    #[pyo3(signature = (message, timeout=None, via=None))]
    fn _publish<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'py, Message>,
        timeout: Option<Duration>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (shared, message) = (self.0.share("send")?, message.get().0.clone());
        run(py, via.as_ref().map(Bound::get), "send", async move {
            shared.client("send").await?.publish(message, timeout).await
        })
    }

    #[pyo3(signature = (topic, group, max, tag, mode, wait, via=None))]
    #[expect(clippy::too_many_arguments, reason = "what the request carries")]
    fn _consume<'py>(
        &self,
        py: Python<'py>,
        topic: String,
        group: String,
        max: usize,
        tag: String,
        mode: &str,
        wait: Duration,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.0.share("receive")?;
        let wanted = HttpConsume { topic, group, tag, mode: choose("mode", mode, &MODES)?, max, wait };
        run(py, via.as_ref().map(Bound::get), "receive", async move {
            shared.client("receive").await?.consume(&wanted).await
        })
    }

    #[pyo3(signature = (topic, group, handles, via=None))]
    fn _ack<'py>(
        &self,
        py: Python<'py>,
        topic: String,
        group: String,
        handles: Vec<String>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.0.share("ack")?;
        run(py, via.as_ref().map(Bound::get), "ack", async move {
            shared.client("ack").await?.ack(&topic, &group, &handles).await
        })
    }

    #[pyo3(signature = (topic, group, handle, resolution, via=None))]
    fn _end_transaction<'py>(
        &self,
        py: Python<'py>,
        topic: String,
        group: String,
        handle: String,
        resolution: &Bound<'py, PyAny>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.0.share("end transaction")?;
        let resolution = transaction_resolution(resolution)?;
        run(py, via.as_ref().map(Bound::get), "end transaction", async move {
            let client = shared.client("end transaction").await?;
            client.end_transaction(&topic, &group, &handle, resolution).await
        })
    }

    #[pyo3(signature = (via=None))]
    fn _close<'py>(&self, py: Python<'py>, via: Via<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.close(py, via.as_ref().map(Bound::get))
    }

    /// Replaces the credentials that requests are signed with.
    fn set_credentials(&self, credentials: Credentials) -> PyResult<()> {
        self.0.set_credentials(credentials)
    }
}

/// What a consume brought.
#[pyclass(frozen, get_all, module = "tminus")]
pub(crate) struct Consumed {
    messages: Py<PyList>,
    request_id: String,
}

impl Consumed {
    pub(crate) fn new(py: Python<'_>, consumed: tminus::Consumed) -> PyResult<Self> {
        let tminus::Consumed { messages, request_id } = consumed;
        let messages: Vec<_> =
            messages.into_iter().map(|message| Received::new(py, message)).collect::<PyResult<_>>()?;
        Ok(Self { messages: PyList::new(py, messages)?.unbind(), request_id })
    }
}

#[pymethods]
impl Consumed {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Consumed(messages={}, request_id={:?})", self.messages.bind(py).repr()?, self.request_id))
    }
}
