//! Acknowledging over HTTP, handle by handle, and what ends a transaction.

use std::time::Duration;

use tminus::Clock;
use tminus::broker::Broker;
use tminus::codec::http::{Publish, code as error};
use tminus::codec::remoting::codes::request;

use crate::http_peer::{HttpPeer, text};
use crate::peer::broker;

const G: &str = "consumer=G";
const CONSUME: &str = "consumer=G&numOfMessages=16";
const COMMIT: &str = "consumer=G&trans=commit";
const ROLL_BACK: &str = "consumer=G&trans=rollback";
/// How long a message is hidden.
const HIDDEN: Duration = Duration::from_secs(300);

/// A broker whose clock stands still, and a client of it.
async fn virtual_broker() -> (Broker, HttpPeer) {
    let broker = broker(|options| {
        options.clock = Clock::virtual_now();
        options.queues = 1;
    })
    .await;
    let http = HttpPeer::connect(broker.address()).await;
    (broker, http)
}

async fn handles(http: &mut HttpPeer, topic: &str, parameters: &str) -> Vec<String> {
    let messages = http.consume(topic, parameters).await.messages();
    messages.into_iter().map(|message| message.handle).collect()
}

async fn no_message(http: &mut HttpPeer, topic: &str, parameters: &str) {
    assert_eq!(http.consume(topic, parameters).await.refused().code, error::MESSAGE_NOT_EXIST);
}

#[tokio::test]
async fn what_is_acknowledged_does_not_come_again() {
    let (broker, mut http) = virtual_broker().await;
    for body in ["a", "b", "c"] {
        http.publish("T", &text(body)).await;
    }
    let handles = handles(&mut http, "T", CONSUME).await;
    let [a, b, c] = &handles.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        panic!("{handles:?}")
    };
    http.ack("T", G, &[a, c]).await.done();
    broker.advance(HIDDEN).unwrap();
    let again = http.consume("T", CONSUME).await.messages();
    assert_eq!((again.len(), &*again[0].body, again[0].consumed_times), (1, "b", 2));
    assert_ne!(again[0].handle, *b);
    http.ack("T", G, &[&again[0].handle]).await.done();
    broker.advance(HIDDEN).unwrap();
    no_message(&mut http, "T", CONSUME).await;
    assert_eq!(broker.request_count(request::ACK_MESSAGE), 2);
}

#[tokio::test]
async fn an_expired_handle_among_good_ones_is_the_only_one_refused() {
    let (broker, mut http) = virtual_broker().await;
    http.publish("T", &text("slow")).await;
    let expired = handles(&mut http, "T", CONSUME).await.remove(0);
    broker.advance(HIDDEN).unwrap();
    for body in ["b", "c"] {
        http.publish("T", &text(body)).await;
    }
    let live = handles(&mut http, "T", CONSUME).await;
    let given: Vec<&str> = [&expired].into_iter().chain(&live).map(String::as_str).collect();
    let refused = http.ack("T", G, &given).await.refused_handles();
    assert_eq!(refused, [(expired, error::RECEIPT_HANDLE_ERROR.to_owned())]);
    broker.advance(HIDDEN).unwrap();
    no_message(&mut http, "T", CONSUME).await;
}

#[tokio::test]
async fn every_handle_that_settles_nothing_says_why() {
    let (broker, mut http) = virtual_broker().await;
    for topic in ["Other", "I%T"] {
        broker.create_topic(topic, 1).unwrap();
    }
    http.publish("T", &text("a")).await;
    let handle = handles(&mut http, "T", CONSUME).await.remove(0);
    for (topic, parameters) in [("T", "consumer=Other"), ("Other", G), ("T", "consumer=G&ns=I")] {
        let refused = http.ack(topic, parameters, &[&handle]).await.refused_handles();
        assert_eq!(
            refused,
            [(handle.clone(), error::RECEIPT_HANDLE_ERROR.to_owned())],
            "{topic} {parameters}"
        );
    }
    http.ack("T", G, &[&handle]).await.done();
    let refused = http.ack("T", G, &[&handle, "garbage", "", "<&>"]).await.refused_handles();
    let refused: Vec<_> = refused.iter().map(|(handle, code)| (&**handle, &**code)).collect();
    assert_eq!(
        refused,
        [
            (&*handle, error::MESSAGE_NOT_EXIST),
            ("garbage", error::RECEIPT_HANDLE_ERROR),
            ("", error::RECEIPT_HANDLE_ERROR),
            ("<&>", error::RECEIPT_HANDLE_ERROR),
        ]
    );
}

#[tokio::test]
async fn an_acknowledgement_has_one_to_sixteen_handles() {
    let (broker, mut http) = virtual_broker().await;
    broker.create_topic("T", 1).unwrap();
    assert_eq!(http.ack("T", G, &[]).await.refused().code, error::MISSING_RECEIPT_HANDLE);
    assert_eq!(http.ack("T", G, &["x"; 17]).await.refused().code, error::INVALID_ARGUMENT);
    assert_eq!(http.ack("T", G, &["x"; 16]).await.refused_handles().len(), 16);
    let plain = http.call("DELETE", "/topics/T/messages?consumer=G", b"plain".to_vec()).await;
    assert_eq!(plain.refused().code, error::MALFORMED_XML);
    let other = http.call("DELETE", "/topics/T/messages?consumer=G", text("x").encode()).await;
    assert_eq!(other.refused().code, error::MALFORMED_XML);
}

#[tokio::test]
async fn a_transaction_is_ended_by_one_handle() {
    let (broker, mut http) = virtual_broker().await;
    broker.create_topic("T", 1).unwrap();
    for parameters in [COMMIT, ROLL_BACK] {
        assert_eq!(http.ack("T", parameters, &[]).await.refused().code, error::MISSING_RECEIPT_HANDLE);
        assert_eq!(http.ack("T", parameters, &["a", "b"]).await.refused().code, error::INVALID_ARGUMENT);
        let refused = http.ack("T", parameters, &["garbage"]).await.refused_handles();
        assert_eq!(refused, [("garbage".to_owned(), error::RECEIPT_HANDLE_ERROR.to_owned())]);
    }
}

#[tokio::test]
async fn the_delivery_time_of_a_half_message_counts_from_its_commit_on() {
    let (broker, mut http) = virtual_broker().await;
    let at = broker.clock().now_ms() + 60_000;
    let properties = format!("__TransCheckT:10|__STARTDELIVERTIME:{at}|");
    let published = http.publish("T", &Publish { properties, ..text("later") }).await;
    assert_eq!(broker.pending(), []);
    // One official client names no group where there is no instance.
    http.ack("T", "consumer=&trans=commit", &[&published.handle.unwrap()]).await.done();
    assert_eq!(broker.pending()[0].deliver_at_ms, at);
    broker.advance(Duration::from_secs(60)).unwrap();
    assert_eq!(http.consume("T", CONSUME).await.messages()[0].message_id, published.message_id);
}
