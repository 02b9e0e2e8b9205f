//! The port: every protocol, plain and over TLS, told apart by the first byte of a connection.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::node::Node;
use super::outbox::Outbox;
use super::{http, session};
use crate::error::{Error, ErrorKind, Result};

/// First byte of a TLS handshake; a plain frame starts with the high byte of a small length.
const TLS_HANDSHAKE: u8 = 0x16;
/// First bytes of HTTP: the method of a request, or HTTP/2's `PRI`. As a frame it would be above 1 GiB.
const HTTP: std::ops::RangeInclusive<u8> = b'A'..=b'Z';
/// Time for the first byte and the handshake of a connection.
const HANDSHAKE: Duration = Duration::from_secs(120);
const BACKLOG: u32 = 1024;

/// How connections are taken.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) tls_only: bool,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("tls", &self.tls.is_some()).field("tls_only", &self.tls_only).finish()
    }
}

/// Opens `address`, which has to be a loopback address.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener> {
    if !address.ip().is_loopback() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "start broker",
            format!(
                "{address} is not a loopback address; this broker is for this machine only, use 127.0.0.1 or [::1]"
            ),
        ));
    }
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|e| {
        Error::new(ErrorKind::Io, "start broker", format!("cannot listen on {address}: {e}")).with_source(e)
    })
}

/// Accepts connections until `stop` changes; no connection is left when it returns.
pub(super) async fn run(node: Arc<Node>, listener: TcpListener, door: Door, mut stop: watch::Receiver<bool>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => _ = sessions.spawn(admit(node.clone(), stream, peer, door.clone())),
                Err(error) => {
                    // Out of file handles, most likely: accepting again at once would spin.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = sessions.join_next() => {}
        }
    }
    drop(listener);
    // Nothing is handed out to connections that are about to close.
    node.state().all_receivers_gone();
    sessions.shutdown().await;
    node.all_sessions_closed();
}

async fn admit(node: Arc<Node>, stream: TcpStream, peer: SocketAddr, door: Door) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Some((first, stream)) = first_byte(stream).await else { return };
    let is_tls = first == TLS_HANDSHAKE;
    match door.tls {
        Some(acceptor) if is_tls => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let Some((first, stream)) = first_byte(stream).await else { return };
                serve(node, stream, Caller { peer, over_tls: true }, first).await;
            }
            Ok(Err(error)) => tracing::warn!(%peer, %error, "connection closed: the TLS handshake failed"),
            Err(_) => tracing::warn!(%peer, "connection closed: the TLS handshake took too long"),
        },
        None if is_tls => {
            tracing::warn!(%peer, "connection closed: a TLS client, and the broker has no certificate")
        }
        _ if door.tls_only => {
            tracing::warn!(%peer, "connection closed: not encrypted, and the broker requires TLS")
        }
        _ => serve(node, stream, Caller { peer, over_tls: false }, first).await,
    }
}

/// The first byte of a connection, which is still to be read.
async fn first_byte<S: AsyncRead + Unpin>(stream: S) -> Option<(u8, BufReader<S>)> {
    // One byte of room: everything after it is read past this buffer.
    let mut stream = BufReader::with_capacity(1, stream);
    let first = tokio::time::timeout(HANDSHAKE, stream.fill_buf()).await.ok()?.ok()?.first().copied()?;
    Some((first, stream))
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    pub(super) over_tls: bool,
}

async fn serve<S>(node: Arc<Node>, stream: S, caller: Caller, first: u8)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if HTTP.contains(&first) {
        http::serve(node, stream, caller).await;
    } else {
        let outbox = Arc::new(Outbox::new(node.next_session(), caller.peer, node.version));
        session::serve(node, stream, outbox).await;
    }
}
