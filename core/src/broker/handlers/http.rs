//! Calls over HTTP: HTTP/2 is gRPC; HTTP/1 has nothing to find here yet.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::codegen::Service;

use super::grpc;
use crate::broker::http::Link;
use crate::broker::node::Node;

/// Handles the calls of one connection.
pub(crate) struct Handler {
    grpc: grpc::Server,
}

impl Handler {
    pub(crate) fn new(node: Arc<Node>, link: Arc<Link>) -> Self {
        Self { grpc: grpc::server(node, link) }
    }

    pub(crate) fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + use<> {
        let mut grpc = self.grpc.clone();
        async move {
            match request.version() {
                Version::HTTP_2 => grpc.call(request).await,
                _ => Ok(not_here()),
            }
        }
    }
}

fn not_here() -> Response<Body> {
    const TEXT: &str = "This port speaks RocketMQ's remoting protocol and gRPC over HTTP/2.\n";
    let mut answer = Response::new(Body::new(Full::new(Bytes::from_static(TEXT.as_bytes()))));
    *answer.status_mut() = StatusCode::UPGRADE_REQUIRED;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(http::header::UPGRADE, HeaderValue::from_static("h2c"));
    answer
}
