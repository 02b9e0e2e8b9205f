//! The loopback broker for tests and for learning, with a clock that tests can move.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tminus::Clock;
use tminus::broker::{BrokerOptions, BrokerTls, Fault, GroupOptions, MessageStage, Persona, TopicType};
use tminus::clock::from_ms;

use crate::errors::raise;
use crate::options::{Credentials, choose};
use crate::owned::Owned;
use crate::runtime::enter;

const PERSONAS: [(&str, Persona); 4] = [
    ("loopback", Persona::Loopback),
    ("apache5", Persona::Apache5),
    ("apache4", Persona::Apache4),
    ("huawei", Persona::Huawei),
];

const TOPIC_TYPES: [(&str, TopicType); 6] = [
    ("mixed", TopicType::Mixed),
    ("normal", TopicType::Normal),
    ("fifo", TopicType::Fifo),
    ("delay", TopicType::Delay),
    ("transaction", TopicType::Transaction),
    ("priority", TopicType::Priority),
];

const STAGES: [(&str, MessageStage); 6] = [
    ("initialized", MessageStage::Initialized),
    ("timing", MessageStage::Timing),
    ("ready", MessageStage::Ready),
    ("in_flight", MessageStage::InFlight),
    ("acknowledged", MessageStage::Acknowledged),
    ("deleted", MessageStage::Deleted),
];

/// A clock that a broker and its clients share.
#[pyclass(frozen, module = "tminus.testing")]
pub(crate) struct SharedClock(pub(crate) Clock);

#[pymethods]
impl SharedClock {
    /// The time by this clock.
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

/// A RocketMQ server on a loopback port.
#[pyclass(frozen, weakref, module = "tminus.testing")]
pub(crate) struct Broker(Owned<Arc<tminus::broker::Broker>>);

#[pymethods]
impl Broker {
    #[new]
    #[pyo3(signature = (
        *, virtual_clock=false, tls=false, tls_only=false, client_ca_pem=None, credentials=Vec::new(),
        persona="loopback", auto_create_topics=true, queues=4, http_invisible=None, listen=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        py: Python<'_>,
        virtual_clock: bool,
        tls: bool,
        tls_only: bool,
        client_ca_pem: Option<String>,
        credentials: Vec<Credentials>,
        persona: &str,
        auto_create_topics: bool,
        queues: i32,
        http_invisible: Option<Duration>,
        listen: Option<&str>,
    ) -> PyResult<Self> {
        let mut options = BrokerOptions::default();
        if virtual_clock {
            options.clock = Clock::virtual_now();
        }
        options.tls = (tls || tls_only).then_some(BrokerTls::SelfMade);
        options.tls_only = tls_only;
        options.client_ca_pem = client_ca_pem;
        options.credentials = credentials.into_iter().map(|credentials| credentials.0).collect();
        options.persona = choose("persona", persona, &PERSONAS)?;
        options.auto_create_topics = auto_create_topics;
        options.queues = queues;
        options.http_invisible = http_invisible.unwrap_or(options.http_invisible);
        if let Some(listen) = listen {
            options.listen = listen.parse()?;
        }
        let broker = enter(py, "start", tminus::broker::Broker::start(options))?;
        Ok(Self(Owned::new(Arc::new(broker))))
    }

    /// `host:port` for clients: name server and broker in one.
    #[getter]
    fn endpoint(&self) -> PyResult<String> {
        Ok(self.get("endpoint")?.address().to_string())
    }

    /// PEM text of the authority that signed the self-made certificate; `None` without TLS.
    #[getter]
    fn ca_pem(&self) -> PyResult<Option<&str>> {
        Ok(self.get("ca_pem")?.ca_pem())
    }

    /// The clock it runs by.
    #[getter]
    fn clock(&self) -> PyResult<SharedClock> {
        Ok(SharedClock(self.get("clock")?.clock().clone()))
    }

