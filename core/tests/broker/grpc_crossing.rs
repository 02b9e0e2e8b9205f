//! Messages and groups cross between the protocols: nothing is lost, and everybody sees the same message.

use std::time::Duration;

use bytes::Bytes;
use tminus::Clock;
use tminus::broker::{Broker, MessageStage};
use tminus::codec::grpc::proto::*;
use tminus::codec::grpc::{decode_message, time};
use tminus::codec::remoting::Frame;
use tminus::codec::remoting::codes::{request, response};
use tminus::codec::remoting::compression::zlib;
use tminus::codec::remoting::record::sys_flag;
use tminus::message::properties::*;

use crate::grpc_consumer::{Consumer, HIDDEN, handle, seen, system};
use crate::peer::{Peer, broker, message};

async fn virtual_broker() -> (Broker, Peer, Consumer) {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    broker.create_topic("T", 1).unwrap();
    let peer = Peer::connect(broker.address()).await;
    let consumer = Consumer::start(broker.address(), "c").await;
    (broker, peer, consumer)
}

#[tokio::test]
async fn what_is_sent_over_remoting_is_received_over_grpc() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    let at = broker.clock().now_ms() + 1000;
    let sent = [
        (UNIQ_KEY, "ID"),
        (TAGS, "A"),
        (KEYS, "k1 k2"),
        (SHARDING_KEY, "g"),
        (PRIORITY, "3"),
        (START_DELIVER_TIME, &at.to_string()),
        ("colour", "red"),
    ];
    peer.send("T", "hello", &sent).await;
    broker.advance(Duration::from_secs(1)).unwrap();
    let pulled = peer.pull("T", 0, Duration::ZERO).await.remove(0);
    let message = consumer.receive().await.remove(0);
    let of = system(&message);
    assert_eq!((of.tag.as_deref(), &of.keys[..]), (Some("A"), &["k1".to_owned(), "k2".to_owned()][..]));
    assert_eq!((&*of.message_id, of.message_group.as_deref(), of.priority), ("ID", Some("g"), Some(3)));
    assert_eq!(of.delivery_timestamp, Some(time::timestamp(at)));
    assert_eq!(of.message_type(), MessageType::Delay);
    assert_eq!((of.queue_id, of.queue_offset), (pulled.queue_id, Some(pulled.queue_offset)));
    assert_eq!(message.user_properties, [("colour".to_owned(), "red".to_owned())].into());
    let view = decode_message(message, "broker-a").view;
    assert_eq!(view.deliver_at_ms(), pulled.deliver_at_ms());
    for name in [UNIQ_KEY, TAGS, KEYS, SHARDING_KEY, PRIORITY, "colour"] {
        assert_eq!(view.property(name), pulled.property(name), "{name}");
    }
    assert_eq!((view.body, view.born_timestamp), (pulled.body, pulled.born_timestamp));
    assert_eq!((view.born_host, view.store_host), (pulled.born_host, pulled.store_host));
    assert_eq!((view.store_timestamp, view.reconsume_times), (pulled.store_timestamp, 0));
}

#[tokio::test]
async fn the_type_is_told_by_the_properties() {
    let (_broker, mut peer, consumer) = virtual_broker().await;
    for (properties, expected) in [
        (&[][..], MessageType::Normal),
        (&[(PRIORITY, "1")][..], MessageType::Priority),
        (&[(PRIORITY, "1"), (SHARDING_KEY, "g")][..], MessageType::Fifo),
        (&[(SHARDING_KEY, "g"), (TIMER_DELIVER_MS, "1")][..], MessageType::Delay),
    ] {
        peer.send("T", "x", properties).await;
        let received = consumer.receive().await;
        assert_eq!(system(&received[0]).message_type(), expected, "{properties:?}");
    }
}

#[tokio::test]
async fn a_body_compressed_by_its_producer_arrives_compressed() {
    let (_broker, mut peer, consumer) = virtual_broker().await;
    let body = "hello ".repeat(100);
    let mut compressed = message("T", "", &[]);
    compressed.body = Bytes::from(zlib(body.as_bytes(), 5));
    compressed.ext.set("f", sys_flag::COMPRESSED);
    assert_eq!(peer.call(compressed).await.code, response::SUCCESS);
    let message = consumer.receive().await.remove(0);
    assert_eq!(system(&message).body_encoding(), Encoding::Gzip);
    assert!(message.body.len() < body.len());
    let incoming = decode_message(message, "broker-a");
    assert_eq!((incoming.corrupted, &incoming.view.body[..]), (false, body.as_bytes()));
}

