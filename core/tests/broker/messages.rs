//! Sending and pulling.

use std::time::Duration;

use tminus::codec::remoting::batch::{self, BatchItem};
use tminus::codec::remoting::body::{JsonBody, TopicRoute};
use tminus::codec::remoting::codes::{request, response};
use tminus::codec::remoting::frame::FLAG_ONE_WAY;
use tminus::codec::remoting::{Frame, Serialization};
use tminus::message::{Properties, properties};

use crate::peer::{Peer, broker, message, pull, pull_tags, views};

const HOLD: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_message_arrives_as_it_was_sent() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    let sent = peer.send("T", "hello", &[("TAGS", "a"), ("UNIQ_KEY", "U1"), ("color", "blue")]).await;
    assert_eq!(sent.code, response::SUCCESS);
    assert_eq!(sent.ext.get("queueOffset"), Some("0"));
    assert_eq!(sent.ext.get("transactionId"), Some("U1"));
    assert_eq!(sent.ext.get(properties::MSG_REGION), Some("DefaultRegion"));
    let [view] = &peer.pull("T", 0, Duration::ZERO).await[..] else { panic!("one message") };
    assert_eq!((view.topic.as_str(), &view.body[..], view.message_id.as_str()), ("T", &b"hello"[..], "U1"));
    assert_eq!((view.tag(), view.property("color")), (Some("a"), Some("blue")));
    assert_eq!(Some(view.offset_message_id.as_str()), sent.ext.get("msgId"));
    assert_eq!((view.queue_offset, view.reconsume_times), (0, 0));
    assert_eq!(view.store_host, broker.address());
}

#[tokio::test]
async fn ipv6_is_as_good() {
    let broker = broker(|options| options.listen = "[::1]:0".parse().unwrap()).await;
    let mut peer = Peer::connect(broker.address()).await;
    let sent = peer.send("T", "six", &[]).await;
    assert_eq!(sent.ext.get("msgId").map(str::len), Some(56));
    let view = peer.pull("T", 0, Duration::ZERO).await.remove(0);
    assert_eq!((view.store_host, view.born_host.ip()), (broker.address(), broker.address().ip()));
    assert_eq!(Some(view.offset_message_id.as_str()), sent.ext.get("msgId"));
}

#[tokio::test]
async fn a_waiting_pull_is_answered_by_the_send_it_waits_for() {
    let broker = broker(|_| {}).await;
    broker.create_topic("T", 4).unwrap();
    let mut consumer = Peer::connect(broker.address()).await;
    let mut producer = Peer::connect(broker.address()).await;
    let waiting = consumer.write(pull_tags("T", 0, HOLD, "wanted")).await;
    producer.send("T", "1", &[("TAGS", "other")]).await;
    producer.send("T", "2", &[("TAGS", "wanted")]).await;
    let answer = consumer.answer(waiting).await;
    assert_eq!(answer.ext.get("nextBeginOffset"), Some("2"));
    let bodies: Vec<_> = views(&answer).into_iter().map(|view| view.body).collect();
    assert_eq!(bodies, ["2"]);
}

#[tokio::test]
async fn a_pull_without_messages_says_where_to_go_on() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    let missing = peer.call(pull("T", 0, Duration::ZERO)).await;
    assert_eq!(missing.code, response::TOPIC_NOT_EXIST);
    for body in ["1", "2", "3"] {
        peer.send("T", body, &[("TAGS", "a")]).await;
    }
    for (offset, tags, code, next) in [
        (3, "*", response::PULL_NOT_FOUND, "3"),
        (9, "*", response::PULL_OFFSET_MOVED, "3"),
        (-1, "*", response::PULL_OFFSET_MOVED, "0"),
        (0, "b", response::PULL_RETRY_IMMEDIATELY, "3"),
        (1, "b || a", response::SUCCESS, "3"),
    ] {
        let answer = peer.call(pull_tags("T", offset, Duration::ZERO, tags)).await;
        assert_eq!((answer.code, answer.ext.get("nextBeginOffset")), (code, Some(next)), "{offset} {tags}");
        assert_eq!((answer.ext.get("minOffset"), answer.ext.get("maxOffset")), (Some("0"), Some("3")));
    }
    // A hold that ends without a message.
    let answer = peer.call(pull("T", 3, Duration::from_millis(50))).await;
    assert_eq!(answer.code, response::PULL_NOT_FOUND);
}

