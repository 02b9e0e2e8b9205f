//! The simple consumer: receive, work, acknowledge. Every call is written once, as the producer's are.

use std::time::Duration;

use pyo3::prelude::*;
use tminus::{Result, SimpleConsumerOptions};

use crate::aio::Completions;
use crate::client::{Client, Connect};
use crate::options::{Connection, Credentials, Tls, Topics, filter_expression};
use crate::received::Receipt;
use crate::runtime::run;

type Via<'py> = Option<Bound<'py, Completions>>;

/// What `tminus.SimpleConsumer` and `tminus.aio.AsyncSimpleConsumer` are made of.
#[pyclass(frozen, subclass, module = "tminus._native")]
pub(crate) struct SimpleConsumer(Client<tminus::SimpleConsumer>);

impl Connect for tminus::SimpleConsumer {
    type Options = SimpleConsumerOptions;

    fn connect(options: SimpleConsumerOptions) -> impl Future<Output = Result<Self>> + Send {
        Self::start(options)
    }

    async fn shutdown(&self) {
        tminus::SimpleConsumer::shutdown(self).await;
    }
}

#[pymethods]
impl SimpleConsumer {
    #[new]
    #[pyo3(signature = (
        endpoint, group, topics, *, await_duration=None, orderly=false, credentials=None, tls=None, namespace=None,
        client_id=None, server_kind=None, http_proxy=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        endpoint: &str,
        group: String,
        topics: Topics<'_>,
        await_duration: Option<Duration>,
        orderly: bool,
        credentials: Option<Credentials>,
        tls: Option<Tls>,
        namespace: Option<String>,
        client_id: Option<String>,
        server_kind: Option<String>,
        http_proxy: Option<String>,
    ) -> PyResult<Self> {
        let connection = Connection { credentials, tls, namespace, client_id, server_kind, http_proxy };
        let mut options = SimpleConsumerOptions::with_client(connection.to(endpoint)?, group);
        options.subscriptions = topics.subscriptions()?;
        options.await_duration = await_duration.unwrap_or(options.await_duration);
        options.orderly = orderly;
        let credentials = options.client.credentials.clone();
        Ok(Self(Client::new(options, credentials)))
    }

    #[pyo3(signature = (via=None))]
    fn _start<'py>(&self, py: Python<'py>, via: Via<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.start(py, via.as_ref().map(Bound::get))
    }

    #[pyo3(signature = (max, invisible, wait=None, via=None))]
    fn _receive<'py>(
        &self,
        py: Python<'py>,
        max: usize,
        invisible: Duration,
        wait: Option<Duration>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.0.share("receive")?;
        run(py, via.as_ref().map(Bound::get), "receive", async move {
            shared.client("receive").await?.receive(max, invisible, wait).await
        })
    }

    #[pyo3(signature = (receipt, via=None))]
    fn _ack<'py>(&self, py: Python<'py>, receipt: Receipt, via: Via<'py>) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.0.share("ack")?;
        run(py, via.as_ref().map(Bound::get), "ack", async move {
            shared.client("ack").await?.ack(&receipt.0.get()).await
        })
    }

    #[pyo3(signature = (receipts, via=None))]
    fn _ack_all<'py>(
        &self,
        py: Python<'py>,
        receipts: Vec<Receipt>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.0.share("ack")?;
        run(py, via.as_ref().map(Bound::get), "ack", async move {
            let receipts: Vec<_> = receipts.iter().map(|receipt| receipt.0.get()).collect();
            Ok(shared.client("ack").await?.ack_all(&receipts).await)
        })
    }

    /// Answers the new handle; a received message has it from then on.
    #[pyo3(signature = (receipt, invisible, via=None))]
    fn _change_invisible<'py>(
        &self,
        py: Python<'py>,
        receipt: Receipt,
        invisible: Duration,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.0.share("change invisible")?;
        run(py, via.as_ref().map(Bound::get), "change invisible", async move {
            let client = shared.client("change invisible").await?;
            let mut newest = receipt.0.get();
            client.change_invisible(&mut newest, invisible).await?;
            receipt.0.replace(&newest);
            Ok(newest)
        })
    }

    #[pyo3(signature = (topic, filter, via=None))]
    fn _subscribe<'py>(
        &self,
        py: Python<'py>,
        topic: String,
        filter: &Bound<'py, PyAny>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (shared, filter) = (self.0.share("subscribe")?, filter_expression(filter)?);
        run(py, via.as_ref().map(Bound::get), "subscribe", async move {
            shared.client("subscribe").await?.subscribe(&topic, filter).await
        })
    }

    #[pyo3(signature = (topic, via=None))]
    fn _unsubscribe<'py>(
        &self,
        py: Python<'py>,
        topic: String,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.0.share("unsubscribe")?;
        run(py, via.as_ref().map(Bound::get), "unsubscribe", async move {
            shared.client("unsubscribe").await?.unsubscribe(&topic).await
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

    /// The id that the servers know this client by; `None` before it is connected.
    #[getter]
    fn client_id(&self) -> PyResult<Option<&str>> {
        Ok(self.0.connected("client_id")?.map(tminus::SimpleConsumer::client_id))
    }
}
