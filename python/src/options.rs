//! Options of clients, from keyword arguments to the core's structs. `None` leaves the core's default.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tminus::message::{BeyondPolicy, DelayLimits, PastPolicy, ServerKind};
use tminus::options::{BodyEncoding, HttpProxy, Secret};
use tminus::{ClientOptions, ConsumeFrom, FilterExpression, MessageModel};

use crate::errors::raise;
use crate::message::aware;

/// Access key and secret key, with the security token of temporary credentials.
#[pyclass(frozen, from_py_object, module = "tminus")]
#[derive(Clone)]
pub(crate) struct Credentials(pub(crate) tminus::Credentials);

#[pymethods]
impl Credentials {
    #[new]
    #[pyo3(signature = (access_key, secret_key, security_token=None))]
    fn new(access_key: String, secret_key: String, security_token: Option<String>) -> Self {
        let mut credentials = tminus::Credentials::new(access_key, secret_key);
        credentials.security_token = security_token.map(Secret::new);
        Self(credentials)
    }

    #[getter]
    fn access_key(&self) -> &str {
        &self.0.access_key
    }

    fn __repr__(&self) -> String {
        format!("Credentials(access_key={:?}, secret_key=***)", self.0.access_key)
    }
}

/// How connections are encrypted; certificates are verified unless `insecure`.
#[pyclass(frozen, from_py_object, module = "tminus")]
#[derive(Clone)]
pub(crate) struct TlsOptions(pub(crate) tminus::TlsOptions);

#[pymethods]
impl TlsOptions {
    #[new]
    #[pyo3(signature = (
        *, ca_pem=None, client_cert_pem=None, client_key_pem=None, server_name=None, insecure=false
    ))]
    fn new(
        ca_pem: Option<String>,
        client_cert_pem: Option<String>,
        client_key_pem: Option<String>,
        server_name: Option<String>,
        insecure: bool,
    ) -> Self {
        let client_key_pem = client_key_pem.map(Secret::new);
        Self(tminus::TlsOptions {
            enabled: true,
            ca_pem,
            client_cert_pem,
            client_key_pem,
            server_name,
            insecure,
        })
    }

    fn __repr__(&self) -> String {
        let tminus::TlsOptions { server_name, insecure, .. } = &self.0;
        format!("TlsOptions(server_name={server_name:?}, insecure={insecure})")
    }
}

/// `True`, `False`, or how.
#[derive(FromPyObject)]
pub(crate) enum Tls {
    Switch(bool),
    Options(TlsOptions),
}

/// What producers and consumers share.
#[derive(Default)]
pub(crate) struct Connection {
    pub(crate) credentials: Option<Credentials>,
    pub(crate) tls: Option<Tls>,
    pub(crate) namespace: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) server_kind: Option<String>,
    pub(crate) http_proxy: Option<String>,
}

impl Connection {
    pub(crate) fn to(self, endpoint: &str) -> PyResult<ClientOptions> {
        let mut client = ClientOptions::new(endpoint).map_err(raise)?;
        client.credentials = self.credentials.map(|credentials| credentials.0.into());
        client.namespace = self.namespace;
        client.client_id = self.client_id;
        match self.tls {
            Some(Tls::Options(options)) => client.tls = options.0,
            Some(Tls::Switch(enabled)) => client.tls.enabled = enabled,
            None => {}
        }
        client.http_proxy = match self.http_proxy {
            None => HttpProxy::Environment,
            Some(direct) if direct == "direct" => HttpProxy::Direct,
            Some(url) => HttpProxy::Url(url.into()),
        };
        if let Some(kind) = self.server_kind {
            client.server_kind = choose("server_kind", &kind, &SERVER_KINDS)?;
        }
        Ok(client)
    }
}

