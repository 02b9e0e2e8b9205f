//! One connection: frames in, answers out. One task reads, handles and writes; answers to requests that arrived
//! together leave together.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::handlers;
use super::node::Node;
use super::outbox::Outbox;
use crate::clock;
use crate::codec::remoting::{DEFAULT_MAX_FRAME_BYTES, Frame, FrameError};

/// A connection without traffic for this long is closed.
const IDLE: Duration = Duration::from_secs(120);
/// Room for reading; frames that are larger make it grow as their bytes arrive, not as they claim.
const READ_BYTES: usize = 64 * 1024;
/// A client that does not read its answers is not read from while more than this many bytes wait for it.
const MAX_UNSENT_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("closed by the client")]
    Client,
    #[error("closed by the broker")]
    Broker,
    #[error("no traffic for {} s", IDLE.as_secs())]
    Idle,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Serves `stream` until either side closes it.
pub(super) async fn serve(node: Arc<Node>, stream: impl AsyncRead + AsyncWrite, outbox: Arc<Outbox>) {
    let ended = match exchange(&node, stream, &outbox).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    };
    outbox.close();
    node.state().session_closed(outbox.session);
    match ended {
        Ended::Frame(error) => {
            tracing::warn!(peer = %outbox.peer, %error, "connection closed: not a remoting client")
        }
        other => tracing::debug!(peer = %outbox.peer, reason = %other, "connection closed"),
    }
}

async fn exchange(
    node: &Arc<Node>,
    stream: impl AsyncRead + AsyncWrite,
    outbox: &Arc<Outbox>,
) -> Result<std::convert::Infallible, Ended> {
    let (reader, writer) = tokio::io::split(stream);
    tokio::pin!(reader, writer);
    let mut received = BytesMut::with_capacity(READ_BYTES);
    let mut unsent = BytesMut::new();
    let mut last_traffic = clock::instant();
    let idle = tokio::time::sleep(IDLE);
    tokio::pin!(idle);
    loop {
        let open = outbox.take(&mut unsent);
        if !open && unsent.is_empty() {
            writer.flush().await?;
            return Err(Ended::Broker);
        }
        if received.capacity() - received.len() < READ_BYTES / 4 {
            received.reserve(READ_BYTES);
        }
        tokio::select! {
            biased;
            written = writer.write(&unsent), if !unsent.is_empty() => {
                unsent.advance(written?);
                if unsent.is_empty() {
                    writer.flush().await?;
                }
                last_traffic = clock::instant();
            }
            read = reader.read_buf(&mut received), if open && unsent.len() < MAX_UNSENT_BYTES => {
                if read? == 0 {
                    return Err(Ended::Client);
                }
                while let Some(frame) = Frame::decode(&mut received, DEFAULT_MAX_FRAME_BYTES)? {
                    if handlers::handle(node, outbox, frame).is_break() {
                        break;
                    }
                }
                last_traffic = clock::instant();
            }
            () = outbox.changed() => {}
            () = &mut idle => {
                let left = IDLE.saturating_sub(clock::instant().duration_since(last_traffic));
                if left.is_zero() {
                    return Err(Ended::Idle);
                }
                idle.set(tokio::time::sleep(left));
            }
        }
    }
}
