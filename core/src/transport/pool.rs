//! One connection an address. Dials are shared by all who wait for them, and a failed one is not repeated at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep_until, timeout_at};

use super::Fault;
use super::remoting;
use super::socket::{Socket, within};
use super::tls::Tls;
use crate::clock;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::options::ClientOptions;

/// The first pause after a failed dial is random up to this; every further failure doubles it.
const BACK_OFF_BASE: Duration = Duration::from_millis(100);
/// Longest pause between dials.
const BACK_OFF_CAP: Duration = Duration::from_secs(5);

/// A connection that a pool can keep; cloning shares it.
pub(crate) trait Connection: Clone + PartialEq + Send + Sync + 'static {
    /// The address it was dialled with.
    fn address(&self) -> &Arc<str>;

    /// Whether it can take no more requests.
    fn is_closed(&self) -> bool;

    /// Whether the server ever answered a request.
    fn has_answered(&self) -> bool;

    /// Takes nothing new; ends when what is under way is through, or by [`Connection::close`].
    fn retire(&self) {}

    /// Fails all calls under way with `fault` and closes the socket.
    fn close(&self, fault: Fault);

    /// Waits until the socket is closed, after [`Connection::close`].
    fn ended(&self) -> impl Future<Output = ()> + Send;
}

/// Makes connections of one protocol out of sockets.
pub(crate) trait Dialer: Send + Sync + 'static {
    /// What it makes.
    type Connection: Connection;

    /// The protocols that TLS offers, best first; none: it does not say.
    const ALPN: &[&[u8]];

    /// Begins the protocol on `socket`.
    fn begin(
        &self,
        address: &Arc<str>,
        socket: Socket,
    ) -> impl Future<Output = Result<Self::Connection, Fault>> + Send;
}

type Dialled<C> = Option<Result<C, Fault>>;

/// The connections of one client; cloning shares them.
pub(crate) struct Pool<D: Dialer = remoting::Dialer>(Arc<Inner<D>>);

struct Inner<D: Dialer> {
    connect_timeout: Duration,
    tls: Option<Tls>,
    dialer: D,
    state: Mutex<State<D::Connection>>,
}

struct State<C> {
    closed: bool,
    peers: HashMap<Arc<str>, Peer<C>>,
    /// Connections that finish what is under way and take nothing new.
    retired: Vec<C>,
}

struct Peer<C> {
    link: Link<C>,
    /// Dials, or connections without an answer, that failed in a row.
    failures: u32,
    /// Why the last dial failed, and when the next one may start.
    last: Option<(Fault, Instant)>,
}

enum Link<C> {
    Down,
    Dialling(watch::Receiver<Dialled<C>>, AbortHandle),
    Up(C),
}

/// How a caller comes to a connection.
enum Access<C> {
    Open(C),
    Dialling(watch::Receiver<Dialled<C>>),
}

impl<D: Dialer> Clone for Pool<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Dialer> Pool<D> {
    /// A pool by `options`; `dialer` begins the protocol.
    ///
    /// # Errors
    /// `InvalidArgument` for unusable TLS options.
    pub(crate) fn new(options: &ClientOptions, dialer: D) -> Result<Self> {
        let tls = options.uses_tls().then(|| Tls::new(&options.tls, D::ALPN)).transpose()?;
        let state = State { closed: false, peers: HashMap::new(), retired: Vec::new() };
        Ok(Self(Arc::new(Inner {
            connect_timeout: options.connect_timeout,
            tls,
            dialer,
            state: Mutex::new(state),
        })))
    }

    /// The connection to `address`, dialled if need be, before `deadline`.
    ///
    /// # Errors
    /// `BrokerUnreachable`, `Tls`, `Timeout` or `Closed`; nothing was sent.
    pub(crate) async fn get(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        deadline: Instant,
    ) -> Result<D::Connection> {
        let mut dial = match self.open_or_dial(address, deadline) {
            Ok(Access::Open(connection)) => return Ok(connection),
            Ok(Access::Dialling(dial)) => dial,
            Err(fault) => return Err(fault.error(operation, Outcome::NotSent)),
        };
        let dialled = match timeout_at(deadline.into(), dial.wait_for(Option::is_some)).await {
            Ok(Ok(dialled)) => dialled.clone(),
            Ok(Err(_)) => return Err(closed().error(operation, Outcome::NotSent)),
            Err(_) => None,
        };
        match dialled {
            Some(result) => result.map_err(|fault| fault.error(operation, Outcome::NotSent)),
            None => {
                let text = format!("no connection to {address} before the deadline");
                Err(Error::new(ErrorKind::Timeout, operation, text))
            }
        }
    }

