//! The push consumer over gRPC: what it delivers, when, and how often.

use tminus::broker::ClientCommand;
use tminus::clock;

use super::grpc::*;

#[tokio::test]
async fn everything_is_consumed_once_and_acknowledged_together() {
    let broker = broker_with(4).await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    send(&producer, 0..300).await;
    let mut held = Vec::new();
    while held.len() < 300 {
        held.extend(timeout(PATIENCE, deliveries.next(300)).await.expect("no delivery"));
    }
    let seen: BTreeSet<_> = held.iter().map(|delivery| body(&delivery.message)).collect();
    assert_eq!(seen, (0..300).collect());
    held.into_iter().for_each(|delivery| delivery.settle(ConsumeResult::Success));
    consumer.shutdown().await;
    let requests = broker.request_count(ACK);
    assert!(requests <= 30, "{requests} requests for 300 messages");
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_topic_that_comes_later_is_waited_for() {
    let broker = broker().await;
    let mut waiting = options(&broker);
    waiting.rebalance_interval = Duration::from_millis(50);
    let (consumer, deliveries) = PushConsumer::start_stream(waiting).await.unwrap();
    broker.create_topic("T", 1).unwrap();
    let producer = producer(&broker).await;
    send(&producer, 0..5).await;
    assert_eq!(consume(&deliveries, 5).await.len(), 5);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn tags_and_sql92_filter() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    for (at, tag) in ["A", "B", "C"].iter().enumerate() {
        let message = Message::new("T", at.to_string()).tag(*tag).property("size", (at * 10).to_string());
        producer.send(message).await.unwrap();
    }
    let filters = [
        ("tags", FilterExpression::Tag("A || C".into()), BTreeSet::from([0, 2])),
        ("sql", FilterExpression::Sql92("size >= 10".into()), BTreeSet::from([1, 2])),
    ];
    for (group, filter, wanted) in filters {
        let options = PushConsumerOptions::new(&endpoint(&broker), group).unwrap().subscribe("T", filter);
        let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
        assert_eq!(consume(&deliveries, 2).await, wanted);
        assert_quiet(&deliveries).await;
        consumer.shutdown().await;
    }
    producer.shutdown().await;
}

#[tokio::test]
async fn an_expression_that_the_server_cannot_read_is_refused_at_once() {
    let broker = broker_with(1).await;
    let sql = |expression: &str| FilterExpression::Sql92(expression.into());
    let bad = PushConsumerOptions::new(&endpoint(&broker), "g").unwrap().subscribe("T", sql("size >"));
    let error = PushConsumer::start_stream(bad).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidArgument, "start"), "{error}");
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    let error = consumer.subscribe("T", sql("size")).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidArgument, "subscribe"), "{error}");
    // The earlier subscription holds.
    let producer = producer(&broker).await;
    send(&producer, 0..1).await;
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([0]));
    consumer.subscribe("T", sql("size > 1")).await.unwrap();
    producer.send(Message::new("T", "1").property("size", "1")).await.unwrap();
    producer.send(Message::new("T", "2").property("size", "2")).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([2]));
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn subscriptions_come_and_go() {
    let broker = broker_with(1).await;
    broker.create_topic("U", 1).unwrap();
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    producer.send(Message::new("U", "1")).await.unwrap();
    consumer.subscribe("U", FilterExpression::all()).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([1]));
    consumer.unsubscribe("U").await.unwrap();
    assert!(consumer.assigned_queues().iter().all(|queue| queue.topic == "T"));
    producer.send(Message::new("U", "2")).await.unwrap();
    send(&producer, 3..4).await;
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([3]));
    assert_quiet(&deliveries).await;
    // Another filter for the same topic counts from now on.
    consumer.subscribe("T", FilterExpression::Tag("A".into())).await.unwrap();
    until("received with the new filter", || !consumer.assigned_queues().is_empty()).await;
    producer.send(Message::new("T", "4")).await.unwrap();
    producer.send(Message::new("T", "5").tag("A")).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([5]));
    consumer.shutdown().await;
    let error = consumer.subscribe("U", FilterExpression::all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    producer.shutdown().await;
}

