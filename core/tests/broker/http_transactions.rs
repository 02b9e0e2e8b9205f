//! Half messages over HTTP: ended by their handles, fetched when their time has come.

use std::time::Duration;

use tminus::Clock;
use tminus::broker::{Broker, TopicType};
use tminus::codec::http::{Delivered, Publish, digest};
use tminus::codec::remoting::Frame;
use tminus::codec::remoting::codes::{request, response};

use crate::http_peer::{HttpPeer, text};
use crate::peer::{Peer, broker};

const POP: &str = "consumer=P&numOfMessages=16&trans=pop";
const COMMIT: &str = "consumer=P&trans=commit";
const ROLL_BACK: &str = "consumer=P&trans=rollback";
const HIDDEN: Duration = Duration::from_secs(300);
const MS: Duration = Duration::from_millis(1);

async fn virtual_broker() -> (Broker, HttpPeer) {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    broker.create_topic_of("T", 1, TopicType::Transaction).unwrap();
    let peer = HttpPeer::connect(broker.address()).await;
    (broker, peer)
}

/// Publishes a half message that is asked about after 10 s; its handle.
async fn half(peer: &mut HttpPeer, body: &str) -> String {
    let message =
        Publish { tag: "A".into(), properties: "__TransCheckT:10|colour:red|KEYS:k|".into(), ..text(body) };
    let published = peer.publish("T", &message).await;
    assert_eq!(published.body_md5, digest::body_md5(body.as_bytes()));
    published.handle.unwrap()
}

/// What `parameters` give now; nothing is no error here.
async fn take(peer: &mut HttpPeer, parameters: &str) -> Vec<Delivered> {
    peer.consume("T", parameters).await.messages_if_any()
}

/// Bodies that consumers can see, each time by a group that saw none.
async fn visible(peer: &mut HttpPeer) -> Vec<String> {
    let group = format!("consumer=G{}&numOfMessages=16", fastrand::u64(..));
    take(peer, &group).await.into_iter().map(|message| message.body).collect()
}

/// The code for a handle that ends nothing.
async fn refused(peer: &mut HttpPeer, parameters: &str, handle: &str) -> String {
    let mut refused = peer.ack("T", parameters, &[handle]).await.refused_handles();
    let (named, code) = refused.remove(0);
    assert_eq!((&*named, refused.len()), (handle, 0));
    code
}

#[tokio::test]
async fn the_handle_of_a_publish_commits_or_rolls_back() {
    let (broker, mut peer) = virtual_broker().await;
    let (kept, dropped) = (half(&mut peer, "kept").await, half(&mut peer, "dropped").await);
    assert!(visible(&mut peer).await.is_empty());
    peer.ack("T", ROLL_BACK, &[&dropped]).await.done();
    peer.ack("T", COMMIT, &[&kept]).await.done();
    assert_eq!(visible(&mut peer).await, ["kept"]);
    let seen = take(&mut peer, "consumer=G&numOfMessages=16").await.remove(0);
    assert_eq!((&*seen.tag, &*seen.properties), ("A", "__TransCheckT:10|colour:red|KEYS:k|"));
    for handle in [&kept, &dropped] {
        assert_eq!(refused(&mut peer, COMMIT, handle).await, "MessageNotExist");
    }
    assert_eq!(refused(&mut peer, COMMIT, "garbage").await, "ReceiptHandleError");
    broker.advance(10 * HIDDEN).unwrap();
    assert!(take(&mut peer, POP).await.is_empty(), "nothing is asked about what has ended");
    assert_eq!(broker.request_count(request::END_TRANSACTION), 5);
}

#[tokio::test]
async fn the_handle_of_a_publish_lives_until_the_time_of_the_first_question() {
    let (broker, mut peer) = virtual_broker().await;
    let (kept, late) = (half(&mut peer, "kept").await, half(&mut peer, "late").await);
    broker.advance(Duration::from_secs(10) - MS).unwrap();
    assert!(take(&mut peer, POP).await.is_empty());
    peer.ack("T", COMMIT, &[&kept]).await.done();
    broker.advance(MS).unwrap();
    assert_eq!(refused(&mut peer, COMMIT, &late).await, "ReceiptHandleError");
    let now = broker.clock().now_ms();
    let fetched = take(&mut peer, POP).await;
    assert_eq!(fetched.len(), 1);
    let one = &fetched[0];
    assert_eq!((&*one.body, one.consumed_times, one.published_ms), ("late", 1, now - 10_000));
    assert_eq!((one.first_consume_ms, one.next_consume_ms), (now, now + 300_000));
    assert_eq!((&*one.tag, &*one.properties), ("A", "__TransCheckT:10|colour:red|KEYS:k|"));
    assert_eq!(visible(&mut peer).await, ["kept"]);
    peer.ack("T", COMMIT, &[&one.handle]).await.done();
    assert_eq!(visible(&mut peer).await, ["kept", "late"]);
}

