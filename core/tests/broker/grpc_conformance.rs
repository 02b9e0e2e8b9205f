//! What the loopback broker answers to consumers over gRPC is what the proxy of the real Apache RocketMQ answers. The
//! observations are made on both, on the real one where `TMINUS_TEST_APACHE_PROXY` names it.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use tminus::Clock;
use tminus::broker::{Broker, GroupOptions};
use tminus::codec::grpc::proto::*;
use tminus::codec::grpc::time;
use tminus::message::properties::{SHARDING_KEY, UNIQ_KEY};

use crate::grpc_consumer::{Consumer, handle, seen, system};
use crate::grpc_peer::{GrpcPeer, code, named};
use crate::peer::{Peer, broker};

/// Shortest invisible time.
const HIDDEN: Duration = Duration::from_secs(10);

/// The real proxy cannot do without.
const DEADLINE: Option<&str> = Some("9000m");

enum Server {
    Loopback(Broker, Box<Peer>),
    Apache(SocketAddr, GrpcPeer),
}

impl Server {
    async fn loopback(fifo: bool) -> Self {
        let broker = broker(|options| options.clock = Clock::virtual_now()).await;
        broker.create_topic("Conform", 1).unwrap();
        broker.create_group("Conforming", GroupOptions { fifo, ..Default::default() }).unwrap();
        let peer = Peer::connect(broker.address()).await;
        Server::Loopback(broker, Box::new(peer))
    }

    /// With a new topic and a new group.
    async fn apache(topic: &str, group: &str, fifo: bool) -> Option<Self> {
        let proxy: SocketAddr = std::env::var("TMINUS_TEST_APACHE_PROXY").ok()?.parse().unwrap();
        let kind = if fifo { "FIFO" } else { "NORMAL" };
        admin(&["topic", "--name", topic, "--type", kind, "--queues", "1"]);
        let group = ["group", "--name", group, "--fifo"];
        admin(if fifo { &group } else { &group[..3] });
        Some(Server::Apache(proxy, GrpcPeer::connect(proxy, "sender").await))
    }

    fn address(&self) -> SocketAddr {
        match self {
            Server::Loopback(broker, _) => broker.address(),
            Server::Apache(address, _) => *address,
        }
    }

    /// Sends messages named after their message group and a number.
    async fn send(&mut self, topic: &str, fifo: bool, bodies: &[&str]) {
        for body in bodies {
            let group = fifo.then(|| body[..1].to_owned());
            match self {
                Server::Loopback(_, peer) => {
                    let group = group.as_ref().map(|group| (SHARDING_KEY, group.as_str()));
                    let properties: Vec<_> = [(UNIQ_KEY, *body)].into_iter().chain(group).collect();
                    peer.send(topic, body, &properties).await;
                }
                Server::Apache(_, peer) => {
                    let system = SystemProperties {
                        message_id: (*body).into(),
                        message_type: if fifo { MessageType::Fifo } else { MessageType::Normal }.into(),
                        message_group: group,
                        ..Default::default()
                    };
                    let message = Message {
                        topic: Some(named(topic)),
                        system_properties: Some(system),
                        body: body.as_bytes().to_vec().into(),
                        ..Default::default()
                    };
                    let request = SendMessageRequest { messages: vec![message] };
                    let sent: SendMessageResponse = peer.call("SendMessage", request).await.unwrap();
                    assert_eq!(code(&sent.status), Code::Ok as i32, "{sent:?}");
                }
            }
        }
    }

    /// Where the two differ on purpose.
    fn answers(&self, loopback: Code, apache: Code) -> i32 {
        match self {
            Server::Loopback(..) => loopback as i32,
            Server::Apache(..) => apache as i32,
        }
    }

    async fn pass(&self, time: Duration) {
        match self {
            Server::Loopback(broker, _) => _ = broker.advance(time).unwrap(),
            Server::Apache(..) => tokio::time::sleep(time + Duration::from_secs(3)).await,
        }
    }
}

fn admin(arguments: &[&str]) {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apache/server.py");
    assert!(Command::new("python3").arg(server).args(arguments).status().unwrap().success());
}

fn short(request: ReceiveMessageRequest) -> ReceiveMessageRequest {
    ReceiveMessageRequest { invisible_duration: Some(time::duration(HIDDEN)), ..request }
}

