//! Clients of the gRPC protocol come, say who they are, and leave.

use std::time::Duration;

use tminus::broker::{Fault, Persona, TELEMETRY, TopicType};
use tminus::codec::grpc::metadata;
use tminus::codec::grpc::proto::retry_policy::Strategy;
use tminus::codec::grpc::proto::settings::PubSub;
use tminus::codec::grpc::proto::telemetry_command::Command;
use tminus::codec::grpc::proto::*;
use tminus::codec::remoting::codes::{request, response};

use crate::grpc_peer::{GrpcPeer, code, consumer, named, producer};
use crate::peer::{Peer, broker};

#[tokio::test]
async fn one_port_serves_both_protocols() {
    let broker = broker(|_| {}).await;
    let mut remoting = Peer::connect(broker.address()).await;
    let grpc = GrpcPeer::connect(broker.address(), "c").await;
    assert_eq!(remoting.send("T", "x", &[]).await.code, response::SUCCESS);
    let route = grpc.route("T").await;
    assert_eq!(code(&route.status), Code::Ok as i32);
    assert_eq!(route.message_queues.len(), 4);
    for (id, queue) in (0..).zip(&route.message_queues) {
        assert_eq!((queue.id, queue.permission()), (id, Permission::ReadWrite));
        let of = queue.broker.as_ref().unwrap();
        assert_eq!(of.name, "broker-a");
        let address = &of.endpoints.as_ref().unwrap().addresses[0];
        assert_eq!(format!("{}:{}", address.host, address.port), broker.address().to_string());
        assert_eq!(queue.accept_message_types.len(), 5);
    }
    assert_eq!(broker.request_count(request::GET_ROUTEINFO_BY_TOPIC), 1);
}

#[tokio::test]
async fn an_unknown_topic_has_no_route_on_the_real_server() {
    let apache = broker(|options| options.persona = Persona::Apache5).await;
    let peer = GrpcPeer::connect(apache.address(), "c").await;
    assert_eq!(code(&peer.route("Unknown").await.status), Code::TopicNotFound as i32);
    assert_eq!(code(&peer.route("no topic").await.status), Code::IllegalTopic as i32);
    let lent = broker(|_| {}).await;
    let peer = GrpcPeer::connect(lent.address(), "c").await;
    assert_eq!(code(&peer.route("Unknown").await.status), Code::Ok as i32);
}

#[tokio::test]
async fn a_call_without_client_id_is_refused() {
    let broker = broker(|_| {}).await;
    for id in [None, Some(""), Some("  ")] {
        let peer = GrpcPeer::connect(broker.address(), "c").await.with(metadata::CLIENT_ID, id);
        assert_eq!(code(&peer.route("T").await.status), Code::ClientIdRequired as i32);
        let mut telemetry = peer.telemetry().await.unwrap();
        let answer = telemetry.next().await.unwrap().unwrap();
        assert_eq!(code(&answer.status), Code::ClientIdRequired as i32);
        assert_eq!(telemetry.next().await.unwrap(), None);
    }
}

#[tokio::test]
async fn settings_come_back_with_what_the_broker_decides() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "p").await;
    assert_eq!(peer.heartbeat().await, Code::UnrecognizedClientType as i32);
    let (_telemetry, settings) = peer.handshake(producer(&["T"])).await;
    let Some(PubSub::Publishing(publishing)) = settings.pub_sub else { panic!("{:?}", settings.pub_sub) };
    assert_eq!(publishing.topics, [named("T")]);
    assert_eq!(publishing.max_body_size, 4 * 1024 * 1024);
    assert!(publishing.validate_message_type);
    assert_eq!(settings.backoff_policy.unwrap().max_attempts, 3);
    assert_eq!(peer.heartbeat().await, Code::Ok as i32);

    let peer = GrpcPeer::connect(broker.address(), "s").await;
    let (_telemetry, settings) = peer.handshake(consumer("G", &["T"])).await;
    let Some(PubSub::Subscription(subscription)) = settings.pub_sub else { panic!("{:?}", settings.pub_sub) };
    assert_eq!(subscription.fifo, Some(false));
    assert_eq!(subscription.receive_batch_size, Some(32));
    assert_eq!(subscription.long_polling_timeout.unwrap().seconds, 20);
    let policy = settings.backoff_policy.unwrap();
    assert_eq!(policy.max_attempts, 17);
    let Some(Strategy::CustomizedBackoff(backoff)) = policy.strategy else { panic!("{policy:?}") };
    assert_eq!(backoff.next.len(), 18);
    assert_eq!((backoff.next[0].seconds, backoff.next[17].seconds), (1, 7200));
}

