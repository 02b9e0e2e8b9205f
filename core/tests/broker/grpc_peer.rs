//! A client of the gRPC protocol, call by call over a real socket.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tminus::codec::grpc::metadata;
use tminus::codec::grpc::proto::settings::PubSub;
use tminus::codec::grpc::proto::telemetry_command::Command;
use tminus::codec::grpc::proto::*;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;
use tower_service::Service;

/// No answer takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// One HTTP/2 connection.
#[derive(Clone)]
struct Connection(SendRequest<Body>);

impl Service<http::Request<Body>> for Connection {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// A client with its metadata.
#[derive(Clone)]
pub(crate) struct GrpcPeer {
    calls: Grpc<Connection>,
    pub(crate) metadata: Vec<(&'static str, String)>,
}

/// A telemetry stream.
pub(crate) struct TelemetryPeer {
    commands: mpsc::UnboundedSender<TelemetryCommand>,
    received: Streaming<TelemetryCommand>,
}

impl GrpcPeer {
    pub(crate) async fn connect(address: SocketAddr, client_id: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream, client_id).await
    }

    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        client_id: &str,
    ) -> Self {
        let (calls, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let origin = http::Uri::from_static("http://localhost");
        let calls = Grpc::with_origin(Connection(calls), origin)
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX);
        let metadata = vec![
            (metadata::CLIENT_ID, client_id.to_owned()),
            (metadata::LANGUAGE, "RUST".to_owned()),
            (metadata::CLIENT_VERSION, "5.2.0".to_owned()),
        ];
        Self { calls, metadata }
    }

    /// Replaces a metadata, or takes it out.
    pub(crate) fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.metadata.retain(|(known, _)| *known != name);
        self.metadata.extend(value.map(|value| (name, value.to_owned())));
        self
    }

    fn request<Q>(&self, body: Q) -> Request<Q> {
        let mut request = Request::new(body);
        for (name, value) in &self.metadata {
            request.metadata_mut().insert(*name, MetadataValue::try_from(value).unwrap());
        }
        request
    }

    fn path(call: &str) -> PathAndQuery {
        format!("/apache.rocketmq.v2.MessagingService/{call}").parse().unwrap()
    }

    /// One request, one answer.
    pub(crate) async fn call<Q, A>(&self, call: &str, request: Q) -> Result<A, tonic::Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut calls = self.calls.clone();
        let answer = async {
            calls.ready().await.map_err(|e| tonic::Status::unavailable(e.to_string()))?;
            calls.unary(self.request(request), Self::path(call), ProstCodec::<Q, A>::default()).await
        };
        tokio::time::timeout(PATIENCE, answer)
            .await
            .expect("no answer came")
            .map(|answer| answer.into_inner())
    }

    /// One request, a stream of answers.
    pub(crate) async fn stream<Q, A>(&self, call: &str, request: Q) -> Result<Streaming<A>, tonic::Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut calls = self.calls.clone();
        calls.ready().await.map_err(|e| tonic::Status::unavailable(e.to_string()))?;
        let codec = ProstCodec::<Q, A>::default();
        let answer = calls.server_streaming(self.request(request), Self::path(call), codec).await?;
        Ok(answer.into_inner())
    }

    /// Opens a telemetry stream.
    pub(crate) async fn telemetry(&self) -> Result<TelemetryPeer, tonic::Status> {
        self.telemetry_with(None).await
    }

    /// Opens a telemetry stream that begins with this command; the real server answers nothing before the first.
    async fn telemetry_with(&self, first: Option<Command>) -> Result<TelemetryPeer, tonic::Status> {
        let (commands, mut waiting) = mpsc::unbounded_channel();
        if first.is_some() {
            commands.send(TelemetryCommand { status: None, command: first }).unwrap();
        }
        let outgoing = stream::poll_fn(move |cx| waiting.poll_recv(cx));
        let mut calls = self.calls.clone();
        calls.ready().await.map_err(|e| tonic::Status::unavailable(e.to_string()))?;
        let codec = ProstCodec::<TelemetryCommand, TelemetryCommand>::default();
        let answer = calls.streaming(self.request(outgoing), Self::path("Telemetry"), codec);
        let answer = tokio::time::timeout(PATIENCE, answer).await.expect("no stream came")?;
        Ok(TelemetryPeer { commands, received: answer.into_inner() })
    }

    /// Opens a telemetry stream and agrees on these settings.
    pub(crate) async fn handshake(&self, settings: Settings) -> (TelemetryPeer, Settings) {
        let mut telemetry = self.telemetry_with(Some(Command::Settings(settings))).await.unwrap();
        let settings = telemetry.agreed().await;
        (telemetry, settings)
    }

    pub(crate) async fn route(&self, topic: &str) -> QueryRouteResponse {
        let request = QueryRouteRequest { topic: Some(named(topic)), endpoints: None };
        self.call("QueryRoute", request).await.unwrap()
    }

    pub(crate) async fn send(&self, messages: impl IntoIterator<Item = Message>) -> SendMessageResponse {
        self.try_send(messages).await.unwrap()
    }

    pub(crate) async fn try_send(
        &self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<SendMessageResponse, tonic::Status> {
        self.call("SendMessage", SendMessageRequest { messages: messages.into_iter().collect() }).await
    }

    pub(crate) async fn heartbeat(&self) -> i32 {
        let request = HeartbeatRequest { group: None, client_type: ClientType::Producer.into() };
        code(&self.call::<_, HeartbeatResponse>("Heartbeat", request).await.unwrap().status)
    }
}

