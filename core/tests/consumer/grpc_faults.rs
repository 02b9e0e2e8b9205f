//! Proxies that fail, refuse, or go away in the middle: nothing is lost, and nobody is asked in a hot loop.

use super::grpc::*;

const BUSY: i32 = 42_900;
const SERVER_ERROR: i32 = 50_001;

#[tokio::test]
async fn a_restart_in_the_middle_of_a_receive_loses_nothing() {
    let broker = broker_with(2).await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    send(&producer, 0..20).await;
    let mut seen = consume(&deliveries, 20).await;
    until("a receive waits", || broker.request_count(RECEIVE) >= 2).await;
    broker.restart(Duration::from_millis(300)).await.unwrap();
    send(&producer, 20..40).await;
    while seen.len() < 40 {
        seen.extend(consume(&deliveries, 1).await);
    }
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn what_was_held_during_a_restart_is_still_settled() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    let sent = producer.send(Message::new("T", "0")).await.unwrap();
    let held = next(&deliveries).await;
    broker.restart(Duration::from_millis(300)).await.unwrap();
    held.settle(ConsumeResult::Success);
    let stage = || broker.message_stage("T", "g", &sent.message_id);
    until("it is acknowledged", || stage() == tminus::broker::MessageStage::Acknowledged).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_lost_answer_to_a_receive_loses_no_message() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    send(&producer, 0..5).await;
    broker.inject(RECEIVE, 1, Fault::CloseBefore);
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    assert_eq!(consume(&deliveries, 5).await.len(), 5);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_proxy_that_refuses_is_not_asked_in_a_hot_loop() {
    for fault in [refuse(BUSY), refuse(SERVER_ERROR), Fault::CloseBefore] {
        let broker = broker_with(1).await;
        broker.inject(RECEIVE, usize::MAX, fault.clone());
        let (consumer, _) = PushConsumer::start_stream(options(&broker)).await.unwrap();
        let before = broker.request_count(RECEIVE);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = broker.request_count(RECEIVE) - before;
        assert!((1..=15).contains(&asked), "{asked} receives in a second after {fault:?}");
        consumer.shutdown().await;
    }
}

#[tokio::test]
async fn a_flow_limit_is_told_to_a_simple_consumer() {
    let broker = broker_with(1).await;
    broker.inject(RECEIVE, 1, refuse(BUSY));
    let consumer = simple(&broker).await;
    let error = consumer.receive(1, HIDDEN, None).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::Busy, Some(BUSY)));
    assert!(error.is_retryable());
    consumer.shutdown().await;
}

#[tokio::test]
async fn what_became_of_a_message_is_told_until_it_is_heard() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    for (code, count) in [(ACK, ConsumeResult::Success), (FORWARD, ConsumeResult::DeadLetter)] {
        broker.inject(code, 2, refuse(SERVER_ERROR));
        let sent = producer.send(Message::new("T", "0")).await.unwrap();
        next(&deliveries).await.settle(count);
        let stage = || broker.message_stage("T", "g", &sent.message_id);
        until("it is heard", || stage() == tminus::broker::MessageStage::Acknowledged).await;
        assert_eq!(broker.request_count(code), 3);
    }
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn an_acknowledgement_that_is_refused_for_good_is_given_up() {
    let broker = broker_with(1).await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker)).await.unwrap();
    broker.inject(ACK, 1, refuse(40_013));
    send(&producer, 0..1).await;
    next(&deliveries).await.settle(ConsumeResult::Success);
    until("it is refused", || broker.request_count(ACK) == 1).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(broker.request_count(ACK), 1, "the handle is no better the second time");
    consumer.shutdown().await;
    producer.shutdown().await;
}
