//! Messages are consumed in order over HTTP: shard by shard, the next when all before are acknowledged.

use std::time::Duration;

use tminus::Clock;
use tminus::broker::{Broker, GroupOptions};
use tminus::codec::http::{Delivered, Publish};

use crate::grpc_consumer::{Consumer, seen};
use crate::http_peer::{HttpPeer, text};
use crate::peer::broker;

const ORDER: &str = "consumer=G&numOfMessages=16&trans=order";
const HIDDEN: Duration = Duration::from_secs(300);

/// A broker on a virtual clock with the topic `T` of four queues, and a client.
async fn virtual_broker() -> (Broker, HttpPeer) {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    broker.create_topic("T", 4).unwrap();
    let peer = HttpPeer::connect(broker.address()).await;
    (broker, peer)
}

/// Publishes messages named after their shard and a number.
async fn publish(peer: &mut HttpPeer, bodies: &[&str]) {
    for body in bodies {
        let properties = format!("__SHARDINGKEY:{}|", &body[..1]);
        peer.publish("T", &Publish { properties, ..text(body) }).await;
    }
}

/// What there is in order now; nothing is no error here.
async fn consume(peer: &mut HttpPeer, parameters: &str) -> Vec<Delivered> {
    peer.consume("T", parameters).await.messages_if_any()
}

/// Body and delivery of the messages of one shard.
fn shard<'m>(messages: &'m [Delivered], key: &str) -> Vec<(&'m str, i32)> {
    let of_shard = messages.iter().filter(|message| message.body.starts_with(key));
    of_shard.map(|message| (&*message.body, message.consumed_times)).collect()
}

async fn ack(peer: &mut HttpPeer, messages: &[Delivered], bodies: &[&str]) {
    let wanted = messages.iter().filter(|message| bodies.contains(&&*message.body));
    let handles: Vec<_> = wanted.map(|message| &*message.handle).collect();
    assert_eq!(handles.len(), bodies.len());
    peer.ack("T", "consumer=G", &handles).await.done();
}

#[tokio::test]
async fn the_next_messages_of_a_shard_come_when_all_delivered_ones_are_acknowledged() {
    let (_broker, mut peer) = virtual_broker().await;
    publish(&mut peer, &["a1", "b1", "a2", "b2"]).await;
    let first = consume(&mut peer, ORDER).await;
    assert_eq!(shard(&first, "a"), [("a1", 1), ("a2", 1)]);
    assert_eq!(shard(&first, "b"), [("b1", 1), ("b2", 1)]);
    assert_eq!(shard(&first, "a").len() + shard(&first, "b").len(), first.len());
    assert!(first.iter().all(|it| it.properties == format!("__SHARDINGKEY:{}|", &it.body[..1])));
    publish(&mut peer, &["a3", "b3"]).await;
    assert!(consume(&mut peer, ORDER).await.is_empty());
    ack(&mut peer, &first, &["a2", "b1", "b2"]).await;
    let next = consume(&mut peer, ORDER).await;
    assert_eq!((shard(&next, "a"), shard(&next, "b")), (vec![], vec![("b3", 1)]), "shards do not block");
    ack(&mut peer, &first, &["a1"]).await;
    assert_eq!(shard(&consume(&mut peer, ORDER).await, "a"), [("a3", 1)]);
}

#[tokio::test]
async fn after_their_time_the_same_messages_come_again_from_the_first_unacknowledged() {
    let (broker, mut peer) = virtual_broker().await;
    publish(&mut peer, &["a1", "a2", "a3"]).await;
    let first = consume(&mut peer, ORDER).await;
    let now = broker.clock().now_ms();
    assert!(first.iter().all(|message| message.next_consume_ms == now + 300_000));
    ack(&mut peer, &first, &["a1"]).await;
    publish(&mut peer, &["a4"]).await;
    broker.advance(HIDDEN - Duration::from_millis(1)).unwrap();
    assert!(consume(&mut peer, ORDER).await.is_empty());
    broker.advance(Duration::from_millis(1)).unwrap();
    let again = consume(&mut peer, ORDER).await;
    assert_eq!(shard(&again, "a"), [("a2", 2), ("a3", 2)]);
    assert!(again.iter().all(|message| message.first_consume_ms == now));
    let expired = peer.ack("T", "consumer=G", &[&first[1].handle]).await.refused_handles();
    assert_eq!(expired, [(first[1].handle.clone(), "ReceiptHandleError".into())]);
    ack(&mut peer, &again, &["a2", "a3"]).await;
    assert_eq!(shard(&consume(&mut peer, ORDER).await, "a"), [("a4", 1)]);
}

