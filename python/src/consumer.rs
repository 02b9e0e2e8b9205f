//! The push consumer: a stream of deliveries, carried to the listener by Python's own threads or event loop.

use std::time::Duration;

use pyo3::prelude::*;
use tminus::{Deliveries, PushConsumerOptions, Result};

use crate::aio::Completions;
use crate::client::{Client, Connect};
use crate::options::{Connection, Credentials, Tls, Topics, consume_from, filter_expression, message_model};
use crate::receipt::MessageQueue;
use crate::runtime::run;

type Via<'py> = Option<Bound<'py, Completions>>;

/// A consumer and its stream.
pub(crate) struct Stream {
    consumer: tminus::PushConsumer,
    deliveries: Deliveries,
}

impl Connect for Stream {
    type Options = PushConsumerOptions;

    async fn connect(options: PushConsumerOptions) -> Result<Self> {
        let (consumer, deliveries) = tminus::PushConsumer::start_stream(options).await?;
        Ok(Self { consumer, deliveries })
    }

    async fn shutdown(&self) {
        self.consumer.shutdown().await;
    }
}

/// What `tminus.PushConsumer` and `tminus.aio.AsyncPushConsumer` are made of.
#[pyclass(frozen, subclass, module = "tminus._native")]
pub(crate) struct PushConsumer {
    client: Client<Stream>,
    #[pyo3(get)]
    listener: Option<Py<PyAny>>,
    #[pyo3(get)]
    concurrency: usize,
}

#[pymethods]
impl PushConsumer {
    #[new]
    #[pyo3(signature = (
        endpoint, group, topics, listener=None, *, concurrency=8, model=None, orderly=false, consume_from=None,
        max_reconsume_times=None, consume_timeout=None, credentials=None, tls=None, namespace=None, client_id=None,
        server_kind=None, http_proxy=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        endpoint: &str,
        group: String,
        topics: Topics<'_>,
        listener: Option<Py<PyAny>>,
        concurrency: usize,
        model: Option<&str>,
        orderly: bool,
        consume_from: Option<&Bound<'_, PyAny>>,
        max_reconsume_times: Option<i32>,
        consume_timeout: Option<Duration>,
        credentials: Option<Credentials>,
        tls: Option<Tls>,
        namespace: Option<String>,
        client_id: Option<String>,
        server_kind: Option<String>,
        http_proxy: Option<String>,
    ) -> PyResult<Self> {
        let connection = Connection { credentials, tls, namespace, client_id, server_kind, http_proxy };
        let mut options = PushConsumerOptions::with_client(connection.to(endpoint)?, group);
        options.subscriptions = topics.subscriptions()?;
        options.concurrency = concurrency;
        options.orderly = orderly;
        if let Some(model) = model {
            options.model = message_model(model)?;
        }
        if let Some(place) = consume_from {
            options.consume_from = self::consume_from(place)?;
        }
        options.max_reconsume_times = max_reconsume_times.unwrap_or(options.max_reconsume_times);
        options.consume_timeout = consume_timeout.unwrap_or(options.consume_timeout);
        let credentials = options.client.credentials.clone();
        Ok(Self { client: Client::new(options, credentials), listener, concurrency })
    }

    #[pyo3(signature = (via=None))]
    fn _start<'py>(&self, py: Python<'py>, via: Via<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.client.start(py, via.as_ref().map(Bound::get))
    }

    /// Waits for deliveries and takes up to `max`; none when the consumer has ended or `timeout` passed.
    #[pyo3(signature = (max, timeout=None, via=None))]
    fn _receive<'py>(
        &self,
        py: Python<'py>,
        max: usize,
        timeout: Option<Duration>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.client.share("receive")?;
        run(py, via.as_ref().map(Bound::get), "receive", async move {
            let Some(stream) = shared.client_or_remains("receive").await? else { return Ok(Vec::new()) };
            let next = stream.deliveries.next(max);
            match timeout {
                Some(timeout) => Ok(tokio::time::timeout(timeout, next).await.unwrap_or_default()),
                None => Ok(next.await),
            }
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
        let (shared, filter) = (self.client.share("subscribe")?, filter_expression(filter)?);
        run(py, via.as_ref().map(Bound::get), "subscribe", async move {
            shared.client("subscribe").await?.consumer.subscribe(&topic, filter).await
        })
    }

    #[pyo3(signature = (topic, via=None))]
    fn _unsubscribe<'py>(
        &self,
        py: Python<'py>,
        topic: String,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.client.share("unsubscribe")?;
        run(py, via.as_ref().map(Bound::get), "unsubscribe", async move {
            shared.client("unsubscribe").await?.consumer.unsubscribe(&topic).await
        })
    }

    #[pyo3(signature = (via=None))]
    fn _close<'py>(&self, py: Python<'py>, via: Via<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.client.close(py, via.as_ref().map(Bound::get))
    }

    /// Stops taking messages from the server until `resume`; what was taken is still delivered.
    fn suspend(&self) -> PyResult<()> {
        if let Some(stream) = self.client.connected("suspend")? {
            stream.consumer.suspend();
        }
        Ok(())
    }

    /// Takes messages again.
    fn resume(&self) -> PyResult<()> {
        if let Some(stream) = self.client.connected("resume")? {
            stream.consumer.resume();
        }
        Ok(())
    }

    /// The queues this consumer holds now.
    #[getter]
    fn assigned_queues(&self) -> PyResult<Vec<MessageQueue>> {
        let stream = self.client.connected("assigned_queues")?;
        Ok(stream
            .map(|s| s.consumer.assigned_queues())
            .unwrap_or_default()
            .into_iter()
            .map(MessageQueue)
            .collect())
    }

    /// Replaces the credentials that requests are signed with.
    fn set_credentials(&self, credentials: Credentials) -> PyResult<()> {
        self.client.set_credentials(credentials)
    }

    /// The id that the servers know this client by; `None` before it is connected.
    #[getter]
    fn client_id(&self) -> PyResult<Option<&str>> {
        Ok(self.client.connected("client_id")?.map(|stream| stream.consumer.client_id()))
    }
}
