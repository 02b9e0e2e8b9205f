//! Messages are consumed over HTTP, hidden, and acknowledged.

use std::time::Duration;

use tminus::Clock;
use tminus::broker::{Broker, BrokerOptions, Fault, GroupOptions, MessageStage};
use tminus::codec::http::{Delivered, Publish, digest};
use tminus::codec::remoting::codes::{request, response};
use tokio::net::TcpStream;

use crate::http_peer::{HttpAnswer, HttpPeer, HttpRequest, text};
use crate::peer::{Peer, broker};

const CONSUME: &str = "consumer=G&numOfMessages=16";
/// The same, with a wait that no test reaches.
const WAIT: &str = "consumer=G&numOfMessages=16&waitseconds=30";
/// The time for which the service hides a message.
const HIDDEN: Duration = Duration::from_secs(300);

/// A broker on a virtual clock with the topic `T` of one queue, and a client.
async fn virtual_broker() -> (Broker, HttpPeer) {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    broker.create_topic("T", 1).unwrap();
    let peer = HttpPeer::connect(broker.address()).await;
    (broker, peer)
}

/// Body and delivery of each.
fn seen(messages: &[Delivered]) -> Vec<(&str, i32)> {
    messages.iter().map(|message| (&*message.body, message.consumed_times)).collect()
}

async fn consume(peer: &mut HttpPeer) -> Vec<Delivered> {
    peer.consume("T", CONSUME).await.messages()
}

fn refused(answer: &HttpAnswer) -> (u16, String) {
    (answer.status, answer.refused().code)
}

fn nothing() -> (u16, String) {
    (404, "MessageNotExist".into())
}

#[tokio::test]
async fn a_message_is_consumed_hidden_and_acknowledged() {
    let (broker, mut peer) = virtual_broker().await;
    let now = broker.clock().now_ms();
    let message =
        Publish { tag: "A".into(), properties: "colour:red|KEYS:k1 k2|".into(), ..text("a <b>\r\n") };
    let sent = peer.publish("T", &message).await;
    peer.publish("T", &text("b")).await;
    let first = consume(&mut peer).await;
    let expected = Delivered {
        message_id: sent.message_id.clone(),
        handle: first[0].handle.clone(),
        body_md5: digest::body_md5(b"a <b>\r\n"),
        body: "a <b>\r\n".into(),
        published_ms: now,
        next_consume_ms: now + 300_000,
        first_consume_ms: now,
        consumed_times: 1,
        tag: "A".into(),
        properties: "colour:red|KEYS:k1 k2|".into(),
    };
    assert_eq!(first[0], expected);
    assert_eq!((&*first[1].body, &*first[1].properties), ("b", ""));
    assert_eq!(refused(&peer.consume("T", CONSUME).await), nothing());
    peer.ack("T", "consumer=G", &[&first[1].handle]).await.done();
    broker.advance(HIDDEN - Duration::from_millis(1)).unwrap();
    assert_eq!(refused(&peer.consume("T", CONSUME).await), nothing());
    assert_eq!(broker.advance(Duration::from_millis(1)).unwrap(), 0, "a return is no first appearance");
    let again = consume(&mut peer).await.remove(0);
    assert_ne!(again.handle, expected.handle);
    assert_eq!(
        again,
        Delivered {
            handle: again.handle.clone(),
            next_consume_ms: now + 600_000,
            consumed_times: 2,
            ..expected
        },
        "and the time of the first delivery stays"
    );
    peer.ack("T", "consumer=G", &[&again.handle]).await.done();
    broker.advance(10 * HIDDEN).unwrap();
    assert_eq!(broker.message_stage("T", "G", &sent.message_id), MessageStage::Acknowledged);
    assert_eq!(broker.request_count(request::POP_MESSAGE), 4);
}

#[tokio::test]
async fn a_wait_ends_the_moment_a_message_is_published() {
    let (broker, mut peer) = virtual_broker().await;
    let mut waiting = HttpPeer::waiting(&broker, "T", WAIT).await;
    peer.publish("T", &text("now")).await;
    assert_eq!(seen(&waiting.read().await.unwrap().messages()), [("now", 1)]);
}

#[tokio::test]
async fn a_wait_ends_the_moment_a_message_becomes_due_or_a_handle_expires() {
    let (broker, mut peer) = virtual_broker().await;
    let at = broker.clock().now_ms() + 10_000;
    let timed = Publish { properties: format!("__STARTDELIVERTIME:{at}|"), ..text("timed") };
    peer.publish("T", &timed).await;
    broker.advance(Duration::from_millis(9_999)).unwrap();
    assert_eq!(refused(&peer.consume("T", CONSUME).await), nothing());
    let mut due = HttpPeer::waiting(&broker, "T", WAIT).await;
    assert_eq!(broker.advance(Duration::from_millis(1)).unwrap(), 1);
    let first = due.read().await.unwrap().messages();
    assert_eq!((seen(&first), first[0].first_consume_ms), (vec![("timed", 1)], at));
    assert_eq!(first[0].properties, format!("__STARTDELIVERTIME:{at}|"));
    let mut expired = HttpPeer::waiting(&broker, "T", WAIT).await;
    broker.advance(HIDDEN).unwrap();
    let again = expired.read().await.unwrap().messages();
    assert_eq!(seen(&again), [("timed", 2)]);
    assert_eq!((again[0].first_consume_ms, again[0].next_consume_ms), (at, at + 600_000));
}