#[tokio::test]
async fn a_batch_that_is_too_small_goes_on_where_it_ended() {
    let (_broker, mut peer) = virtual_broker().await;
    publish(&mut peer, &["a1", "a2", "a3", "a4", "a5"]).await;
    let two = "consumer=G&numOfMessages=2&trans=order";
    for expected in [&["a1", "a2"][..], &["a3", "a4"], &["a5"]] {
        let batch = consume(&mut peer, two).await;
        assert!(consume(&mut peer, two).await.is_empty());
        assert_eq!(batch.iter().map(|message| &*message.body).collect::<Vec<_>>(), expected);
        ack(&mut peer, &batch, expected).await;
    }
}

#[tokio::test]
async fn a_wait_in_order_ends_when_an_acknowledgement_frees_the_shard() {
    let (broker, mut peer) = virtual_broker().await;
    publish(&mut peer, &["a1"]).await;
    let first = consume(&mut peer, ORDER).await;
    publish(&mut peer, &["a2"]).await;
    let mut waiting = HttpPeer::waiting(&broker, "T", &format!("{ORDER}&waitseconds=30")).await;
    ack(&mut peer, &first, &["a1"]).await;
    assert_eq!(shard(&waiting.read().await.unwrap().messages(), "a"), [("a2", 1)]);
}

#[tokio::test]
async fn a_dead_letter_lets_its_shard_go_on() {
    let (broker, mut peer) = virtual_broker().await;
    broker.create_group("G", GroupOptions { max_attempts: 1, ..Default::default() }).unwrap();
    publish(&mut peer, &["a1"]).await;
    assert_eq!(consume(&mut peer, ORDER).await.len(), 1);
    publish(&mut peer, &["a2"]).await;
    let mut waiting = HttpPeer::waiting(&broker, "T", &format!("{ORDER}&waitseconds=30")).await;
    broker.advance(HIDDEN).unwrap();
    assert_eq!(shard(&waiting.read().await.unwrap().messages(), "a"), [("a2", 1)]);
}

#[tokio::test]
async fn a_group_that_keeps_the_order_may_change_to_grpc_and_back() {
    let (broker, mut peer) = virtual_broker().await;
    broker.create_group("G", GroupOptions { fifo: true, ..Default::default() }).unwrap();
    let grpc = Consumer::start(broker.address(), "c").await;
    publish(&mut peer, &["a1", "a2"]).await;
    let first = consume(&mut peer, "consumer=G&numOfMessages=1").await;
    assert_eq!(shard(&first, "a"), [("a1", 1)]);
    assert!(consume(&mut peer, "consumer=G&numOfMessages=1").await.is_empty(), "the group says so");
    ack(&mut peer, &first, &["a1"]).await;
    let over_grpc = grpc.receive().await;
    assert_eq!(seen(&over_grpc), [("a2", 1)]);
    publish(&mut peer, &["a3"]).await;
    assert!(consume(&mut peer, ORDER).await.is_empty());
    grpc.acknowledge(&over_grpc).await;
    assert_eq!(shard(&consume(&mut peer, ORDER).await, "a"), [("a3", 1)]);
}

#[tokio::test]
async fn messages_without_a_shard_keep_their_order_in_their_queue() {
    let (broker, mut peer) = virtual_broker().await;
    broker.create_topic("U", 1).unwrap();
    for body in ["1", "2"] {
        peer.publish("U", &text(body)).await;
    }
    let parameters = "consumer=G&numOfMessages=1&trans=order";
    let first = peer.consume("U", parameters).await.messages();
    assert_eq!(first[0].body, "1");
    assert_eq!(peer.consume("U", parameters).await.refused().code, "MessageNotExist");
    peer.ack("U", "consumer=G", &[&first[0].handle]).await.done();
    assert_eq!(peer.consume("U", parameters).await.messages()[0].body, "2");
}