#[tokio::test]
async fn a_client_that_leaves_is_forgotten() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let leave = || async {
        let request = NotifyClientTerminationRequest { group: None };
        let answer: NotifyClientTerminationResponse =
            peer.call("NotifyClientTermination", request).await.unwrap();
        code(&answer.status)
    };
    assert_eq!(leave().await, Code::UnrecognizedClientType as i32);
    let (_telemetry, _) = peer.handshake(producer(&[])).await;
    assert_eq!(leave().await, Code::Ok as i32);
    assert_eq!(peer.heartbeat().await, Code::UnrecognizedClientType as i32);
}

#[tokio::test]
async fn settings_that_cannot_be_agreed_on_end_the_stream() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let mut sql = consumer("G", &["T"]);
    if let Some(PubSub::Subscription(subscription)) = &mut sql.pub_sub {
        let expression = FilterExpression { r#type: FilterType::Sql.into(), expression: "a >".into() };
        subscription.subscriptions[0].expression = Some(expression);
    }
    let described = |name: &str, value: &str| Settings {
        client_properties: [(name.to_owned(), value.to_owned())].into(),
        ..producer(&[])
    };
    let bad = [
        described("1st", "x"),
        described("", "x"),
        described("a b", "x"),
        described(&"n".repeat(65), "x"),
        described("n", &"x".repeat(257)),
        Settings::default(),
        producer(&["no topic"]),
        consumer("no group", &["T"]),
        consumer("", &[]),
        sql,
    ];
    for settings in bad {
        let mut telemetry = peer.telemetry().await.unwrap();
        telemetry.say(Command::Settings(settings));
        assert_eq!(telemetry.next().await.unwrap_err().code(), tonic::Code::InvalidArgument);
    }
    for language in [None, Some("KLINGON"), Some("rust")] {
        let peer = peer.clone().with(metadata::LANGUAGE, language);
        assert_eq!(code(&peer.route("T").await.status), Code::Ok as i32);
        let mut telemetry = peer.telemetry().await.unwrap();
        telemetry.say(Command::Settings(producer(&[])));
        assert_eq!(telemetry.next().await.unwrap_err().code(), tonic::Code::Internal, "{language:?}");
    }
    assert_eq!(peer.heartbeat().await, Code::UnrecognizedClientType as i32);
    let (_telemetry, agreed) = peer.handshake(described("team.name-1_a", "blue")).await;
    assert_eq!(agreed.client_properties["team.name-1_a"], "blue");
}

#[tokio::test]
async fn a_restart_forgets_settings() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let (mut telemetry, _) = peer.handshake(producer(&[])).await;
    broker.restart(Duration::ZERO).await.unwrap();
    assert!(telemetry.next().await.is_err());
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    assert_eq!(peer.heartbeat().await, Code::UnrecognizedClientType as i32);
    let (_telemetry, _) = peer.handshake(producer(&[])).await;
    assert_eq!(peer.heartbeat().await, Code::Ok as i32);
}

