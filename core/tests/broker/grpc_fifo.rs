//! FIFO groups keep the order of each message group, and groups decide how often a message is tried.

use std::time::Duration;

use tminus::Clock;
use tminus::broker::{Broker, GroupOptions};
use tminus::codec::grpc::proto::*;
use tminus::message::properties::SHARDING_KEY;

use crate::grpc_consumer::{Consumer, HIDDEN, handle, receive, seen};
use crate::peer::{Peer, broker};

async fn broker_with(group: GroupOptions) -> (Broker, Peer, Consumer) {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    broker.create_topic("T", 2).unwrap();
    broker.create_group("G", group).unwrap();
    let peer = Peer::connect(broker.address()).await;
    let consumer = Consumer::start(broker.address(), "c").await;
    (broker, peer, consumer)
}

fn fifo() -> GroupOptions {
    GroupOptions { fifo: true, ..Default::default() }
}

/// Messages named after their message group and a number.
async fn send(peer: &mut Peer, bodies: &[&str]) {
    for body in bodies {
        peer.send("T", body, &[(SHARDING_KEY, &body[..1])]).await;
    }
}

#[tokio::test]
async fn the_next_of_a_message_group_comes_after_the_one_before_it() {
    let (broker, mut peer, consumer) = broker_with(fifo()).await;
    send(&mut peer, &["a1", "b1"]).await;
    let first = consumer.receive().await;
    assert_eq!(seen(&first), [("a1", 1), ("b1", 1)]);
    send(&mut peer, &["a2", "b2", "c1"]).await;
    assert_eq!(seen(&consumer.receive().await), [("c1", 1)]);
    consumer.acknowledge(&first[..1]).await;
    assert_eq!(seen(&consumer.receive().await), [("a2", 1)]);
    let (woken, dead) = tokio::join!(consumer.receive(), consumer.forward(handle(&first[1])));
    assert_eq!((seen(&woken), dead), (vec![("b2", 1)], Code::Ok as i32));
    assert_eq!(peer.pull("%DLQ%G", 0, Duration::ZERO).await.len(), 1);
    broker.advance(HIDDEN).unwrap();
    // What was not acknowledged comes again from its own queue, in order.
    send(&mut peer, &["a3"]).await;
    let again = consumer.receive().await;
    assert_eq!(seen(&again), [("a2", 2), ("b2", 2), ("c1", 2), ("a3", 1)]);
}

#[tokio::test]
async fn a_repeated_receive_with_the_same_attempt_gets_the_same() {
    let (_broker, mut peer, consumer) = broker_with(fifo()).await;
    send(&mut peer, &["a1", "a2"]).await;
    let attempt =
        |id: &str| ReceiveMessageRequest { attempt_id: Some(id.into()), batch_size: 1, ..receive() };
    let lost = consumer.received(attempt("x")).await.messages;
    let again = consumer.received(attempt("x")).await.messages;
    assert_eq!((seen(&lost), seen(&again)), (vec![("a1", 1)], vec![("a1", 1)]));
    consumer.acknowledge(&again).await;
    assert_eq!(seen(&consumer.received(attempt("y")).await.messages), [("a2", 1)]);
}

#[tokio::test]
async fn a_fifo_group_is_assigned_queues_and_others_brokers() {
    let (broker, _peer, consumer) = broker_with(fifo()).await;
    let (code, queues) = consumer.assignments("T").await;
    assert_eq!(code, Code::Ok as i32);
    assert_eq!(queues.iter().map(|queue| queue.id).collect::<Vec<_>>(), [0, 1]);
    broker.create_group("G", GroupOptions::default()).unwrap();
    let (_, queues) = consumer.assignments("T").await;
    let [queue] = &queues[..] else { panic!("{queues:?}") };
    let of = queue.broker.as_ref().unwrap();
    assert_eq!((queue.id, queue.permission(), &*of.name), (-1, Permission::ReadWrite, "broker-a"));
    assert_eq!(of.endpoints.as_ref().unwrap().addresses[0].port, i32::from(broker.address().port()));
    assert_eq!(consumer.assignments("").await.0, Code::IllegalTopic as i32);
}

#[tokio::test]
async fn after_the_attempts_of_its_group_a_message_is_a_dead_letter() {
    for fifo in [false, true] {
        let group = GroupOptions { fifo, max_attempts: 2, ..Default::default() };
        let (broker, mut peer, consumer) = broker_with(group).await;
        send(&mut peer, &["a1"]).await;
        for attempt in [1, 2] {
            assert_eq!(seen(&consumer.receive().await), [("a1", attempt)]);
            broker.advance(HIDDEN).unwrap();
        }
        let dead = peer.pull("%DLQ%G", 0, Duration::ZERO).await;
        assert_eq!(dead.iter().map(|view| &view.body[..]).collect::<Vec<_>>(), [b"a1"]);
        send(&mut peer, &["a2"]).await;
        assert_eq!(seen(&consumer.receive().await), [("a2", 1)]);
    }
}
