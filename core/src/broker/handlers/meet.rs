//! What every call over HTTP and gRPC meets first: it is counted, and may meet an injected fault.

use std::convert::Infallible;

use super::Refusal;
use crate::broker::Fault;
use crate::broker::http::Link;
use crate::broker::node::Node;

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With its answer.
    Answer,
    /// With an answer whose bodies do not fit their digests.
    Corrupt,
    /// With the connection, instead of an answer.
    Cut,
    /// With the page of a middle box; it is not to be handled.
    Gateway,
}

/// Counts a call under this remoting request code, and lets it meet its fault. A call that is never to be answered
/// stays here until its client or its connection ends it.
pub(super) async fn meet(node: &Node, link: &Link, code: i32) -> Result<Ending, Refusal> {
    // A statement of its own: the lock must not be held while a call stays.
    let fault = node.control().receive(code);
    match fault {
        None => Ok(Ending::Answer),
        Some(Fault::Refuse { code, remark }) => Err(Refusal::new(code, remark)),
        Some(Fault::Swallow) => std::future::pending().await,
        Some(Fault::CloseBefore) => match cut(link).await {},
        Some(Fault::CloseAfter) => Ok(Ending::Cut),
        Some(Fault::Corrupt) => Ok(Ending::Corrupt),
        Some(Fault::Gateway) => Ok(Ending::Gateway),
    }
}

/// Ends the connection; nothing comes after it.
pub(super) async fn cut(link: &Link) -> Infallible {
    link.cut();
    std::future::pending().await
}
