//! One connection: pipelined calls, matched by opaque. No task a call; one driver a connection reads, and writes what
//! callers could not write themselves.

use std::borrow::BorrowMut;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout_at;

use super::calls::Calls;
use super::driver::{Driver, Io};
use super::outbox::Outbox;
use crate::clock;
use crate::codec::remoting::frame::{FLAG_ONE_WAY, FLAG_RESPONSE};
use crate::codec::remoting::{Frame, Serialization, signature};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::options::SharedCredentials;
use crate::transport::Fault;
use crate::transport::pool;
use crate::transport::socket::Socket;

/// A one-way sender waits while more bytes than this are queued.
const HIGH_WATER_BYTES: usize = 1024 * 1024;
/// A connection on which nothing at all arrived for this long after a request is given up with the request.
const SILENCE: Duration = Duration::from_secs(3);

/// Takes the requests that the server sends, on the connection's own task: it must not block.
pub(crate) type RequestHandler = dyn Fn(ServerRequest) + Send + Sync;

/// A connection; cloning shares it.
#[derive(Clone)]
pub(crate) struct Connection(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) address: Arc<str>,
    credentials: Option<SharedCredentials>,
    state: Mutex<State>,
    greeted: AtomicBool,
    drained: Notify,
    driver: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) calls: Calls,
    pub(super) outbox: Outbox,
    /// The writing side of a plain socket; with TLS only the driver writes.
    pub(super) writer: Option<OwnedWriteHalf>,
    /// Set while the driver sleeps.
    pub(super) driver: Option<Waker>,
    pub(super) closed: Option<Fault>,
    /// When the first request since the last arrival was submitted.
    pub(super) unheard_since: Option<Instant>,
    /// Whether a frame ever arrived.
    pub(super) answered: bool,
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Connection {
    fn start(
        address: Arc<str>,
        io: Io,
        writer: Option<OwnedWriteHalf>,
        credentials: Option<SharedCredentials>,
        handler: Arc<RequestHandler>,
    ) -> Self {
        let shared = Arc::new(Shared {
            address,
            credentials,
            state: Mutex::new(State { writer, ..State::default() }),
            greeted: AtomicBool::new(false),
            drained: Notify::new(),
            driver: Mutex::new(None),
        });
        let task = tokio::spawn(Driver::new(Arc::clone(&shared), io, handler));
        *shared.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Self(shared)
    }

    /// Sends `request` and waits for its answer until `deadline`. Dropping the future cancels the call.
    ///
    /// # Errors
    /// `Timeout`, or what ended the connection; the outcome says whether bytes of the request had left this process.
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        mut request: impl BorrowMut<Frame>,
        deadline: Instant,
    ) -> Result<Frame> {
        let now = clock::instant();
        if now >= deadline {
            return Err(self.too_late(operation, Outcome::NotSent));
        }
        let submitted = self.submit(request.borrow_mut(), Some(now));
        let (opaque, number) = submitted.map_err(|f| f.error(operation, Outcome::NotSent))?;
        let mut call = Call { connection: self, operation, opaque, number, done: false };
        match timeout_at(deadline.into(), &mut call).await {
            Ok(result) => result,
            Err(_) => {
                let outcome = call.give_up();
                Err(self.too_late(operation, outcome))
            }
        }
    }

    fn too_late(&self, operation: &'static str, outcome: Outcome) -> Error {
        let text = format!("no answer from {} before the deadline", self.0.address);
        Error::new(ErrorKind::Timeout, operation, text).with_outcome(outcome)
    }

    /// Queues `request` without waiting for an answer; waits only while too much is queued, until `deadline`.
    ///
    /// # Errors
    /// What ended the connection, or `Timeout`.
    pub(crate) async fn one_way(
        &self,
        operation: &'static str,
        mut request: impl BorrowMut<Frame>,
        deadline: Instant,
    ) -> Result<()> {
        let request = request.borrow_mut();
        request.flag |= FLAG_ONE_WAY;
        self.submit(request, None).map_err(|f| f.error(operation, Outcome::NotSent))?;
        loop {
            let drained = self.0.drained.notified();
            {
                let state = self.0.lock();
                if let Some(fault) = &state.closed {
                    return Err(fault.error(operation, Outcome::MaybeSent));
                }
                if state.outbox.bytes() <= HIGH_WATER_BYTES {
                    return Ok(());
                }
            }
            let waited = timeout_at(deadline.into(), drained).await;
            waited.map_err(|_| self.too_late(operation, Outcome::MaybeSent))?;
        }
    }

    /// Sends `request` and ignores what the server answers.
    pub(crate) fn cast(&self, mut request: Frame) -> Result<(), Fault> {
        self.submit(&mut request, None).map(|_| ())
    }

    /// Queues `request`, or writes it at once; with the time in `awaited` a call waits for its answer. Returns its
    /// opaque and the number of its frame.
    fn submit(&self, request: &mut Frame, awaited: Option<Instant>) -> Result<(i32, u64), Fault> {
        if let Some(credentials) = self.0.credentials.as_ref().filter(|_| !request.is_response()) {
            signature::sign(request, &credentials.get());
        }
        let mut guard = self.0.lock();
        let state = &mut *guard;
        if let Some(closed) = &state.closed {
            return Err(closed.clone());
        }
        // With others under way the driver writes for all of them at once; a lone caller writes itself.
        let lone = state.outbox.is_empty() && state.calls.is_empty();
        if !request.is_response() {
            request.opaque = state.calls.next_opaque();
        }
        let number = state.outbox.push(request, Serialization::Binary).map_err(|e| {
            Fault::new(ErrorKind::InvalidArgument, format!("the request cannot be framed: {e}"))
        })?;
        if let Some(now) = awaited {
            state.calls.insert(request.opaque, number);
            state.unheard_since.get_or_insert(now);
        }
        let written = lone
            && state.writer.as_ref().is_some_and(|writer| {
                let flushed = state.outbox.flush(|slices| match writer.try_write_vectored(slices) {
                    Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Poll::Pending,
                    result => Poll::Ready(result),
                });
                matches!(flushed, Poll::Ready(Ok(())))
            });
        let driver = if written { None } else { state.driver.take() };
        drop(guard);
        driver.inspect(Waker::wake_by_ref);
        Ok((request.opaque, number))
    }

    /// Notes that somebody signs on at the broker; `true` for the first caller.
    pub(crate) fn greet(&self) -> bool {
        !self.0.greeted.load(Ordering::Relaxed) && !self.0.greeted.swap(true, Ordering::Relaxed)
    }

    /// Whether somebody signed on at the broker.
    pub(crate) fn is_greeted(&self) -> bool {
        self.0.greeted.load(Ordering::Relaxed)
    }

    /// Calls under way.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.0.lock().calls.len()
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the answers to their calls.
    pub(super) fn deliver(&self, answers: &mut Vec<Frame>, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.answered = true;
        state.unheard_since = None;
        wakers.extend(answers.drain(..).filter_map(|answer| state.calls.answer(answer)));
        drop(state);
        wakers.drain(..).for_each(Waker::wake);
    }

    /// Tells one-way senders that the queue is short again.
    pub(super) fn drained(&self) {
        self.drained.notify_waiters();
    }

    pub(super) fn close(&self, fault: Fault) {
        let mut state = self.lock();
        if state.closed.is_none() {
            state.closed = Some(fault);
            state.outbox.clear();
        }
        let mut wakers = state.calls.wakers();
        wakers.extend(state.driver.take());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        self.drained.notify_waiters();
    }
}

