//! A client of ApsaraMQ over HTTP, byte by byte over a real socket, so that a test can write what any client writes.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use tminus::Clock;
use tminus::broker::Broker;
use tminus::codec::http::request::{
    CONTENT_MD5, CONTENT_TYPE_VALUE, REQUEST_ID, SECURITY_TOKEN, VERSION, VERSION_VALUE, path,
};
use tminus::codec::http::signature::authorization;
use tminus::codec::http::{
    Delivered, ErrorDocument, HandleErrors, Handles, Publish, Published, code, decode_messages, digest,
};
use tminus::codec::remoting::codes::request::POP_MESSAGE;
use tminus::options::Credentials;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// No answer takes this long.
const PATIENCE: Duration = Duration::from_secs(40);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One connection, kept alive.
pub(crate) struct HttpPeer {
    stream: BufStream<Box<dyn Stream>>,
    /// Who signs.
    pub(crate) user: Option<Credentials>,
}

/// A request before it leaves. Headers go out as they are written here, in this order.
#[derive(Debug, Clone)]
pub(crate) struct HttpRequest {
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl HttpRequest {
    /// With the headers that every client writes, now, without a signature.
    pub(crate) fn new(method: &'static str, target: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let headers = [
            (CONTENT_TYPE, CONTENT_TYPE_VALUE.to_owned()),
            (VERSION, VERSION_VALUE.to_owned()),
            (CONTENT_MD5, digest::content_md5(&body)),
            (DATE, date(0)),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        Self { method, target: target.to_owned(), headers, body }
    }

    /// Replaces a header, or takes it out.
    pub(crate) fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        self
    }

    /// Signs what is there now. The security token is not signed.
    pub(crate) fn signed(mut self, user: &Credentials) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
        }
        let method = Method::try_from(self.method).unwrap();
        let signature = authorization(user, &method, &headers, &self.target);
        self = self.with(AUTHORIZATION.as_str(), Some(&signature));
        match &user.security_token {
            Some(token) => self.with(SECURITY_TOKEN.as_str(), Some(token.expose())),
            None => self,
        }
    }
}

/// The date of a request, so many seconds from now.
pub(crate) fn date(ahead_s: i64) -> String {
    let now: SystemTime = Clock::real().now();
    let ahead = Duration::from_secs(ahead_s.unsigned_abs());
    httpdate::fmt_http_date(if ahead_s < 0 { now - ahead } else { now + ahead })
}

impl HttpPeer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self { stream: BufStream::new(Box::new(stream)), user: None }
    }

    /// Writes a request as it is.
    pub(crate) async fn write(&mut self, request: &HttpRequest) {
        let length = request.body.len().to_string();
        let length = (length != "0").then_some(&*length);
        self.write_head(&request.clone().with("Content-Length", length)).await;
        self.raw(&request.body).await;
    }

    /// Writes a request up to its body.
    pub(crate) async fn write_head(&mut self, request: &HttpRequest) {
        let HttpRequest { method, target, headers, .. } = request;
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        self.raw(head.as_bytes()).await;
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next answer, `None` when the broker closed the connection.
    pub(crate) async fn read(&mut self) -> Option<HttpAnswer> {
        tokio::time::timeout(PATIENCE, self.read_forever()).await.expect("no answer came")
    }

    async fn read_forever(&mut self) -> Option<HttpAnswer> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value.trim()).unwrap());
        }
        let length = headers.get("content-length").map_or(0, |text| text.to_str().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(HttpAnswer { status, headers, body })
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    /// One request as it is, one answer.
    pub(crate) async fn exchange(&mut self, request: &HttpRequest) -> HttpAnswer {
        self.write(request).await;
        self.read().await.expect("the connection was closed")
    }

    /// One request with every header, signed if this peer is somebody.
    pub(crate) async fn call(&mut self, method: &'static str, target: &str, body: Vec<u8>) -> HttpAnswer {
        let mut request = HttpRequest::new(method, target, body);
        if let Some(user) = &self.user {
            request = request.signed(user);
        }
        self.exchange(&request).await
    }

    pub(crate) async fn try_publish(&mut self, topic: &str, message: &Publish) -> HttpAnswer {
        self.call("POST", &path(topic), message.encode()).await
    }

    pub(crate) async fn publish(&mut self, topic: &str, message: &Publish) -> Published {
        self.try_publish(topic, message).await.published()
    }

    /// Consumes with these parameters: `consumer=G&numOfMessages=16`.
    pub(crate) async fn consume(&mut self, topic: &str, parameters: &str) -> HttpAnswer {
        self.call("GET", &format!("{}?{parameters}", path(topic)), Vec::new()).await
    }

    /// Consumes with these parameters on a connection of its own; returns when the broker has begun with it.
    pub(crate) async fn waiting(broker: &Broker, topic: &str, parameters: &str) -> Self {
        let before = broker.request_count(POP_MESSAGE);
        let mut peer = Self::connect(broker.address()).await;
        peer.write(&HttpRequest::new("GET", &format!("{}?{parameters}", path(topic)), [])).await;
        while broker.request_count(POP_MESSAGE) == before {
            tokio::task::yield_now().await;
        }
        peer
    }

    /// Acknowledges with these parameters: `consumer=G`.
    pub(crate) async fn ack(&mut self, topic: &str, parameters: &str, handles: &[&str]) -> HttpAnswer {
        let handles = Handles(handles.iter().map(|handle| (*handle).to_owned()).collect());
        self.call("DELETE", &format!("{}?{parameters}", path(topic)), handles.encode()).await
    }
}

impl HttpAnswer {
    /// Checks what every answer of the service has.
    fn complete(&self, status: u16) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.headers[VERSION], VERSION_VALUE);
        assert!(self.headers[REQUEST_ID].len() >= 16);
        if !self.body.is_empty() {
            assert_eq!(self.headers[CONTENT_TYPE], CONTENT_TYPE_VALUE);
        }
    }

    pub(crate) fn published(&self) -> Published {
        self.complete(201);
        Published::decode(&self.body).unwrap()
    }

    /// The messages; none where there is nothing to consume.
    pub(crate) fn messages_if_any(&self) -> Vec<Delivered> {
        match self.status {
            404 => {
                assert_eq!(self.refused().code, code::MESSAGE_NOT_EXIST);
                Vec::new()
            }
            _ => self.messages(),
        }
    }

    pub(crate) fn messages(&self) -> Vec<Delivered> {
        self.complete(200);
        decode_messages(&self.body).unwrap()
    }

    /// The answer says that all went well, and nothing else.
    pub(crate) fn done(&self) {
        self.complete(204);
        assert!(self.body.is_empty() && self.headers.get("content-length").is_none());
    }

    /// The code of a refusal, whose status goes with it.
    pub(crate) fn refused(&self) -> ErrorDocument {
        let error = ErrorDocument::decode(&self.body).unwrap();
        self.complete(code::status(&error.code));
        assert_eq!(error.request_id, self.headers[REQUEST_ID]);
        assert!(error.host_id.contains("://127.0.0.1:") && !error.message.is_empty(), "{error:?}");
        error
    }

    /// The handles that were refused, each with its code.
    pub(crate) fn refused_handles(&self) -> Vec<(String, String)> {
        self.complete(404);
        let HandleErrors(errors) = HandleErrors::decode(&self.body).unwrap();
        errors.into_iter().map(|error| (error.handle, error.code)).collect()
    }
}

/// A message of this body.
pub(crate) fn text(body: &str) -> Publish {
    Publish { body: body.into(), ..Publish::default() }
}