#[tokio::test]
async fn a_half_message_that_is_not_ended_is_offered_again() {
    let (broker, mut peer) = virtual_broker().await;
    half(&mut peer, "x").await;
    broker.advance(Duration::from_secs(10)).unwrap();
    let first = take(&mut peer, POP).await.remove(0);
    broker.advance(HIDDEN - MS).unwrap();
    assert!(take(&mut peer, POP).await.is_empty());
    broker.advance(MS).unwrap();
    let again = take(&mut peer, POP).await.remove(0);
    assert_eq!((again.consumed_times, again.first_consume_ms), (2, first.first_consume_ms));
    assert_eq!(
        (&again.message_id, again.next_consume_ms),
        (&first.message_id, first.next_consume_ms + 300_000)
    );
    assert_eq!(refused(&mut peer, COMMIT, &first.handle).await, "ReceiptHandleError");
    peer.ack("T", ROLL_BACK, &[&again.handle]).await.done();
    broker.advance(10 * HIDDEN).unwrap();
    assert!(take(&mut peer, POP).await.is_empty() && visible(&mut peer).await.is_empty());
}

#[tokio::test]
async fn a_wait_for_half_messages_ends_the_moment_one_is_due() {
    let (broker, mut peer) = virtual_broker().await;
    half(&mut peer, "x").await;
    let wait = format!("{POP}&waitseconds=30");
    // Who hangs up takes no question with it.
    drop(HttpPeer::waiting(&broker, "T", &wait).await);
    let mut waiting = HttpPeer::waiting(&broker, "T", &wait).await;
    broker.advance(Duration::from_secs(10)).unwrap();
    let fetched = waiting.read().await.unwrap().messages();
    assert_eq!((&*fetched[0].body, fetched[0].consumed_times), ("x", 1));
}

#[tokio::test]
async fn a_half_message_that_nobody_ends_is_given_up() {
    let (broker, mut peer) = virtual_broker().await;
    half(&mut peer, "x").await;
    broker.advance(Duration::from_secs(10)).unwrap();
    for times in 1..=15 {
        assert_eq!(take(&mut peer, POP).await[0].consumed_times, times);
        broker.advance(HIDDEN).unwrap();
    }
    assert!(take(&mut peer, POP).await.is_empty());
}

#[tokio::test]
async fn handles_of_messages_and_of_transactions_are_not_mixed_up() {
    let (_broker, mut peer) = virtual_broker().await;
    let (open, committed) = (half(&mut peer, "open").await, half(&mut peer, "committed").await);
    peer.ack("T", COMMIT, &[&committed]).await.done();
    let message = take(&mut peer, "consumer=P&numOfMessages=16").await.remove(0);
    assert_eq!(refused(&mut peer, "consumer=P", &open).await, "ReceiptHandleError");
    assert_eq!(refused(&mut peer, COMMIT, &message.handle).await, "ReceiptHandleError");
    peer.ack("T", "consumer=P", &[&message.handle]).await.done();
    peer.ack("T", ROLL_BACK, &[&open]).await.done();
}

#[tokio::test]
async fn half_messages_and_handles_survive_the_restart_of_their_broker() {
    let (broker, mut peer) = virtual_broker().await;
    let (first, _) = (half(&mut peer, "first").await, half(&mut peer, "later").await);
    broker.restart(Duration::ZERO).await.unwrap();
    let mut peer = HttpPeer::connect(broker.address()).await;
    peer.ack("T", COMMIT, &[&first]).await.done();
    broker.advance(Duration::from_secs(10)).unwrap();
    let later = take(&mut peer, POP).await.remove(0);
    broker.restart(Duration::ZERO).await.unwrap();
    let mut peer = HttpPeer::connect(broker.address()).await;
    peer.ack("T", COMMIT, &[&later.handle]).await.done();
    assert_eq!(visible(&mut peer).await, ["first", "later"]);
}

#[tokio::test]
async fn transactions_of_other_protocols_are_not_fetched() {
    let (broker, mut peer) = virtual_broker().await;
    let mut remoting = Peer::connect(broker.address()).await;
    let properties = [("TRAN_MSG", "true"), ("PGROUP", "P"), ("__TransCheckT", "10")];
    let sent = remoting.send("T", "x", &properties).await;
    assert_eq!(sent.code, response::SUCCESS);
    broker.advance(HIDDEN).unwrap();
    assert!(take(&mut peer, POP).await.is_empty());
    // And theirs cannot be ended by who does not have the handle.
    half(&mut peer, "y").await;
    let end = Frame::request(request::END_TRANSACTION)
        .with("producerGroup", "P")
        .with("tranStateTableOffset", 1)
        .with("commitLogOffset", 0)
        .with("commitOrRollback", 8);
    assert_ne!(remoting.call(end).await.code, response::SUCCESS);
}