#[tokio::test]
async fn calls_meet_the_faults_of_the_request_code_of_the_same_meaning() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let refuse = |code| Fault::Refuse { code, remark: "on purpose".into() };
    let expected = [
        (response::SYSTEM_BUSY, Code::TooManyRequests),
        (response::TOPIC_NOT_EXIST, Code::TopicNotFound),
        (response::SYSTEM_ERROR, Code::InternalServerError),
        (Code::Forbidden.into(), Code::Forbidden),
        (42900, Code::TooManyRequests),
    ];
    for (injected, answered) in expected {
        broker.inject(request::GET_ROUTEINFO_BY_TOPIC, 1, refuse(injected));
        let status = peer.route("T").await.status.unwrap();
        assert_eq!((status.code(), status.message.as_str()), (answered, "on purpose"));
    }
    broker.inject(request::GET_ROUTEINFO_BY_TOPIC, 1, Fault::Swallow);
    let swallowed = tokio::time::timeout(Duration::from_millis(100), peer.route("T"));
    swallowed.await.expect_err("a swallowed call was answered");
    assert_eq!(code(&peer.route("T").await.status), Code::Ok as i32);
    assert_eq!(broker.request_count(request::GET_ROUTEINFO_BY_TOPIC), 7);
    for fault in [Fault::CloseBefore, Fault::CloseAfter, Fault::Gateway] {
        let peer = GrpcPeer::connect(broker.address(), "c").await;
        let (_telemetry, _) = peer.handshake(producer(&[])).await;
        broker.inject(request::HEART_BEAT, 1, fault);
        let request = HeartbeatRequest { group: None, client_type: ClientType::Producer.into() };
        peer.call::<_, HeartbeatResponse>("Heartbeat", request).await.unwrap_err();
    }
}

#[tokio::test]
async fn telemetry_meets_its_own_faults() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    broker.inject(TELEMETRY, 1, Fault::Refuse { code: 42900, remark: "flow limit".into() });
    let mut telemetry = peer.telemetry().await.unwrap();
    assert_eq!(code(&telemetry.next().await.unwrap().unwrap().status), 42900);
    broker.inject(TELEMETRY, 1, Fault::Swallow);
    let mut silent = peer.telemetry().await.unwrap();
    silent.say(Command::Settings(producer(&[])));
    let said = tokio::time::timeout(Duration::from_millis(100), silent.next());
    said.await.expect_err("a swallowed stream was answered");
    assert_eq!(peer.heartbeat().await, Code::UnrecognizedClientType as i32);
    broker.inject(TELEMETRY, 1, Fault::CloseAfter);
    let mut cut = peer.telemetry().await.unwrap();
    cut.say(Command::Settings(producer(&[])));
    cut.next().await.unwrap_err();
    assert_eq!(GrpcPeer::connect(broker.address(), "c").await.heartbeat().await, Code::Ok as i32);
    assert_eq!(broker.request_count(TELEMETRY), 3);
}

#[tokio::test]
async fn a_route_names_the_queues_of_every_broker() {
    let first = broker(|options| options.persona = Persona::Apache5).await;
    let second = broker(|options| {
        options.persona = Persona::Apache5;
        options.name = "broker-b".into();
        options.join = Some(first.address());
    })
    .await;
    second.create_topic_of("T", 2, TopicType::Delay).unwrap();
    let peer = GrpcPeer::connect(first.address(), "c").await;
    // The second broker tells the first.
    let queues = loop {
        let route = peer.route("T").await;
        if code(&route.status) == Code::Ok as i32 {
            break route.message_queues;
        }
    };
    assert_eq!(queues.len(), 2);
    for queue in &queues {
        assert_eq!(queue.accept_message_types, [MessageType::Delay as i32]);
        let of = queue.broker.as_ref().unwrap();
        assert_eq!(of.name, "broker-b");
        let address = &of.endpoints.as_ref().unwrap().addresses[0];
        assert_eq!(format!("{}:{}", address.host, address.port), second.address().to_string());
    }
}
