//! The gRPC protocol: one module a family of calls, registered here.

mod accept;
mod ack;
mod assignment;
mod call;
mod deliver;
mod heartbeat;
mod names;
mod recall;
mod receive;
mod route;
mod send;
#[rustfmt::skip]
#[allow(unreachable_pub, missing_docs, clippy::all)]
mod service;
mod settings;
mod status;
mod telemetry;
mod transaction;

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::broker::http::Link;
use crate::broker::node::Node;
use crate::codec::grpc::proto::*;
use crate::codec::remoting::codes::request as code;

use call::Service;
pub(crate) use deliver::to_proto;
pub(crate) use names::group_fault;
use service::messaging_service_server::{MessagingService, MessagingServiceServer};
pub(crate) use settings::push as push_settings;

/// What comes in while a call lasts is at most this long: more than the largest batch of messages.
const MAX_REQUEST_BYTES: usize = 130 * 1024 * 1024;

/// Answers the calls of one connection.
pub(super) type Server = MessagingServiceServer<Service>;

/// A stream of answers.
type Reply<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service, for one connection.
pub(super) fn server(node: Arc<Node>, link: Arc<Link>) -> Server {
    MessagingServiceServer::new(Service { node, link })
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(usize::MAX)
}

/// What the open-source server does not offer either.
fn not_offered<T>() -> Result<T, Status> {
    Err(Status::unimplemented("this server does not offer this call"))
}

#[tonic::async_trait]
impl MessagingService for Service {
    type ReceiveMessageStream = Reply<ReceiveMessageResponse>;
    type PullMessageStream = Reply<PullMessageResponse>;
    type TelemetryStream = Reply<TelemetryCommand>;

    async fn query_route(
        &self,
        request: Request<QueryRouteRequest>,
    ) -> Result<Response<QueryRouteResponse>, Status> {
        self.unary(code::GET_ROUTEINFO_BY_TOPIC, request, route::query).await
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        self.unary(code::HEART_BEAT, request, heartbeat::heartbeat).await
    }

    async fn notify_client_termination(
        &self,
        request: Request<NotifyClientTerminationRequest>,
    ) -> Result<Response<NotifyClientTerminationResponse>, Status> {
        self.unary(code::UNREGISTER_CLIENT, request, heartbeat::terminate).await
    }

    async fn telemetry(
        &self,
        request: Request<Streaming<TelemetryCommand>>,
    ) -> Result<Response<Self::TelemetryStream>, Status> {
        telemetry::open(self, request).await
    }

    async fn send_message(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>, Status> {
        self.unary(code::SEND_MESSAGE_V2, request, send::send).await
    }

    async fn query_assignment(
        &self,
        request: Request<QueryAssignmentRequest>,
    ) -> Result<Response<QueryAssignmentResponse>, Status> {
        self.unary(code::QUERY_ASSIGNMENT, request, assignment::query).await
    }

    async fn receive_message(
        &self,
        request: Request<ReceiveMessageRequest>,
    ) -> Result<Response<Self::ReceiveMessageStream>, Status> {
        receive::open(self, request).await
    }

    async fn ack_message(
        &self,
        request: Request<AckMessageRequest>,
    ) -> Result<Response<AckMessageResponse>, Status> {
        self.unary(code::ACK_MESSAGE, request, ack::ack).await
    }

    async fn forward_message_to_dead_letter_queue(
        &self,
        request: Request<ForwardMessageToDeadLetterQueueRequest>,
    ) -> Result<Response<ForwardMessageToDeadLetterQueueResponse>, Status> {
        self.unary(code::CONSUMER_SEND_MSG_BACK, request, ack::forward).await
    }

    async fn change_invisible_duration(
        &self,
        request: Request<ChangeInvisibleDurationRequest>,
    ) -> Result<Response<ChangeInvisibleDurationResponse>, Status> {
        self.unary(code::CHANGE_MESSAGE_INVISIBLETIME, request, ack::change_invisible).await
    }

    async fn end_transaction(
        &self,
        request: Request<EndTransactionRequest>,
    ) -> Result<Response<EndTransactionResponse>, Status> {
        self.unary(code::END_TRANSACTION, request, transaction::end).await
    }

    async fn recall_message(
        &self,
        request: Request<RecallMessageRequest>,
    ) -> Result<Response<RecallMessageResponse>, Status> {
        self.unary(code::RECALL_MESSAGE, request, recall::recall).await
    }

    async fn pull_message(
        &self,
        _: Request<PullMessageRequest>,
    ) -> Result<Response<Self::PullMessageStream>, Status> {
        not_offered()
    }

    async fn update_offset(
        &self,
        _: Request<UpdateOffsetRequest>,
    ) -> Result<Response<UpdateOffsetResponse>, Status> {
        not_offered()
    }

    async fn get_offset(&self, _: Request<GetOffsetRequest>) -> Result<Response<GetOffsetResponse>, Status> {
        not_offered()
    }

    async fn query_offset(
        &self,
        _: Request<QueryOffsetRequest>,
    ) -> Result<Response<QueryOffsetResponse>, Status> {
        not_offered()
    }

    async fn sync_lite_subscription(
        &self,
        _: Request<SyncLiteSubscriptionRequest>,
    ) -> Result<Response<SyncLiteSubscriptionResponse>, Status> {
        not_offered()
    }
}
