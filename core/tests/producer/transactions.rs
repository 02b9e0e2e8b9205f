//! Transactions: how they end, and what happens when nobody ends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions, Fault};
use tminus::codec::remoting::codes::{request, response};
use tminus::{
    Clock, ConsumeFrom, ConsumeResult, Deliveries, ErrorKind, FilterExpression, Message, Outcome, Producer,
    ProducerOptions, PushConsumer, PushConsumerOptions, TransactionResolution,
};

use crate::support::{SEND, broker, message, options, producer};

/// Time until a broker asks first, and between its questions.
const FIRST_QUESTION: Duration = Duration::from_secs(6);
const INTERVAL: Duration = Duration::from_secs(30);

async fn virtual_broker() -> Broker {
    let mut options = BrokerOptions::default();
    options.clock = Clock::virtual_now();
    Broker::start(options).await.unwrap()
}

fn options_on(broker: &Broker) -> ProducerOptions {
    let mut options = options(broker.address());
    options.client.clock = broker.clock().clone();
    options
}

/// What consumers of `orders` get.
struct Orders(PushConsumer, Deliveries);

impl Orders {
    async fn of(broker: &Broker) -> Self {
        let mut options = PushConsumerOptions::new(&broker.address().to_string(), "readers")
            .unwrap()
            .subscribe("orders", FilterExpression::all());
        options.consume_from = ConsumeFrom::FirstOffset;
        let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
        Self(consumer, deliveries)
    }

    async fn next(&self) -> String {
        let delivery = self.1.next(1).await.remove(0);
        let body = String::from_utf8(delivery.message.body.to_vec()).unwrap();
        delivery.settle(ConsumeResult::Success);
        body
    }
}

fn order(body: &'static str) -> Message {
    Message::new("orders", body)
}

#[tokio::test]
async fn a_committed_message_is_delivered_and_a_rolled_back_one_is_not() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let rolled_back = producer.send_transaction(order("rolled back")).await.unwrap();
    let committed = producer.send_transaction(order("committed")).await.unwrap();
    assert_eq!(committed.receipt().transaction_id.as_ref(), Some(&committed.receipt().message_id));
    rolled_back.rollback().await.unwrap();
    let half = committed.receipt().clone();
    committed.commit().await.unwrap();
    producer.send_to_queue(order("plain"), &half.queue, None).await.unwrap();
    let orders = Orders::of(&broker).await;
    assert_eq!([orders.next().await, orders.next().await], ["committed", "plain"]);
    let again = producer.end_transaction(&half, TransactionResolution::Commit).await.unwrap_err();
    assert_eq!((again.kind(), again.response_code()), (ErrorKind::Server, Some(response::SYSTEM_ERROR)));
    orders.0.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_scheduled_message_cannot_be_a_half_message() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let scheduled = message().deliver_after(Duration::from_secs(9));
    let error = producer.send_transaction(scheduled).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidMessage, Outcome::NotSent));
    assert_eq!(broker.request_count(SEND), 0);
    producer.shutdown().await;
}

