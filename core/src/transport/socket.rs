//! A connected socket, plain or encrypted, and how one is dialled.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Fault;
use super::tls::{Tls, TlsStream};
use crate::error::ErrorKind;

/// A connected socket.
pub(crate) enum Socket {
    Plain(TcpStream),
    Encrypted(Box<TlsStream>),
}

impl Socket {
    /// Connects to `address` (`host:port`), with TLS if there is some.
    pub(super) async fn dial(address: &str, tls: Option<&Tls>) -> Result<Self, Fault> {
        let socket = connect(address).await?;
        Ok(match tls {
            None => Self::Plain(socket),
            Some(tls) => Self::Encrypted(Box::new(tls.connect(address, socket).await?)),
        })
    }

    fn stream(&mut self) -> Pin<&mut dyn Stream> {
        match self {
            Self::Plain(socket) => Pin::new(socket),
            Self::Encrypted(stream) => Pin::new(stream.as_mut()),
        }
    }
}

/// Connects to `address`, without TLS.
pub(super) async fn connect(address: &str) -> Result<TcpStream, Fault> {
    let connected = async {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(socket)
    };
    connected.await.map_err(|error: io::Error| unreachable(address, &error.to_string()))
}

/// What `dialling` makes within `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    address: &str,
    dialling: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let dialled = timeout(limit, dialling).await;
    dialled.unwrap_or_else(|_| Err(unreachable(address, &format!("no answer within {limit:?}"))))
}

fn unreachable(address: &str, why: &str) -> Fault {
    let text = format!("cannot connect to {address}: {why}; check the address and that the server runs");
    Fault::new(ErrorKind::BrokerUnreachable, text)
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::Encrypted(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}

/// Lets a type write to its field `socket`, as the socket itself would.
macro_rules! write_through {
    ($type:ty) => {
        impl tokio::io::AsyncWrite for $type {
            fn poll_write(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.socket).poll_write(context, bytes)
            }

            fn poll_write_vectored(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                slices: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.socket).poll_write_vectored(context, slices)
            }

            fn is_write_vectored(&self) -> bool {
                self.socket.is_write_vectored()
            }

            fn poll_flush(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.socket).poll_flush(context)
            }

            fn poll_shutdown(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.socket).poll_shutdown(context)
            }
        }
    };
}
pub(super) use write_through;
