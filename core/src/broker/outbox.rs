//! What a connection still has to send. Anybody may add to it; its session writes it in one piece.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::Notify;

use crate::codec::remoting::{Frame, Serialization};

#[derive(Debug, Default)]
struct Queued {
    bytes: BytesMut,
    closing: bool,
}

/// The sending side of a connection, and who it belongs to.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// Number of the connection, never reused.
    pub(crate) session: u64,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// What the broker says its version is.
    version: i32,
    queued: Mutex<Queued>,
    changed: Notify,
}

impl Outbox {
    pub(crate) fn new(session: u64, peer: SocketAddr, version: i32) -> Self {
        Self { session, peer, version, queued: Mutex::default(), changed: Notify::new() }
    }

    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues `frame`; nothing happens on a closing connection.
    pub(crate) fn push(&self, mut frame: Frame) {
        frame.version = self.version;
        let mut queued = self.queued();
        if queued.closing {
            return;
        }
        match frame.encode_head(Serialization::Json, &mut queued.bytes) {
            Ok(()) => queued.bytes.extend_from_slice(&frame.body),
            Err(error) => tracing::error!(%error, code = frame.code, "a frame could not be written"),
        }
        drop(queued);
        self.changed.notify_one();
    }

    /// Lets the session end after what is queued was written.
    pub(crate) fn close(&self) {
        self.queued().closing = true;
        self.changed.notify_one();
    }

    /// Moves what is queued into `out`; `false` when nothing will follow.
    pub(super) fn take(&self, out: &mut BytesMut) -> bool {
        let mut queued = self.queued();
        if out.is_empty() {
            std::mem::swap(out, &mut queued.bytes);
        } else {
            out.unsplit(queued.bytes.split());
        }
        !queued.closing
    }

    /// Waits until something was queued, or the end was.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}
