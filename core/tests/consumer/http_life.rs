//! Beginning and end of consumers over ApsaraMQ HTTP, and servers that go away in between.

use tokio::runtime::Handle;

use super::http::*;

const SERVER_ERROR: i32 = 1;
const BUSY: i32 = 2;

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn a_restart_in_the_middle_loses_nothing_and_what_was_held_is_still_acknowledged() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    let simple = simple(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    let sent = producer.send(Message::new("T", "0")).await.unwrap();
    let held = next(&deliveries).await;
    until("the next receive waits", || broker.request_count(RECEIVE) == 3).await;
    broker.restart(Duration::from_millis(300)).await.unwrap();
    held.settle(ConsumeResult::Success);
    let acknowledged =
        || broker.message_stage("T", "g", &sent.message_id) == tminus::broker::MessageStage::Acknowledged;
    until("it is acknowledged", acknowledged).await;
    send(&producer, 1..20).await;
    assert_eq!(consume(&deliveries, 19).await, (1..20).collect());
    consumer.shutdown().await;
    // The connections of before the restart are no obstacle.
    send(&producer, 20..21).await;
    assert_eq!(bodies(&receive(&simple, 1).await), [20]);
    simple.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_server_that_refuses_is_not_asked_in_a_hot_loop() {
    let refuse = |code| Fault::Refuse { code, remark: "as the test wants it".into() };
    for fault in [refuse(BUSY), refuse(SERVER_ERROR), Fault::CloseBefore, Fault::Gateway] {
        let broker = broker_with_topic().await;
        let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
        until("a receive waits", || broker.request_count(RECEIVE) == 2).await;
        broker.inject(RECEIVE, usize::MAX, fault.clone());
        let producer = producer(&broker).await;
        send(&producer, 0..1).await;
        assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([0]));
        tokio::time::sleep(SECOND).await;
        let asked = broker.request_count(RECEIVE) - 2;
        assert!((1..=15).contains(&asked), "{asked} receives in a second after {fault:?}");
        consumer.shutdown().await;
        producer.shutdown().await;
    }
}

#[tokio::test]
async fn the_end_is_at_once_but_for_listeners_whose_words_are_told() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    until("it waits for messages", || broker.request_count(RECEIVE) == 2).await;
    let begun = clock::instant();
    consumer.shutdown().await;
    consumer.shutdown().await;
    assert!(begun.elapsed() < Duration::from_millis(200), "{:?}", begun.elapsed());
    assert!(deliveries.next(1).await.is_empty());
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    let sent = producer.send(Message::new("T", "0")).await.unwrap();
    let held = next(&deliveries).await;
    assert!(timeout(QUIET, consumer.shutdown()).await.is_err(), "it waits for the handler");
    held.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    let stage = broker.message_stage("T", "g", &sent.message_id);
    assert_eq!(stage, tminus::broker::MessageStage::Acknowledged);
    producer.shutdown().await;
}

#[tokio::test]
async fn dropped_without_a_shutdown_nothing_is_left() {
    let broker = broker_with_topic().await;
    let before = tasks();
    {
        let listener = |_: MessageView| async { ConsumeResult::Success };
        let _push = PushConsumer::start(push_options(&broker), listener).await.unwrap();
        let simple = simple(&broker).await;
        let dropped = timeout(Duration::from_millis(50), simple.receive(1, HIDDEN, None));
        assert!(dropped.await.is_err());
    }
    until("no task is left", || tasks() <= before).await;
}
