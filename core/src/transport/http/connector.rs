//! Connects to the service: directly, through a proxy, or through a proxy's tunnel.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

use super::proxy::Proxy;
use crate::error::{ErrorKind, Result};
use crate::options::ClientOptions;
use crate::transport::Fault;
use crate::transport::socket::{self, Socket};
use crate::transport::tls::Tls;

type Connecting<T> = Pin<Box<dyn Future<Output = Result<TokioIo<T>, Unconnected>> + Send>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.text)]
pub(super) struct Unconnected(pub(super) Fault);

/// Makes the connections of one client; clones share it.
#[derive(Clone)]
pub(super) struct Connector(Arc<Route>);

struct Route {
    /// `host:port` of the service.
    address: String,
    tls: Option<Tls>,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
}

impl Connector {
    /// # Errors
    /// `InvalidArgument` for unusable TLS options.
    pub(super) fn new(options: &ClientOptions, address: &str, proxy: Option<Proxy>) -> Result<Self> {
        let tls = options.uses_tls().then(|| Tls::new(&options.tls, &[b"http/1.1"])).transpose()?;
        let connect_timeout = options.connect_timeout;
        Ok(Self(Arc::new(Route { address: address.to_owned(), tls, proxy, connect_timeout })))
    }
}

impl Route {
    async fn connect(&self, service: Uri) -> Result<Link, Fault> {
        let Some(proxy) = &self.proxy else {
            return Ok(Link {
                socket: Socket::dial(&self.address, self.tls.as_ref()).await?,
                proxied: false,
            });
        };
        let Some(tls) = &self.tls else {
            return Ok(Link { socket: Socket::dial(&proxy.address, None).await?, proxied: true });
        };
        let tunnel = Tunnel::new(proxy.uri.clone(), ToProxy(proxy.address.clone()));
        let mut tunnel = match &proxy.authorization {
            Some(authorization) => tunnel.with_auth(authorization.clone()),
            None => tunnel,
        };
        let refused = |error: &dyn std::error::Error| {
            let text = match error.source().and_then(|cause| cause.downcast_ref::<Unconnected>()) {
                Some(Unconnected(fault)) => fault.text.clone(),
                None => format!("the proxy {} opens no way to {}: {error}", proxy.address, self.address),
            };
            Fault::new(ErrorKind::BrokerUnreachable, text)
        };
        let socket = tunnel.call(service).await.map_err(|error| refused(&error))?.into_inner();
        let stream = tls.connect(&self.address, socket).await?;
        Ok(Link { socket: Socket::Encrypted(Box::new(stream)), proxied: false })
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = Unconnected;
    type Future = Connecting<Link>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unconnected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, service: Uri) -> Self::Future {
        let route = Arc::clone(&self.0);
        Box::pin(async move {
            let connecting = route.connect(service);
            let connected = socket::within(route.connect_timeout, &route.address, connecting).await;
            connected.map(TokioIo::new).map_err(Unconnected)
        })
    }
}

/// Connects to a proxy.
#[derive(Clone)]
struct ToProxy(String);

impl Service<Uri> for ToProxy {
    type Response = TokioIo<TcpStream>;
    type Error = Unconnected;
    type Future = Connecting<TcpStream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unconnected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let address = self.0.clone();
        Box::pin(async move { socket::connect(&address).await.map(TokioIo::new).map_err(Unconnected) })
    }
}

/// A connection to the service, or to a proxy that reads requests for it.
pub(super) struct Link {
    socket: Socket,
    proxied: bool,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.proxied)
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

socket::write_through!(Link);
