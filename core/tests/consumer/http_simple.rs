//! The simple consumer over ApsaraMQ HTTP: receive, acknowledge, wait, and what the protocol has no words for.

use super::http::*;

#[tokio::test]
async fn what_is_acknowledged_is_gone_and_the_rest_comes_again_when_the_server_said() {
    let broker = virtual_broker_with_topic().await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    send(&producer, 0..10).await;
    let received = receive(&consumer, 10).await;
    assert_eq!(bodies(&received), (0..10).collect::<Vec<_>>());
    let until = received[0].invisible_until_ms.unwrap();
    let first = received[0].first_delivered_ms.unwrap();
    assert_eq!((until - first, received[0].message.delivery_attempt()), (300_000, 1));
    let acknowledged = consumer.ack_all(&receipts(&received[..6])).await;
    assert!(acknowledged.iter().all(Result::is_ok), "{acknowledged:?}");
    assert_eq!(broker.request_count(ACK), 1, "one request for one topic");
    broker.advance(HIDDEN - Duration::from_millis(1)).unwrap();
    assert!(consumer.receive(16, HIDDEN, Some(Duration::ZERO)).await.unwrap().is_empty());
    broker.advance(Duration::from_millis(1)).unwrap();
    let again = receive(&consumer, 4).await;
    assert_eq!(bodies(&again), [6, 7, 8, 9]);
    assert!(again.iter().all(|again| again.message.delivery_attempt() == 2));
    assert_eq!(again[0].first_delivered_ms, Some(first));
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn expired_unreadable_and_used_handles_among_good_ones_have_their_own_results() {
    let broker = virtual_broker_with_topic().await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    send(&producer, 0..1).await;
    let expired = receive(&consumer, 1).await.remove(0).receipt;
    broker.advance(HIDDEN).unwrap();
    let again = receive(&consumer, 1).await.remove(0).receipt;
    send(&producer, 1..20).await;
    let good = receipts(&receive(&consumer, 19).await);
    let garbage = ReceiptHandle { handle: "garbage".into(), ..expired.clone() };
    let none = ReceiptHandle { handle: String::new(), ..expired.clone() };
    let mut all = vec![expired.clone(), good[0].clone(), garbage, none, again];
    all.extend_from_slice(&good[1..]);
    let results = consumer.ack_all(&all).await;
    let refused: Vec<_> =
        results.iter().enumerate().filter(|(_, result)| result.is_err()).map(|(at, _)| at).collect();
    assert_eq!(refused, [0, 2, 3]);
    assert!(
        refused.iter().all(|at| {
            results[*at].as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidReceipt)
        })
    );
    assert_eq!(broker.request_count(ACK), 2, "16 handles a request");
    // An answer may have got lost: what is gone was acknowledged.
    consumer.ack(&good[0]).await.unwrap();
    broker.advance(HIDDEN).unwrap();
    assert!(consumer.receive(16, HIDDEN, Some(Duration::ZERO)).await.unwrap().is_empty(), "nothing is left");
    assert_eq!(kind(consumer.ack(&expired).await), Err(ErrorKind::InvalidReceipt));
    assert!(consumer.ack_all(&[]).await.is_empty());
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_wait_is_one_long_poll_of_its_seconds_and_short_ones_for_the_rest() {
    let broker = broker_with_topic().await;
    let consumer = simple(&broker).await;
    for (wait, requests) in [(0, 1..=1), (250, 2..=4), (1000, 1..=1), (1250, 2..=5)] {
        let before = broker.request_count(RECEIVE);
        let begun = clock::instant();
        let received = consumer.receive(1, HIDDEN, Some(Duration::from_millis(wait))).await.unwrap();
        let took = begun.elapsed().as_millis() as u64;
        assert!(received.is_empty() && (wait..wait + 800).contains(&took), "{wait}: {took} ms");
        let asked = broker.request_count(RECEIVE) - before;
        assert!(requests.contains(&asked), "{wait}: {asked} requests");
    }
    consumer.shutdown().await;
}

#[tokio::test]
async fn a_message_is_there_the_moment_it_becomes_visible() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    let waiting = tokio::spawn({
        let consumer = consumer.clone();
        async move { receive(&consumer, 1).await.remove(0) }
    });
    until("it waits", || broker.request_count(RECEIVE) == 1).await;
    producer.send(Message::new("T", "1").deliver_after(Duration::from_millis(300))).await.unwrap();
    let received = waiting.await.unwrap();
    let lateness = tminus::Clock::real().now_ms() - received.message.deliver_at_ms().unwrap();
    assert!((0..500).contains(&lateness), "{lateness} ms late");
    assert_eq!(broker.request_count(RECEIVE), 1, "by the long poll that stood");
    consumer.ack(&received.receipt).await.unwrap();
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn what_was_on_its_way_to_a_dropped_call_goes_to_the_next_one() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    for _ in 0..5 {
        let dropped = timeout(Duration::from_millis(20), consumer.receive(1, HIDDEN, Some(10 * SECOND)));
        assert!(dropped.await.is_err());
    }
    send(&producer, 0..1).await;
    let received = receive(&consumer, 1).await.remove(0);
    assert_eq!((body(&received.message), received.message.delivery_attempt()), (0, 1));
    assert_eq!(broker.request_count(RECEIVE), 1, "one receive serves them all");
    // A call that waits for less does not wait for the end of the one that stands.
    assert!(timeout(Duration::from_millis(20), consumer.receive(1, HIDDEN, None)).await.is_err());
    let begun = clock::instant();
    assert!(consumer.receive(1, HIDDEN, Some(Duration::from_millis(50))).await.unwrap().is_empty());
    assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
    consumer.ack(&received.receipt).await.unwrap();
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn every_topic_gets_its_turn_and_is_looked_at_once_at_least() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    for topic in ["U", "V"] {
        broker.create_topic(topic, 1).unwrap();
        consumer.subscribe(topic, FilterExpression::Tag("A || B".into())).await.unwrap();
    }
    producer.send(Message::new("U", "1").tag("C")).await.unwrap();
    for round in 0..6 {
        producer.send(Message::new("U", round.to_string()).tag("B")).await.unwrap();
        let received = consumer.receive(1, HIDDEN, Some(Duration::ZERO)).await.unwrap();
        assert_eq!(bodies(&received), [round]);
        consumer.ack(&received[0].receipt).await.unwrap();
    }
    let before = broker.request_count(RECEIVE);
    assert!(consumer.receive(1, HIDDEN, Some(Duration::ZERO)).await.unwrap().is_empty());
    assert_eq!(broker.request_count(RECEIVE) - before, 3);
    consumer.unsubscribe("U").await.unwrap();
    producer.send(Message::new("U", "9").tag("A")).await.unwrap();
    assert!(consumer.receive(1, HIDDEN, Some(QUIET)).await.unwrap().is_empty());
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn in_order_the_next_of_a_group_come_when_all_that_came_are_acknowledged() {
    let broker = virtual_broker_with_topic().await;
    let producer = producer(&broker).await;
    let mut options = simple_options(&broker);
    options.orderly = true;
    let consumer = SimpleConsumer::start(options).await.unwrap();
    send_to_group(&producer, "a", 0..4).await;
    let first = consumer.receive(2, HIDDEN, None).await.unwrap();
    assert_eq!(bodies(&first), [0, 1]);
    send_to_group(&producer, "b", 10..12).await;
    let other = receive(&consumer, 2).await;
    assert_eq!(bodies(&other), [10, 11], "groups do not wait for each other");
    consumer.ack(&first[0].receipt).await.unwrap();
    assert!(consumer.receive(16, HIDDEN, Some(Duration::ZERO)).await.unwrap().is_empty(), "1 is not done");
    broker.advance(HIDDEN).unwrap();
    let again: Vec<_> = receive(&consumer, 3).await;
    let (a, b): (Vec<_>, Vec<_>) = bodies(&again).into_iter().partition(|body| *body < 10);
    assert!(a.starts_with(&[1]) && (b.is_empty() || b == [10, 11]), "{a:?} {b:?}");
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn the_namespace_is_the_instance() {
    let broker = broker().await;
    let mut options = ProducerOptions::new(&broker.address().to_string()).unwrap();
    options.client.namespace = Some("MQ_INST_1".into());
    let inside = Producer::start(options).await.unwrap();
    let outside = producer(&broker).await;
    send(&inside, 1..2).await;
    send(&outside, 0..1).await;
    let mut options = simple_options(&broker);
    options.client.namespace = Some("MQ_INST_1".into());
    let consumer = SimpleConsumer::start(options).await.unwrap();
    let received = receive(&consumer, 1).await;
    assert_eq!((bodies(&received), received[0].message.topic.as_str()), (vec![1], "T"));
    consumer.ack(&received[0].receipt).await.unwrap();
    assert!(consumer.receive(16, HIDDEN, Some(Duration::ZERO)).await.unwrap().is_empty());
    consumer.shutdown().await;
    inside.shutdown().await;
    outside.shutdown().await;
}

#[tokio::test]
async fn a_corrupted_body_is_flagged() {
    let broker = virtual_broker_with_topic().await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    send(&producer, 0..1).await;
    broker.inject(RECEIVE, 1, Fault::Corrupt);
    assert!(receive(&consumer, 1).await[0].corrupted);
    broker.advance(HIDDEN).unwrap();
    let again = receive(&consumer, 1).await.remove(0);
    assert!(!again.corrupted);
    consumer.ack(&again.receipt).await.unwrap();
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn what_http_has_no_words_for_and_unusable_calls_are_refused() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    let none = Some(Duration::ZERO);
    for max in [0, 33] {
        assert_eq!(kind(consumer.receive(max, HIDDEN, none).await), Err(ErrorKind::InvalidArgument));
    }
    assert_eq!(
        kind(consumer.receive(1, HIDDEN + SECOND, none).await),
        Err(ErrorKind::Unsupported),
        "the service hides messages for 300 s and no longer"
    );
    assert_eq!(broker.request_count(RECEIVE), 0, "nothing was asked for");
    send(&producer, 0..20).await;
    let received = consumer.receive(32, SECOND, none).await.unwrap();
    assert_eq!(received.len(), 16, "a server hands out no more at a time");
    let mut receipt = received[0].receipt.clone();
    assert_eq!(kind(consumer.change_invisible(&mut receipt, SECOND).await), Err(ErrorKind::Unsupported));
    let sql = FilterExpression::Sql92("a > 1".into());
    assert_eq!(kind(consumer.subscribe("T", sql.clone()).await), Err(ErrorKind::Unsupported));
    let start = SimpleConsumer::start(simple_options(&broker).subscribe("U", sql)).await;
    assert_eq!(kind(start), Err(ErrorKind::Unsupported));
    consumer.unsubscribe("T").await.unwrap();
    assert_eq!(kind(consumer.receive(1, HIDDEN, none).await), Err(ErrorKind::InvalidArgument));
    consumer.shutdown().await;
    assert_eq!(kind(consumer.receive(1, HIDDEN, none).await), Err(ErrorKind::Closed));
    assert_eq!(kind(consumer.ack(&receipt).await), Err(ErrorKind::Closed));
    assert_eq!(kind(consumer.subscribe("T", FilterExpression::all()).await), Err(ErrorKind::Closed));
    producer.shutdown().await;
}

#[tokio::test]
async fn a_receive_under_way_ends_with_the_shutdown() {
    let broker = broker_with_topic().await;
    let consumer = simple(&broker).await;
    let waiting = tokio::spawn({
        let consumer = consumer.clone();
        async move { consumer.receive(1, HIDDEN, None).await }
    });
    until("it waits", || broker.request_count(RECEIVE) == 1).await;
    let begun = clock::instant();
    consumer.shutdown().await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert_eq!(kind(timeout(PATIENCE, waiting).await.unwrap().unwrap()), Err(ErrorKind::Closed));
}
