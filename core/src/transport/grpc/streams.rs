//! Calls as streams of one HTTP/2 connection, for tonic: the request is pumped by whoever waits for the answer, so no task
//! is needed for a call.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::{Body, Frame};
use tower_service::Service;

use super::connection::Connection;
use crate::transport::Fault;

/// Why a call has no answer, or not a whole one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The connection took no more; nothing was sent.
    #[error("{}", .0.text)]
    Refused(Fault),
    #[error(transparent)]
    Http2(#[from] h2::Error),
    #[error("it answers in HTTP/2 but not in gRPC (status {0})")]
    NotGrpc(StatusCode),
    #[error("the answer broke off without a status")]
    NoStatus,
}

impl Service<Request<tonic::body::Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = Broken;
    type Future = Exchange;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Exchange {
        let (head, body) = request.into_parts();
        match self.open(Request::from_parts(head, ())) {
            Ok((response, stream)) => Exchange::Asked { response, pump: Pump(Some((body, stream))) },
            Err(fault) => Exchange::Refused(Some(fault)),
        }
    }
}

/// Moves the request's frames to their stream as they come.
pub(crate) struct Pump(Option<(tonic::body::Body, SendStream<Bytes>)>);

impl Pump {
    /// A stream that has ended takes no more; its answer says why.
    fn poll(&mut self, context: &mut Context<'_>) {
        while let Some((body, stream)) = &mut self.0 {
            let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(context) else { return };
            let data = frame.and_then(Result::ok).and_then(|frame| frame.into_data().ok());
            let ends = data.is_none() || body.is_end_stream();
            if stream.send_data(data.unwrap_or_default(), ends).is_err() || ends {
                self.0 = None;
            }
        }
    }
}

/// A call until the head of its answer.
pub(crate) enum Exchange {
    Asked { response: ResponseFuture, pump: Pump },
    Refused(Option<Fault>),
}

impl Future for Exchange {
    type Output = Result<Response<Incoming>, Broken>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (response, pump) = match &mut *self {
            Exchange::Asked { response, pump } => (response, pump),
            Exchange::Refused(fault) => {
                return Poll::Ready(Err(fault.take().map_or(Broken::NoStatus, Broken::Refused)));
            }
        };
        pump.poll(context);
        let (head, stream) = ready!(Pin::new(response).poll(context))?.into_parts();
        let kind = head.headers.get(http::header::CONTENT_TYPE);
        let is_grpc = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        if head.status != StatusCode::OK || !is_grpc {
            return Poll::Ready(Err(Broken::NotGrpc(head.status)));
        }
        let has_status = head.headers.contains_key(tonic::Status::GRPC_STATUS);
        let incoming = Incoming { stream, pump: Pump(pump.0.take()), has_status };
        Poll::Ready(Ok(Response::from_parts(head, incoming)))
    }
}

/// The answer to a call. Dropping it cancels the call.
pub(crate) struct Incoming {
    stream: RecvStream,
    pump: Pump,
    /// Whether the status came: in the head, where there is no answer, or in the trailers.
    has_status: bool,
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.pump.poll(context);
        if let Some(data) = ready!(self.stream.poll_data(context)) {
            let data = data?;
            // It fails only on a stream that has ended.
            let _ = self.stream.flow_control().release_capacity(data.len());
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let trailers: Option<HeaderMap> = ready!(self.stream.poll_trailers(context))?;
        Poll::Ready(match trailers {
            Some(trailers) => {
                self.has_status = true;
                Some(Ok(Frame::trailers(trailers)))
            }
            None if self.has_status => None,
            None => Some(Err(Broken::NoStatus)),
        })
    }
}