#[tokio::test]
async fn an_end_that_is_unknown_is_not_told_and_that_of_another_message_is_refused() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let half = producer.send_transaction(message()).await.unwrap().receipt().clone();
    producer.end_transaction(&half, TransactionResolution::Unknown).await.unwrap();
    assert_eq!(broker.request_count(request::END_TRANSACTION), 0);
    let mut other = producer.send(message()).await.unwrap();
    let error = producer.end_transaction(&other, TransactionResolution::Commit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    other.offset_message_id.clear();
    let error = producer.end_transaction(&other, TransactionResolution::Commit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    producer.shutdown().await;
    let error = producer.end_transaction(&half, TransactionResolution::Commit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_broker_asks_the_checker_how_a_lost_transaction_ended() {
    let broker = virtual_broker().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // Unknown, then a panic (unknown too), then the end.
    let checker = move |message: tminus::MessageView| {
        assert_eq!((message.topic.as_str(), message.property("p")), ("orders", Some("v")));
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move {
            match number {
                0 => TransactionResolution::Unknown,
                1 => panic!("the checker's own fault"),
                _ => TransactionResolution::Commit,
            }
        }
    };
    let producer = Producer::start_with_checker(options_on(&broker), checker).await.unwrap();
    drop(producer.send_transaction(order("in doubt").property("p", "v")).await.unwrap());
    for (number, wait) in [FIRST_QUESTION, INTERVAL, INTERVAL].into_iter().enumerate() {
        assert_eq!(broker.request_count(request::END_TRANSACTION), number as u64);
        broker.advance(wait).unwrap();
        // Nothing else tells that the answer has come.
        while broker.request_count(request::END_TRANSACTION) == number as u64 {
            tokio::task::yield_now().await;
        }
    }
    let orders = Orders::of(&broker).await;
    assert_eq!(orders.next().await, "in doubt");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    broker.advance(INTERVAL * 20).unwrap();
    assert_eq!(broker.request_count(request::END_TRANSACTION), 3, "an ended transaction is asked about");
    orders.0.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn questions_are_a_stream_that_ends_with_the_producer() {
    let broker = virtual_broker().await;
    let mut options = options_on(&broker);
    options.client.namespace = Some("ns".into());
    let (producer, checks) = Producer::start_with_checks(options).await.unwrap();
    let half = producer.send_transaction(order("half")).await.unwrap();
    broker.advance(FIRST_QUESTION).unwrap();
    let check = checks.next(10).await.remove(0);
    assert_eq!(check.message.topic, "orders", "without its namespace");
    assert_eq!(check.message.message_id, half.receipt().message_id);
    drop(check);
    broker.advance(INTERVAL).unwrap();
    checks.next(1).await.remove(0).resolve(TransactionResolution::Rollback);
    // The end travels on the same connection, ahead of this.
    let error = half.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "rolled back before: {error}");
    producer.shutdown().await;
    assert!(checks.next(1).await.is_empty());
}

#[tokio::test]
async fn a_producer_without_a_checker_says_that_nothing_is_known() {
    let broker = virtual_broker().await;
    let producer = Producer::start(options_on(&broker)).await.unwrap();
    let half = producer.send_transaction(order("half")).await.unwrap();
    broker.advance(FIRST_QUESTION).unwrap();
    while broker.request_count(request::END_TRANSACTION) == 0 {
        tokio::task::yield_now().await;
    }
    half.commit().await.unwrap();
    producer.shutdown().await;
}

/// The official Go client gives every question of a process to the first producer.
#[tokio::test]
async fn producers_of_two_groups_are_asked_about_their_own_transactions() {
    let broker = virtual_broker().await;
    let start = async |group: &str| {
        let mut options = options_on(&broker);
        options.group = group.into();
        Producer::start_with_checks(options).await.unwrap()
    };
    let ((first, first_checks), (second, second_checks)) = (start("first").await, start("second").await);
    drop(second.send_transaction(order("of the second")).await.unwrap());
    drop(first.send_transaction(order("of the first")).await.unwrap());
    broker.advance(FIRST_QUESTION).unwrap();
    for (checks, body) in [(&first_checks, "of the first"), (&second_checks, "of the second")] {
        assert_eq!(&checks.next(10).await.remove(0).message.body[..], body.as_bytes());
    }
    first.shutdown().await;
    second.shutdown().await;
}

#[tokio::test]
async fn an_end_without_an_answer_says_that_it_may_have_arrived() {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.client.request_timeout = crate::support::SHORT;
    let producer = Producer::start(options).await.unwrap();
    let half = producer.send_transaction(message()).await.unwrap();
    broker.inject(request::END_TRANSACTION, 1, Fault::Swallow);
    let error = half.commit().await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::MaybeSent));
    producer.shutdown().await;
}
