//! Where a group goes on: after a shutdown, a crash of the broker, an end in the middle of the work.

use tminus::codec::remoting::codes::request;

use super::*;

#[tokio::test]
async fn a_group_goes_on_where_it_stopped() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    send(&producer, 0..20).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    consume(&deliveries, 20).await;
    consumer.shutdown().await;
    consumer.shutdown().await;
    send(&producer, 20..25).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    assert_eq!(consume(&deliveries, 5).await, (20..25).collect());
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_new_group_begins_at_a_time() {
    let broker = virtual_broker().await;
    broker.create_topic("T", 2).unwrap();
    let producer = producer(&broker).await;
    send(&producer, 0..10).await;
    broker.advance(Duration::from_secs(60)).unwrap();
    let between = broker.clock().now();
    broker.advance(Duration::from_secs(60)).unwrap();
    send(&producer, 10..20).await;
    let mut options = options(&broker, "g");
    options.consume_from = ConsumeFrom::Timestamp(between);
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    assert_eq!(consume(&deliveries, 10).await, (10..20).collect());
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_restart_of_the_broker_loses_nothing() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    send(&producer, 0..100).await;
    let mut seen = consume(&deliveries, 50).await;
    broker.restart(Duration::from_millis(500)).await.unwrap();
    let up = tminus::clock::instant();
    send(&producer, 100..200).await;
    while seen.len() < 200 {
        seen.extend(consume(&deliveries, 1).await);
    }
    let took = tminus::clock::instant().duration_since(up);
    assert!(took < Duration::from_secs(3), "{took:?}");
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn what_handlers_have_at_the_end_is_waited_for_and_the_rest_comes_again() {
    let broker = broker().await;
    broker.create_topic("T", 1).unwrap();
    let producer = producer(&broker).await;
    send(&producer, 0..10).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    let mut taken = Vec::new();
    while taken.len() < 4 {
        taken.push(next(&deliveries).await);
    }
    let shutdown = tokio::spawn({
        let consumer = consumer.clone();
        async move { consumer.shutdown().await }
    });
    tokio::task::yield_now().await;
    assert_quiet(&deliveries).await;
    taken.into_iter().for_each(|delivery| delivery.settle(ConsumeResult::Success));
    timeout(Duration::from_secs(2), shutdown).await.expect("the shutdown waits for nothing else").unwrap();
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    assert_eq!(consume(&deliveries, 6).await, (4..10).collect());
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_handler_that_hangs_does_not_hang_the_shutdown() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    send(&producer, 0..1).await;
    let (begun, mut handling) = tokio::sync::mpsc::unbounded_channel();
    let listener = move |_: MessageView| {
        begun.send(()).unwrap();
        std::future::pending::<ConsumeResult>()
    };
    let consumer = PushConsumer::start(options(&broker, "g"), listener).await.unwrap();
    handling.recv().await.unwrap();
    timeout(Duration::from_secs(9), consumer.shutdown()).await.expect("bounded");
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([0]));
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn the_stored_offset_never_passes_an_unsettled_message() {
    let broker = broker().await;
    broker.create_topic("T", 1).unwrap();
    let producer = producer(&broker).await;
    send(&producer, 0..10).await;
    let mut options = options(&broker, "g");
    options.offset_commit_interval = Duration::from_millis(10);
    let (consumer, deliveries) = PushConsumer::start_stream(options.clone()).await.unwrap();
    let mut held = None;
    for _ in 0..10 {
        let delivery = next(&deliveries).await;
        match body(&delivery.message) {
            3 => held = Some(delivery),
            _ => delivery.settle(ConsumeResult::Success),
        }
    }
    until("an offset is stored", || broker.request_count(request::UPDATE_CONSUMER_OFFSET) > 0).await;
    send(&producer, 10..11).await;
    consume(&deliveries, 1).await;
    // A crash.
    std::mem::forget(held);
    drop(consumer);
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    let mut seen = BTreeSet::new();
    while !seen.is_superset(&(3..11).collect()) {
        seen.extend(consume(&deliveries, 1).await);
    }
    assert!(!seen.contains(&0), "no offset was stored");
    consumer.shutdown().await;
    producer.shutdown().await;
}
