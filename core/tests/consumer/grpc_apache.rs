//! Consumers over gRPC against the proxy of the real Apache RocketMQ, where `server.py run` has started one.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::Command;

use tminus::clock;

use super::grpc::*;

/// A proxy with a topic and a group that nobody used before.
struct Apache {
    endpoint: String,
    topic: String,
    group: String,
}

impl Apache {
    /// Makes them, if there is a proxy.
    fn prepare(kind: &str, group_options: &[&str]) -> Option<Self> {
        let Ok(proxy) = std::env::var("TMINUS_TEST_APACHE_PROXY") else {
            println!("skipped: no Apache proxy; core/tests/apache/server.py run starts one");
            return None;
        };
        let unique = format!("{:x}-{:04x}", Clock::real().now_ms(), std::process::id());
        let (topic, group) =
            (format!("t-{}-{unique}", kind.to_lowercase()), format!("g-{}-{unique}", kind.to_lowercase()));
        let make = |arguments: &[&str]| {
            let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apache/server.py");
            assert!(Command::new("python3").arg(server).args(arguments).status().unwrap().success());
        };
        make(&["topic", "--name", &topic, "--type", kind, "--queues", "2"]);
        make(&[&["group", "--name", &group], group_options].concat());
        Some(Self { endpoint: format!("grpc://{proxy}"), topic, group })
    }

    async fn producer(&self) -> Producer {
        Producer::start(ProducerOptions::new(&self.endpoint).unwrap()).await.unwrap()
    }

    fn options(&self) -> PushConsumerOptions {
        let options = PushConsumerOptions::new(&self.endpoint, &self.group).unwrap();
        options.subscribe(&self.topic, FilterExpression::all())
    }

    async fn simple(&self) -> SimpleConsumer {
        let options = SimpleConsumerOptions::new(&self.endpoint, &self.group).unwrap();
        SimpleConsumer::start(options.subscribe(&self.topic, FilterExpression::all())).await.unwrap()
    }

    fn message(&self, body: usize) -> Message {
        Message::new(&self.topic, body.to_string())
    }
}

