//! Transactions over HTTP: half messages end by their handles, and those without an end are fetched.

use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions, TopicType};
use tminus::codec::remoting::codes::request;
use tminus::{
    Clock, ErrorKind, HttpClient, HttpConsume, Message, Outcome, Producer, ProducerOptions,
    TransactionResolution,
};

use super::http_raw::{Raw, Reply, client_options, message, producer, producer_options, published};

const FIRST_QUESTION: Duration = Duration::from_secs(10);
const HIDDEN: Duration = Duration::from_secs(300);
/// Consume over HTTP, as counted.
const CONSUME: i32 = 200_050;

async fn virtual_broker() -> Broker {
    let mut options = BrokerOptions::default();
    options.clock = Clock::virtual_now();
    let broker = Broker::start(options).await.unwrap();
    broker.create_topic_of("orders", 1, TopicType::Transaction).unwrap();
    broker
}

fn options(broker: &Broker) -> ProducerOptions {
    let mut options = producer_options(broker.address());
    options.group = "GID_p".into();
    options
}

fn order(body: &'static str) -> Message {
    Message::new("orders", body)
}

/// What consumers can see, each time by a group that saw none.
async fn visible(broker: &Broker) -> Vec<String> {
    let client = HttpClient::new(client_options(broker.address())).unwrap();
    let wanted = HttpConsume {
        topic: "orders".into(),
        group: format!("GID_{}", fastrand::u64(..)),
        tag: String::new(),
        mode: tminus::ConsumeMode::Concurrent,
        max: 16,
        wait: Duration::ZERO,
    };
    let consumed = client.consume(&wanted).await;
    client.shutdown().await;
    match consumed {
        Ok(consumed) => {
            let bodies = consumed.messages.into_iter().map(|received| received.message.body.to_vec());
            bodies.map(|body| String::from_utf8(body).unwrap()).collect()
        }
        Err(error) if error.kind() == ErrorKind::MessageNotFound => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_committed_message_is_delivered_and_a_rolled_back_one_is_not() {
    let broker = virtual_broker().await;
    let producer = Producer::start(options(&broker)).await.unwrap();
    let dropped = producer.send_transaction(order("dropped")).await.unwrap();
    let kept = producer.send_transaction(order("kept")).await.unwrap();
    let half = kept.receipt().clone();
    assert!(half.transaction_id.is_some() && visible(&broker).await.is_empty());
    producer.end_transaction(&half, TransactionResolution::Unknown).await.unwrap();
    assert_eq!(broker.request_count(request::END_TRANSACTION), 0);
    kept.commit().await.unwrap();
    dropped.rollback().await.unwrap();
    assert_eq!(visible(&broker).await, ["kept"]);
    let error = producer.end_transaction(&half, TransactionResolution::Commit).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::MessageNotFound, Some(404)), "{error}");
    let mut other = half.clone();
    other.transaction_id = Some("garbage".into());
    let error = producer.end_transaction(&other, TransactionResolution::Commit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidReceipt, "{error}");
    other.transaction_id = None;
    let error = producer.end_transaction(&other, TransactionResolution::Commit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    producer.shutdown().await;
}

#[tokio::test]
async fn a_producer_is_asked_about_what_it_did_not_end() {
    let broker = virtual_broker().await;
    let (producer, checks) = Producer::start_with_checks(options(&broker)).await.unwrap();
    let half = producer.send_transaction(order("in doubt").property("p", "v")).await.unwrap();
    let waiting = tokio::spawn(async move { (checks.next(10).await, checks) });
    broker.advance(FIRST_QUESTION).unwrap();
    let (mut asked, checks) = waiting.await.unwrap();
    let check = asked.remove(0);
    assert_eq!((&*check.message.topic, check.message.property("p")), ("orders", Some("v")));
    assert_eq!(check.message.message_id, half.receipt().message_id);
    // Unknown: it is asked again.
    drop(check);
    broker.advance(HIDDEN).unwrap();
    checks.next(1).await.remove(0).resolve(TransactionResolution::Commit);
    while broker.request_count(request::END_TRANSACTION) == 0 {
        tokio::task::yield_now().await;
    }
    while visible(&broker).await.is_empty() {}
    assert_eq!(visible(&broker).await, ["in doubt"]);
    producer.shutdown().await;
    assert!(checks.next(1).await.is_empty(), "the questions end with the producer");
}

#[tokio::test]
async fn what_is_said_about_a_transaction_just_before_the_shutdown_is_told() {
    let broker = virtual_broker().await;
    let (producer, checks) = Producer::start_with_checks(options(&broker)).await.unwrap();
    producer.send_transaction(order("said late")).await.unwrap();
    let waiting = tokio::spawn(async move { checks.next(10).await });
    broker.advance(FIRST_QUESTION).unwrap();
    waiting.await.unwrap().remove(0).resolve(TransactionResolution::Commit);
    producer.shutdown().await;
    assert_eq!(visible(&broker).await, ["said late"]);
}

#[tokio::test]
async fn a_producer_is_asked_about_what_an_earlier_one_of_its_group_left() {
    let broker = virtual_broker().await;
    let earlier = Producer::start(options(&broker)).await.unwrap();
    drop(earlier.send_transaction(order("left")).await.unwrap());
    earlier.shutdown().await;
    broker.advance(FIRST_QUESTION).unwrap();
    let mut options = options(&broker);
    options.topics = vec!["orders".into()];
    let (producer, checks) = Producer::start_with_checks(options).await.unwrap();
    assert_eq!(&checks.next(1).await.remove(0).message.body[..], b"left");
    producer.shutdown().await;
}

#[tokio::test]
async fn nobody_is_asked_where_nobody_wants_to_know() {
    let broker = virtual_broker().await;
    let mut options = options(&broker);
    options.topics = vec!["orders".into()];
    let producer = Producer::start(options.clone()).await.unwrap();
    let (other, checks) = Producer::start_with_checks(options).await.unwrap();
    for producer in [&producer, &other] {
        drop(producer.send_transaction(order("half")).await.unwrap());
    }
    broker.advance(FIRST_QUESTION).unwrap();
    drop(producer.send_transaction(order("another")).await.unwrap());
    assert_eq!(broker.request_count(CONSUME), 0);
    drop(checks);
    producer.shutdown().await;
    other.shutdown().await;
}

#[tokio::test]
async fn the_questions_of_a_producer_that_has_asked_for_none_end_with_it_too() {
    let broker = virtual_broker().await;
    let (producer, checks) = Producer::start_with_checks(options(&broker)).await.unwrap();
    let waiting = tokio::spawn(async move { checks.next(1).await });
    tokio::task::yield_now().await;
    producer.shutdown().await;
    assert!(waiting.await.unwrap().is_empty());
    let (producer, checks) = Producer::start_with_checks(options(&broker)).await.unwrap();
    producer.shutdown().await;
    assert!(checks.next(1).await.is_empty());
}

#[tokio::test]
async fn a_half_message_cannot_be_scheduled_and_needs_a_handle() {
    let server = Raw::start(|_, _| Reply::With(published("hello"))).await;
    let producer = producer(server.address).await;
    let scheduled = message().deliver_after(Duration::from_secs(9));
    let error = producer.send_transaction(scheduled).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidMessage, Outcome::NotSent), "{error}");
    assert_eq!(server.count(), 0);
    let error = producer.send_transaction(message()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Server, Outcome::Done), "{error}");
    let sent = String::from_utf8(server.seen()[0].body.clone()).unwrap();
    assert!(sent.contains("__TransCheckT:10|"), "{sent}");
}
