//! The push consumer over ApsaraMQ HTTP: everything is delivered, what is not acknowledged comes again by itself, and
//! handles that expire confuse nobody.

use super::http::*;

/// The request of gRPC that hides a message for longer.
const CHANGE: i32 = 200_053;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_members_with_many_listeners_consume_all_of_what_is_sent_meanwhile() {
    let broker = broker_with_topic().await;
    let (seen, mut received) = tokio::sync::mpsc::unbounded_channel();
    let listener = move |message: MessageView| {
        let seen = seen.clone();
        async move {
            tokio::task::yield_now().await;
            seen.send(body(&message)).unwrap();
            ConsumeResult::Success
        }
    };
    let mut wide = push_options(&broker);
    wide.concurrency = 64;
    let first = PushConsumer::start(wide.clone(), listener.clone()).await.unwrap();
    let second = PushConsumer::start(wide, listener).await.unwrap();
    let producer = producer(&broker).await;
    send(&producer, 0..500).await;
    let mut all = BTreeSet::new();
    let mut deliveries = 0;
    while all.len() < 500 {
        all.insert(timeout(PATIENCE, received.recv()).await.expect("no delivery").unwrap());
        deliveries += 1;
    }
    assert_eq!(deliveries, 500, "none twice");
    first.shutdown().await;
    second.shutdown().await;
    assert!(broker.request_count(ACK) < 500, "acknowledgements travel together");
    producer.shutdown().await;
}