#[tokio::test]
async fn apache_delivers_to_a_push_consumer_and_takes_its_acknowledgements() {
    let Some(apache) = Apache::prepare("MIXED", &[]) else { return };
    let producer = apache.producer().await;
    let begun = clock::instant();
    let (consumer, deliveries) = PushConsumer::start_stream(apache.options()).await.unwrap();
    println!("start {:?}", begun.elapsed());
    for body in 0..50 {
        producer.send(apache.message(body).tag("A").property("c", "red")).await.unwrap();
    }
    assert_eq!(consume(&deliveries, 50).await.len(), 50);
    producer.send(apache.message(50).deliver_after(Duration::from_secs(2))).await.unwrap();
    let delivery = next(&deliveries).await;
    let lateness = Clock::real().now_ms() - delivery.message.deliver_at_ms().unwrap();
    println!("late by {lateness} ms");
    // The server releases them once a second.
    assert!((0..2500).contains(&lateness), "{lateness} ms");
    delivery.settle(ConsumeResult::Success);
    // Not consumed, it comes again after 1 s.
    producer.send(apache.message(51)).await.unwrap();
    next(&deliveries).await.settle(ConsumeResult::RetryLater);
    let begun = clock::instant();
    let delivery = next(&deliveries).await;
    println!("again after {:?}", begun.elapsed());
    assert_eq!((body(&delivery.message), delivery.message.delivery_attempt()), (51, 2));
    assert_eq!(delivery.message.topic, apache.topic);
    delivery.settle(ConsumeResult::Success);
    tokio::time::sleep(QUIET).await;
    let begun = clock::instant();
    consumer.shutdown().await;
    println!("stop {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_millis(500));
    let (consumer, deliveries) = PushConsumer::start_stream(apache.options()).await.unwrap();
    assert_quiet(&deliveries).await;
    // What no listener had is there for the next member at once.
    producer.send(apache.message(52)).await.unwrap();
    tokio::time::sleep(QUIET).await;
    consumer.shutdown().await;
    let begun = clock::instant();
    let (consumer, deliveries) = PushConsumer::start_stream(apache.options()).await.unwrap();
    let delivery = next(&deliveries).await;
    println!("given back after {:?}, attempt {}", begun.elapsed(), delivery.message.delivery_attempt());
    assert_eq!(body(&delivery.message), 52);
    delivery.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn apache_filters_by_tags_and_expressions() {
    let Some(apache) = Apache::prepare("NORMAL", &[]) else { return };
    let producer = apache.producer().await;
    for (at, tag) in ["A", "B", "C"].iter().enumerate() {
        producer.send(apache.message(at).tag(*tag).property("size", (at * 10).to_string())).await.unwrap();
    }
    let simple = async |filter| {
        let options = SimpleConsumerOptions::new(&apache.endpoint, &apache.group).unwrap();
        SimpleConsumer::start(options.subscribe(&apache.topic, filter)).await.unwrap()
    };
    let bad = simple(FilterExpression::Sql92("size >".into())).await;
    let error = bad.receive(8, HIDDEN, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    bad.shutdown().await;
    let consumer = simple(FilterExpression::Sql92("size >= 10".into())).await;
    let received = receive(&consumer, 2).await;
    assert_eq!(bodies(&received), BTreeSet::from([1, 2]));
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn apache_keeps_the_order_of_a_group_and_takes_dead_letters() {
    let Some(apache) = Apache::prepare("FIFO", &["--fifo", "--retries", "2"]) else { return };
    let producer = apache.producer().await;
    for body in 0..5 {
        producer.send(apache.message(body).message_group("a")).await.unwrap();
    }
    let mut ordered = apache.options();
    ordered.orderly = true;
    let (consumer, deliveries) = PushConsumer::start_stream(ordered).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 7 {
        let delivery = next(&deliveries).await;
        let (body, attempt) = (body(&delivery.message), delivery.message.delivery_attempt());
        seen.push((body, attempt));
        delivery.settle(if body == 1 { ConsumeResult::RetryLater } else { ConsumeResult::Success });
    }
    assert_eq!(seen, [(0, 1), (1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (4, 1)]);
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn apache_refuses_order_to_a_group_that_does_not_keep_it() {
    let Some(apache) = Apache::prepare("NORMAL", &[]) else { return };
    let mut ordered = apache.options();
    ordered.orderly = true;
    let error = PushConsumer::start_stream(ordered).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
}

#[tokio::test]
async fn apache_serves_a_simple_consumer() {
    let Some(apache) = Apache::prepare("NORMAL", &[]) else { return };
    let producer = apache.producer().await;
    let consumer = apache.simple().await;
    for _ in 0..5 {
        let begun = clock::instant();
        assert!(consumer.receive(8, HIDDEN, Some(QUIET)).await.unwrap().is_empty());
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    for body in 0..10 {
        producer.send(apache.message(body)).await.unwrap();
    }
    let received = receive(&consumer, 10).await;
    assert_eq!(bodies(&received), (0..10).collect());
    assert!(received.iter().all(|r| !r.corrupted && r.message.delivery_attempt() == 1), "{received:?}");
    let mut receipts: Vec<_> = received.into_iter().map(|received| received.receipt).collect();
    let kind = |result: tminus::Result<()>| result.map_err(|error| (error.kind(), error.response_code()));
    let mut garbage = ReceiptHandle { handle: "garbage-handle".into(), ..receipts[0].clone() };
    println!("garbage: {:?}", consumer.ack(&garbage).await);
    assert!(matches!(kind(consumer.ack(&garbage).await), Err((ErrorKind::InvalidReceipt, _))));
    let changed = kind(consumer.change_invisible(&mut garbage, HIDDEN).await);
    assert!(matches!(changed, Err((ErrorKind::InvalidReceipt, _))), "{changed:?}");
    let old = receipts[0].clone();
    consumer.change_invisible(&mut receipts[0], HIDDEN).await.unwrap();
    assert!(matches!(kind(consumer.ack(&old).await), Err((ErrorKind::InvalidReceipt, None))));
    let results = consumer.ack_all(&receipts[..9]).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    // Made visible at once, the last one comes again.
    let mut last = receipts.remove(9);
    consumer.change_invisible(&mut last, Duration::ZERO).await.unwrap();
    let again = receive(&consumer, 1).await.remove(0);
    assert_eq!((&again.receipt.message_id, again.message.delivery_attempt()), (&last.message_id, 2));
    consumer.ack(&again.receipt).await.unwrap();
    let error = consumer.receive(1, Duration::from_secs(1), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    let begun = clock::instant();
    consumer.shutdown().await;
    println!("stop {:?}", begun.elapsed());
    producer.shutdown().await;
}
