//! Requests to one service: each written at most once, over connections that are kept.

use std::error::Error as _;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme, Uri};
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::TokioTimer;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout_at;
use tower_service::Service;

use super::answer::{self, Answer};
use super::connector::{Connector, Unconnected};
use super::headers::Headers;
use super::proxy::Proxy;
use super::tasks::Tasks;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::options::ClientOptions;
use crate::transport::{Fault, tls};

/// Unused connections are closed after this time: earlier than servers and middle boxes close them, so that a request
/// hardly ever meets a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(20);
/// Requests under way at the same time, and unused connections that are kept: more would be dialled for one request each,
/// until there is no file descriptor left. Consumes do not count, because the server may hold them.
const MAX_UNDER_WAY: usize = 64;
/// The longest answer: 16 messages of 4 MiB, with room for what XML writes longer.
const MAX_CONTENT_BYTES: usize = 128 * 1024 * 1024;
/// What is read of an answer that is no success.
const MAX_ERROR_BYTES: usize = 256 * 1024;

/// One request.
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    /// Path and query, as they travel.
    pub(crate) target: String,
    pub(crate) content: Bytes,
    pub(crate) deadline: Instant,
}

/// The connections to one service.
pub(crate) struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    connector: Connector,
    /// Scheme and authority.
    service: Uri,
    /// `host:port`.
    address: String,
    headers: Headers,
    tasks: Tasks,
    turns: Semaphore,
    closed: watch::Sender<bool>,
}

