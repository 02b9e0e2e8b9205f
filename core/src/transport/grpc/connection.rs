//! One HTTP/2 connection: calls are its streams. One task a connection drives it; none a call.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{Builder, Connection as Http2, ResponseFuture, SendRequest};
use http::{Request, Uri};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::socket::{Ear, Greeting, Heard};
use crate::error::ErrorKind;
use crate::transport::Fault;
use crate::transport::pool;
use crate::transport::socket::Socket;

/// Bytes a server may send ahead on one stream, and on all together: a full batch of large messages does not stall.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// A connection on which nothing at all arrived for this long after a request is given up with the request.
const SILENCE: Duration = Duration::from_secs(3);

/// A connection; cloning shares it.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Shared>);

struct Shared {
    address: Arc<str>,
    origin: Uri,
    /// Absent once nothing new is taken.
    requests: Mutex<Option<SendRequest<Bytes>>>,
    ear: Arc<Ear>,
    answered: AtomicBool,
    /// Why it has ended, or has to.
    end: watch::Sender<Option<Fault>>,
    driver: Mutex<Option<JoinHandle<()>>>,
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Connection {
    /// Where it leads: scheme and authority.
    pub(super) fn origin(&self) -> Uri {
        self.0.origin.clone()
    }

    /// Opens a stream for `request`. Nothing leaves if this fails: the connection takes no more.
    pub(super) fn open(&self, request: Request<()>) -> Result<(ResponseFuture, SendStream<Bytes>), Fault> {
        let mut requests = lock(&self.0.requests);
        let Some(open) = requests.as_mut() else { return Err(self.fault("it takes no more requests")) };
        open.send_request(request, false).map_err(|e| self.fault(&e.to_string()))
    }

    /// Notes that a request is asked that is answered at once.
    pub(super) fn asked(&self) {
        self.0.ear.asked();
    }

    /// Notes that the server answered.
    pub(super) fn answered(&self) {
        self.0.answered.store(true, Ordering::Relaxed);
    }

    /// Notes that a request was given up at its deadline: the connection goes with it if it has been silent.
    pub(super) fn gave_up(&self) {
        if self.0.ear.silence() >= SILENCE {
            let text =
                format!("{} has been silent for {} s after a request", self.0.address, SILENCE.as_secs());
            pool::Connection::close(self, Fault::new(ErrorKind::ConnectionClosed, text));
        }
    }

    /// Why the connection ended, or that it did because of `why`.
    pub(super) fn fault(&self, why: &str) -> Fault {
        self.0.end.borrow().clone().unwrap_or_else(|| closed(&self.0.address, why))
    }
}

impl pool::Connection for Connection {
    fn address(&self) -> &Arc<str> {
        &self.0.address
    }

    fn is_closed(&self) -> bool {
        self.0.end.borrow().is_some()
    }

    fn has_answered(&self) -> bool {
        self.0.answered.load(Ordering::Relaxed)
    }

    /// The socket closes with the last stream.
    fn retire(&self) {
        lock(&self.0.requests).take();
    }

    fn close(&self, fault: Fault) {
        self.0.end.send_if_modified(|end| end.is_none() && end.replace(fault).is_none());
    }

    async fn ended(&self) {
        let driver = lock(&self.0.driver).take();
        if let Some(driver) = driver {
            let _ = driver.await;
        }
    }
}

/// Begins HTTP/2.
pub(crate) struct Dialer;

impl pool::Dialer for Dialer {
    type Connection = Connection;

    const ALPN: &[&[u8]] = &[b"h2"];

    /// Waits for the first frame of the server, so that a port that speaks something else is found out here.
    async fn begin(&self, address: &Arc<str>, socket: Socket) -> Result<Connection, Fault> {
        let scheme = if matches!(socket, Socket::Plain(_)) { "http" } else { "https" };
        let origin = Uri::try_from(format!("{scheme}://{address}"))
            .map_err(|_| Fault::new(ErrorKind::InvalidArgument, format!("{address:?} is not host:port")))?;
        let (socket, ear) = Heard::new(socket);
        let mut builder = Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false);
        let handshake = builder.handshake(socket).await;
        let (requests, mut http2) = handshake.map_err(|e| unlike_http2(address, &ear, &e.to_string()))?;
        poll_fn(|context| match Pin::new(&mut http2).poll(context) {
            _ if ear.greeting() == Greeting::Http2 => Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) => Poll::Ready(Err(unlike_http2(address, &ear, "it closed the connection"))),
            Poll::Ready(Err(e)) => Poll::Ready(Err(unlike_http2(address, &ear, &e.to_string()))),
            Poll::Pending => Poll::Pending,
        })
        .await?;
        let connection = Connection(Arc::new(Shared {
            address: Arc::clone(address),
            origin,
            requests: Mutex::new(Some(requests)),
            ear,
            answered: AtomicBool::new(false),
            end: watch::Sender::new(None),
            driver: Mutex::new(None),
        }));
        let task = tokio::spawn(drive(Arc::clone(&connection.0), http2));
        *lock(&connection.0.driver) = Some(task);
        Ok(connection)
    }
}

/// Reads and writes until the connection ends or has to; dropping `http2` closes the socket and fails the streams.
async fn drive(shared: Arc<Shared>, http2: Http2<Heard>) {
    let mut end = shared.end.subscribe();
    let result = tokio::select! {
        result = http2 => result,
        _ = end.wait_for(Option::is_some) => return,
    };
    let fault = match result {
        Ok(()) => closed(&shared.address, "the server closed it"),
        Err(error) => closed(&shared.address, &error.to_string()),
    };
    shared.end.send_if_modified(|end| end.is_none() && end.replace(fault).is_none());
}

fn closed(address: &str, why: &str) -> Fault {
    Fault::new(ErrorKind::ConnectionClosed, format!("the connection to {address} ended: {why}"))
}

/// What it means that no HTTP/2 came.
fn unlike_http2(address: &str, ear: &Ear, why: &str) -> Fault {
    if let Some(why) = ear.refusal() {
        return Fault::new(ErrorKind::Tls, format!("{address}: {why}"));
    }
    let (kind, text) = match ear.greeting() {
        Greeting::Http1 => (
            ErrorKind::WrongProtocol,
            "it answers in HTTP/1, not in gRPC; give the gRPC port of a RocketMQ proxy (8081 by default)"
                .to_owned(),
        ),
        Greeting::Tls => (ErrorKind::Tls, "it speaks TLS; use grpcs://".to_owned()),
        Greeting::Other => (
            ErrorKind::WrongProtocol,
            "it does not answer in gRPC; give the gRPC port of a RocketMQ proxy (8081 by default), or use \
             remoting:// for a name server"
                .to_owned(),
        ),
        Greeting::None => (
            ErrorKind::BrokerUnreachable,
            format!(
                "it closed the connection without a word of gRPC ({why}); if it is a name server or broker, use \
                 remoting://, if it wants TLS, grpcs://"
            ),
        ),
        Greeting::Http2 => (ErrorKind::Protocol, format!("it broke HTTP/2 ({why})")),
    };
    Fault::new(kind, format!("{address}: {text}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