const SERVER_KINDS: [(&str, ServerKind); 5] = [
    ("auto", ServerKind::Auto),
    ("apache5", ServerKind::Apache5),
    ("apache4", ServerKind::Apache4),
    ("huawei", ServerKind::Huawei),
    ("alibaba", ServerKind::Alibaba),
];

const PAST: [(&str, PastPolicy); 2] =
    [("deliver_now", PastPolicy::DeliverNow), ("refuse", PastPolicy::Refuse)];

const BEYOND: [(&str, BeyondPolicy); 2] =
    [("refuse", BeyondPolicy::Refuse), ("let_server_decide", BeyondPolicy::LetServerDecide)];

const BODY_ENCODINGS: [(&str, BodyEncoding); 2] =
    [("text", BodyEncoding::Text), ("base64", BodyEncoding::Base64)];

const MODELS: [(&str, MessageModel); 2] =
    [("clustering", MessageModel::Clustering), ("broadcasting", MessageModel::Broadcasting)];

const PLACES: [(&str, ConsumeFrom); 2] =
    [("last_offset", ConsumeFrom::LastOffset), ("first_offset", ConsumeFrom::FirstOffset)];

/// The choice named `name`; an error lists them all.
pub(crate) fn choose<T: Copy>(option: &str, name: &str, choices: &[(&str, T)]) -> PyResult<T> {
    choices.iter().find(|(choice, _)| *choice == name).map(|(_, value)| *value).ok_or_else(|| {
        let choices: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
        PyValueError::new_err(format!("{option} is {name:?}; choose one of {}", choices.join(", ")))
    })
}

pub(crate) fn delay_limits(
    max_ahead: Option<Duration>,
    past: Option<String>,
    beyond: Option<String>,
) -> PyResult<DelayLimits> {
    let mut limits = DelayLimits::default();
    if let Some(max_ahead) = max_ahead {
        limits.max_ahead = max_ahead;
    }
    if let Some(past) = past {
        limits.past = choose("past", &past, &PAST)?;
    }
    if let Some(beyond) = beyond {
        limits.beyond = choose("beyond", &beyond, &BEYOND)?;
    }
    Ok(limits)
}

pub(crate) fn body_encoding(name: &str) -> PyResult<BodyEncoding> {
    choose("body_encoding", name, &BODY_ENCODINGS)
}

pub(crate) fn message_model(name: &str) -> PyResult<MessageModel> {
    choose("model", name, &MODELS)
}

/// `"last_offset"`, `"first_offset"`, or an aware `datetime`.
pub(crate) fn consume_from(place: &Bound<'_, PyAny>) -> PyResult<ConsumeFrom> {
    match place.extract::<String>() {
        Ok(name) => choose("consume_from", &name, &PLACES),
        Err(_) => aware(place).map(ConsumeFrom::Timestamp),
    }
}

/// Topics to subscribe to.
#[derive(FromPyObject)]
pub(crate) enum Topics<'py> {
    One(String),
    Filtered(Bound<'py, PyDict>),
    Several(Vec<String>),
}

impl Topics<'_> {
    /// Every topic with its filter; without one, all messages.
    pub(crate) fn subscriptions(self) -> PyResult<Vec<(String, FilterExpression)>> {
        match self {
            Self::One(topic) => Ok(vec![(topic, FilterExpression::all())]),
            Self::Several(topics) => {
                Ok(topics.into_iter().map(|topic| (topic, FilterExpression::all())).collect())
            }
            Self::Filtered(filters) => filters
                .iter()
                .map(|(topic, filter)| Ok((topic.extract()?, filter_expression(&filter)?)))
                .collect(),
        }
    }
}

/// A tag expression, or `tminus.Sql92`.
pub(crate) fn filter_expression(filter: &Bound<'_, PyAny>) -> PyResult<FilterExpression> {
    match filter.extract::<String>() {
        Ok(tags) => Ok(FilterExpression::Tag(tags)),
        Err(_) => Ok(FilterExpression::Sql92(filter.getattr("expression")?.extract()?)),
    }
}
