//! Messages are received over gRPC, hidden, and settled.

use std::time::Duration;

use tminus::Clock;
use tminus::broker::{Broker, Fault};
use tminus::codec::grpc::proto::*;
use tminus::codec::grpc::{decode_message, digest, time};
use tminus::codec::remoting::codes::{request, response};
use tminus::message::properties::{TAGS, TIMER_DELIVER_MS};

use crate::grpc_consumer::{Consumer, HIDDEN, handle, pushed, receive, seen, system};
use crate::grpc_peer::named;
use crate::peer::{Peer, broker};

const SECOND: Duration = Duration::from_secs(1);
const OK: i32 = Code::Ok as i32;

/// A broker on a virtual clock with the topic `T` of one queue, a remoting client and a consumer.
async fn virtual_broker() -> (Broker, Peer, Consumer) {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    broker.create_topic("T", 1).unwrap();
    let peer = Peer::connect(broker.address()).await;
    let consumer = Consumer::start(broker.address(), "c").await;
    (broker, peer, consumer)
}

#[tokio::test]
async fn a_message_is_received_hidden_and_acknowledged() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    for body in ["a", "b"] {
        peer.send("T", body, &[("UNIQ_KEY", body)]).await;
    }
    let first = consumer.receive().await;
    assert_eq!(seen(&first), [("a", 1), ("b", 1)]);
    assert_eq!(handle(&first[0]).split(' ').count(), 9);
    assert_eq!(system(&first[0]).invisible_duration, Some(time::duration(HIDDEN)));
    assert_eq!(system(&first[0]).body_digest, Some(digest::md5(b"a")));
    consumer.acknowledge(&first[1..]).await;
    assert_eq!(broker.advance(HIDDEN).unwrap(), 0, "a return is no first appearance");
    let again = consumer.receive().await;
    assert_eq!(seen(&again), [("a", 2)]);
    assert_ne!(handle(&again[0]), handle(&first[0]));
    assert_eq!(again[0].topic, Some(named("T")));
    consumer.acknowledge(&again).await;
    broker.advance(10 * HIDDEN).unwrap();
    assert_eq!(broker.message_stage("T", "G", "a"), tminus::broker::MessageStage::Acknowledged);
    assert_eq!(broker.request_count(request::POP_MESSAGE), 2);
    assert_eq!(broker.request_count(request::ACK_MESSAGE), 2);
}

#[tokio::test]
async fn a_handle_is_live_replaced_expired_or_garbage() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    peer.send("T", "a", &[]).await;
    let old = handle(&consumer.receive().await[0]).to_owned();
    let (code, new) = consumer.change(&old, 2 * HIDDEN).await;
    assert_eq!((code, new.split(' ').count()), (OK, 10));
    // A replaced handle is no error, and has no effect.
    assert_eq!(consumer.ack(&[&old]).await, (OK, vec![OK]));
    let garbage = Code::InternalServerError as i32;
    assert_eq!(consumer.ack(&["garbage-handle"]).await, (garbage, vec![garbage]));
    assert_eq!(consumer.change("garbage-handle", HIDDEN).await.0, garbage);
    assert_eq!(consumer.forward("garbage-handle").await, garbage);
    broker.advance(HIDDEN).unwrap();
    let expired = Code::InvalidReceiptHandle as i32;
    assert_eq!(consumer.ack(&[&old]).await, (expired, vec![expired]));
    assert_eq!(consumer.change(&old, HIDDEN).await.0, expired);
    assert_eq!(consumer.forward(&old).await, expired);
    broker.advance(HIDDEN).unwrap();
    let again = consumer.receive().await;
    assert_eq!(seen(&again), [("a", 2)], "only the new handle could have acknowledged it");
    let live = handle(&again[0]);
    let mixed = consumer.ack(&[live, &new, "garbage-handle"]).await;
    assert_eq!(mixed, (Code::MultipleResults as i32, vec![OK, expired, garbage]));
    assert_eq!(consumer.ack(&[live]).await, (OK, vec![OK]), "a second time");
}

