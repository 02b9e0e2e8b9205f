//! Messages and groups cross between HTTP and the other protocols: nothing is lost, and everybody sees the same message.

use std::time::Duration;

use bytes::Bytes;
use tminus::Clock;
use tminus::broker::{Broker, MessageStage};
use tminus::codec::grpc;
use tminus::codec::grpc::proto::{Code, MessageType};
use tminus::codec::grpc::time;
use tminus::codec::http::{Delivered, Publish, decode_message, digest};
use tminus::codec::remoting::Frame;
use tminus::codec::remoting::codes::{request, response};
use tminus::codec::remoting::compression::zlib;
use tminus::codec::remoting::record::sys_flag;
use tminus::message::MessageView;
use tminus::message::properties::*;

use crate::grpc_consumer::{Consumer, HIDDEN, seen, system};
use crate::grpc_peer::{code, outgoing};
use crate::http_peer::{HttpPeer, text};
use crate::peer::{Peer, broker, message};

const CONSUME: &str = "consumer=G&numOfMessages=16";
/// How long HTTP hides.
const HIDDEN_OVER_HTTP: Duration = Duration::from_secs(300);
/// What a message has whatever the protocol, beside its delivery time.
const NAMES: [&str; 5] = [TAGS, KEYS, SHARDING_KEY, "colour", "größe"];

/// A broker on a virtual clock with the topic `T` of one queue, and a client of every protocol.
struct Crossing {
    broker: Broker,
    http: HttpPeer,
    remoting: Peer,
    grpc: Consumer,
}

impl Crossing {
    async fn start() -> Self {
        let broker = broker(|options| options.clock = Clock::virtual_now()).await;
        broker.create_topic("T", 1).unwrap();
        let (http, remoting) =
            (HttpPeer::connect(broker.address()).await, Peer::connect(broker.address()).await);
        let grpc = Consumer::start(broker.address(), "c").await;
        Self { broker, http, remoting, grpc }
    }

    async fn consume(&mut self) -> Vec<Delivered> {
        self.http.consume("T", CONSUME).await.messages_if_any()
    }

    /// The first message of the topic as a consumer over each protocol sees it: remoting, gRPC, HTTP.
    async fn views(&mut self) -> [MessageView; 3] {
        let pulled = self.remoting.pull("T", 0, Duration::ZERO).await.remove(0);
        let received = grpc::decode_message(self.grpc.receive().await.remove(0), "broker-a");
        let parameters = "consumer=H&numOfMessages=16";
        let consumed = self.http.consume("T", parameters).await.messages().remove(0);
        let consumed = decode_message(consumed, "T");
        assert!(!received.corrupted && !consumed.corrupted);
        [pulled, received.view, consumed.view]
    }
}

/// Everything that does not depend on the protocol.
#[derive(Debug, PartialEq)]
struct Essence<'v> {
    topic: &'v str,
    message_id: &'v str,
    properties: Vec<Option<&'v str>>,
    deliver_at_ms: Option<i64>,
    body: &'v [u8],
    born_timestamp: i64,
    reconsume_times: i32,
}

fn essence(view: &MessageView) -> Essence<'_> {
    Essence {
        topic: &view.topic,
        message_id: &view.message_id,
        properties: NAMES.iter().map(|name| view.property(name)).collect(),
        deliver_at_ms: view.deliver_at_ms(),
        body: &view.body,
        born_timestamp: view.born_timestamp,
        reconsume_times: view.reconsume_times,
    }
}

fn assert_same(views: &[MessageView; 3]) {
    let [first, others @ ..] = views;
    for other in others {
        assert_eq!(essence(first), essence(other));
    }
}

#[tokio::test]
async fn what_is_published_over_http_is_the_same_over_every_protocol() {
    let mut all = Crossing::start().await;
    let at = all.broker.clock().now_ms() + 1000;
    let properties = format!("KEYS:k1 k2|__SHARDINGKEY:g|__STARTDELIVERTIME:{at}|colour:red|größe:12|");
    let sent = Publish { tag: "A".into(), properties: properties.clone(), ..text("a <b>\r\n中") };
    let published = all.http.publish("T", &sent).await;
    all.broker.advance(Duration::from_millis(999)).unwrap();
    assert!(all.consume().await.is_empty());
    all.broker.advance(Duration::from_millis(1)).unwrap();
    let views = all.views().await;
    assert_same(&views);
    let [view, ..] = &views;
    assert_eq!(
        (&*view.message_id, view.tag(), view.deliver_at_ms()),
        (&*published.message_id, Some("A"), Some(at))
    );
    assert_eq!(view.keys().collect::<Vec<_>>(), ["k1", "k2"]);
    assert_eq!((view.property(SHARDING_KEY), view.property("größe")), (Some("g"), Some("12")));
    assert_eq!((&view.body[..], view.born_timestamp), ("a <b>\r\n中".as_bytes(), at - 1000));
}