impl Client {
    /// Checks the options; nothing is dialled.
    ///
    /// # Errors
    /// `InvalidArgument` for an unusable address, proxy or TLS option.
    pub(crate) fn new(options: &ClientOptions) -> Result<Self> {
        let address = options.endpoint.addresses.first().cloned().unwrap_or_default();
        let scheme = if options.uses_tls() { Scheme::HTTPS } else { Scheme::HTTP };
        let service = Uri::builder().scheme(scheme).authority(address.as_str()).path_and_query("/").build();
        let service = service.map_err(|e| {
            let text = format!("{address:?} is no address of a service");
            Error::new(ErrorKind::InvalidArgument, "start", text).with_source(e)
        })?;
        let proxy = Proxy::find(&options.http_proxy, &service)?;
        // A tunnel tells the proxy itself; nobody else may hear it.
        let reads = proxy.as_ref().filter(|_| !options.uses_tls());
        let headers =
            Headers::new(options.credentials.clone(), reads.and_then(|proxy| proxy.authorization.clone()));
        let connector = Connector::new(options, &address, proxy)?;
        let tasks = Tasks::new();
        let http = legacy::Client::builder(tasks.clone())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_UNDER_WAY)
            .build(connector.clone());
        let (turns, closed) = (Semaphore::new(MAX_UNDER_WAY), watch::Sender::new(false));
        Ok(Self { http, connector, service, address, headers, tasks, turns, closed })
    }

    /// `host:port` of the service.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether the service can be connected to; nothing is sent.
    ///
    /// # Errors
    /// `BrokerUnreachable`, `Tls`.
    pub(crate) async fn probe(&self, operation: &'static str) -> Result<()> {
        let connected = self.connector.clone().call(self.service.clone()).await;
        connected.map(drop).map_err(|Unconnected(fault)| fault.error(operation, Outcome::NotSent))
    }

    /// The answer to `call`, whatever it says. A request that the server did not take because of its date is dated by
    /// the server's clock and sent again, once.
    ///
    /// # Errors
    /// `NotSent`: `BrokerUnreachable`, `Tls`, `Timeout`, `ConnectionClosed`, `Closed`, `InvalidArgument`. `MaybeSent`, because the
    /// request may have been written: `ConnectionClosed`, `Timeout`, `Closed`, `WrongProtocol`, `Protocol`.
    pub(crate) async fn call(&self, call: &Call) -> Result<Answer> {
        let answer = self.ask(call).await?;
        let Some(theirs) = answer.other_clock() else { return Ok(answer) };
        tracing::warn!(
            address = self.address,
            "the server's clock is not ours; requests are dated by it from now on"
        );
        self.headers.learn(theirs);
        self.ask(call).await
    }

    async fn ask(&self, call: &Call) -> Result<Answer> {
        let mut closed = self.closed.subscribe();
        let mut request = self.request(call)?;
        let connection = capture_connection(&mut request);
        let outcome = || match *connection.connection_metadata() {
            Some(_) => Outcome::MaybeSent,
            None => Outcome::NotSent,
        };
        let answered = tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => Ok(Err(shut_down(call.operation, outcome()))),
            answered = timeout_at(call.deadline.into(), self.take_turn(call, request)) => answered,
        };
        // A call may see its connection end with the client before it sees the end of the client.
        if let Ok(Err(error)) = &answered
            && error.kind() == ErrorKind::ConnectionClosed
            && *self.closed.borrow()
        {
            return Err(shut_down(call.operation, error.outcome()));
        }
        answered.unwrap_or_else(|_| {
            let outcome = outcome();
            let what = if outcome == Outcome::NotSent { "no connection to" } else { "no answer from" };
            let text = format!("{what} {} before the deadline", self.address);
            Err(Error::new(ErrorKind::Timeout, call.operation, text).with_outcome(outcome))
        })
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>> {
        let mut parts = self.service.clone().into_parts();
        let target = PathAndQuery::try_from(call.target.as_str());
        let unusable = |why: String| {
            let text = format!("{:?} cannot be asked for: {why}", call.target);
            Error::new(ErrorKind::InvalidArgument, call.operation, text)
        };
        parts.path_and_query = Some(target.map_err(|e| unusable(e.to_string()))?);
        let mut request = Request::new(Full::new(call.content.clone()));
        *request.headers_mut() =
            self.headers.of(call.operation, &call.method, &call.target, &call.content)?;
        *request.uri_mut() = Uri::from_parts(parts).map_err(|e| unusable(e.to_string()))?;
        *request.method_mut() = call.method.clone();
        Ok(request)
    }

    async fn take_turn(&self, call: &Call, request: Request<Full<Bytes>>) -> Result<Answer> {
        let is_held = call.method == Method::GET;
        let _turn = if is_held { None } else { self.turns.acquire().await.ok() };
        self.exchange(call.operation, request).await
    }

    async fn exchange(&self, operation: &'static str, request: Request<Full<Bytes>>) -> Result<Answer> {
        let response = self.http.request(request).await.map_err(|e| self.failed(operation, &e))?;
        let (head, body) = response.into_parts();
        let limit = if head.status.is_success() { MAX_CONTENT_BYTES } else { MAX_ERROR_BYTES };
        let (content, whole) = answer::read(body, limit)
            .await
            .map_err(|e| self.lost(&e).error(operation, Outcome::MaybeSent))?;
        if head.status.is_success() && !whole {
            let text = format!("{} answers with more than {limit} bytes", self.address);
            return Err(Error::new(ErrorKind::Protocol, operation, text).with_outcome(Outcome::MaybeSent));
        }
        Ok(Answer::new(&self.address, head.status, head.headers, content))
    }

    /// Why there is no answer, and whether the request can have been written.
    fn failed(&self, operation: &'static str, error: &legacy::Error) -> Error {
        if let Some(Unconnected(fault)) = error.source().and_then(|cause| cause.downcast_ref()) {
            return fault.error(operation, Outcome::NotSent);
        }
        let Some(cause) = error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>()) else {
            let text = format!("the connection to {} failed: {error}", self.address);
            return Error::new(ErrorKind::ConnectionClosed, operation, text);
        };
        // "Canceled" is what was never begun, and only a request that meets a connection has one to tell of.
        let unwritten = cause.is_canceled() || error.connect_info().is_none() || tls_refusal(cause).is_some();
        self.lost(cause).error(operation, if unwritten { Outcome::NotSent } else { Outcome::MaybeSent })
    }

    /// How a connection ended.
    fn lost(&self, error: &hyper::Error) -> Fault {
        let address = &self.address;
        if let Some(why) = tls_refusal(error) {
            return Fault::new(ErrorKind::Tls, format!("{address}: {why}"));
        }
        if error.is_parse() {
            let text = format!(
                "{address} does not answer in HTTP ({error}); give the address of an ApsaraMQ HTTP service, with \
                 https:// if it speaks TLS"
            );
            return Fault::new(ErrorKind::WrongProtocol, text);
        }
        let why = match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let text = format!("the connection to {address} ended before the answer was there ({why})");
        Fault::new(ErrorKind::ConnectionClosed, text)
    }

    /// Waits for the shutdown.
    pub(crate) async fn closed(&self) {
        // The sender is ours: it cannot go first.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Ends calls under way with `Closed` and closes the connections. Idempotent.
    pub(crate) async fn shutdown(&self) {
        self.closed.send_replace(true);
        self.tasks.end().await;
    }
}

/// Why the server broke off TLS, if it did: with TLS 1.3 a client learns only after the handshake that its certificate
/// is not taken.
fn tls_refusal(error: &hyper::Error) -> Option<String> {
    let error = error.source()?.downcast_ref::<io::Error>()?;
    tls::is_refusal(error).then(|| tls::explain(error)).flatten()
}

fn shut_down(operation: &'static str, outcome: Outcome) -> Error {
    Error::new(ErrorKind::Closed, operation, "the client was shut down").with_outcome(outcome)
}
