//! HTTP servers made of a socket: what they read is remembered, and they answer, or not, as a test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tminus::codec::http::request::REQUEST_ID;
use tminus::codec::http::{ErrorDocument, Published, code, digest};
use tminus::options::{ClientOptions, HttpProxy, ProducerOptions};
use tminus::{HttpClient, Message, Producer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a server does with a request.
pub enum Reply {
    /// Answers.
    With(Vec<u8>),
    /// Answers, and closes the connection without having said that it would.
    Last(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Nothing.
    Silence,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Number of the connection, from 0.
    pub connection: usize,
    pub head: String,
    pub body: Vec<u8>,
}

impl Seen {
    /// The first line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A server.
#[derive(Clone)]
pub struct Raw {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Connections made, and ended by both sides.
    connections: watch::Sender<(usize, usize)>,
}

impl Raw {
    /// A server that does with each request, by its number from 0, what `reply` says.
    pub async fn start(reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1:0", reply).await
    }

    /// The same on an address of the test's choice.
    pub async fn start_on(
        address: &str,
        reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let raw = Self { address, seen: Arc::default(), connections: watch::Sender::default() };
        let (server, reply) = (raw.clone(), Arc::new(reply));
        // It ends with the runtime of the test.
        tokio::spawn(async move {
            for connection in 0.. {
                let (mut socket, _) = listener.accept().await.unwrap();
                server.connections.send_modify(|(made, _)| *made += 1);
                let (server, reply) = (server.clone(), Arc::clone(&reply));
                tokio::spawn(async move {
                    server.serve(&mut socket, connection, reply).await;
                    let _ = socket.shutdown().await;
                    while socket.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
                    server.connections.send_modify(|(_, ended)| *ended += 1);
                });
            }
        });
        raw
    }

    /// What came so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Number of requests.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Number of connections that were made.
    pub fn connections(&self) -> usize {
        self.connections.borrow().0
    }

    /// Waits until so many connections are closed by both sides.
    pub async fn ended(&self, connections: usize) {
        let mut ends = self.connections.subscribe();
        ends.wait_for(|(_, ended)| *ended >= connections).await.unwrap();
    }

    /// Waits for a request.
    pub async fn asked(&self) {
        while self.count() == 0 {
            tokio::task::yield_now().await;
        }
    }

    async fn serve(
        &self,
        socket: &mut TcpStream,
        connection: usize,
        reply: Arc<impl Fn(usize, &Seen) -> Reply>,
    ) {
        while let Some((head, body)) = read_request(socket).await {
            let seen = Seen { connection, head, body };
            let number = {
                let mut all = self.seen.lock().unwrap();
                all.push(seen.clone());
                all.len() - 1
            };
            match reply(number, &seen) {
                // The client may have heard enough.
                Reply::With(answer) => socket.write_all(&answer).await.unwrap_or_default(),
                Reply::Last(answer) => return socket.write_all(&answer).await.unwrap_or_default(),
                Reply::Close => return,
                Reply::Silence => {}
            }
        }
    }
}

/// Head and body of one request; `None` when the client closes.
pub async fn read_request(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut input = Vec::new();
    let end = loop {
        if let Some(at) = input.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(&mut input).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(input[..end].to_vec()).unwrap();
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    while input.len() < end + length {
        if socket.read_buf(&mut input).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, input[end..].to_vec()))
}

/// An answer with the headers that every answer has.
pub fn answer(status: u16, content: impl AsRef<[u8]>) -> Vec<u8> {
    answer_with(status, "", content)
}

/// The same with more headers, each line with its end.
pub fn answer_with(status: u16, headers: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let length = content.len();
    let head = format!(
        "HTTP/1.1 {status} Any\r\ncontent-length: {length}\r\n{REQUEST_ID}: R-{status}\r\n{headers}\r\n"
    );
    [head.as_bytes(), content].concat()
}

/// The header with that time.
pub fn date(time: SystemTime) -> String {
    format!("date: {}\r\n", httpdate::fmt_http_date(time))
}

/// The answer to a publish of `body`.
pub fn published(body: &str) -> Vec<u8> {
    let published =
        Published { message_id: "M1".into(), body_md5: digest::body_md5(body.as_bytes()), handle: None };
    answer(201, published.encode())
}

/// The answer that refuses a request with `code`.
pub fn refused(code: &str) -> Vec<u8> {
    refused_with(code, "")
}

/// The same with more headers, each line with its end.
pub fn refused_with(code: &str, headers: &str) -> Vec<u8> {
    let document = ErrorDocument {
        code: code.into(),
        message: "the words of the server".into(),
        request_id: "R-body".into(),
        host_id: "http://host".into(),
    };
    answer_with(code::status(code), headers, document.encode())
}

pub fn client_options(address: SocketAddr) -> ClientOptions {
    let mut options = ClientOptions::new(&format!("http://{address}")).unwrap();
    options.http_proxy = HttpProxy::Direct;
    options
}

pub fn client(address: SocketAddr) -> HttpClient {
    HttpClient::new(client_options(address)).unwrap()
}

pub fn producer_options(address: SocketAddr) -> ProducerOptions {
    ProducerOptions::with_client(client_options(address))
}

pub async fn producer(address: SocketAddr) -> Producer {
    Producer::start(producer_options(address)).await.unwrap()
}

pub fn message() -> Message {
    Message::new("orders", "hello")
}

/// Long enough for every answer that comes.
pub const LONG: Option<Duration> = Some(Duration::from_secs(20));
