//! The producer. Every call is written once: it blocks, or answers an event loop, as `via` says.

use std::time::Duration;

use pyo3::prelude::*;
use tminus::{ProducerOptions, Result, TransactionChecks};

use crate::aio::Completions;
use crate::broker::SharedClock;
use crate::client::{Client, Connect};
use crate::message::Message;
use crate::options::{Connection, Credentials, Tls, body_encoding, delay_limits};
use crate::receipt::{MessageQueue, SendReceipt};
use crate::runtime::run;
use crate::transaction::transaction_resolution;

type Via<'py> = Option<Bound<'py, Completions>>;

/// A producer, and the questions about its transactions if somebody answers them.
pub(crate) struct Asked {
    producer: tminus::Producer,
    checks: Option<TransactionChecks>,
}

impl Connect for Asked {
    type Options = (ProducerOptions, bool);

    async fn connect((options, has_checker): (ProducerOptions, bool)) -> Result<Self> {
        let (producer, checks) = tminus::Producer::start_with_checks(options).await?;
        Ok(Self { producer, checks: has_checker.then_some(checks) })
    }

    async fn shutdown(&self) {
        self.producer.shutdown().await;
    }
}

/// What `tminus.Producer` and `tminus.aio.AsyncProducer` are made of.
#[pyclass(frozen, subclass, module = "tminus._native")]
pub(crate) struct Producer {
    client: Client<Asked>,
    send_timeout: Duration,
    #[pyo3(get)]
    checker: Option<Py<PyAny>>,
}

