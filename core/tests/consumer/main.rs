//! The push consumer against the loopback broker, over real sockets.
#![cfg(feature = "broker")]
#![allow(clippy::unwrap_used)]

mod admin;
mod filters;
mod grpc;
mod grpc_apache;
mod grpc_faults;
mod grpc_fifo;
mod grpc_life;
mod grpc_push;
mod grpc_simple;
mod http;
mod http_faults;
mod http_fifo;
mod http_life;
mod http_push;
#[allow(dead_code, unreachable_pub)] // shared with the tests of the producer
#[path = "../producer/http_raw.rs"]
mod http_raw;
mod http_simple;
mod life;
mod offsets;
#[allow(dead_code)] // shared with the tests of the broker
#[path = "../broker/peer.rs"]
mod peer;
mod retry;
mod sharing;

use std::collections::BTreeSet;
use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions};
use tminus::{
    Clock, ConsumeFrom, ConsumeResult, Deliveries, Delivery, FilterExpression, Message, MessageView,
    Producer, ProducerOptions, PushConsumer, PushConsumerOptions,
};
use tokio::time::timeout;

/// Nothing here takes so long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough to see that nothing comes.
const QUIET: Duration = Duration::from_millis(300);

async fn broker() -> Broker {
    Broker::start(BrokerOptions::default()).await.unwrap()
}

async fn virtual_broker() -> Broker {
    let mut options = BrokerOptions::default();
    options.clock = Clock::virtual_now();
    Broker::start(options).await.unwrap()
}

async fn producer(broker: &Broker) -> Producer {
    Producer::start(ProducerOptions::new(&broker.address().to_string()).unwrap()).await.unwrap()
}

/// Options for a group that begins with the first message of topic `T`.
fn options(broker: &Broker, group: &str) -> PushConsumerOptions {
    let mut options = PushConsumerOptions::new(&broker.address().to_string(), group).unwrap();
    options.consume_from = ConsumeFrom::FirstOffset;
    options.subscribe("T", FilterExpression::all())
}

/// Sends messages with these bodies to topic `T`.
async fn send(producer: &Producer, bodies: impl IntoIterator<Item = usize>) {
    for body in bodies {
        producer.send(Message::new("T", body.to_string())).await.unwrap();
    }
}

fn body(message: &MessageView) -> usize {
    std::str::from_utf8(&message.body).unwrap().parse().unwrap()
}

async fn next(deliveries: &Deliveries) -> Delivery {
    timeout(PATIENCE, deliveries.next(1)).await.expect("no delivery").pop().expect("the consumer has ended")
}

/// Consumes with success until `count` different messages were seen; returns them.
async fn consume(deliveries: &Deliveries, count: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    while seen.len() < count {
        let delivery = next(deliveries).await;
        seen.insert(body(&delivery.message));
        delivery.settle(ConsumeResult::Success);
    }
    seen
}

async fn assert_quiet(deliveries: &Deliveries) {
    if let Ok(more) = timeout(QUIET, deliveries.next(100)).await {
        panic!("unexpected: {:?}", more.iter().map(|d| body(&d.message)).collect::<Vec<_>>());
    }
}

/// Waits until `condition` holds.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn tags_filter_exactly() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let mut options = options(&broker, "g");
    options.subscriptions = vec![("T".into(), FilterExpression::Tag("A || AaBB".into()))];
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    // The last two tags have the same hash.
    for (at, tag) in ["A", "B", "AaBB", "BBAa", "A", ""].iter().enumerate() {
        producer.send(Message::new("T", at.to_string()).tag(*tag)).await.unwrap();
    }
    assert_eq!(consume(&deliveries, 3).await, BTreeSet::from([0, 2, 4]));
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_listener_gets_every_message_and_a_panic_means_again() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let (seen, mut received) = tokio::sync::mpsc::unbounded_channel();
    let listener = move |message: MessageView| {
        let seen = seen.clone();
        async move {
            let first = message.reconsume_times == 0;
            seen.send((body(&message), message.reconsume_times)).unwrap();
            assert!(!(first && body(&message) == 7), "as the test wants it");
            ConsumeResult::Success
        }
    };
    let consumer = PushConsumer::start(options(&broker, "g"), listener).await.unwrap();
    send(&producer, 0..20).await;
    let mut bodies = BTreeSet::new();
    while bodies.len() < 20 {
        bodies.insert(timeout(PATIENCE, received.recv()).await.unwrap().unwrap().0);
    }
    until("7 waits for its retry", || broker.pending().len() == 1).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_topic_that_comes_later_is_consumed_from_its_beginning() {
    let broker = broker().await;
    let mut options = options(&broker, "g");
    options.consume_from = ConsumeFrom::LastOffset;
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    assert!(consumer.assigned_queues().iter().all(|queue| queue.topic != "T"));
    let producer = producer(&broker).await;
    send(&producer, 0..10).await;
    assert_eq!(consume(&deliveries, 10).await.len(), 10);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_slow_handler_stops_the_pulling() {
    let broker = broker().await;
    broker.create_topic("T", 1).unwrap();
    let producer = producer(&broker).await;
    send(&producer, 0..200).await;
    let mut options = options(&broker, "g");
    (options.pull_batch, options.cached_messages_per_queue) = (5, 10);
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    let mut held = Vec::new();
    while let Ok(more) = timeout(QUIET, deliveries.next(100)).await {
        held.extend(more);
    }
    assert_eq!(held.len(), 10);
    let mut seen: BTreeSet<_> = held.iter().map(|d| body(&d.message)).collect();
    held.into_iter().for_each(|delivery| delivery.settle(ConsumeResult::Success));
    seen.extend(consume(&deliveries, 190).await);
    assert_eq!(seen.len(), 200);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn suspended_nothing_new_is_pulled() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    send(&producer, 0..5).await;
    consume(&deliveries, 5).await;
    consumer.suspend();
    // The pulls under way, one a queue, end with the first of these messages.
    send(&producer, 5..13).await;
    let mut seen = consume(&deliveries, 4).await;
    assert_quiet(&deliveries).await;
    consumer.resume();
    seen.extend(consume(&deliveries, 4).await);
    assert_eq!(seen, (5..13).collect());
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_subscription_can_come_and_go() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    producer.send(Message::new("U", "1")).await.unwrap();
    consumer.subscribe("U", FilterExpression::all()).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([1]));
    consumer.unsubscribe("U").await.unwrap();
    until("the queues of U are dropped", || consumer.assigned_queues().iter().all(|q| q.topic != "U")).await;
    consumer.shutdown().await;
    assert!(consumer.subscribe("U", FilterExpression::all()).await.is_err());
    producer.shutdown().await;
}
