//! The socket under a connection: it remembers how the server began to talk, and whether it has fallen silent.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, ReadBuf};

use crate::clock;
use crate::transport::socket::{self, Socket};
use crate::transport::tls;

/// Bytes kept of what the server said first: the head of an HTTP/2 frame.
const GREETING: usize = 9;

/// What was heard on a socket.
pub(super) struct Ear {
    opened: Instant,
    greeting: OnceLock<[u8; GREETING]>,
    /// Why TLS failed: a client may learn only after the handshake that it is refused.
    refusal: OnceLock<String>,
    /// When the first request since the last arrival began, in ms after `opened`, plus 1; 0: something arrived since.
    unheard_since: AtomicU64,
}

/// How a server began to talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    /// Not at all.
    None,
    /// With an HTTP/2 SETTINGS frame.
    Http2,
    /// In HTTP/1.
    Http1,
    /// With a TLS alert.
    Tls,
    /// With something else.
    Other,
}

impl Ear {
    fn new() -> Self {
        Self {
            opened: clock::instant(),
            greeting: OnceLock::new(),
            refusal: OnceLock::new(),
            unheard_since: AtomicU64::new(0),
        }
    }

    /// How the server began to talk.
    pub(super) fn greeting(&self) -> Greeting {
        match self.greeting.get() {
            None => Greeting::None,
            Some([b'H', b'T', b'T', b'P', ..]) => Greeting::Http1,
            Some([0x15, 3, ..]) => Greeting::Tls,
            Some([_, _, _, 4, _, 0, 0, 0, 0]) => Greeting::Http2,
            Some(_) => Greeting::Other,
        }
    }

    /// Why TLS failed, if it did.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.get().map(String::as_str)
    }

    /// Notes that a request is asked that is answered at once.
    pub(super) fn asked(&self) {
        let _ = self.unheard_since.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// How long nothing at all arrived since a request was asked.
    pub(super) fn silence(&self) -> Duration {
        match self.unheard_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis(self.now().saturating_sub(since)),
        }
    }

    fn now(&self) -> u64 {
        clock::instant().duration_since(self.opened).as_millis() as u64 + 1
    }

    fn hear(&self, bytes: &[u8]) {
        self.unheard_since.store(0, Ordering::Relaxed);
        if self.greeting.get().is_none() && !bytes.is_empty() {
            let mut greeting = [0; GREETING];
            let length = bytes.len().min(GREETING);
            greeting[..length].copy_from_slice(&bytes[..length]);
            let _ = self.greeting.set(greeting);
        }
    }
}

/// A socket with an ear.
pub(super) struct Heard {
    socket: Socket,
    ear: Arc<Ear>,
}

impl Heard {
    pub(super) fn new(socket: Socket) -> (Self, Arc<Ear>) {
        let ear = Arc::new(Ear::new());
        (Self { socket, ear: Arc::clone(&ear) }, ear)
    }
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        match &read {
            Poll::Ready(Ok(())) => self.ear.hear(&buffer.filled()[before..]),
            Poll::Ready(Err(error)) => {
                if let Some(why) = tls::explain(error) {
                    let _ = self.ear.refusal.set(why);
                }
            }
            Poll::Pending => {}
        }
        read
    }
}

socket::write_through!(Heard);