#[pymethods]
impl Producer {
    #[new]
    #[pyo3(signature = (
        endpoint, *, group=None, topics=Vec::new(), checker=None, send_timeout=None, retries=None,
        max_body_bytes=None, compress_above_bytes=None, compress_level=None, max_ahead=None, past=None, beyond=None,
        allow_duplicates=false, body_encoding=None, transaction_check_after=None, credentials=None, tls=None,
        namespace=None, client_id=None, server_kind=None, http_proxy=None, clock=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        endpoint: &str,
        group: Option<String>,
        topics: Vec<String>,
        checker: Option<Py<PyAny>>,
        send_timeout: Option<Duration>,
        retries: Option<u32>,
        max_body_bytes: Option<usize>,
        compress_above_bytes: Option<usize>,
        compress_level: Option<u32>,
        max_ahead: Option<Duration>,
        past: Option<String>,
        beyond: Option<String>,
        allow_duplicates: bool,
        body_encoding: Option<&str>,
        transaction_check_after: Option<Duration>,
        credentials: Option<Credentials>,
        tls: Option<Tls>,
        namespace: Option<String>,
        client_id: Option<String>,
        server_kind: Option<String>,
        http_proxy: Option<String>,
        clock: Option<&Bound<'_, SharedClock>>,
    ) -> PyResult<Self> {
        let connection = Connection { credentials, tls, namespace, client_id, server_kind, http_proxy };
        let mut options = ProducerOptions::with_client(connection.to(endpoint)?);
        if let Some(clock) = clock {
            options.client.clock = clock.get().0.clone();
        }
        options.group = group.unwrap_or(options.group);
        options.topics = topics;
        options.send_timeout = send_timeout.unwrap_or(options.send_timeout);
        options.retries = retries.unwrap_or(options.retries);
        options.max_body_bytes = max_body_bytes.unwrap_or(options.max_body_bytes);
        options.compress_above_bytes = compress_above_bytes.or(options.compress_above_bytes);
        options.compress_level = compress_level.unwrap_or(options.compress_level);
        options.delay_limits = delay_limits(max_ahead, past, beyond)?;
        options.allow_duplicates = allow_duplicates;
        if let Some(encoding) = body_encoding {
            options.body_encoding = self::body_encoding(encoding)?;
        }
        options.transaction_check_after = transaction_check_after.unwrap_or(options.transaction_check_after);
        let (send_timeout, credentials) = (options.send_timeout, options.client.credentials.clone());
        Ok(Self { client: Client::new((options, checker.is_some()), credentials), send_timeout, checker })
    }

    #[pyo3(signature = (via=None))]
    fn _start<'py>(&self, py: Python<'py>, via: Via<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.client.start(py, via.as_ref().map(Bound::get))
    }

    #[pyo3(signature = (message, timeout=None, via=None))]
    fn _send<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'py, Message>,
        timeout: Option<Duration>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (shared, message) = (self.client.share("send")?, message.get().0.clone());
        let timeout = timeout.unwrap_or(self.send_timeout);
        run(py, via.as_ref().map(Bound::get), "send", async move {
            shared.client("send").await?.producer.send_timeout(message, timeout).await
        })
    }

    #[pyo3(signature = (message, key, timeout=None, via=None))]
    fn _send_by_key<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'py, Message>,
        key: String,
        timeout: Option<Duration>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (shared, message) = (self.client.share("send")?, message.get().0.clone());
        run(py, via.as_ref().map(Bound::get), "send", async move {
            shared.client("send").await?.producer.send_by_key(message, &key, timeout).await
        })
    }

    #[pyo3(signature = (message, queue, timeout=None, via=None))]
    fn _send_to_queue<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'py, Message>,
        queue: &Bound<'py, MessageQueue>,
        timeout: Option<Duration>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (shared, message) = (self.client.share("send")?, message.get().0.clone());
        let queue = queue.get().0.clone();
        run(py, via.as_ref().map(Bound::get), "send", async move {
            shared.client("send").await?.producer.send_to_queue(message, &queue, timeout).await
        })
    }

    #[pyo3(signature = (messages, timeout=None, via=None))]
    fn _send_batch<'py>(
        &self,
        py: Python<'py>,
        messages: Vec<Bound<'py, Message>>,
        timeout: Option<Duration>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.client.share("send")?;
        let messages = messages.iter().map(|message| message.get().0.clone()).collect();
        run(py, via.as_ref().map(Bound::get), "send", async move {
            shared.client("send").await?.producer.send_batch(messages, timeout).await
        })
    }

    #[pyo3(signature = (message, via=None))]
    fn _send_one_way<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'py, Message>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (shared, message) = (self.client.share("send")?, message.get().0.clone());
        run(py, via.as_ref().map(Bound::get), "send", async move {
            shared.client("send").await?.producer.send_one_way(message).await
        })
    }

    #[pyo3(signature = (topic, via=None))]
    fn _queues<'py>(&self, py: Python<'py>, topic: String, via: Via<'py>) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.client.share("queues")?;
        run(py, via.as_ref().map(Bound::get), "queues", async move {
            shared.client("queues").await?.producer.queues(&topic).await
        })
    }

    #[pyo3(signature = (message, via=None))]
    fn _send_transaction<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'py, Message>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (shared, message) = (self.client.share("send")?, message.get().0.clone());
        run(py, via.as_ref().map(Bound::get), "send", async move {
            let transaction = shared.client("send").await?.producer.send_transaction(message).await?;
            Ok(transaction.receipt().clone())
        })
    }

    #[pyo3(signature = (half, resolution, via=None))]
    fn _end_transaction<'py>(
        &self,
        py: Python<'py>,
        half: &Bound<'py, SendReceipt>,
        resolution: &Bound<'py, PyAny>,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (shared, half) = (self.client.share("end transaction")?, half.get().0.clone());
        let resolution = transaction_resolution(resolution)?;
        run(py, via.as_ref().map(Bound::get), "end transaction", async move {
            shared.client("end transaction").await?.producer.end_transaction(&half, resolution).await
        })
    }

    /// Waits for questions about transactions and takes up to `max`; none when the producer has ended or nobody answers.
    #[pyo3(signature = (max, via=None))]
    fn _next_checks<'py>(&self, py: Python<'py>, max: usize, via: Via<'py>) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.client.share("check")?;
        run(py, via.as_ref().map(Bound::get), "check", async move {
            match shared.client_or_remains("check").await? {
                Some(Asked { checks: Some(checks), .. }) => Ok(checks.next(max).await),
                _ => Ok(Vec::new()),
            }
        })
    }

    #[pyo3(signature = (topic, recall_handle, via=None))]
    fn _recall<'py>(
        &self,
        py: Python<'py>,
        topic: String,
        recall_handle: String,
        via: Via<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.client.share("recall")?;
        run(py, via.as_ref().map(Bound::get), "recall", async move {
            shared.client("recall").await?.producer.recall(&topic, &recall_handle).await
        })
    }

    #[pyo3(signature = (via=None))]
    fn _close<'py>(&self, py: Python<'py>, via: Via<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.client.close(py, via.as_ref().map(Bound::get))
    }

    /// Replaces the credentials that requests are signed with.
    fn set_credentials(&self, credentials: Credentials) -> PyResult<()> {
        self.client.set_credentials(credentials)
    }

    /// The id that the servers know this client by; `None` before it is connected.
    #[getter]
    fn client_id(&self) -> PyResult<Option<&str>> {
        Ok(self.client.connected("client_id")?.map(|asked| asked.producer.client_id()))
    }
}