#[tokio::test]
async fn what_is_sent_over_remoting_is_the_same_over_http() {
    let mut all = Crossing::start().await;
    let at = (all.broker.clock().now_ms() + 1000).to_string();
    let sent = [
        (UNIQ_KEY, "ID"),
        (TAGS, "A"),
        (KEYS, "k1 k2"),
        (SHARDING_KEY, "g"),
        (TIMER_DELIVER_MS, &at),
        ("colour", "red"),
        ("größe", "1:2"),
    ];
    all.remoting.send("T", "hello", &sent).await;
    all.broker.advance(Duration::from_secs(1)).unwrap();
    assert_same(&all.views().await);
    let shown = all.consume().await;
    assert!(shown.is_empty(), "the group had it over gRPC");
    let shown = all.http.consume("T", "consumer=I&numOfMessages=1").await.messages().remove(0);
    let properties = format!("KEYS:k1 k2|__SHARDINGKEY:g|colour:red|größe:1:2|__STARTDELIVERTIME:{at}|");
    assert_eq!((&*shown.message_id, &*shown.tag, &*shown.properties), ("ID", "A", &*properties));
}

#[tokio::test]
async fn what_is_sent_over_grpc_is_the_same_over_http() {
    let mut all = Crossing::start().await;
    let at = all.broker.clock().now_ms() + 1000;
    let mut sent = outgoing("T", "ID", "hello");
    let system = sent.system_properties.as_mut().unwrap();
    system.tag = Some("A".into());
    system.keys = vec!["k1".into(), "k2".into()];
    system.message_group = Some("g".into());
    system.delivery_timestamp = Some(time::timestamp(at));
    system.message_type = MessageType::Delay.into();
    system.born_timestamp = Some(time::timestamp(at - 1000));
    sent.user_properties = [("colour".into(), "red".into()), ("größe".into(), "12".into())].into();
    assert_eq!(code(&all.grpc.peer.send([sent]).await.status), Code::Ok as i32);
    all.broker.advance(Duration::from_secs(1)).unwrap();
    let views = all.views().await;
    assert_same(&views);
    assert_eq!((views[2].tag(), views[2].deliver_at_ms()), (Some("A"), Some(at)));
}

#[tokio::test]
async fn a_delay_level_and_a_delay_in_seconds_are_due_over_http_too() {
    let mut all = Crossing::start().await;
    for (name, value) in [(DELAY, "1"), (TIMER_DELAY_SEC, "1"), (TIMER_DELAY_MS, "1000")] {
        all.remoting.send("T", name, &[(name, value)]).await;
        all.broker.advance(Duration::from_millis(999)).unwrap();
        assert!(all.consume().await.is_empty(), "{name}");
        let mut waiting = HttpPeer::waiting(&all.broker, "T", &format!("{CONSUME}&waitseconds=30")).await;
        all.broker.advance(Duration::from_millis(1)).unwrap();
        assert_eq!(waiting.read().await.unwrap().messages()[0].body, name);
    }
}

#[tokio::test]
async fn a_compressed_body_arrives_plain() {
    let mut all = Crossing::start().await;
    let body = "hello ".repeat(100);
    let mut compressed = message("T", "", &[]);
    compressed.body = Bytes::from(zlib(body.as_bytes(), 5));
    compressed.ext.set("f", sys_flag::COMPRESSED);
    assert_eq!(all.remoting.call(compressed).await.code, response::SUCCESS);
    let shown = all.consume().await.remove(0);
    assert_eq!((&shown.body, &shown.body_md5), (&body, &digest::body_md5(body.as_bytes())));
}

#[tokio::test]
async fn what_xml_cannot_carry_is_shown_and_its_digest_tells() {
    let mut all = Crossing::start().await;
    let bytes = b"a\0b\xffc";
    let mut binary = message("T", "", &[(TAGS, "t\u{1}"), ("fine", "1"), ("bad", "x|y"), ("b:d", "1")]);
    binary.body = Bytes::from_static(bytes);
    all.remoting.call(binary).await;
    let shown = all.consume().await.remove(0);
    assert_eq!(
        (&*shown.body, &*shown.tag, &*shown.properties),
        ("a\u{fffd}b\u{fffd}c", "t\u{fffd}", "fine:1|")
    );
    assert_eq!(shown.body_md5, digest::body_md5(bytes));
    assert!(decode_message(shown, "T").corrupted);
}

