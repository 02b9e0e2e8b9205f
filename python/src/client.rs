//! The life of a producer or consumer: configured, connected with its first use, closed once.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use pyo3::prelude::*;
use tminus::options::SharedCredentials;
use tminus::runtime::{PerProcess, handle};
use tminus::{Error, ErrorKind, Result};
use tokio::sync::OnceCell;

use crate::aio::Completions;
use crate::errors::raise;
use crate::options::Credentials;
use crate::owned::{Owned, closed};
use crate::runtime::{enter, run};

/// What a Python client object is made of.
pub(crate) trait Connect: Sized + Send + Sync + 'static {
    type Options: Clone + Send + Sync + 'static;

    fn connect(options: Self::Options) -> impl Future<Output = Result<Self>> + Send;
    fn shutdown(&self) -> impl Future<Output = ()> + Send;
}

/// The part that calls under way share.
pub(crate) struct Shared<C: Connect> {
    options: C::Options,
    connected: OnceCell<C>,
    is_closed: AtomicBool,
}

impl<C: Connect> Shared<C> {
    /// The client, connected now if it was not yet; calls that come at the same time wait for the one connect.
    pub(crate) async fn client(&self, operation: &'static str) -> Result<&C> {
        if self.is_closed() {
            return Err(closed(operation));
        }
        let client = self.connected.get_or_try_init(|| C::connect(self.options.clone())).await?;
        if self.is_closed() {
            client.shutdown().await;
            return Err(closed(operation));
        }
        Ok(client)
    }

    /// The client even if it was closed meanwhile, for what it still has to give.
    pub(crate) async fn client_or_remains(&self, operation: &'static str) -> Result<Option<&C>> {
        match self.connected.get() {
            Some(client) => Ok(Some(client)),
            None if self.is_closed() => Ok(None),
            None => self.client(operation).await.map(Some),
        }
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

/// Shuts down whatever a client is.
trait Close: Send + Sync {
    fn close(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<C: Connect> Close for Shared<C> {
    fn close(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            self.is_closed.store(true, Ordering::Release);
            if let Some(client) = self.connected.get() {
                client.shutdown().await;
            }
        })
    }
}

/// The clients that this process has not closed, for the end of the interpreter.
static OPEN: PerProcess<Mutex<Vec<Weak<dyn Close>>>> = PerProcess::new();

fn open() -> std::sync::MutexGuard<'static, Vec<Weak<dyn Close>>> {
    OPEN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client as its Python object holds it.
pub(crate) struct Client<C: Connect> {
    shared: Owned<Arc<Shared<C>>>,
    /// What its requests are signed with, if they are.
    credentials: Option<SharedCredentials>,
}

impl<C: Connect> Client<C> {
    pub(crate) fn new(options: C::Options, credentials: Option<SharedCredentials>) -> Self {
        let shared = Shared { options, connected: OnceCell::new(), is_closed: AtomicBool::new(false) };
        let shared = Arc::new(shared);
        let weak: Weak<Shared<C>> = Arc::downgrade(&shared);
        let mut open = open();
        open.retain(|client| client.strong_count() > 0);
        open.push(weak);
        Self { shared: Owned::new(shared), credentials }
    }

    /// What a call under way keeps; `Forked` in a child process.
    pub(crate) fn share(&self, operation: &'static str) -> PyResult<Arc<Shared<C>>> {
        self.shared.get(operation).map(Arc::clone)
    }

    /// Connects now.
    pub(crate) fn start<'py>(
        &self,
        py: Python<'py>,
        via: Option<&Completions>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = self.share("start")?;
        run(py, via, "start", async move { shared.client("start").await.map(drop) })
    }

    /// Shuts down; nothing in a forked child, where there is nothing to shut down.
    pub(crate) fn close<'py>(
        &self,
        py: Python<'py>,
        via: Option<&Completions>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shared = if self.shared.is_forked() { None } else { Some(self.share("close")?) };
        run(py, via, "close", async move {
            if let Some(shared) = shared {
                shared.close().await;
            }
            Ok(())
        })
    }

    /// The connected client, if there is one.
    pub(crate) fn connected(&self, operation: &'static str) -> PyResult<Option<&C>> {
        Ok(self.shared.get(operation)?.connected.get())
    }

    /// Signs the requests from now on with `credentials`.
    pub(crate) fn set_credentials(&self, credentials: Credentials) -> PyResult<()> {
        self.share("set_credentials")?;
        match &self.credentials {
            Some(shared) => {
                shared.set(credentials.0);
                Ok(())
            }
            None => Err(raise(Error::new(
                ErrorKind::InvalidArgument,
                "set_credentials",
                "this object was made without credentials and signs nothing; make it with credentials",
            ))),
        }
    }
}

impl<C: Connect> Drop for Client<C> {
    /// Nobody can use it any more: it signs off in the background.
    fn drop(&mut self) {
        if let (false, Ok(shared), Ok(handle)) =
            (self.shared.is_forked(), self.share("close"), handle("close"))
            && shared.connected.initialized()
            && !shared.is_closed()
        {
            handle.spawn(shared.close());
        }
    }
}

/// Shuts down every open client of this process, all at the same time, within `limit`.
#[pyfunction]
pub(crate) fn close_all(py: Python<'_>, limit: Duration) -> PyResult<()> {
    let clients: Vec<_> = open().drain(..).filter_map(|client| client.upgrade()).collect();
    if clients.is_empty() {
        return Ok(());
    }
    enter(py, "close", async move {
        let _ = tokio::time::timeout(limit, join_all(clients.into_iter().map(Close::close))).await;
        Ok(())
    })
}
