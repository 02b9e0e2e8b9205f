//! What a healthy broker stores, and what the receipt says.

use std::collections::HashSet;
use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions, Fault};
use tminus::clock::to_ms;
use tminus::codec::remoting::codes::{request, response};
use tminus::{
    Clock, ConsumeFrom, ConsumeResult, ErrorKind, FilterExpression, Message, Producer, PushConsumer,
    PushConsumerOptions, SendStatus,
};
use tokio::task::JoinSet;

use crate::support::{SEND, broker, message, options, producer};

#[tokio::test]
async fn a_receipt_names_the_message_and_its_place() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let first = producer.send(message().tag("a").keys(["k1", "k2"])).await.unwrap();
    assert_eq!(first.status, SendStatus::Ok);
    assert_eq!((first.message_id.len(), first.offset_message_id.len()), (32, 32));
    assert_eq!((first.queue.topic.as_str(), first.queue.broker.as_str()), ("orders", "broker-a"));
    assert_eq!(first.queue_offset, 0);
    let second = producer.send_to_queue(message(), &first.queue, None).await.unwrap();
    assert_eq!((&second.queue, second.queue_offset), (&first.queue, 1));
    assert_ne!(second.message_id, first.message_id);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_hundred_sends_at_once_share_one_connection_and_all_queues() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let mut sends = JoinSet::new();
    for number in 0..100 {
        let producer = producer.clone();
        sends.spawn(async move { producer.send(Message::new("orders", format!("{number}"))).await });
    }
    let receipts: Vec<_> = sends.join_all().await.into_iter().map(Result::unwrap).collect();
    let ids: HashSet<_> = receipts.iter().map(|r| &r.message_id).collect();
    let queues: HashSet<_> = receipts.iter().map(|r| r.queue.id).collect();
    assert_eq!((ids.len(), queues.len()), (100, 4));
    assert_eq!(broker.request_count(SEND), 100);
    assert!(
        broker.request_count(request::GET_ROUTEINFO_BY_TOPIC) <= 4,
        "a hundred first sends ask for the route once"
    );
    producer.shutdown().await;
}

#[tokio::test]
async fn a_scheduled_message_waits_until_its_time() {
    let mut broker_options = BrokerOptions::default();
    broker_options.clock = Clock::virtual_now();
    let broker = Broker::start(broker_options).await.unwrap();
    let mut options = options(broker.address());
    options.client.clock = broker.clock().clone();
    let producer = Producer::start(options).await.unwrap();
    let at = broker.clock().now() + Duration::from_secs(3600);
    let typed = producer.send(message().deliver_at(at)).await.unwrap();
    let raw = message().property("__STARTDELIVERTIME", to_ms(at + Duration::from_secs(1)).to_string());
    let raw = producer.send(raw).await.unwrap();
    let pending: Vec<_> = broker.pending().into_iter().map(|p| (p.message_id, p.deliver_at_ms)).collect();
    assert_eq!(pending, [(typed.message_id, to_ms(at)), (raw.message_id, to_ms(at) + 1000)]);
    assert_eq!(broker.advance(Duration::from_secs(3600)).unwrap(), 1);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_past_delivery_time_is_at_once() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message().deliver_at(Clock::real().now() - Duration::from_secs(60))).await.unwrap();
    assert!(broker.pending().is_empty());
    producer.shutdown().await;
}

#[tokio::test]
async fn equal_keys_go_to_one_queue() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let mut queues = HashSet::new();
    for key in 0..20 {
        let key = format!("customer-{key}");
        let first = producer.send_by_key(message(), &key, None).await.unwrap();
        let second = producer.send_by_key(message(), &key, None).await.unwrap();
        assert_eq!(first.queue, second.queue);
        queues.insert(first.queue.id);
    }
    assert!(queues.len() > 1, "different keys spread");
    producer.shutdown().await;
}