#[tokio::test]
async fn invisible_times_have_limits() {
    let (_broker, mut peer, consumer) = virtual_broker().await;
    peer.send("T", "a", &[]).await;
    let illegal = Code::IllegalInvisibleTime as i32;
    for asked in [None, Some(0), Some(9_999), Some(12 * 3600 * 1000 + 1)] {
        let invisible_duration = asked.map(|ms| time::duration(Duration::from_millis(ms)));
        let received = consumer.received(ReceiveMessageRequest { invisible_duration, ..receive() }).await;
        assert_eq!((received.code, received.messages), (illegal, vec![]), "{asked:?}");
    }
    let first = consumer.receive().await;
    assert_eq!(consumer.change(handle(&first[0]), 12 * 3600 * SECOND + SECOND / 1000).await.0, illegal);
    assert_eq!(consumer.change(handle(&first[0]), Duration::ZERO).await.0, OK);
    assert_eq!(seen(&consumer.receive().await), [("a", 2)], "at once");
}

#[tokio::test]
async fn a_receive_gets_at_most_32() {
    let (_broker, mut peer, consumer) = virtual_broker().await;
    for _ in 0..40 {
        peer.send("T", "x", &[]).await;
    }
    for (asked, count) in [(100, 32), (0, 1), (-5, 1), (3, 3), (32, 3)] {
        let received = consumer.received(ReceiveMessageRequest { batch_size: asked, ..receive() }).await;
        assert_eq!(received.messages.len(), count, "{asked}");
    }
}

#[tokio::test]
async fn nothing_is_an_answer_after_the_wait() {
    let (_broker, _peer, consumer) = virtual_broker().await;
    let started = tminus::clock::instant();
    let received = consumer.received(receive()).await;
    let took = started.elapsed();
    assert_eq!((received.code, received.messages), (Code::MessageNotFound as i32, vec![]));
    assert!(took >= 4 * SECOND && took < 6 * SECOND, "{took:?}");
}

#[tokio::test]
async fn a_deadline_shorter_than_the_wait_is_refused_at_once() {
    let (_broker, _peer, consumer) = virtual_broker().await;
    for (version, code) in [
        (Some("5.2.0"), Code::IllegalPollingTime),
        (Some("5.0.2"), Code::BadRequest),
        (None, Code::BadRequest),
    ] {
        let peer = consumer.peer.clone();
        let peer = peer.with("x-mq-client-version", version).with("grpc-timeout", Some("2000m"));
        let started = tminus::clock::instant();
        let mut answers =
            peer.stream::<_, ReceiveMessageResponse>("ReceiveMessage", receive()).await.unwrap();
        let first = answers.message().await.unwrap().unwrap().content;
        let Some(receive_message_response::Content::Status(status)) = first else { panic!("{first:?}") };
        assert_eq!(status.code(), code);
        assert!(started.elapsed() < SECOND);
    }
}

#[tokio::test]
async fn who_told_no_settings_receives_nothing() {
    let (broker, _peer, _consumer) = virtual_broker().await;
    let stranger = crate::grpc_peer::GrpcPeer::connect(broker.address(), "stranger").await;
    let mut answers =
        stranger.stream::<_, ReceiveMessageResponse>("ReceiveMessage", receive()).await.unwrap();
    let first = answers.message().await.unwrap().unwrap().content;
    let Some(receive_message_response::Content::Status(status)) = first else { panic!("{first:?}") };
    assert_eq!(status.code(), Code::InternalServerError);
}