#[tokio::test]
async fn suspended_nothing_new_is_received() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    send(&producer, 0..1).await;
    consume(&deliveries, 1).await;
    until("the next receive waits", || broker.request_count(RECEIVE) == 2).await;
    consumer.suspend();
    // The receive under way ends with the first of these.
    send(&producer, 1..2).await;
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([1]));
    send(&producer, 2..5).await;
    assert_quiet(&deliveries).await;
    consumer.resume();
    assert_eq!(consume(&deliveries, 3).await, (2..5).collect());
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn no_more_is_received_than_may_be_kept() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    send(&producer, 0..100).await;
    let mut limited = options(&broker);
    limited.cached_messages_per_queue = 10;
    let (consumer, deliveries) = PushConsumer::start_stream(limited).await.unwrap();
    let mut held = Vec::new();
    while let Ok(more) = timeout(QUIET, deliveries.next(100)).await {
        held.extend(more);
    }
    assert_eq!(held.len(), 10);
    let mut seen: BTreeSet<_> = held.iter().map(|delivery| body(&delivery.message)).collect();
    held.into_iter().for_each(|delivery| delivery.settle(ConsumeResult::Success));
    seen.extend(consume(&deliveries, 90).await);
    assert_eq!(seen.len(), 100);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn no_more_bytes_are_received_than_may_be_kept() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    for _ in 0..40 {
        producer.send(Message::new("T", vec![b'x'; 1000])).await.unwrap();
    }
    let mut limited = options(&broker);
    (limited.cached_bytes_per_queue, limited.pull_batch) = (10_000, 4);
    let (consumer, deliveries) = PushConsumer::start_stream(limited).await.unwrap();
    let mut held = Vec::new();
    while let Ok(more) = timeout(QUIET, deliveries.next(100)).await {
        held.extend(more);
    }
    assert_eq!(held.len(), 10);
    drop(held);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn what_is_not_consumed_comes_again_by_the_groups_backoff_and_becomes_a_dead_letter() {
    let broker = virtual_broker_with(1).await;
    let producer = producer(&broker).await;
    let mut three = options(&broker);
    three.max_reconsume_times = 2;
    let (consumer, deliveries) = PushConsumer::start_stream(three).await.unwrap();
    let sent = producer.send(Message::new("T", "5").tag("x")).await.unwrap();
    for (attempt, backoff) in [(1, 1), (2, 5)] {
        let delivery = next(&deliveries).await;
        assert_eq!((delivery.message.topic.as_str(), delivery.message.delivery_attempt()), ("T", attempt));
        assert_eq!(
            (delivery.message.message_id.as_str(), delivery.message.tag()),
            (&*sent.message_id, Some("x"))
        );
        delivery.settle(ConsumeResult::RetryLater);
        until("it is hidden", || broker.request_count(CHANGE) == attempt as u64).await;
        broker.advance(Duration::from_millis(backoff * 1000 - 1)).unwrap();
        assert_quiet(&deliveries).await;
        broker.advance(Duration::from_millis(1)).unwrap();
    }
    next(&deliveries).await.settle(ConsumeResult::RetryLater);
    until("it is given up", || broker.request_count(FORWARD) == 1).await;
    let dead = PushConsumerOptions::new(&endpoint(&broker), "dead").unwrap();
    let dead = dead.subscribe("%DLQ%g", FilterExpression::all());
    let (undertaker, dead) = PushConsumer::start_stream(dead).await.unwrap();
    assert_eq!(consume(&dead, 1).await, BTreeSet::from([5]));
    consumer.shutdown().await;
    undertaker.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn dropped_means_again_a_level_means_its_time_and_given_up_means_dead() {
    let broker = virtual_broker_with(1).await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    send(&producer, 0..1).await;
    drop(next(&deliveries).await);
    until("it is hidden", || broker.request_count(CHANGE) == 1).await;
    broker.advance(Duration::from_secs(1)).unwrap();
    next(&deliveries).await.settle(ConsumeResult::RetryAfterLevel(5));
    until("it is hidden", || broker.request_count(CHANGE) == 2).await;
    broker.advance(Duration::from_secs(59)).unwrap();
    assert_quiet(&deliveries).await;
    broker.advance(Duration::from_secs(1)).unwrap();
    next(&deliveries).await.settle(ConsumeResult::DeadLetter);
    until("it is given up", || broker.request_count(FORWARD) == 1).await;
    broker.advance(Duration::from_secs(86_400)).unwrap();
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_listener_that_panics_or_says_nothing_gets_the_message_again() {
    let broker = broker_with(1).await;
    broker.create_group("g", again_after(10)).unwrap();
    let producer = producer(&broker).await;
    let (seen, mut received) = tokio::sync::mpsc::unbounded_channel();
    let listener = move |message: MessageView| {
        let seen = seen.clone();
        async move {
            let first = message.delivery_attempt() == 1;
            seen.send((body(&message), message.delivery_attempt())).unwrap();
            assert!(!(first && body(&message) == 7), "as the test wants it");
            if first && body(&message) == 8 {
                std::future::pending::<()>().await;
            }
            ConsumeResult::Success
        }
    };
    let mut options = options(&broker);
    options.consume_timeout = Duration::from_millis(200);
    let consumer = PushConsumer::start(options, listener).await.unwrap();
    send(&producer, 0..10).await;
    let mut all = BTreeSet::new();
    while all.len() < 12 {
        all.insert(timeout(PATIENCE, received.recv()).await.unwrap().unwrap());
    }
    assert!(all.contains(&(7, 2)) && all.contains(&(8, 2)), "{all:?}");
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_corrupted_body_never_reaches_a_listener() {
    let broker = broker_with(1).await;
    broker.create_group("g", again_after(10)).unwrap();
    let producer = producer(&broker).await;
    send(&producer, 0..1).await;
    broker.inject(RECEIVE, 2, Fault::Corrupt);
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    // It comes whole in the end.
    let delivery = next(&deliveries).await;
    assert_eq!((body(&delivery.message), delivery.message.delivery_attempt()), (0, 3));
    delivery.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_delayed_message_comes_when_it_is_due() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    producer.send(Message::new("T", "1").deliver_after(Duration::from_millis(400))).await.unwrap();
    let delivery = next(&deliveries).await;
    let lateness = tminus::Clock::real().now_ms() - delivery.message.deliver_at_ms().unwrap();
    assert!((0..500).contains(&lateness), "{lateness} ms late");
    delivery.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_listener_consumes_a_message_that_an_operator_wants_to_see_consumed() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    let sent = producer.send(Message::new("T", "1").property("colour", "red")).await.unwrap();
    let (seen, mut received) = tokio::sync::mpsc::unbounded_channel();
    let listener = move |message: MessageView| {
        let seen = seen.clone();
        async move {
            let again = message.property("colour") == Some("red");
            seen.send((message.topic.clone(), body(&message))).unwrap();
            if again { ConsumeResult::Success } else { ConsumeResult::RetryLater }
        }
    };
    let consumer = PushConsumer::start(options(&broker), listener).await.unwrap();
    assert_eq!(timeout(PATIENCE, received.recv()).await.unwrap(), Some(("T".into(), 1)));
    let plain = producer.send(Message::new("T", "2")).await.unwrap();
    for (id, code) in [(&sent.message_id, 20_000), (&plain.message_id, 60_000)] {
        let command = ClientCommand::VerifyMessage { topic: "T".into(), message_id: id.clone() };
        let reply =
            timeout(PATIENCE, broker.ask_client(consumer.client_id(), command)).await.unwrap().unwrap();
        assert_eq!(reply.code, code, "{}", reply.text);
    }
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn what_grpc_has_no_words_for_is_refused() {
    let broker = broker_with(1).await;
    let mut broadcasting = options(&broker);
    broadcasting.model = tminus::MessageModel::Broadcasting;
    let mut timed = options(&broker);
    timed.consume_from = ConsumeFrom::Timestamp(std::time::SystemTime::UNIX_EPOCH);
    for options in [broadcasting, timed] {
        let error = PushConsumer::start_stream(options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    broker.create_group("g", GroupOptions::default()).unwrap();
    let mut ordered = options(&broker);
    ordered.orderly = true;
    let error = PushConsumer::start_stream(ordered).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.text().contains("updateSubGroup"), "{error}");
}

#[tokio::test]
async fn the_first_message_is_there_soon_after_the_start() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    send(&producer, 0..1).await;
    let begun = clock::instant();
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    next(&deliveries).await.settle(ConsumeResult::Success);
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(500), "{took:?}");
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_members_with_many_listeners_consume_all_of_what_is_sent_meanwhile() {
    let broker = broker_with(4).await;
    let (seen, mut received) = tokio::sync::mpsc::unbounded_channel();
    let listener = move |message: MessageView| {
        let seen = seen.clone();
        async move {
            tokio::task::yield_now().await;
            seen.send(body(&message)).unwrap();
            ConsumeResult::Success
        }
    };
    let mut wide = options(&broker);
    wide.concurrency = 64;
    let first = PushConsumer::start(wide.clone(), listener.clone()).await.unwrap();
    let second = PushConsumer::start(wide, listener).await.unwrap();
    let producer = producer(&broker).await;
    let sending = (0..5).map(|part| {
        let producer = producer.clone();
        async move { send(&producer, part * 200..(part + 1) * 200).await }
    });
    futures_util::future::join_all(sending).await;
    let mut all = BTreeSet::new();
    let mut deliveries = 0;
    while all.len() < 1000 {
        all.insert(timeout(PATIENCE, received.recv()).await.expect("no delivery").unwrap());
        deliveries += 1;
    }
    assert_eq!(deliveries, 1000, "none twice");
    first.shutdown().await;
    second.shutdown().await;
    producer.shutdown().await;
}