#[tokio::test]
async fn a_wait_ends_when_a_message_is_due_by_the_real_clock() {
    let broker = broker(|_| {}).await;
    let mut peer = HttpPeer::connect(broker.address()).await;
    let at = broker.clock().now_ms() + 300;
    peer.publish("T", &Publish { properties: format!("__STARTDELIVERTIME:{at}|"), ..text("x") }).await;
    let message = peer.consume("T", WAIT).await.messages().remove(0);
    let late = broker.clock().now_ms() - at;
    assert!((0..1000).contains(&late), "{late} ms late");
    assert!(message.first_consume_ms >= at && message.next_consume_ms >= at + 300_000);
}

#[tokio::test]
async fn a_restart_ends_waits_and_keeps_handles() {
    let (broker, mut peer) = virtual_broker().await;
    for body in ["a", "b"] {
        peer.publish("T", &text(body)).await;
    }
    let first = consume(&mut peer).await;
    let mut waiting = HttpPeer::waiting(&broker, "T", WAIT).await;
    broker.restart(Duration::ZERO).await.unwrap();
    assert!(waiting.read().await.is_none());
    let mut peer = HttpPeer::connect(broker.address()).await;
    peer.ack("T", "consumer=G", &[&first[0].handle]).await.done();
    broker.advance(HIDDEN).unwrap();
    assert_eq!(seen(&consume(&mut peer).await), [("b", 2)]);
}

#[tokio::test]
async fn after_its_last_delivery_a_message_is_a_dead_letter() {
    let (broker, mut peer) = virtual_broker().await;
    broker.create_group("G", GroupOptions { max_attempts: 2, ..Default::default() }).unwrap();
    peer.publish("T", &text("x")).await;
    for delivery in 1..=2 {
        assert_eq!(seen(&consume(&mut peer).await), [("x", delivery)]);
        broker.advance(HIDDEN).unwrap();
    }
    assert_eq!(refused(&peer.consume("T", CONSUME).await), nothing());
    let mut remoting = Peer::connect(broker.address()).await;
    assert_eq!(&remoting.pull("%DLQ%G", 0, Duration::ZERO).await[0].body[..], b"x");
}

#[tokio::test]
async fn nothing_is_an_answer_after_the_wait() {
    let (broker, mut peer) = virtual_broker().await;
    let began = tminus::clock::instant();
    let answer = peer.consume("T", "consumer=G&numOfMessages=1&waitseconds=1").await;
    assert_eq!(refused(&answer), nothing());
    assert!(began.elapsed() >= Duration::from_secs(1));
    let began = tminus::clock::instant();
    assert_eq!(refused(&peer.consume("T", "consumer=G&numOfMessages=1&waitseconds=0").await), nothing());
    assert!(began.elapsed() < Duration::from_secs(1));
    drop(broker);
}

#[tokio::test]
async fn who_hangs_up_while_it_waits_loses_nothing() {
    let (broker, mut peer) = virtual_broker().await;
    for body in ["a", "b", "c"] {
        let gone = HttpPeer::waiting(&broker, "T", WAIT).await;
        let mut next = HttpPeer::waiting(&broker, "T", WAIT).await;
        // The broker may notice before or after the message comes.
        drop(gone);
        peer.publish("T", &text(body)).await;
        let messages = next.read().await.unwrap().messages();
        assert_eq!(seen(&messages), [(body, 1)]);
        assert_eq!(messages[0].first_consume_ms, broker.clock().now_ms());
    }
}

#[tokio::test]
async fn a_tag_expression_selects() {
    let (_broker, mut peer) = virtual_broker().await;
    for tag in ["A", "B", "C d/é", "A", ""] {
        peer.publish("T", &Publish { tag: tag.into(), ..text(tag.get(..1).unwrap_or("none")) }).await;
    }
    for (group, tag, expected) in [
        ("G1", "A", &["A", "A"][..]),
        ("G2", "A%7C%7CC+d%2F%C3%A9", &["A", "C", "A"]),
        ("G3", "A+%7C%7C+B", &["A", "B", "A"]),
        ("G4", "*", &["A", "B", "C", "A", "none"]),
        ("G5", "", &["A", "B", "C", "A", "none"]),
        ("G6", "C%20d/%C3%A9", &["C"]),
    ] {
        let answer = peer.consume("T", &format!("consumer={group}&numOfMessages=16&tag={tag}")).await;
        let messages = answer.messages();
        assert_eq!(messages.iter().map(|message| &*message.body).collect::<Vec<_>>(), expected, "{tag}");
    }
}