#[tokio::test]
async fn a_body_sent_in_base64_is_itself_over_every_protocol() {
    let mut all = Crossing::start().await;
    // "a\0b\xffc"
    let sent = Publish { properties: "__BODY_ENCODING:base64|".into(), ..text("YQBi/2M=") };
    all.http.publish("T", &sent).await;
    let views = all.views().await;
    assert_same(&views);
    for view in views {
        assert_eq!((&view.body[..], view.property(BODY_ENCODING)), (&b"a\0b\xffc"[..], None));
    }
}

#[tokio::test]
async fn a_group_that_changes_between_http_and_grpc_loses_nothing() {
    let mut all = Crossing::start().await;
    let began = all.broker.clock().now_ms();
    for body in ["1", "2", "3"] {
        all.http.publish("T", &text(body)).await;
    }
    let first = all.consume().await;
    all.http.ack("T", "consumer=G", &[&first[1].handle]).await.done();
    all.broker.advance(HIDDEN_OVER_HTTP).unwrap();
    let over_grpc = all.grpc.receive().await;
    assert_eq!(seen(&over_grpc), [("1", 2), ("3", 2)]);
    assert!(over_grpc.iter().all(|it| it.user_properties.is_empty()), "{over_grpc:?}");
    all.grpc.acknowledge(&over_grpc[..1]).await;
    all.broker.advance(HIDDEN).unwrap();
    let last = all.consume().await;
    let shown: Vec<_> = last.iter().map(|it| (&*it.body, it.consumed_times, it.first_consume_ms)).collect();
    assert_eq!(shown, [("3", 3, began)]);
    assert_eq!((&last[0].message_id, &*last[0].properties), (&first[2].message_id, ""));
    let id = &last[0].message_id;
    assert_eq!(all.broker.message_stage("T", "G", id), MessageStage::InFlight);
    all.http.ack("T", "consumer=G", &[&last[0].handle]).await.done();
    assert_eq!(all.broker.message_stage("T", "G", id), MessageStage::Acknowledged);
}

#[tokio::test]
async fn a_group_that_changes_to_http_goes_on_where_it_was_over_remoting() {
    let mut all = Crossing::start().await;
    for body in ["1", "2", "3"] {
        all.remoting.send("T", body, &[]).await;
    }
    let update = Frame::request(request::UPDATE_CONSUMER_OFFSET)
        .with("consumerGroup", "G")
        .with("topic", "T")
        .with("queueId", 0)
        .with("commitOffset", 1);
    all.remoting.call(update).await;
    let consumed = all.consume().await;
    assert_eq!(consumed.iter().map(|message| &*message.body).collect::<Vec<_>>(), ["2", "3"]);
    all.http.ack("T", "consumer=G", &[&consumed[0].handle]).await.done();
    all.broker.advance(HIDDEN_OVER_HTTP).unwrap();
    let retried = all.remoting.pull("%RETRY%G", 0, Duration::ZERO).await;
    let seen: Vec<_> = retried.iter().map(|view| (&view.body[..], view.reconsume_times)).collect();
    assert_eq!(seen, [(&b"3"[..], 1)]);
}

#[tokio::test]
async fn a_committed_half_message_is_a_transaction_over_every_protocol() {
    let mut all = Crossing::start().await;
    let properties = "__TransCheckT:10|colour:red|".to_owned();
    let published = all.http.publish("T", &Publish { properties, ..text("x") }).await;
    assert!(all.remoting.pull("T", 0, Duration::ZERO).await.is_empty());
    let handle = published.handle.unwrap();
    all.http.ack("T", "consumer=P&trans=commit", &[&handle]).await.done();
    let over_grpc = all.grpc.receive().await.remove(0);
    assert_eq!(system(&over_grpc).message_type(), MessageType::Transaction);
    let pulled = all.remoting.pull("T", 0, Duration::ZERO).await.remove(0);
    assert_eq!((pulled.property("colour"), &*pulled.message_id), (Some("red"), &*published.message_id));
    let consumed = all.http.consume("T", "consumer=H&numOfMessages=1").await.messages().remove(0);
    assert_eq!(
        (&*consumed.properties, &consumed.message_id),
        ("__TransCheckT:10|colour:red|", &published.message_id)
    );
}

#[tokio::test]
async fn a_receive_over_grpc_that_is_cut_while_it_waits_loses_nothing() {
    let mut all = Crossing::start().await;
    let waits = all.grpc.try_receive(all.grpc.request());
    assert!(tokio::time::timeout(Duration::from_millis(50), waits).await.is_err());
    let mut waiting = HttpPeer::waiting(&all.broker, "T", &format!("{CONSUME}&waitseconds=30")).await;
    all.http.publish("T", &text("x")).await;
    assert_eq!(waiting.read().await.unwrap().messages()[0].consumed_times, 1);
}