impl pool::Connection for Connection {
    fn address(&self) -> &Arc<str> {
        &self.0.address
    }

    fn is_closed(&self) -> bool {
        self.0.lock().closed.is_some()
    }

    fn has_answered(&self) -> bool {
        self.0.lock().answered
    }

    fn close(&self, fault: Fault) {
        self.0.close(fault);
    }

    async fn ended(&self) {
        let driver = self.0.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            let _ = driver.await;
        }
    }
}

/// Makes remoting connections.
pub(crate) struct Dialer {
    credentials: Option<SharedCredentials>,
    handler: Arc<RequestHandler>,
}

impl Dialer {
    /// Requests are signed with `credentials`; those of servers go to `handler`.
    pub(crate) fn new(credentials: Option<SharedCredentials>, handler: Arc<RequestHandler>) -> Self {
        Self { credentials, handler }
    }
}

impl pool::Dialer for Dialer {
    type Connection = Connection;

    const ALPN: &[&[u8]] = &[];

    async fn begin(&self, address: &Arc<str>, socket: Socket) -> Result<Connection, Fault> {
        let (io, writer) = match socket {
            Socket::Plain(socket) => {
                let (reader, writer) = socket.into_split();
                (Io::Plain(reader), Some(writer))
            }
            Socket::Encrypted(stream) => (Io::Tls(stream), None),
        };
        let (credentials, handler) = (self.credentials.clone(), Arc::clone(&self.handler));
        Ok(Connection::start(Arc::clone(address), io, writer, credentials, handler))
    }
}

/// A request under way; dropping it forgets the request, and takes it back where it has not begun to leave.
struct Call<'a> {
    connection: &'a Connection,
    operation: &'static str,
    opaque: i32,
    number: u64,
    done: bool,
}

impl Call<'_> {
    fn outcome(state: &State, number: u64) -> Outcome {
        if state.outbox.has_started(number) { Outcome::MaybeSent } else { Outcome::NotSent }
    }

    /// Forgets the call at its deadline, and the connection with it if that has been silent all the time.
    fn give_up(&mut self) -> Outcome {
        self.done = true;
        let shared = &self.connection.0;
        let mut state = shared.lock();
        state.calls.remove(self.opaque);
        let left = state.outbox.withdraw(self.number);
        let silent =
            state.unheard_since.is_some_and(|since| clock::instant().duration_since(since) >= SILENCE);
        drop(state);
        if silent {
            let text =
                format!("{} has been silent for {} s after a request", shared.address, SILENCE.as_secs());
            shared.close(Fault::new(ErrorKind::ConnectionClosed, text));
        }
        if left { Outcome::MaybeSent } else { Outcome::NotSent }
    }
}

impl Future for Call<'_> {
    type Output = Result<Frame>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.connection.0.lock();
        let result = match state.calls.poll(self.opaque, context.waker()) {
            Poll::Ready(answer) => Ok(answer),
            Poll::Pending => match &state.closed {
                None => return Poll::Pending,
                Some(fault) => {
                    let error = fault.error(self.operation, Self::outcome(&state, self.number));
                    state.calls.remove(self.opaque);
                    Err(error)
                }
            },
        };
        drop(state);
        self.done = true;
        Poll::Ready(result)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.connection.0.lock();
            state.calls.remove(self.opaque);
            state.outbox.withdraw(self.number);
        }
    }
}

/// A request from the server.
pub(crate) struct ServerRequest {
    /// The request itself.
    pub(crate) frame: Frame,
    pub(super) connection: Connection,
}

impl ServerRequest {
    /// The connection that it came on.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Answers it, unless the server wants no answer.
    pub(crate) fn answer(&self, mut response: Frame) {
        if self.frame.is_one_way() {
            return;
        }
        response.opaque = self.frame.opaque;
        response.flag |= FLAG_RESPONSE;
        // The server asks again, or does without, if the connection is gone.
        let _ = self.connection.cast(response);
    }
}
