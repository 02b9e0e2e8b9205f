//! Calls over HTTP: those of ApsaraMQ below `/topics/`, and gRPC.
//!
//! A request of ApsaraMQ is counted and may meet a fault, is checked from outside in (address, version, date, signature,
//! digest, document), and then does one of the operations that are listed here.

mod ack;
mod call;
mod checks;
mod consume;
mod deliver;
mod publish;
mod query;
mod refusal;
mod reply;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Method, Request, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::codegen::Service;

use super::grpc;
use super::meet::{self, Ending, meet};
use crate::broker::http::Link;
use crate::broker::node::Node;
use crate::codec::http::code as error;
use crate::codec::http::request::{Trans, topic_of};
use crate::codec::remoting::codes::request as code;

use ack::Resolution;
use call::Call;
use query::Query;
use refusal::Refusal;
use reply::Reply;

/// Where the requests of ApsaraMQ go.
const ROOT: &str = "/topics/";
/// Longest path with its query, as the service documents it.
const MAX_RESOURCE_BYTES: usize = 1024;
/// What comes with a request is at most this long: the largest body with every character escaped.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// Handles the calls of one connection.
pub(crate) struct Handler {
    node: Arc<Node>,
    link: Arc<Link>,
    grpc: grpc::Server,
}

impl Handler {
    pub(crate) fn new(node: Arc<Node>, link: Arc<Link>) -> Self {
        Self { grpc: grpc::server(node.clone(), link.clone()), node, link }
    }

    pub(crate) fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<http::Response<Body>, Infallible>> + use<> {
        let (node, link, mut grpc) = (self.node.clone(), self.link.clone(), self.grpc.clone());
        async move {
            if request.uri().path().starts_with(ROOT) {
                return Ok(answer(node, link, request).await.map(Body::new));
            }
            match request.version() {
                Version::HTTP_2 => grpc.call(request).await,
                _ => Ok(reply::for_people().map(Body::new)),
            }
        }
    }
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Publish,
    Consume,
    Acknowledge,
    End(Resolution),
}

impl Operation {
    /// What `method` does with a topic.
    fn of(method: &Method, query: &Query) -> Result<Self, Refusal> {
        match (method, query.trans()?) {
            (&Method::POST, None) => Ok(Operation::Publish),
            (&Method::GET, None | Some(Trans::Order | Trans::Pop)) => Ok(Operation::Consume),
            (&Method::DELETE, None) => Ok(Operation::Acknowledge),
            (&Method::DELETE, Some(Trans::Commit)) => Ok(Operation::End(Resolution::Commit)),
            (&Method::DELETE, Some(Trans::Rollback)) => Ok(Operation::End(Resolution::RollBack)),
            (method, trans) => {
                let trans = trans.map_or(String::new(), |trans| format!(" with trans={}", trans.name()));
                let text = format!("there is no operation {method}{trans}");
                Err(Refusal::new(error::INVALID_REQUEST_URL, text))
            }
        }
    }

    async fn carry_out(self, call: &Call<'_>, query: &Query) -> Result<Reply, Refusal> {
        match self {
            Operation::Publish => publish::publish(call, query),
            Operation::Consume => consume::consume(call, query).await,
            Operation::Acknowledge => ack::acknowledge(call, query),
            Operation::End(resolution) => ack::end_transaction(call, resolution),
        }
    }

    /// The remoting request code of the same meaning.
    fn code(self) -> i32 {
        match self {
            Operation::Publish => code::SEND_MESSAGE_V2,
            Operation::Consume => code::POP_MESSAGE,
            Operation::Acknowledge => code::ACK_MESSAGE,
            Operation::End(_) => code::END_TRANSACTION,
        }
    }
}

/// Reads a request to its end before anything else, so that its client reads the answer and not a broken pipe.
async fn answer(node: Arc<Node>, link: Arc<Link>, request: Request<Incoming>) -> Reply {
    let id = reply::request_id();
    let (parts, body) = request.into_parts();
    let answer = match read(body).await {
        Ok(body) => handle(&node, &link, &parts, body, &id).await,
        Err(refusal) => Err(refusal),
    };
    answer.unwrap_or_else(|refusal| {
        let Refusal { code, message } = &refusal;
        tracing::debug!(peer = %link.peer, method = %parts.method, code, message, "refused");
        let scheme = if link.over_tls { "https" } else { "http" };
        reply::refused(refusal, &id, format!("{scheme}://{}", node.address))
    })
}

/// All of `body`, also where it is too long: then nothing of it is kept.
async fn read(mut body: Incoming) -> Result<Bytes, Refusal> {
    let (mut content, mut bytes) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|broken| {
            Refusal::new(error::INVALID_ARGUMENT, format!("the request is not complete: {broken}"))
        })?;
        let Some(data) = frame.data_ref() else { continue };
        bytes += data.len();
        if bytes <= MAX_REQUEST_BYTES {
            content.extend_from_slice(data);
        } else {
            content = BytesMut::new();
        }
    }
    if bytes > MAX_REQUEST_BYTES {
        let text = format!("the request has {bytes} bytes; allowed are {MAX_REQUEST_BYTES}");
        return Err(Refusal::new(error::INVALID_ARGUMENT, text));
    }
    Ok(content.freeze())
}

async fn handle(
    node: &Arc<Node>,
    link: &Link,
    parts: &Parts,
    body: Bytes,
    id: &str,
) -> Result<Reply, Refusal> {
    let (named, query) = address(parts)?;
    let operation = Operation::of(&parts.method, &query)?;
    let ending = meet(node, link, operation.code()).await?;
    if ending == Ending::Gateway {
        return Ok(reply::gateway());
    }
    let call = Call { node, link, body, named, corrupt: ending == Ending::Corrupt };
    let answer = match checks::check(node, parts, &call.body) {
        Ok(()) => operation.carry_out(&call, &query).await,
        Err(refusal) => Err(refusal),
    };
    if ending == Ending::Cut {
        match meet::cut(link).await {}
    }
    Ok(reply::complete(answer?, id))
}

/// The topic that a request names, with the namespace of its instance, and its parameters.
fn address(parts: &Parts) -> Result<(String, Query), Refusal> {
    let invalid = |text: String| Refusal::new(error::INVALID_REQUEST_URL, text);
    let resource = parts.uri.path_and_query().map_or("", |resource| resource.as_str());
    if resource.len() > MAX_RESOURCE_BYTES {
        return Err(invalid(format!(
            "path and query have {} bytes; allowed are {MAX_RESOURCE_BYTES}",
            resource.len()
        )));
    }
    let path = parts.uri.path();
    let topic = topic_of(path).ok_or_else(|| invalid(format!("{path} is not /topics/TOPIC/messages")))?;
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    Ok((query.in_namespace(&query::literal(topic)), query))
}