    /// The open connection, or the dial to wait for.
    fn open_or_dial(&self, address: &Arc<str>, deadline: Instant) -> Result<Access<D::Connection>, Fault> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(closed());
        }
        let peer = match state.peers.get_mut(address) {
            Some(peer) => peer,
            None => state.peers.entry(Arc::clone(address)).or_default(),
        };
        match &peer.link {
            Link::Up(connection) if !connection.is_closed() => {
                return Ok(Access::Open(connection.clone()));
            }
            Link::Up(connection) if connection.has_answered() => (peer.failures, peer.last) = (0, None),
            Link::Up(_) => peer.failed(Fault::new(
                ErrorKind::ConnectionClosed,
                format!("{address} closed the last connection without an answer"),
            )),
            Link::Dialling(dial, _) => return Ok(Access::Dialling(dial.clone())),
            Link::Down => {}
        }
        let not_before = match &peer.last {
            Some((fault, at)) if *at >= deadline => return Err(fault.clone()),
            Some((_, at)) => Some(*at),
            None => None,
        };
        let (sender, dial) = watch::channel(None);
        let inner = Arc::clone(&self.0);
        let to = Arc::clone(address);
        let task = tokio::spawn(async move {
            if let Some(not_before) = not_before {
                sleep_until(not_before.into()).await;
            }
            let dialled = inner.dial(&to).await;
            inner.settle(&to, &dialled);
            sender.send_replace(Some(dialled));
        });
        peer.link = Link::Dialling(dial.clone(), task.abort_handle());
        Ok(Access::Dialling(dial))
    }

    /// Takes no new requests on `connection`, whose server is about to go away; what is under way goes on.
    pub(crate) fn retire(&self, connection: &D::Connection) {
        let mut state = self.0.lock();
        let Some(peer) = state.peers.get_mut(connection.address()) else { return };
        if let Link::Up(current) = &peer.link
            && current == connection
        {
            peer.link = Link::Down;
            connection.retire();
            state.retired.retain(|c| !c.is_closed());
            state.retired.push(connection.clone());
        }
    }

    /// The open connections.
    pub(crate) fn open(&self) -> Vec<D::Connection> {
        let state = self.0.lock();
        let open = state.peers.values().filter_map(|peer| match &peer.link {
            Link::Up(connection) if !connection.is_closed() => Some(connection.clone()),
            _ => None,
        });
        open.collect()
    }

    /// Fails every call and dial under way with `Closed` and waits until the sockets are closed. Idempotent.
    pub(crate) async fn close(&self) {
        for connection in self.abort() {
            connection.ended().await;
        }
    }

    /// The same without waiting; returns the connections that are closing.
    pub(crate) fn abort(&self) -> Vec<D::Connection> {
        let mut state = self.0.lock();
        state.closed = true;
        let mut connections = std::mem::take(&mut state.retired);
        for (_, peer) in state.peers.drain() {
            match peer.link {
                Link::Down => {}
                Link::Dialling(_, task) => task.abort(),
                Link::Up(connection) => connections.push(connection),
            }
        }
        drop(state);
        connections.iter().for_each(|connection| connection.close(closed()));
        connections
    }
}

fn closed() -> Fault {
    Fault::new(ErrorKind::Closed, "the client was shut down")
}

impl<C> Default for Peer<C> {
    fn default() -> Self {
        Self { link: Link::Down, failures: 0, last: None }
    }
}

impl<C> Peer<C> {
    fn failed(&mut self, fault: Fault) {
        let longest = BACK_OFF_BASE.saturating_mul(1 << self.failures.min(16)).min(BACK_OFF_CAP);
        self.failures = self.failures.saturating_add(1);
        self.last = Some((fault, clock::instant() + longest.mul_f64(fastrand::f64())));
    }
}

