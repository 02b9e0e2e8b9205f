//! The one task of a connection: reads, and writes what has queued up.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Sleep, sleep};

use super::connection::{Connection, RequestHandler, ServerRequest, Shared, State};
use crate::clock;
use crate::codec::remoting::{DEFAULT_MAX_FRAME_BYTES, Foreign, Frame, FrameError};
use crate::error::ErrorKind;
use crate::transport::Fault;
use crate::transport::tls::{self, TlsStream};

/// Room made for a read; a frame's claimed length never reserves more than this at a time.
const READ_CHUNK_BYTES: usize = 64 * 1024;
/// Less room than this is not worth a read.
const MIN_READ_BYTES: usize = 4 * 1024;
/// Servers close a connection without traffic after this long; so do we.
const IDLE: Duration = Duration::from_secs(120);

pub(super) enum Io {
    Plain(OwnedReadHalf),
    Tls(Box<TlsStream>),
}

pub(super) struct Driver {
    shared: Arc<Shared>,
    io: Io,
    handler: Arc<RequestHandler>,
    input: BytesMut,
    answers: Vec<Frame>,
    wakers: Vec<Waker>,
    /// Whether other tasks had a chance to add frames since the queue was first seen filled.
    yielded: bool,
    /// Whether encrypted bytes may wait inside the TLS stream.
    unflushed: bool,
    idle: Pin<Box<Sleep>>,
    last_traffic: std::time::Instant,
    heard: bool,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, io: Io, handler: Arc<RequestHandler>) -> Self {
        Self {
            shared,
            io,
            handler,
            input: BytesMut::new(),
            answers: Vec::new(),
            wakers: Vec::new(),
            yielded: false,
            unflushed: false,
            idle: Box::pin(sleep(IDLE)),
            last_traffic: clock::instant(),
            heard: false,
        }
    }

    /// Writes and reads until both sides are pending; an error ends the connection.
    fn drive(&mut self, context: &mut Context<'_>) -> Result<(), Fault> {
        if let Poll::Ready(Err(e)) = self.write(context) {
            return Err(self.broken(&e));
        }
        while let Poll::Ready(read) = self.read(context) {
            read?;
        }
        while self.idle.as_mut().poll(context).is_ready() {
            let rest = IDLE.saturating_sub(clock::instant().duration_since(self.last_traffic));
            if rest.is_zero() {
                let text =
                    format!("the connection to {} was idle for {} s", self.shared.address, IDLE.as_secs());
                return Err(Fault::new(ErrorKind::ConnectionClosed, text));
            }
            self.idle.set(sleep(rest));
        }
        Ok(())
    }

    fn write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut guard = self.shared.lock();
        let State { outbox, writer, driver, .. } = &mut *guard;
        *driver = Some(context.waker().clone());
        if outbox.is_empty() && !self.unflushed {
            self.yielded = false;
            return Poll::Ready(Ok(()));
        }
        if !std::mem::replace(&mut self.yielded, true) {
            // Let the tasks that were woken with this one queue their frames too: one write for all of them.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match (&mut self.io, writer) {
            (Io::Tls(stream), _) => {
                self.unflushed = true;
                ready!(outbox.flush(|slices| Pin::new(&mut *stream).poll_write_vectored(context, slices)))?;
                ready!(Pin::new(stream).poll_flush(context))?;
                self.unflushed = false;
            }
            (Io::Plain(_), Some(writer)) => {
                ready!(outbox.flush(|slices| Pin::new(&mut *writer).poll_write_vectored(context, slices)))?;
            }
            (Io::Plain(_), None) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
        self.yielded = false;
        self.last_traffic = clock::instant();
        drop(guard);
        self.shared.drained();
        Poll::Ready(Ok(()))
    }

    fn read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.input.capacity() - self.input.len() < MIN_READ_BYTES {
            self.input.reserve(READ_CHUNK_BYTES);
        }
        let read = match &mut self.io {
            Io::Plain(reader) => pin!(reader.read_buf(&mut self.input)).poll(context),
            Io::Tls(stream) => pin!(stream.read_buf(&mut self.input)).poll(context),
        };
        Poll::Ready(match ready!(read) {
            Ok(0) => Err(self.ended()),
            Ok(_) => self.take_frames(),
            Err(e) => Err(self.broken(&e)),
        })
    }

    /// Hands out the whole frames of the input.
    fn take_frames(&mut self) -> Result<(), Fault> {
        self.last_traffic = clock::instant();
        let mut requests = Vec::new();
        let fault = loop {
            match Frame::decode(&mut self.input, DEFAULT_MAX_FRAME_BYTES) {
                Ok(Some(frame)) if frame.is_response() => self.answers.push(frame),
                Ok(Some(frame)) => requests.push(frame),
                Ok(None) => break None,
                Err(e) => break Some(self.misread(&e)),
            }
        };
        if !self.answers.is_empty() || !requests.is_empty() {
            self.heard = true;
            self.shared.deliver(&mut self.answers, &mut self.wakers);
        }
        for frame in requests {
            (self.handler)(ServerRequest { frame, connection: Connection(Arc::clone(&self.shared)) });
        }
        fault.map_or(Ok(()), Err)
    }

    fn misread(&self, error: &FrameError) -> Fault {
        let address = &self.shared.address;
        match error {
            FrameError::Foreign(Foreign::Tls) => {
                let text = format!(
                    "{address} speaks TLS only; use remotings://{address}, or switch TLS on in the client's options"
                );
                Fault::new(ErrorKind::Tls, text)
            }
            FrameError::Foreign(other) => {
                let text = format!(
                    "{address} speaks {other}, not RocketMQ remoting; give the remoting port of a name server \
                     (9876 by default)"
                );
                Fault::new(ErrorKind::WrongProtocol, text)
            }
            other => {
                let text = format!("{address} broke the protocol: {other}; is it a RocketMQ remoting port?");
                Fault::new(ErrorKind::Protocol, text)
            }
        }
    }

    /// The server has closed its side.
    fn ended(&mut self) -> Fault {
        let address = &self.shared.address;
        if self.input.is_empty() {
            let hint = if self.heard { "" } else { " without an answer; is it a RocketMQ remoting port?" };
            return Fault::new(ErrorKind::ConnectionClosed, format!("{address} closed the connection{hint}"));
        }
        if !self.heard && self.input.len() < 8 {
            // A TLS alert is shorter than the prefix of a frame; filled up it is recognised all the same.
            let mut padded = BytesMut::from(&self.input[..]);
            padded.resize(8, 0);
            if let Err(e @ FrameError::Foreign(_)) = Frame::decode(&mut padded, DEFAULT_MAX_FRAME_BYTES) {
                return self.misread(&e);
            }
        }
        let text = format!("{address} closed the connection in the middle of a frame");
        Fault::new(ErrorKind::ConnectionClosed, text)
    }

    fn broken(&mut self, error: &io::Error) -> Fault {
        let address = &self.shared.address;
        match tls::explain(error) {
            Some(why) => Fault::new(ErrorKind::Tls, format!("{address}: {why}")),
            None if error.kind() == io::ErrorKind::UnexpectedEof => self.ended(),
            None => {
                let text = format!("the connection to {address} broke ({error})");
                Fault::new(ErrorKind::ConnectionClosed, text)
            }
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let result = self.drive(context);
        if let Err(fault) = result {
            self.shared.close(fault);
        }
        if self.shared.lock().closed.is_none() {
            return Poll::Pending;
        }
        if let Io::Tls(stream) = &mut self.io {
            // Say good-bye if the socket takes it at once; a server that does not is none the worse for it.
            let _ = Pin::new(stream).poll_shutdown(context);
        }
        Poll::Ready(())
    }
}

impl Drop for Driver {
    /// Also when the runtime is shut down under it: nobody may wait for ever.
    fn drop(&mut self) {
        let text = format!("the runtime that drove the connection to {} has ended", self.shared.address);
        self.shared.close(Fault::new(ErrorKind::ConnectionClosed, text));
        self.shared.lock().writer = None;
    }
}