#[tokio::test]
async fn a_batch_is_stored_message_by_message() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    let item = |body: &'static str| BatchItem {
        body: body.into(),
        properties: [("UNIQ_KEY", body)].into_iter().collect::<Properties>(),
        ..BatchItem::default()
    };
    let batch = batch::encode(&[item("one"), item("two"), item("three")]);
    let as_320 =
        Frame { code: request::SEND_BATCH_MESSAGE, ..message("T", "", &[]).with_body(batch.clone()) };
    let as_310 = message("T", "", &[]).with("m", true).with_body(batch);
    for (offset, frame) in [(0, as_320), (3, as_310)] {
        let sent = peer.call(frame).await;
        assert_eq!(sent.ext.get("msgId").map(|ids| ids.split(',').count()), Some(3));
        assert_eq!(sent.ext.parse("queueOffset"), Some(offset));
        let bodies: Vec<_> =
            peer.pull("T", offset, Duration::ZERO).await.into_iter().map(|view| view.body).collect();
        assert_eq!(bodies, ["one", "two", "three"]);
    }
}

#[tokio::test]
async fn binary_headers_and_one_way_requests_are_understood() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    let one_way = message("T", "quiet", &[]);
    peer.write_as(Frame { flag: FLAG_ONE_WAY, ..one_way }, Serialization::Binary).await;
    // The first answer on the connection is that of the pull.
    let pulled = peer.write_as(pull("T", 0, HOLD), Serialization::Binary).await;
    let answer = peer.read().await.unwrap();
    assert_eq!(answer.opaque, pulled);
    assert_eq!(views(&answer)[0].body, "quiet");
}

#[tokio::test]
async fn unknown_requests_are_not_supported_and_one_way_ones_are_not_answered() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    peer.write(Frame { flag: FLAG_ONE_WAY, ..Frame::request(31_999) }).await;
    for code in [31_999, request::POP_MESSAGE, -1] {
        let answer = peer.call(Frame::request(code)).await;
        assert_eq!(answer.code, response::REQUEST_CODE_NOT_SUPPORTED);
        assert!(answer.remark.unwrap().contains(&code.to_string()));
    }
    let incomplete = peer.call(Frame::request(request::PULL_MESSAGE)).await;
    assert_eq!(incomplete.code, response::SYSTEM_ERROR);
    assert!(incomplete.remark.unwrap().contains("consumerGroup"));
}

#[tokio::test]
async fn routes_are_those_of_the_real_name_server() {
    let broker = broker(|options| options.queues = 3).await;
    let mut peer = Peer::connect(broker.address()).await;
    let ask =
        |version| Frame { version, ..Frame::request(request::GET_ROUTEINFO_BY_TOPIC) }.with("topic", "T");
    assert_eq!(peer.call(ask(513)).await.code, response::TOPIC_NOT_EXIST);
    peer.send("T", "x", &[]).await;
    for (version, key) in [(317, "{0:"), (513, "{\"0\":")] {
        let answer = peer.call(ask(version)).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(text.contains(key), "{version}: {text}");
        let route = TopicRoute::decode(&answer.body).unwrap();
        assert_eq!(route.broker_datas[0].master(), Some(broker.address().to_string().as_str()));
        assert_eq!((route.queue_datas[0].write_queue_nums, route.queue_datas[0].perm), (3, 6));
    }
    let default = peer.call(Frame::request(request::GET_ROUTEINFO_BY_TOPIC).with("topic", "TBW102")).await;
    assert_eq!(default.code, response::SUCCESS);
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused() {
    let broker = broker(|options| options.auto_create_topics = false).await;
    broker.create_topic("T", 2).unwrap();
    let mut peer = Peer::connect(broker.address()).await;
    let huge = "x".repeat(4 * 1024 * 1024 + 1);
    for (frame, code) in [
        (message("missing", "x", &[]), response::TOPIC_NOT_EXIST),
        (message("bad topic", "x", &[]), response::INVALID_PARAMETER),
        (message("SCHEDULE_TOPIC_XXXX", "x", &[]), response::NO_PERMISSION),
        (message("T", "x", &[]).with("e", 2), response::INVALID_PARAMETER),
        (message("T", "", &[]), response::MESSAGE_ILLEGAL),
        (message("T", &huge, &[]), response::MESSAGE_ILLEGAL),
        (message("T", "not a batch", &[]).with("m", true), response::MESSAGE_ILLEGAL),
    ] {
        let answer = peer.call(frame).await;
        assert_eq!(answer.code, code, "{:?}", answer.remark);
        assert!(answer.remark.is_some());
    }
    assert_eq!(peer.pull("T", 0, Duration::ZERO).await, []);
}