#[tokio::test]
async fn consumers_of_a_group_share_and_each_group_gets_everything() {
    let (broker, mut peer) = virtual_broker().await;
    let mut other = HttpPeer::connect(broker.address()).await;
    for body in ["1", "2", "3"] {
        peer.publish("T", &text(body)).await;
    }
    let parameters = "consumer=G&numOfMessages=2";
    assert_eq!(seen(&peer.consume("T", parameters).await.messages()), [("1", 1), ("2", 1)]);
    assert_eq!(seen(&other.consume("T", parameters).await.messages()), [("3", 1)]);
    assert_eq!(peer.consume("T", "consumer=H&numOfMessages=16").await.messages().len(), 3);
}

#[tokio::test]
async fn instances_have_topics_and_groups_of_their_own() {
    let (_broker, mut peer) = virtual_broker().await;
    let target = "/topics/T/messages?ns=INST";
    peer.call("POST", target, text("of the instance").encode()).await.published();
    peer.publish("T", &text("of nobody")).await;
    let mine = peer.consume("T", "consumer=G&ns=INST&numOfMessages=16").await.messages();
    assert_eq!(seen(&mine), [("of the instance", 1)]);
    assert_eq!(mine[0].properties, "");
    assert_eq!(seen(&consume(&mut peer).await), [("of nobody", 1)]);
    peer.ack("T", "consumer=G&ns=INST", &[&mine[0].handle]).await.done();
}

#[tokio::test]
async fn parameters_that_make_no_sense_are_refused() {
    let (broker, mut peer) = virtual_broker().await;
    for parameters in [
        "consumer=G",
        "consumer=G&numOfMessages=",
        "consumer=G&numOfMessages=0",
        "consumer=G&numOfMessages=17",
        "consumer=G&numOfMessages=-1",
        "consumer=G&numOfMessages=x",
        "consumer=G&numOfMessages=1&waitseconds=31",
        "consumer=G&numOfMessages=1&waitseconds=-1",
        "consumer=G&numOfMessages=1&waitseconds=0.5",
        "numOfMessages=1",
        "consumer=&numOfMessages=1",
        "consumer=a.b&numOfMessages=1",
        "consumer=G&numOfMessages=1&trans=backwards",
    ] {
        let answer = peer.consume("T", parameters).await;
        assert_eq!(refused(&answer), (400, "InvalidArgument".into()), "{parameters}");
    }
    let unknown = peer.consume("U", CONSUME).await;
    assert_eq!(refused(&unknown), (404, "TopicNotExist".into()));
    drop(broker);
}

#[tokio::test]
async fn the_invisible_time_is_an_option() {
    let mut options = BrokerOptions::default();
    options.http_invisible = Duration::ZERO;
    let error = Broker::start(options.clone()).await.unwrap_err();
    assert_eq!(error.kind(), tminus::ErrorKind::InvalidArgument);
    options.http_invisible = Duration::from_millis(1500);
    options.clock = Clock::virtual_now();
    let broker = Broker::start(options).await.unwrap();
    let mut peer = HttpPeer::connect(broker.address()).await;
    peer.publish("T", &text("x")).await;
    let first = consume(&mut peer).await.remove(0);
    assert_eq!(first.next_consume_ms - first.first_consume_ms, 1500);
    broker.advance(Duration::from_millis(1500)).unwrap();
    assert_eq!(seen(&consume(&mut peer).await), [("x", 2)]);
}

#[tokio::test]
async fn consumes_meet_faults() {
    let (broker, mut peer) = virtual_broker().await;
    peer.publish("T", &text("x")).await;
    let busy = Fault::Refuse { code: response::SYSTEM_BUSY, remark: "too much".into() };
    broker.inject(request::POP_MESSAGE, 1, busy);
    assert_eq!(refused(&peer.consume("T", CONSUME).await), (400, "QpsLimitExceeded".into()));
    broker.inject(request::POP_MESSAGE, 1, Fault::Corrupt);
    let corrupt = consume(&mut peer).await.remove(0);
    assert!(!digest::fits(corrupt.body.as_bytes(), &corrupt.body_md5));
    broker.advance(HIDDEN).unwrap();
    broker.inject(request::POP_MESSAGE, 1, Fault::CloseAfter);
    let stream = TcpStream::connect(broker.address()).await.unwrap();
    let mut cut = HttpPeer::over(stream);
    cut.write(&HttpRequest::new("GET", &format!("/topics/T/messages?{CONSUME}"), [])).await;
    assert!(cut.read().await.is_none());
    assert_eq!(refused(&peer.consume("T", CONSUME).await), nothing(), "the lost answer hides its message");
    broker.advance(HIDDEN).unwrap();
    assert_eq!(seen(&consume(&mut peer).await), [("x", 3)]);
}