#[tokio::test]
async fn a_waiting_receive_is_woken_by_what_becomes_visible() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    let at = (broker.clock().now_ms() + 60_000).to_string();
    let (woken, ()) = tokio::join!(consumer.receive(), async {
        parked(&broker, 1).await;
        peer.send("T", "now", &[]).await;
    });
    assert_eq!(seen(&woken), [("now", 1)]);
    peer.send("T", "later", &[(TIMER_DELIVER_MS, &at)]).await;
    let (woken, ()) = tokio::join!(consumer.receive(), async {
        parked(&broker, 2).await;
        broker.advance(HIDDEN).unwrap();
    });
    assert_eq!(seen(&woken), [("now", 2)]);
    consumer.acknowledge(&woken).await;
    let (woken, ()) = tokio::join!(consumer.receive(), async {
        parked(&broker, 3).await;
        assert_eq!(broker.advance(60 * SECOND).unwrap(), 1);
    });
    assert_eq!(seen(&woken), [("later", 1)]);
    let delivery = system(&woken[0]).delivery_timestamp.as_ref().map(time::to_ms);
    assert_eq!(delivery, at.parse().ok());
    assert_eq!(system(&woken[0]).message_type(), MessageType::Delay);
}

/// Waits until this many receives have come; the last one is parked a moment later.
async fn parked(broker: &Broker, receives: u64) {
    while broker.request_count(request::POP_MESSAGE) < receives {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_waiting_receive_gets_a_scheduled_message_in_time() {
    let broker = broker(|_| {}).await;
    broker.create_topic("T", 1).unwrap();
    let mut peer = Peer::connect(broker.address()).await;
    let consumer = Consumer::start(broker.address(), "c").await;
    let mut late = Vec::new();
    for _ in 0..5 {
        let deliver_at = broker.clock().now_ms() + 100;
        peer.send("T", "later", &[(TIMER_DELIVER_MS, &deliver_at.to_string())]).await;
        let woken = consumer.receive().await;
        late.push(broker.clock().now_ms() - deliver_at);
        consumer.acknowledge(&woken).await;
    }
    assert!(late.iter().all(|late| (0..1000).contains(late)), "late by {late:?} ms");
    println!("late by {late:?} ms");
}

#[tokio::test]
async fn filters_compare_tags_and_properties() {
    let (_broker, mut peer, consumer) = virtual_broker().await;
    // "Aa" and "BB" have one hash.
    for (body, tag, weight) in [("1", "BB", "1"), ("2", "Aa", "2"), ("3", "C", "3")] {
        peer.send("T", body, &[(TAGS, tag), ("weight", weight)]).await;
    }
    let filtered = |group: &str, kind: FilterType, expression: &str| ReceiveMessageRequest {
        group: Some(named(group)),
        filter_expression: Some(FilterExpression { r#type: kind.into(), expression: expression.into() }),
        ..receive()
    };
    for (group, kind, expression, wanted) in [
        ("tag", FilterType::Tag, "Aa", vec![("2", 1)]),
        ("tags", FilterType::Tag, "Aa || C", vec![("2", 1), ("3", 1)]),
        ("all", FilterType::Tag, "*", vec![("1", 1), ("2", 1), ("3", 1)]),
        ("sql", FilterType::Sql, "weight > 1 AND TAGS <> 'C'", vec![("2", 1)]),
    ] {
        let received = consumer.received(filtered(group, kind, expression)).await;
        assert_eq!(seen(&received.messages), wanted, "{expression}");
    }
    let refused = consumer.received(filtered("bad", FilterType::Sql, "weight >")).await;
    assert_eq!(refused.code, Code::IllegalFilterExpression as i32);
}

#[tokio::test]
async fn a_corrupted_body_is_told_by_its_digest() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    broker.inject(request::POP_MESSAGE, 1, Fault::Corrupt);
    for _ in 0..2 {
        peer.send("T", "x", &[]).await;
        let message = consumer.receive().await.remove(0);
        let corrupted = broker.request_count(request::POP_MESSAGE) == 1;
        assert_eq!(digest::fits(&message.body, system(&message).body_digest.as_ref()), !corrupted);
        assert_eq!(decode_message(message, "broker-a").corrupted, corrupted);
    }
}

#[tokio::test]
async fn the_broker_renews_for_push_consumers_until_they_go() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    peer.send("T", "a", &[]).await;
    peer.send("T", "b", &[]).await;
    let first = consumer.received(pushed()).await.messages;
    assert_eq!(system(&first[0]).invisible_duration, Some(time::duration(60 * SECOND)));
    broker.advance(600 * SECOND).unwrap();
    // The handle of the receive outlives what it says.
    consumer.acknowledge(&first[..1]).await;
    let other = Consumer::start(broker.address(), "d").await;
    let leaving = NotifyClientTerminationRequest { group: Some(named("G")) };
    let left: NotifyClientTerminationResponse =
        consumer.peer.call("NotifyClientTermination", leaving).await.unwrap();
    assert_eq!(left.status.unwrap().code, OK);
    broker.advance(SECOND).unwrap();
    assert_eq!(seen(&other.receive().await), [("b", 2)]);
}

#[tokio::test]
async fn a_message_given_up_is_a_dead_letter() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    peer.send("T", "a", &[("UNIQ_KEY", "U")]).await;
    let first = consumer.receive().await;
    assert_eq!(consumer.forward(handle(&first[0])).await, OK);
    assert_eq!(broker.request_count(request::CONSUMER_SEND_MSG_BACK), 1);
    let dead = peer.pull("%DLQ%G", 0, Duration::ZERO).await.remove(0);
    assert_eq!((&dead.body[..], dead.message_id.as_str()), (&b"a"[..], "U"));
    broker.advance(10 * HIDDEN).unwrap();
    assert_eq!(peer.pull("%RETRY%G", 0, Duration::ZERO).await, []);
}

#[tokio::test]
async fn a_dead_letter_can_be_received_and_retried() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    peer.send("T", "a", &[("UNIQ_KEY", "U")]).await;
    let first = consumer.receive().await;
    assert_eq!(consumer.forward(handle(&first[0])).await, OK);
    let from_dead = || ReceiveMessageRequest {
        group: Some(named("undertaker")),
        message_queue: Some(MessageQueue { topic: Some(named("%DLQ%G")), id: -1, ..Default::default() }),
        ..receive()
    };
    for attempt in [2, 3] {
        let dead = consumer.received(from_dead()).await.messages;
        assert_eq!((seen(&dead), &dead[0].topic), (vec![("a", attempt)], &Some(named("%DLQ%G"))));
        let origin = system(&dead[0]).dead_letter_queue.as_ref().unwrap();
        assert_eq!(origin.topic, "T");
        broker.advance(HIDDEN).unwrap();
    }
}