async fn observe_handles(server: &mut Server, group: &str, topic: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut consumer = Consumer::of(server.address(), &format!("observer-{group}"), group, topic).await;
    consumer.peer = consumer.peer.with("grpc-timeout", DEADLINE);
    let request = || short(consumer.request());
    server.send(topic, false, &["a", "b"]).await;
    let mut first = consumer.received(request()).await.messages;
    if first.len() < 2 {
        first.extend(consumer.received(request()).await.messages);
    }
    all.push(format!("first {:?}", seen(&first)));
    let old = handle(&first[0]);
    let (code, new) = consumer.change(old, HIDDEN).await;
    all.push(format!("change {code}"));
    all.push(format!("ack replaced {:?}", consumer.ack(&[old]).await));
    all.push(format!("garbage: ack {:?}", consumer.ack(&["garbage"]).await));
    all.push(format!("garbage: change {}", consumer.change("garbage", HIDDEN).await.0));
    all.push(format!("garbage: forward {}", consumer.forward("garbage").await));
    all.push(format!("ack nothing {:?}", consumer.ack(&[]).await));
    all.push(format!("ack live {:?}", consumer.ack(&[handle(&first[1])]).await));
    all.push(format!("ack again {:?}", consumer.ack(&[handle(&first[1])]).await));
    all.push(format!("mixed {:?}", consumer.ack(&[&new, "garbage"]).await));
    server.send(topic, false, &["c"]).await;
    let third = consumer.received(request()).await.messages;
    server.pass(HIDDEN).await;
    let expired = handle(&third[0]);
    all.push(format!("expired: ack {:?}", consumer.ack(&[expired]).await));
    all.push(format!("expired: change {}", consumer.change(expired, HIDDEN).await.0));
    // The real one makes a dead letter of it, and delivers it again.
    assert_eq!(consumer.forward(expired).await, server.answers(Code::InvalidReceiptHandle, Code::Ok));
    let again = consumer.received(request()).await.messages;
    all.push(format!("again {:?} {:?}", seen(&again), system(&again[0]).message_type()));
    all.push(format!("forward {}", consumer.forward(handle(&again[0])).await));
    all.push(format!("forward again {}", consumer.forward(handle(&again[0])).await));
    let of = |id, broker: &str, topic: &str| {
        let broker = tminus::codec::grpc::proto::Broker { name: broker.into(), ..Default::default() };
        let queue =
            MessageQueue { id, broker: Some(broker), topic: Some(named(topic)), ..Default::default() };
        ReceiveMessageRequest { message_queue: Some(queue), ..request() }
    };
    all.push(format!("unknown topic {}", consumer.received(of(-1, "broker-a", "Nowhere")).await.code));
    all.push(format!("unknown queue {}", consumer.received(of(7, "broker-a", topic)).await.code));
    all.push(format!("bad topic {}", consumer.received(of(-1, "broker-a", "bad topic")).await.code));
    // One that serves several brokers refuses their names as this one does.
    let unknown = consumer.received(of(-1, "nobody", topic)).await.code;
    assert_eq!(unknown, server.answers(Code::BadRequest, Code::MessageNotFound));
    let filtered = |kind: FilterType, expression: &str| {
        let filter = FilterExpression { r#type: kind.into(), expression: expression.into() };
        ReceiveMessageRequest { filter_expression: Some(filter), ..request() }
    };
    let unspecified = consumer.received(filtered(FilterType::Unspecified, "*")).await;
    all.push(format!("no type of filter {}", unspecified.code));
    // The real one leaves the expression to its broker, and what that says is lost.
    let unreadable = consumer.received(filtered(FilterType::Sql, "a >")).await.code;
    assert_eq!(unreadable, server.answers(Code::IllegalFilterExpression, Code::InternalServerError));
    all
}

// A client id is one client: the proxy keeps settings by it, and tests run side by side.
async fn observe_order(server: &mut Server, group: &str, topic: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut consumer = Consumer::of(server.address(), &format!("observer-{group}"), group, topic).await;
    consumer.peer = consumer.peer.with("grpc-timeout", DEADLINE);
    let attempt =
        |id: &str| ReceiveMessageRequest { attempt_id: Some(id.into()), ..short(consumer.request()) };
    server.send(topic, true, &["a1", "b1", "a2"]).await;
    let first = consumer.received(attempt("1")).await.messages;
    all.push(format!("first {:?}", seen(&first)));
    let repeated = consumer.received(attempt("1")).await.messages;
    all.push(format!("repeated {:?}", seen(&repeated)));
    server.send(topic, true, &["a3"]).await;
    let blocked = consumer.received(attempt("2")).await;
    all.push(format!("blocked {} {:?}", blocked.code, seen(&blocked.messages)));
    server.pass(HIDDEN).await;
    let again = consumer.received(attempt("3")).await.messages;
    all.push(format!("again {:?} {:?}", seen(&again), system(&again[0]).queue_offset));
    let handles: Vec<_> = again.iter().map(handle).collect();
    all.push(format!("ack {:?}", consumer.ack(&handles).await));
    let last = consumer.received(attempt("4")).await;
    all.push(format!("last {} {:?}", last.code, seen(&last.messages)));
    all
}

#[tokio::test]
async fn handles_and_refusals_are_those_of_the_real_proxy() {
    let mut loopback = Server::loopback(false).await;
    let observed = observe_handles(&mut loopback, "Conforming", "Conform").await;
    let name = format!("Conform{}", fastrand::u32(..));
    if let Some(mut apache) = Server::apache(&name, &name, false).await {
        let real = observe_handles(&mut apache, &name, &name).await;
        assert_eq!(observed, real);
    }
}

#[tokio::test]
async fn fifo_groups_are_those_of_the_real_proxy() {
    let mut loopback = Server::loopback(true).await;
    let observed = observe_order(&mut loopback, "Conforming", "Conform").await;
    let name = format!("Conform{}", fastrand::u32(..));
    if let Some(mut apache) = Server::apache(&name, &name, true).await {
        let real = observe_order(&mut apache, &name, &name).await;
        assert_eq!(observed, real);
    }
}
