//! What happens to a request: counted, met by an injected fault, authenticated, handled, answered.

mod grpc;
pub(super) mod http;
mod meet;
mod publish;
mod remoting;
mod wait;

pub(crate) use grpc::{group_fault, push_settings, to_proto};

use std::ops::ControlFlow;
use std::sync::Arc;

use super::node::Node;
use super::outbox::Outbox;
use super::{Fault, acl};
use crate::codec::remoting::Frame;
use crate::codec::remoting::body::BodyError;
use crate::codec::remoting::codes::response;
use crate::codec::remoting::header::HeaderError;

/// A request on its way through its handler.
pub(crate) struct Request<'a> {
    pub(crate) node: &'a Arc<Node>,
    pub(crate) from: &'a Arc<Outbox>,
    pub(crate) frame: &'a Frame,
}

/// The answer to a request; `None` when it comes later or never.
pub(crate) type Answer = Result<Option<Frame>, Refusal>;

/// Handles one request code.
type Handler = fn(&Request<'_>) -> Answer;

/// An answer other than success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    code: i32,
    remark: String,
}

impl Refusal {
    pub(crate) fn new(code: i32, remark: impl Into<String>) -> Self {
        Self { code, remark: remark.into() }
    }
}

impl From<HeaderError> for Refusal {
    fn from(error: HeaderError) -> Self {
        Self::new(response::SYSTEM_ERROR, error.to_string())
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::new(response::SYSTEM_ERROR, error.to_string())
    }
}

impl Request<'_> {
    /// A mandatory ext field.
    fn text(&self, name: &'static str) -> Result<&str, HeaderError> {
        self.frame.ext.get(name).ok_or(HeaderError(name))
    }

    /// A mandatory ext field, read.
    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, HeaderError> {
        self.frame.ext.parse(name).ok_or(HeaderError(name))
    }

    /// A successful answer.
    fn success(&self) -> Frame {
        Frame::response(self.frame, response::SUCCESS)
    }
}

/// Handles a frame of a client; `Break` when nothing more shall be read from it.
pub(super) fn handle(node: &Arc<Node>, from: &Arc<Outbox>, frame: Frame) -> ControlFlow<()> {
    if frame.is_response() {
        remoting::answered(node, from, frame);
        return ControlFlow::Continue(());
    }
    let fault = node.control().receive(frame.code);
    let answer = match &fault {
        Some(Fault::Refuse { code, remark }) => Err(Refusal::new(*code, remark)),
        Some(Fault::Swallow) => Ok(None),
        Some(Fault::CloseBefore | Fault::Gateway) => {
            from.close();
            return ControlFlow::Break(());
        }
        Some(Fault::CloseAfter | Fault::Corrupt) | None => acl::check(&node.credentials, &frame)
            .and_then(|()| remoting::dispatch(&Request { node, from, frame: &frame })),
    };
    if fault == Some(Fault::CloseAfter) {
        from.close();
        return ControlFlow::Break(());
    }
    let answer = answer.unwrap_or_else(|refusal| {
        tracing::debug!(peer = %from.peer, request = frame.code, code = refusal.code, remark = refusal.remark, "refused");
        Some(Frame::response(&frame, refusal.code).with_remark(refusal.remark))
    });
    if let Some(answer) = answer.filter(|_| !frame.is_one_way()) {
        from.push(answer);
    }
    ControlFlow::Continue(())
}