#[tokio::test]
async fn a_forged_handle_settles_nothing() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    peer.send("T", "a", &[]).await;
    peer.send("T", "b", &[]).await;
    let received = consumer.receive().await;
    let parts: Vec<_> = handle(&received[0]).split(' ').collect();
    let forged = |at: usize, part: &str| {
        let mut parts = parts.clone();
        parts[at] = part;
        parts.join(" ")
    };
    // Everything but the start offset counts: time, invisible time, number, kind of topic, broker, queue, offsets.
    for at in 1..9 {
        for part in ["-1", "0", "99999999999999", "9223372036854775807", "x", "", "broker-b"] {
            let forged = forged(at, part);
            if forged != handle(&received[0]) {
                consumer.ack(&[&forged]).await;
                consumer.forward(&forged).await;
                consumer.change(&forged, Duration::ZERO).await;
            }
        }
    }
    assert_eq!(peer.pull("%RETRY%G", 0, Duration::ZERO).await, []);
    broker.advance(HIDDEN).unwrap();
    assert_eq!(seen(&consumer.receive().await), [("a", 2), ("b", 2)]);
}

#[tokio::test]
async fn a_broken_telemetry_stream_gives_back_what_was_pushed() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    peer.send("T", "a", &[]).await;
    assert_eq!(consumer.received(pushed()).await.messages.len(), 1);
    let other = Consumer::start(broker.address(), "d").await;
    drop(consumer);
    // A second after the broker has noticed; the invisible time alone would end after 60.
    let again = other.receive();
    tokio::pin!(again);
    let mut steps = 0;
    let again = loop {
        tokio::select! {
            biased;
            again = &mut again => break again,
            () = tokio::time::sleep(SECOND / 20) => {
                steps += 1;
                assert!(steps < 50, "it was not given back");
                broker.advance(SECOND).unwrap();
            }
        }
    };
    assert_eq!(seen(&again), [("a", 2)]);
}