impl TelemetryPeer {
    pub(crate) fn say(&self, command: Command) {
        self.commands.send(TelemetryCommand { status: None, command: Some(command) }).unwrap();
    }

    /// Says how a question was taken.
    pub(crate) fn answer(&self, code: Code, command: Command) {
        let status = Some(Status { code: code.into(), message: String::new() });
        self.commands.send(TelemetryCommand { status, command: Some(command) }).unwrap();
    }

    /// The next command of the broker, `None` when it has ended the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<TelemetryCommand>, tonic::Status> {
        tokio::time::timeout(PATIENCE, self.received.message()).await.expect("no command came")
    }

    /// What the broker makes of settings that were sent.
    async fn agreed(&mut self) -> Settings {
        let answer = self.next().await.unwrap().expect("the stream has ended");
        assert_eq!(code(&answer.status), Code::Ok as i32);
        match answer.command {
            Some(Command::Settings(settings)) => settings,
            other => panic!("{other:?}"),
        }
    }
}

/// A topic or group without a namespace.
pub(crate) fn named(name: &str) -> Resource {
    Resource { resource_namespace: String::new(), name: name.into() }
}

/// A message of a producer.
pub(crate) fn outgoing(topic: &str, id: &str, body: &str) -> Message {
    let system = SystemProperties {
        message_id: id.into(),
        born_host: "host".into(),
        body_encoding: Encoding::Identity.into(),
        message_type: MessageType::Normal.into(),
        ..Default::default()
    };
    Message {
        topic: Some(named(topic)),
        system_properties: Some(system),
        body: body.as_bytes().to_vec().into(),
        ..Default::default()
    }
}

/// The code of a status.
pub(crate) fn code(status: &Option<Status>) -> i32 {
    status.as_ref().expect("an answer without status").code
}

/// What a producer of these topics says.
pub(crate) fn producer(topics: &[&str]) -> Settings {
    let publishing =
        Publishing { topics: topics.iter().map(|topic| named(topic)).collect(), ..Default::default() };
    Settings {
        client_type: Some(ClientType::Producer.into()),
        pub_sub: Some(PubSub::Publishing(publishing)),
        ..Default::default()
    }
}

/// What a push consumer of all messages of these topics says.
pub(crate) fn consumer(group: &str, topics: &[&str]) -> Settings {
    let expression = FilterExpression { r#type: FilterType::Tag.into(), expression: "*".into() };
    let entry =
        |topic: &&str| SubscriptionEntry { topic: Some(named(topic)), expression: Some(expression.clone()) };
    let subscription = Subscription {
        group: Some(named(group)),
        subscriptions: topics.iter().map(entry).collect(),
        ..Default::default()
    };
    Settings {
        client_type: Some(ClientType::PushConsumer.into()),
        pub_sub: Some(PubSub::Subscription(subscription)),
        ..Default::default()
    }
}
