//! The simple consumer: receive, acknowledge, hide for longer; and what it is told about handles.

use tminus::clock;

use super::grpc::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_is_acknowledged_is_gone_and_the_rest_comes_again() {
    let broker = virtual_broker_with(4).await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    send(&producer, 0..10).await;
    let received = receive(&consumer, 10).await;
    assert_eq!(bodies(&received), (0..10).collect());
    assert!(received.iter().all(|received| !received.corrupted && received.message.delivery_attempt() == 1));
    let (done, left): (Vec<_>, Vec<_>) = received.into_iter().partition(|r| body(&r.message) < 6);
    let receipts: Vec<_> = done.into_iter().map(|received| received.receipt).collect();
    let before = broker.request_count(ACK);
    assert!(consumer.ack_all(&receipts).await.iter().all(Result::is_ok));
    assert_eq!(broker.request_count(ACK) - before, 1, "one request for one broker");
    assert!(consumer.receive(32, HIDDEN, Some(QUIET)).await.unwrap().is_empty());
    broker.advance(HIDDEN).unwrap();
    let again = receive(&consumer, left.len()).await;
    assert_eq!(bodies(&again), (6..10).collect());
    assert!(again.iter().all(|received| received.message.delivery_attempt() == 2));
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn garbage_expired_and_replaced_handles_are_refused() {
    let broker = virtual_broker_with(1).await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    send(&producer, 0..1).await;
    let mut receipt = receive(&consumer, 1).await.remove(0).receipt;
    let mut garbage = ReceiptHandle { handle: "garbage-handle".into(), ..receipt.clone() };
    let kind = |result: tminus::Result<()>| result.map_err(|error| error.kind());
    assert_eq!(kind(consumer.ack(&garbage).await), Err(ErrorKind::InvalidReceipt));
    assert_eq!(kind(consumer.change_invisible(&mut garbage, HIDDEN).await), Err(ErrorKind::InvalidReceipt));
    let old = receipt.clone();
    consumer.change_invisible(&mut receipt, 2 * HIDDEN).await.unwrap();
    assert_ne!(receipt.handle, old.handle);
    assert_eq!(kind(consumer.ack(&old).await), Err(ErrorKind::InvalidReceipt), "it was replaced");
    assert_eq!(
        kind(consumer.change_invisible(&mut old.clone(), HIDDEN).await),
        Err(ErrorKind::InvalidReceipt)
    );
    // Each of many gets its own answer.
    let results = consumer.ack_all(&[old, receipt.clone(), garbage]).await;
    let kinds: Vec<_> = results.into_iter().map(kind).collect();
    assert_eq!(kinds, [Err(ErrorKind::InvalidReceipt), Ok(()), Err(ErrorKind::InvalidReceipt)]);
    send(&producer, 1..2).await;
    let mut expired = receive(&consumer, 1).await.remove(0).receipt;
    broker.advance(HIDDEN + SECOND).unwrap();
    assert_eq!(kind(consumer.ack(&expired).await), Err(ErrorKind::InvalidReceipt));
    assert_eq!(kind(consumer.change_invisible(&mut expired, HIDDEN).await), Err(ErrorKind::InvalidReceipt));
    assert_eq!(bodies(&receive(&consumer, 1).await), BTreeSet::from([1]), "nothing is lost");
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn hidden_for_less_it_comes_again_sooner() {
    let broker = virtual_broker_with(1).await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    send(&producer, 0..1).await;
    let mut receipt = receive(&consumer, 1).await.remove(0).receipt;
    consumer.change_invisible(&mut receipt, SECOND).await.unwrap();
    broker.advance(SECOND).unwrap();
    let again = receive(&consumer, 1).await.remove(0);
    assert_eq!(again.message.delivery_attempt(), 2);
    consumer.ack(&again.receipt).await.unwrap();
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_wait_shorter_than_the_long_poll_is_a_short_wait() {
    let broker = broker_with(1).await;
    let consumer = simple(&broker).await;
    let begun = clock::instant();
    assert!(consumer.receive(1, HIDDEN, Some(Duration::from_millis(200))).await.unwrap().is_empty());
    let took = begun.elapsed();
    assert!((200..1000).contains(&took.as_millis()), "{took:?}");
    consumer.shutdown().await;
}

#[tokio::test]
async fn what_comes_after_a_short_wait_goes_to_the_next_call_at_its_first_attempt() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    let wait = Some(Duration::from_millis(20));
    for _ in 0..10 {
        assert!(consumer.receive(1, HIDDEN, wait).await.unwrap().is_empty());
    }
    // A call that is dropped is no different.
    assert!(timeout(Duration::from_millis(20), consumer.receive(1, HIDDEN, None)).await.is_err());
    assert_eq!(broker.request_count(RECEIVE), 1, "one receive serves them all");
    send(&producer, 0..1).await;
    let received = receive(&consumer, 1).await.remove(0);
    assert_eq!((body(&received.message), received.message.delivery_attempt()), (0, 1));
    consumer.ack(&received.receipt).await.unwrap();
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn what_nobody_asked_for_again_is_given_back_at_the_end() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    assert!(consumer.receive(1, HIDDEN, Some(Duration::from_millis(20))).await.unwrap().is_empty());
    let sent = producer.send(Message::new("T", "0")).await.unwrap();
    let in_flight =
        || broker.message_stage("T", "g", &sent.message_id) == tminus::broker::MessageStage::InFlight;
    until("the standing receive has it", in_flight).await;
    consumer.shutdown().await;
    let other = simple(&broker).await;
    assert_eq!(bodies(&receive(&other, 1).await), BTreeSet::from([0]));
    other.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_corrupted_body_is_flagged() {
    let broker = virtual_broker_with(1).await;
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
async fn every_topic_gets_its_turn() {
    let broker = broker_with(1).await;
    broker.create_topic("U", 1).unwrap();
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    consumer.subscribe("U", FilterExpression::Tag("A".into())).await.unwrap();
    send(&producer, 0..2).await;
    producer.send(Message::new("U", "2").tag("A")).await.unwrap();
    producer.send(Message::new("U", "3").tag("B")).await.unwrap();
    assert_eq!(bodies(&receive(&consumer, 3).await), (0..3).collect());
    consumer.unsubscribe("U").await.unwrap();
    producer.send(Message::new("U", "4").tag("A")).await.unwrap();
    assert!(consumer.receive(1, HIDDEN, Some(QUIET)).await.unwrap().is_empty());
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn unusable_calls_are_refused_with_what_to_do() {
    let broker = broker_with(1).await;
    let consumer = simple(&broker).await;
    let kind = |result: tminus::Result<Vec<Received>>| result.map(drop).map_err(|error| error.kind());
    let invalid = Err(ErrorKind::InvalidArgument);
    assert_eq!(kind(consumer.receive(0, HIDDEN, None).await), invalid);
    assert_eq!(kind(consumer.receive(33, HIDDEN, None).await), invalid);
    assert_eq!(kind(consumer.receive(1, SECOND, None).await), invalid, "10 s is the least");
    assert_eq!(kind(consumer.receive(1, 13 * 3600 * SECOND, None).await), invalid, "12 h is the most");
    consumer.unsubscribe("T").await.unwrap();
    assert_eq!(kind(consumer.receive(1, HIDDEN, None).await), invalid, "no subscription is left");
    let error = consumer.subscribe("no spaces", FilterExpression::all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    consumer.shutdown().await;
    assert_eq!(kind(consumer.receive(1, HIDDEN, None).await), Err(ErrorKind::Closed));
    let options = SimpleConsumerOptions::new(&broker.address().to_string(), "g").unwrap();
    let error = SimpleConsumer::start(options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_receive_under_way_ends_with_the_shutdown() {
    let broker = broker_with(1).await;
    let consumer = simple(&broker).await;
    let waiting = tokio::spawn({
        let consumer = consumer.clone();
        async move { consumer.receive(1, HIDDEN, None).await }
    });
    until("it waits", || broker.request_count(RECEIVE) == 1).await;
    let begun = clock::instant();
    consumer.shutdown().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(500), "{took:?}");
    let error = timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
}
