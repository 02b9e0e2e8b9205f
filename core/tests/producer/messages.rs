//! What is wrong with a message is said before anything is sent.

use std::time::Duration;

use tminus::message::ServerKind;
use tminus::{Clock, DeliveryTime, ErrorKind, Message, Outcome};

use crate::support::{SEND, broker, message, options, producer};

/// Sends `bad`, expects `kind` and a text that contains `hint`, and that no broker has seen it.
async fn refused(bad: Message, kind: ErrorKind, hint: &str) {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let error = producer.send(bad).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.operation()),
        (kind, Outcome::NotSent, "send"),
        "{error}"
    );
    assert!(error.text().contains(hint), "{hint:?} in {error}");
    assert_eq!(broker.request_count(SEND), 0);
    producer.shutdown().await;
}

#[tokio::test]
async fn an_empty_topic() {
    refused(Message::new("", "x"), ErrorKind::InvalidMessage, "empty").await;
}

#[tokio::test]
async fn a_topic_with_illegal_characters() {
    refused(Message::new("or ders", "x"), ErrorKind::InvalidMessage, "' '").await;
}

#[tokio::test]
async fn an_empty_body() {
    refused(Message::new("orders", ""), ErrorKind::InvalidMessage, "empty body").await;
}

#[tokio::test]
async fn a_body_over_4_mib() {
    let body = vec![b'x'; 4 * 1024 * 1024 + 1];
    refused(Message::new("orders", body), ErrorKind::InvalidMessage, "4194304").await;
}

#[tokio::test]
async fn a_property_with_the_separator_bytes() {
    for bad in ["a\u{1}b", "a\u{2}b"] {
        refused(message().property("p", bad), ErrorKind::InvalidMessage, "separator").await;
        refused(message().property(bad, "v"), ErrorKind::InvalidMessage, "separator").await;
    }
}

#[tokio::test]
async fn properties_over_32_kib() {
    refused(message().property("p", "x".repeat(32_768)), ErrorKind::InvalidMessage, "32767").await;
}

#[tokio::test]
async fn a_delivery_time_that_is_no_number() {
    let bad = message().property("__STARTDELIVERTIME", "tomorrow");
    refused(bad, ErrorKind::InvalidDeliveryTime, "\"tomorrow\"").await;
}

#[tokio::test]
async fn a_negative_delivery_time() {
    refused(message().property("__STARTDELIVERTIME", "-5"), ErrorKind::InvalidDeliveryTime, "negative").await;
}

#[tokio::test]
async fn a_delivery_time_in_seconds() {
    let bad = message().property("__STARTDELIVERTIME", "1795000000");
    refused(bad, ErrorKind::InvalidDeliveryTime, "1795000000000").await;
}

#[tokio::test]
async fn a_delivery_time_over_a_year_ahead() {
    let bad = message().deliver_after(Duration::from_secs(366 * 24 * 3600));
    refused(bad, ErrorKind::InvalidDeliveryTime, "365 days").await;
}

#[tokio::test]
async fn a_delivery_time_that_apache_4_cannot_keep() {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.client.server_kind = ServerKind::Apache4;
    let producer = tminus::Producer::start(options).await.unwrap();
    let error = producer.send(message().deliver_after(Duration::from_secs(5))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DelayUnsupported);
    assert!(producer.send(message().delay_level(3)).await.is_ok());
    producer.shutdown().await;
}

#[tokio::test]
async fn a_body_of_exactly_4_mib_is_sent() {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.compress_above_bytes = None;
    let producer = tminus::Producer::start(options).await.unwrap();
    let receipt = producer.send(Message::new("orders", vec![b'x'; 4 * 1024 * 1024])).await.unwrap();
    assert_eq!(receipt.queue.topic, "orders");
    producer.shutdown().await;
}

#[tokio::test]
async fn faults_of_a_batch() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let timed = |delivery| {
        let mut message = message();
        message.set_delivery_time(Some(delivery));
        message
    };
    for (batch, hint) in [
        (vec![], "empty"),
        (vec![message(), Message::new("other", "x")], "one topic"),
        (vec![message(), timed(DeliveryTime::After(Duration::from_secs(9)))], "scheduled"),
        (vec![timed(DeliveryTime::At(Clock::real().now() + Duration::from_secs(9)))], "scheduled"),
        (vec![message().delay_level(2)], "scheduled"),
        (vec![Message::new("%RETRY%g", "x")], "retry topic"),
        (
            vec![Message::new("orders", vec![b'x'; 3 << 20]), Message::new("orders", vec![b'x'; 2 << 20])],
            "in parts",
        ),
    ] {
        let error = producer.send_batch(batch, None).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidMessage, Outcome::NotSent), "{error}");
        assert!(error.text().contains(hint), "{hint:?} in {error}");
    }
    producer.shutdown().await;
}