impl<D: Dialer> Inner<D> {
    fn lock(&self) -> MutexGuard<'_, State<D::Connection>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn dial(&self, address: &Arc<str>) -> Result<D::Connection, Fault> {
        within(self.connect_timeout, address, async {
            let socket = Socket::dial(address, self.tls.as_ref()).await?;
            self.dialer.begin(address, socket).await
        })
        .await
    }

    /// Notes how a dial ended.
    fn settle(&self, address: &Arc<str>, dialled: &Result<D::Connection, Fault>) {
        let mut state = self.lock();
        match (dialled, state.peers.get_mut(address)) {
            (Ok(connection), Some(peer)) => peer.link = Link::Up(connection.clone()),
            (Err(fault), Some(peer)) => {
                peer.link = Link::Down;
                peer.failed(fault.clone());
            }
            (Ok(connection), None) => connection.close(closed()),
            (Err(_), None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tokio::time::timeout;

    use super::*;

    fn pool(connect_timeout: Duration) -> Pool {
        let mut options = ClientOptions::new("127.0.0.1:1").unwrap();
        options.connect_timeout = connect_timeout;
        Pool::new(&options, remoting::Dialer::new(None, Arc::new(|_| ()))).unwrap()
    }

    fn after(time: Duration) -> Instant {
        clock::instant() + time
    }

    #[tokio::test]
    async fn a_failed_dial_is_not_repeated_at_once_and_works_when_the_server_is_there() {
        let pool = pool(Duration::from_secs(3));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap();
        drop(listener);
        let address: Arc<str> = port.to_string().into();
        for _ in 0..4 {
            let error = pool.get("test", &address, after(Duration::from_secs(10))).await.err().unwrap();
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::BrokerUnreachable, Outcome::NotSent));
        }
        // The pause has grown; who cannot wait that long is told why at once.
        {
            let mut state = pool.0.lock();
            let peer = state.peers.get_mut(&address).unwrap();
            assert_eq!(peer.failures, 4);
            peer.last.as_mut().unwrap().1 = after(Duration::from_secs(2));
        }
        let begun = clock::instant();
        let error = pool.get("test", &address, after(Duration::from_millis(500))).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::BrokerUnreachable);
        assert!(begun.elapsed() < Duration::from_millis(250));
        // Who can wait gets the connection.
        let _listener = TcpListener::bind(port).await.unwrap();
        let (one, two) = tokio::join!(
            pool.get("test", &address, after(Duration::from_secs(10))),
            pool.get("test", &address, after(Duration::from_secs(10))),
        );
        assert!(one.unwrap() == two.unwrap(), "dialled once for both");
        pool.close().await;
    }

    #[tokio::test]
    async fn a_dead_address_does_not_hold_up_another_and_is_given_up_in_time() {
        // A full backlog: further connects are never answered.
        let dead = TcpSocket::new_v4().unwrap();
        dead.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let dead = dead.listen(1).unwrap();
        let dead_address: Arc<str> = dead.local_addr().unwrap().to_string().into();
        let mut fillers = Vec::new();
        while let Ok(Ok(filler)) =
            timeout(Duration::from_millis(100), TcpStream::connect(&*dead_address)).await
        {
            fillers.push(filler);
        }
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive_address: Arc<str> = alive.local_addr().unwrap().to_string().into();

        let pool = pool(Duration::from_millis(300));
        let begun = clock::instant();
        let (unanswered, answered) =
            tokio::join!(pool.get("test", &dead_address, after(Duration::from_secs(10))), async {
                let connection = pool.get("test", &alive_address, after(Duration::from_secs(10))).await;
                (connection, begun.elapsed())
            });
        let error = unanswered.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::BrokerUnreachable);
        assert!(error.text().contains("300ms"), "{error}");
        assert!(answered.0.is_ok() && answered.1 < Duration::from_millis(250));
        let error = pool.get("test", &dead_address, after(Duration::from_millis(100))).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::BrokerUnreachable));
        pool.close().await;
        let error = pool.get("test", &alive_address, after(Duration::from_secs(10))).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
}
