//! Sends over HTTP to the loopback broker: what it refuses, and what faults make of a send.

use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions, Fault, TopicType};
use tminus::codec::remoting::codes::response;
use tminus::options::{BodyEncoding, Credentials};
use tminus::{ErrorKind, HttpClient, Message, Outcome, Producer};

use super::http_raw::{client_options, message, producer, producer_options};
use crate::support::{broker, options};

/// Sends over HTTP, as counted.
const SEND: i32 = 310;

#[tokio::test]
async fn a_send_is_stored_once_with_all_that_it_carries() {
    let broker = broker().await;
    let mut options = producer_options(broker.address());
    options.body_encoding = BodyEncoding::Base64;
    let producer = Producer::start(options).await.unwrap();
    let sent =
        Message::new("orders", &b"a\0b\xff"[..]).tag("TagA").keys(["k1", "k2"]).property("a", "1 2\n3");
    let receipt = producer.send(sent.message_group("shard")).await.unwrap();
    assert!(receipt.request_id.is_some_and(|id| !id.is_empty()));
    assert_eq!((receipt.queue.id, receipt.queue.topic.as_str(), receipt.queue_offset), (-1, "orders", -1));
    assert_eq!(broker.request_count(SEND), 1);
    producer.shutdown().await;
}

fn refuse(code: i32) -> Fault {
    Fault::Refuse { code, remark: "not now".into() }
}

#[tokio::test]
async fn faults_of_the_server_are_told_and_only_what_was_not_sent_is_sent_again() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let mut sends = 0;
    for (fault, attempts, kind, outcome) in [
        (Fault::Swallow, 1, ErrorKind::Timeout, Outcome::MaybeSent),
        (Fault::CloseBefore, 1, ErrorKind::ConnectionClosed, Outcome::MaybeSent),
        (Fault::Gateway, 1, ErrorKind::Server, Outcome::MaybeSent),
        (Fault::Corrupt, 1, ErrorKind::Server, Outcome::Done),
        (refuse(response::SYSTEM_BUSY), 3, ErrorKind::Busy, Outcome::NotSent),
        (refuse(response::NO_PERMISSION), 1, ErrorKind::PermissionDenied, Outcome::NotSent),
        (refuse(response::TOPIC_NOT_EXIST), 1, ErrorKind::TopicNotFound, Outcome::NotSent),
        (refuse(response::SYSTEM_ERROR), 1, ErrorKind::Server, Outcome::MaybeSent),
    ] {
        broker.inject(SEND, attempts, fault);
        let timeout = if kind == ErrorKind::Timeout { 300 } else { 20_000 };
        let error = producer.send_timeout(message(), Duration::from_millis(timeout)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{error}");
        sends += attempts as u64;
        assert_eq!(broker.request_count(SEND), sends, "{error}");
    }
    broker.inject(SEND, 1, refuse(response::SYSTEM_BUSY));
    producer.send_timeout(message(), Duration::from_secs(20)).await.unwrap();
    assert_eq!(broker.request_count(SEND), sends + 2);
    producer.shutdown().await;
}

#[tokio::test]
async fn refusals_of_the_server_are_typed_and_keep_its_words() {
    let mut broker_options = BrokerOptions::default();
    broker_options.auto_create_topics = false;
    broker_options.credentials = vec![Credentials::new("ak", "sk")];
    let broker = Broker::start(broker_options).await.unwrap();
    broker.create_topic_of("halves", 1, TopicType::Transaction).unwrap();
    let mut options = client_options(broker.address());
    options.credentials = Some(Credentials::new("ak", "sk").into());
    let client = HttpClient::new(options.clone()).unwrap();
    let error = client.publish(message(), None).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::TopicNotFound, Some(404)), "{error}");
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.code, "TopicNotExist");
    assert!(!refusal.request_id.is_empty() && refusal.host_id.starts_with("http"), "{refusal:?}");
    let error = client.publish(Message::new("halves", "x"), None).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::MessageRefused, Some(400)), "{error}");
    for (wrong, code) in [
        (None, "MissingAuthorizationHeader"),
        (Some(Credentials::new("nobody", "sk")), "InvalidAccessKeyId"),
        (Some(Credentials::new("ak", "wrong")), "SignatureDoesNotMatch"),
    ] {
        options.credentials = wrong.map(Into::into);
        let error = HttpClient::new(options.clone()).unwrap().publish(message(), None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert_eq!(error.refusal().unwrap().code, code);
    }
}

#[tokio::test]
async fn producers_of_every_protocol_write_to_the_same_topic() {
    let broker = broker().await;
    for scheme in ["", "grpc://", "http://"] {
        let mut options = options(broker.address());
        options.client.endpoint = format!("{scheme}{}", broker.address()).parse().unwrap();
        let producer = Producer::start(options).await.unwrap();
        producer.send(message()).await.unwrap();
        producer.shutdown().await;
    }
}
