//! Beginning and end over gRPC: fast, complete, and nothing is left behind.

use tminus::clock;
use tokio::runtime::Handle;

use super::grpc::*;

/// Tasks of this test and open files of this process.
fn left() -> (usize, usize) {
    (Handle::current().metrics().num_alive_tasks(), std::fs::read_dir("/proc/self/fd").unwrap().count())
}

#[tokio::test]
async fn an_idle_consumer_stops_at_once() {
    let broker = broker_with(4).await;
    let (consumer, _) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    until("it waits for messages", || broker.request_count(RECEIVE) == 1).await;
    let begun = clock::instant();
    consumer.shutdown().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(100), "{took:?}");
    consumer.shutdown().await;
}

#[tokio::test]
async fn the_end_waits_for_listeners_and_tells_what_they_said() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    send(&producer, 0..2).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    let held = next(&deliveries).await;
    let mine = body(&held.message);
    assert!(timeout(QUIET, consumer.shutdown()).await.is_err(), "it waits for the handler");
    held.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    assert!(deliveries.next(1).await.is_empty());
    // What nobody had is there for the next member at once.
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([1 - mine]));
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn dropped_without_a_shutdown_nothing_is_left() {
    let broker = broker_with(1).await;
    let before = left().0;
    {
        let listener = |_: MessageView| async { ConsumeResult::Success };
        let _push = PushConsumer::start(options(&broker), listener).await.unwrap();
        let simple = simple(&broker).await;
        assert!(simple.receive(1, HIDDEN, Some(Duration::from_millis(10))).await.unwrap().is_empty());
    }
    until("no task is left", || left().0 <= before).await;
}