#[tokio::test]
async fn a_receive_meets_the_faults_of_its_request_code() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    peer.send("T", "a", &[]).await;
    let refuse = |code: i32| Fault::Refuse { code, remark: "enough".into() };
    for (fault, code) in [
        (refuse(Code::TooManyRequests as i32), Code::TooManyRequests),
        (refuse(response::SYSTEM_BUSY), Code::TooManyRequests),
    ] {
        broker.inject(request::POP_MESSAGE, 1, fault);
        assert_eq!(consumer.received(receive()).await.code, code as i32);
    }
    broker.inject(request::POP_MESSAGE, 1, Fault::CloseAfter);
    assert!(consumer.try_receive(receive()).await.is_err());
    let again = Consumer::start(broker.address(), "c").await;
    broker.advance(HIDDEN).unwrap();
    assert_eq!(seen(&again.receive().await), [("a", 2)], "it was handed out before the connection was cut");
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_receive_loses_nothing() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    peer.send("T", "taken", &[]).await;
    let taken = consumer.receive().await;
    let (cut, restarted) = tokio::join!(consumer.try_receive(receive()), async {
        parked(&broker, 2).await;
        broker.restart(Duration::ZERO).await
    });
    restarted.unwrap();
    assert!(cut.is_err(), "the connection was cut");
    let mut peer = Peer::connect(broker.address()).await;
    peer.send("T", "sent", &[]).await;
    let again = Consumer::start(broker.address(), "c").await;
    assert_eq!(seen(&again.receive().await), [("sent", 1)]);
    again.acknowledge(&taken).await;
    broker.advance(HIDDEN).unwrap();
    assert_eq!(seen(&again.receive().await), [("sent", 2)]);
}

#[tokio::test]
async fn a_receive_that_was_given_up_gets_nothing() {
    let (broker, mut peer, consumer) = virtual_broker().await;
    let given_up = tokio::time::timeout(SECOND / 2, consumer.received(receive()));
    assert!(given_up.await.is_err());
    let second = Consumer::start(broker.address(), "d").await;
    peer.send("T", "a", &[]).await;
    assert_eq!(seen(&second.receive().await), [("a", 1)]);
}

#[tokio::test]
async fn a_receive_names_a_topic_a_group_and_this_broker() {
    let (_broker, _peer, consumer) = virtual_broker().await;
    let of = |topic: &str, id, broker: &str| {
        let broker = tminus::codec::grpc::proto::Broker { name: broker.into(), ..Default::default() };
        let queue =
            MessageQueue { topic: Some(named(topic)), id, broker: Some(broker), ..Default::default() };
        ReceiveMessageRequest { message_queue: Some(queue), ..receive() }
    };
    for (request, code) in [
        (of("nobody sent to it", -1, ""), Code::IllegalTopic),
        (of("Unknown", -1, ""), Code::TopicNotFound),
        (of("T", 0, "broker-b"), Code::BadRequest),
        (ReceiveMessageRequest { group: None, ..receive() }, Code::IllegalConsumerGroup),
        (ReceiveMessageRequest { message_queue: None, ..receive() }, Code::IllegalTopic),
    ] {
        assert_eq!(consumer.received(request).await.code, code as i32, "{code:?}");
    }
}