/// The offset of the group in queue 0 of `topic`.
async fn offset(peer: &mut Peer, topic: &str) -> i64 {
    let query = Frame::request(request::QUERY_CONSUMER_OFFSET)
        .with("consumerGroup", "G")
        .with("topic", topic)
        .with("queueId", 0);
    peer.call(query).await.ext.parse("offset").unwrap()
}

#[tokio::test]
async fn a_group_that_changes_to_grpc_and_back_loses_nothing() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    for body in ["1", "2", "3", "4", "5"] {
        peer.send("T", body, &[]).await;
    }
    // Over remoting it has done the first two.
    let update = Frame::request(request::UPDATE_CONSUMER_OFFSET)
        .with("consumerGroup", "G")
        .with("topic", "T")
        .with("queueId", 0)
        .with("commitOffset", 2);
    peer.call(update).await;
    let received = consumer.receive().await;
    assert_eq!(seen(&received), [("3", 1), ("4", 1), ("5", 1)]);
    consumer.acknowledge(&received[1..2]).await;
    // Back over remoting it goes on behind what was delivered, and the rest comes through the retry topic.
    assert_eq!(offset(&mut peer, "T").await, 5);
    broker.advance(HIDDEN).unwrap();
    let start = offset(&mut peer, "%RETRY%G").await;
    let retried = peer.pull("%RETRY%G", start, Duration::ZERO).await;
    let seen: Vec<_> = retried.iter().map(|view| (&view.body[..], view.reconsume_times)).collect();
    assert_eq!(seen, [(&b"3"[..], 1), (b"5", 1)]);
    assert!(retried.iter().all(|view| view.property(RETRY_TOPIC) == Some("T")));
}

#[tokio::test]
async fn a_message_given_back_over_remoting_comes_again_over_grpc() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    peer.send("T", "hard", &[]).await;
    let view = peer.pull("T", 0, Duration::ZERO).await.remove(0);
    let send_back = Frame::request(request::CONSUMER_SEND_MSG_BACK)
        .with("group", "G")
        .with("offset", view.commit_log_offset)
        .with("delayLevel", 0);
    assert_eq!(peer.call(send_back).await.code, response::SUCCESS);
    assert_eq!(seen(&consumer.receive().await), [("hard", 1)], "the offset was not stored");
    assert_eq!(broker.advance(Duration::from_secs(10)).unwrap(), 1);
    let again = consumer.receive().await;
    assert_eq!((seen(&again), system(&again[0]).queue_offset), (vec![("hard", 2)], Some(0)));
}

#[tokio::test]
async fn a_delay_message_lives_as_the_documents_say() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    let stage = || broker.message_stage("T", "G", "ID");
    let at = (broker.clock().now_ms() + 60_000).to_string();
    assert_eq!(stage(), MessageStage::Initialized);
    peer.send("T", "x", &[(UNIQ_KEY, "ID"), (TIMER_DELIVER_MS, &at)]).await;
    assert_eq!(stage(), MessageStage::Timing);
    broker.advance(Duration::from_secs(60)).unwrap();
    assert_eq!(stage(), MessageStage::Ready);
    let first = consumer.receive().await;
    assert_eq!(stage(), MessageStage::InFlight);
    assert_eq!(consumer.change(handle(&first[0]), Duration::ZERO).await.0, Code::Ok as i32);
    assert_eq!(stage(), MessageStage::Ready);
    let again = consumer.receive().await;
    assert_eq!(stage(), MessageStage::InFlight);
    consumer.acknowledge(&again).await;
    assert_eq!(stage(), MessageStage::Acknowledged);
    assert_eq!(broker.message_stage("T", "other", "ID"), MessageStage::Ready);
    for topic in ["T", "%RETRY%G"] {
        let delete = Frame::request(request::DELETE_TOPIC_IN_BROKER).with("topic", topic);
        assert_eq!(peer.call(delete).await.code, response::SUCCESS);
    }
    assert_eq!(stage(), MessageStage::Deleted);
}

#[tokio::test]
async fn a_recalled_message_is_deleted() {
    let (broker, mut peer, _consumer) = virtual_broker().await;
    let at = (broker.clock().now_ms() + 60_000).to_string();
    let sent = peer.send("T", "x", &[(UNIQ_KEY, "ID"), (TIMER_DELIVER_MS, &at)]).await;
    assert_eq!(broker.message_stage("T", "G", "ID"), MessageStage::Timing);
    let recall = Frame::request(request::RECALL_MESSAGE)
        .with("topic", "T")
        .with("recallHandle", sent.ext.get("recallHandle").unwrap());
    assert_eq!(peer.call(recall).await.code, response::SUCCESS);
    assert_eq!(broker.message_stage("T", "G", "ID"), MessageStage::Deleted);
}