#[tokio::test]
async fn what_is_not_consumed_comes_again_by_itself_whatever_the_handler_said() {
    let broker = virtual_broker_with_topic().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    let sent = producer.send(Message::new("T", "5").tag("x").property("colour", "red")).await.unwrap();
    let results = [ConsumeResult::RetryLater, ConsumeResult::RetryAfterLevel(1), ConsumeResult::DeadLetter];
    for (attempt, result) in (1..).zip(results) {
        let delivery = next(&deliveries).await;
        assert_eq!((delivery.message.topic.as_str(), delivery.message.delivery_attempt()), ("T", attempt));
        assert_eq!((delivery.message.tag(), delivery.message.property("colour")), (Some("x"), Some("red")));
        delivery.settle(result);
        broker.advance(HIDDEN - Duration::from_millis(1)).unwrap();
        assert_quiet(&deliveries).await;
        broker.advance(Duration::from_millis(1)).unwrap();
    }
    next(&deliveries).await.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    assert_eq!((broker.request_count(CHANGE), broker.request_count(ACK)), (0, 1));
    let stage = broker.message_stage("T", "g", &sent.message_id);
    assert_eq!(stage, tminus::broker::MessageStage::Acknowledged);
    producer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_on_the_way_everything_is_consumed() {
    let broker = hasty_broker().await;
    let listener = |message: MessageView| async move {
        let fails = body(&message).is_multiple_of(10) && message.delivery_attempt() == 1;
        if fails { ConsumeResult::RetryLater } else { ConsumeResult::Success }
    };
    let first = PushConsumer::start(push_options(&broker), listener).await.unwrap();
    let second = PushConsumer::start(push_options(&broker), listener).await.unwrap();
    let faults = [Fault::CloseBefore, Fault::CloseAfter, Fault::Gateway, Fault::Corrupt, Fault::CloseAfter];
    for fault in faults {
        broker.inject(RECEIVE, 2, fault.clone());
        broker.inject(ACK, 2, fault);
    }
    let producer = producer(&broker).await;
    let mut ids = Vec::new();
    for n in 0..300 {
        ids.push(producer.send(Message::new("T", n.to_string())).await.unwrap().message_id);
    }
    let is_consumed =
        |id: &String| broker.message_stage("T", "g", id) == tminus::broker::MessageStage::Acknowledged;
    until("all are consumed", || ids.iter().all(is_consumed)).await;
    first.shutdown().await;
    second.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn no_more_is_received_than_handlers_will_have_soon() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    send(&producer, 0..200).await;
    for (cached, concurrency, kept) in [(10, 20, 10), (1024, 2, 50)] {
        let mut limited = push_options(&broker);
        limited.group = format!("g{cached}");
        (limited.cached_messages_per_queue, limited.concurrency) = (cached, concurrency);
        let (consumer, deliveries) = PushConsumer::start_stream(limited).await.unwrap();
        let mut held = Vec::new();
        while let Ok(more) = timeout(QUIET, deliveries.next(100)).await {
            held.extend(more);
        }
        assert_eq!(held.len(), kept);
        let mut seen: BTreeSet<_> = held.iter().map(|delivery| body(&delivery.message)).collect();
        held.into_iter().for_each(|delivery| delivery.settle(ConsumeResult::Success));
        seen.extend(consume(&deliveries, 200 - kept).await);
        assert_eq!(seen.len(), 200);
        consumer.shutdown().await;
    }
    producer.shutdown().await;
}

#[tokio::test]
async fn what_waited_for_a_handler_until_its_handle_was_about_to_expire_is_not_delivered() {
    let broker = hasty_broker().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    send(&producer, 0..1).await;
    until("it waits for a handler", || broker.request_count(RECEIVE) == 3).await;
    // Three quarters of its time.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let delivery = next(&deliveries).await;
    assert_eq!(delivery.message.delivery_attempt(), 2, "the next delivery has a good handle");
    delivery.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_handler_that_takes_longer_than_the_handle_lives_gets_the_message_once() {
    let broker = hasty_broker().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    let sent = producer.send(Message::new("T", "0")).await.unwrap();
    let delivery = next(&deliveries).await;
    // The message comes again after one second: for nobody but to renew the handle.
    assert!(timeout(SECOND * 5 / 2, deliveries.next(1)).await.is_err(), "nobody gets it meanwhile");
    delivery.settle(ConsumeResult::Success);
    let consumed =
        || broker.message_stage("T", "g", &sent.message_id) == tminus::broker::MessageStage::Acknowledged;
    until("the newer handle acknowledges it", consumed).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_corrupted_body_never_reaches_a_listener() {
    let broker = virtual_broker_with_topic().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    until("a receive waits", || broker.request_count(RECEIVE) == 2).await;
    // That one ends with the first message, the next one is corrupted.
    broker.inject(RECEIVE, 1, Fault::Corrupt);
    send(&producer, 0..1).await;
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([0]));
    send(&producer, 1..2).await;
    assert_quiet(&deliveries).await;
    broker.advance(HIDDEN).unwrap();
    let delivery = next(&deliveries).await;
    assert_eq!((body(&delivery.message), delivery.message.delivery_attempt()), (1, 2));
    delivery.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_subscription_can_come_change_and_go_and_a_suspended_consumer_asks_for_nothing() {
    let broker = broker_with_topic().await;
    broker.create_topic("U", 1).unwrap();
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    consumer.subscribe("U", FilterExpression::Tag("A".into())).await.unwrap();
    assert_eq!(consumer.assigned_queues().len(), 2);
    producer.send(Message::new("U", "1").tag("A")).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([1]));
    consumer.subscribe("U", FilterExpression::Tag("B".into())).await.unwrap();
    producer.send(Message::new("U", "2").tag("A")).await.unwrap();
    producer.send(Message::new("U", "3").tag("B")).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([3]));
    consumer.unsubscribe("U").await.unwrap();
    producer.send(Message::new("U", "4").tag("B")).await.unwrap();
    assert_quiet(&deliveries).await;
    let before = broker.request_count(RECEIVE);
    consumer.suspend();
    // The receive under way ends with the first of these.
    send(&producer, 5..6).await;
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([5]));
    send(&producer, 6..9).await;
    assert_quiet(&deliveries).await;
    assert_eq!(broker.request_count(RECEIVE), before);
    consumer.resume();
    assert_eq!(consume(&deliveries, 3).await, (6..9).collect());
    consumer.shutdown().await;
    assert_eq!(kind(consumer.subscribe("U", FilterExpression::all()).await), Err(ErrorKind::Closed));
    producer.shutdown().await;
}

#[tokio::test]
async fn a_topic_that_comes_later_and_one_that_has_messages_are_consumed() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    send(&producer, 0..40).await;
    let begun = clock::instant();
    let options = push_options(&broker).subscribe("U", FilterExpression::all());
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    assert_eq!(consume(&deliveries, 40).await, (0..40).collect());
    assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
    producer.send(Message::new("U", "40")).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([40]));
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn what_http_has_no_words_for_is_refused_at_the_start() {
    let broker = broker_with_topic().await;
    let mut broadcasting = push_options(&broker);
    broadcasting.model = tminus::MessageModel::Broadcasting;
    let mut timed = push_options(&broker);
    timed.consume_from = ConsumeFrom::Timestamp(std::time::SystemTime::UNIX_EPOCH);
    let sql = push_options(&broker).subscribe("U", FilterExpression::Sql92("a > 1".into()));
    for options in [broadcasting, timed, sql] {
        let error = PushConsumer::start_stream(options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    assert_eq!(broker.request_count(RECEIVE), 0);
}
