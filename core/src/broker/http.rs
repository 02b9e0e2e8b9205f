//! One HTTP connection, one task: it serves every call of the connection, so that none outlives it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc};

use super::handlers::http;
use super::listener::Caller;
use super::node::Node;

/// A connection without calls for this long is closed, at the latest after twice as long.
const IDLE: Duration = Duration::from_secs(120);
/// A peer that is silent for this long is asked whether it is there, and has [`ALIVE`] to say so.
const SILENCE: Duration = Duration::from_secs(60);
const ALIVE: Duration = Duration::from_secs(20);
/// Sends and long polls of all consumers and producers of a process share a connection.
const MAX_CALLS: u32 = 10_000;
/// What a client may send ahead, on one call and on all: several messages of the largest size.
const CALL_WINDOW: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;

/// A connection, as those who handle its calls see it.
#[derive(Debug)]
pub(crate) struct Link {
    /// The client's address.
    pub(crate) peer: SocketAddr,
    pub(crate) over_tls: bool,
    calls: AtomicU64,
    cut: Notify,
}

impl Link {
    /// Ends the connection without another byte.
    pub(crate) fn cut(&self) {
        self.cut.notify_one();
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes over the calls that the connection has begun.
#[derive(Clone)]
struct Calls(mpsc::UnboundedSender<Task>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Calls {
    fn execute(&self, call: F) {
        // Nobody takes it when the connection has just ended, and then it is not wanted.
        let _ = self.0.send(Box::pin(call));
    }
}

/// Serves `stream` until either side closes it.
pub(super) async fn serve(
    node: Arc<Node>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    Caller { peer, over_tls }: Caller,
) {
    let link = Arc::new(Link { peer, over_tls, calls: AtomicU64::new(0), cut: Notify::new() });
    let handler = http::Handler::new(node, link.clone());
    let service = service_fn(|request| {
        link.calls.fetch_add(1, Ordering::Relaxed);
        handler.answer(request)
    });
    let (calls, mut begun) = mpsc::unbounded_channel();
    let mut builder = auto::Builder::new(Calls(calls));
    // A connection that is kept alive waits for the headers of its next request.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(SILENCE)
        .keep_alive_timeout(ALIVE)
        .max_concurrent_streams(MAX_CALLS)
        .initial_stream_window_size(CALL_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut under_way = FuturesUnordered::new();
    let mut seen = 0;
    let idle = tokio::time::sleep(IDLE);
    tokio::pin!(idle);
    loop {
        tokio::select! {
            ended = &mut connection => {
                match ended {
                    Ok(()) => tracing::debug!(%peer, "connection closed"),
                    Err(error) => tracing::debug!(%peer, %error, "connection closed"),
                }
                return;
            }
            Some(call) = begun.recv() => under_way.push(call),
            Some(()) = under_way.next() => {}
            () = link.cut.notified() => {
                tracing::debug!(%peer, "connection closed on purpose");
                return;
            }
            () = &mut idle => {
                let calls = link.calls.load(Ordering::Relaxed);
                if under_way.is_empty() && calls == seen {
                    tracing::debug!(%peer, "connection closed: no calls for {} s", IDLE.as_secs());
                    return;
                }
                seen = calls;
                idle.set(tokio::time::sleep(IDLE));
            }
        }
    }
}
