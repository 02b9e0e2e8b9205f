//! Joining another broker's name server: registering there, again with every new topic, for as long as this one runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::node::{CLUSTER, Node};
use super::registration::Registration;
use crate::codec::remoting::codes::{request, response};
use crate::codec::remoting::{DEFAULT_MAX_FRAME_BYTES, Frame, Serialization, signature};
use crate::error::{Error, ErrorKind, Result};

/// Registrations are renewed this often, as by the real server.
const RENEWAL: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A connection to the name server.
pub(super) struct Joined {
    stream: TcpStream,
    received: BytesMut,
}

fn failed(name_server: SocketAddr, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::BrokerUnreachable, "join", format!("cannot register at {name_server}: {why}"))
}

/// Registers `node`.
pub(super) async fn join(node: &Node, name_server: SocketAddr) -> Result<Joined> {
    let connected = timeout(PATIENCE, TcpStream::connect(name_server)).await;
    let stream = connected.map_err(|e| failed(name_server, e))?.map_err(|e| failed(name_server, e))?;
    let mut joined = Joined { stream, received: BytesMut::new() };
    joined.register(node, name_server).await?;
    Ok(joined)
}

/// Stays registered until `stop` changes.
pub(super) async fn stay(
    node: Arc<Node>,
    name_server: SocketAddr,
    joined: Joined,
    mut stop: watch::Receiver<bool>,
) {
    tokio::select! {
        _ = stop.changed() => {}
        () = renew(&node, name_server, joined) => {}
    }
}

async fn renew(node: &Node, name_server: SocketAddr, joined: Joined) {
    let mut topics = node.state().store.topics.version();
    // A topic may have come between the first registration and this task.
    topics.mark_changed();
    let mut connection = Some(joined);
    loop {
        connection = match connection {
            Some(mut joined) => {
                let ended = tokio::select! {
                    _ = topics.changed() => false,
                    () = tokio::time::sleep(RENEWAL) => false,
                    () = joined.closed() => true,
                };
                let registered = !ended && joined.register(node, name_server).await.is_ok();
                registered.then_some(joined)
            }
            None => {
                tokio::time::sleep(RETRY_PAUSE).await;
                join(node, name_server).await.ok()
            }
        };
    }
}

impl Joined {
    async fn register(&mut self, node: &Node, name_server: SocketAddr) -> Result<()> {
        let body = serde_json::to_vec(&Registration::of(&node.state().store.topics));
        let mut frame = Frame::request(request::REGISTER_BROKER)
            .with("brokerName", &node.name)
            .with("brokerAddr", node.address)
            .with("clusterName", CLUSTER)
            .with("haServerAddr", "")
            .with("brokerId", 0)
            .with("compressed", false)
            .with_body(body.map_err(|e| failed(name_server, e))?);
        if let Some(credentials) = node.credentials.first() {
            signature::sign(&mut frame, credentials);
        }
        let answer = timeout(PATIENCE, self.call(&frame)).await.map_err(|e| failed(name_server, e))?;
        match answer.map_err(|e| failed(name_server, e))? {
            Frame { code: response::SUCCESS, .. } => Ok(()),
            Frame { code, remark, .. } => {
                Err(failed(name_server, remark.unwrap_or_default()).with_response_code(code))
            }
        }
    }

    async fn call(&mut self, frame: &Frame) -> std::io::Result<Frame> {
        let (head, body) = frame.encode(Serialization::Json).map_err(std::io::Error::other)?;
        self.stream.write_all(&head).await?;
        self.stream.write_all(&body).await?;
        loop {
            let decoded = Frame::decode(&mut self.received, DEFAULT_MAX_FRAME_BYTES);
            if let Some(answer) = decoded.map_err(std::io::Error::other)? {
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits for the end of the connection, on which nothing comes unasked.
    async fn closed(&mut self) {
        while !matches!(self.stream.read_buf(&mut self.received).await, Ok(0) | Err(_)) {}
    }
}