    /// Creates a topic, or changes its number of queues and its type.
    #[pyo3(signature = (topic, queues=4, *, r#type=None))]
    fn create_topic(&self, topic: &str, queues: i32, r#type: Option<&str>) -> PyResult<()> {
        let broker = self.get("create_topic")?;
        match r#type {
            Some(kind) => broker.create_topic_of(topic, queues, choose("type", kind, &TOPIC_TYPES)?),
            None => broker.create_topic(topic, queues),
        }
        .map_err(raise)
    }

    /// Creates a consumer group, or changes how it is served.
    #[pyo3(signature = (group, *, fifo=false, max_attempts=None, backoff=None))]
    fn create_group(
        &self,
        group: &str,
        fifo: bool,
        max_attempts: Option<i32>,
        backoff: Option<Vec<Duration>>,
    ) -> PyResult<()> {
        let defaults = GroupOptions::default();
        let options = GroupOptions {
            fifo,
            max_attempts: max_attempts.unwrap_or(defaults.max_attempts),
            backoff: backoff.unwrap_or(defaults.backoff),
        };
        self.get("create_group")?.create_group(group, options).map_err(raise)
    }

    /// Where a message is on its way through the broker to a group.
    fn message_stage<'py>(
        &self,
        py: Python<'py>,
        topic: &str,
        group: &str,
        message_id: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        static STAGE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let stage = self.get("message_stage")?.message_stage(topic, group, message_id);
        let name = STAGES.iter().find(|(_, known)| *known == stage).map(|(name, _)| *name);
        STAGE.import(py, "tminus._types", "MessageStage")?.call1((name,))
    }

    /// Moves a virtual clock forward, in deadline order; returns how many messages became visible.
    fn advance(&self, py: Python<'_>, by: Duration) -> PyResult<usize> {
        let broker = self.get("advance")?;
        py.detach(|| broker.advance(by)).map_err(raise)
    }

    /// Scheduled messages that wait, in deadline order.
    fn pending(&self) -> PyResult<Vec<PendingMessage>> {
        Ok(self.get("pending")?.pending().into_iter().map(PendingMessage).collect())
    }

    /// Lets the next requests with this request code meet a fault.
    #[pyo3(signature = (request_code, fault, *, times=1, code=1, remark=String::new()))]
    fn inject(
        &self,
        request_code: i32,
        fault: &str,
        times: usize,
        code: i32,
        remark: String,
    ) -> PyResult<()> {
        let fault = match choose(
            "fault",
            fault,
            &[
                ("refuse", 0),
                ("swallow", 1),
                ("close_before", 2),
                ("close_after", 3),
                ("corrupt", 4),
                ("gateway", 5),
            ],
        )? {
            0 => Fault::Refuse { code, remark },
            1 => Fault::Swallow,
            2 => Fault::CloseBefore,
            3 => Fault::CloseAfter,
            4 => Fault::Corrupt,
            _ => Fault::Gateway,
        };
        self.get("inject")?.inject(request_code, times, fault);
        Ok(())
    }

    /// How many requests with this request code came so far.
    fn request_count(&self, request_code: i32) -> PyResult<u64> {
        Ok(self.get("request_count")?.request_count(request_code))
    }

    /// Closes the port and every connection, waits `down`, and opens the same port again.
    #[pyo3(signature = (down=Duration::ZERO))]
    fn restart(&self, py: Python<'_>, down: Duration) -> PyResult<()> {
        let broker = Arc::clone(self.get("restart")?);
        enter(py, "restart", async move { broker.restart(down).await })
    }

    /// Stops it; messages are gone. Nothing happens the second time.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.0.is_forked() {
            return Ok(());
        }
        let broker = Arc::clone(self.get("close")?);
        enter(py, "close", async move {
            broker.stop().await;
            Ok(())
        })
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _exception_type: Option<&Bound<'_, PyAny>>,
        _exception: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.close(py)
    }
}

impl Broker {
    fn get(&self, operation: &'static str) -> PyResult<&Arc<tminus::broker::Broker>> {
        self.0.get(operation)
    }
}

/// A scheduled message that waits in the broker.
#[pyclass(frozen, module = "tminus.testing")]
pub(crate) struct PendingMessage(tminus::broker::PendingMessage);

#[pymethods]
impl PendingMessage {
    #[getter]
    fn topic(&self) -> &str {
        &self.0.topic
    }

    #[getter]
    fn message_id(&self) -> &str {
        &self.0.message_id
    }

    #[getter]
    fn deliver_at(&self) -> SystemTime {
        from_ms(self.0.deliver_at_ms)
    }

    #[getter]
    fn deliver_at_ms(&self) -> i64 {
        self.0.deliver_at_ms
    }

    fn __repr__(&self) -> String {
        let tminus::broker::PendingMessage { topic, message_id, deliver_at_ms } = &self.0;
        format!("PendingMessage(topic={topic:?}, message_id={message_id:?}, deliver_at_ms={deliver_at_ms})")
    }
}