#[tokio::test]
async fn a_batch_is_one_request_with_an_id_for_every_message() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let batch = (0..5).map(|n| Message::new("orders", format!("{n}"))).collect();
    let receipt = producer.send_batch(batch, None).await.unwrap();
    assert_eq!(receipt.message_id.split(',').collect::<HashSet<_>>().len(), 5);
    assert_eq!(receipt.offset_message_id.split(',').count(), 5);
    assert_eq!(broker.request_count(request::SEND_BATCH_MESSAGE), 1);
    let next = producer.send_to_queue(message(), &receipt.queue, None).await.unwrap();
    assert_eq!(next.queue_offset, receipt.queue_offset + 5);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_one_way_message_arrives() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let queue = producer.send(message()).await.unwrap().queue;
    for _ in 0..8 {
        producer.send_one_way(message()).await.unwrap();
    }
    // The next receipt on the same connection comes after them.
    let mut stored = 0;
    for id in 0..4 {
        let queue = tminus::MessageQueue { id, ..queue.clone() };
        stored += producer.send_to_queue(message(), &queue, None).await.unwrap().queue_offset;
    }
    assert_eq!(stored, 1 + 8);
    producer.shutdown().await;
}

#[tokio::test]
async fn stored_with_a_reservation_is_a_receipt() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    for (code, status) in [
        (response::FLUSH_DISK_TIMEOUT, SendStatus::FlushDiskTimeout),
        (response::SLAVE_NOT_AVAILABLE, SendStatus::SlaveNotAvailable),
        (response::FLUSH_SLAVE_TIMEOUT, SendStatus::FlushSlaveTimeout),
    ] {
        broker.inject(SEND, 1, Fault::Refuse { code, remark: String::new() });
        assert_eq!(producer.send(message()).await.unwrap().status, status);
    }
    producer.shutdown().await;
}

#[tokio::test]
async fn an_unknown_topic_names_the_command_that_creates_it() {
    let mut broker_options = BrokerOptions::default();
    broker_options.auto_create_topics = false;
    let broker = Broker::start(broker_options).await.unwrap();
    let producer = producer(broker.address()).await;
    let error = producer.send(message()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TopicNotFound);
    assert!(error.text().contains("mqadmin updateTopic"), "{error}");
    assert!(producer.queues("orders").await.is_err());
    broker.create_topic("orders", 2).unwrap();
    assert_eq!(producer.queues("orders").await.unwrap().len(), 2);
    assert!(producer.send(message()).await.is_ok());
    producer.shutdown().await;
}

#[tokio::test]
async fn a_queue_that_does_not_exist() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let mut queue = producer.send(message()).await.unwrap().queue;
    queue.id = 99;
    let error = producer.send_to_queue(message(), &queue, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    producer.shutdown().await;
}

#[tokio::test]
async fn names_are_wrapped_in_the_namespace_and_receipts_are_not() {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.client.namespace = Some("ns".into());
    let inside = Producer::start(options).await.unwrap();
    let receipt = inside.send(message()).await.unwrap();
    assert_eq!(receipt.queue.topic, "orders");
    let outside = producer(broker.address()).await;
    let mut queue = receipt.queue;
    queue.topic = "ns%orders".into();
    let again = outside.send_to_queue(Message::new("ns%orders", "x"), &queue, None).await.unwrap();
    assert_eq!(again.queue_offset, 1, "the same queue as inside the namespace");
    inside.shutdown().await;
    outside.shutdown().await;
}

#[tokio::test]
async fn what_is_sent_is_what_arrives() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    // Compressed on the way, some of them on a thread of their own.
    let sizes = [1, 4095, 4096, 100_000, 1_000_000];
    for size in sizes {
        let body: Vec<u8> = (0..size).map(|n: usize| (n / 7) as u8).collect();
        let sent = Message::new("orders", body).tag("t").keys(["k"]).property("p", "\u{e9}").flag(7);
        producer.send(sent).await.unwrap();
    }
    let mut options = PushConsumerOptions::new(&broker.address().to_string(), "readers").unwrap();
    options.consume_from = ConsumeFrom::FirstOffset;
    options = options.subscribe("orders", FilterExpression::all());
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < sizes.len() {
        for delivery in deliveries.next(10).await {
            let message = &delivery.message;
            assert!(message.body.iter().enumerate().all(|(n, byte)| *byte == (n / 7) as u8));
            assert_eq!((message.tag(), message.property("p"), message.flag), (Some("t"), Some("\u{e9}"), 7));
            assert_eq!(message.keys().collect::<Vec<_>>(), ["k"]);
            seen.push(message.body.len());
            delivery.settle(ConsumeResult::Success);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, sizes);
    consumer.shutdown().await;
    producer.shutdown().await;
}
