//! What is not consumed with success comes again, and in the end becomes a dead letter. Nothing is lost on the way.

use tminus::FilterExpression;
use tminus::broker::Fault;
use tminus::codec::remoting::codes::{request, response};

use super::*;

#[tokio::test]
async fn a_message_is_retried_by_the_brokers_schedule_and_becomes_a_dead_letter() {
    let broker = virtual_broker().await;
    let producer = producer(&broker).await;
    let mut options = options(&broker, "g");
    options.max_reconsume_times = 2;
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    let sent = producer.send(Message::new("T", "5").tag("x")).await.unwrap();
    for (times, delay) in [(0, 10), (1, 30)] {
        let delivery = next(&deliveries).await;
        assert_eq!((delivery.message.topic.as_str(), delivery.message.reconsume_times), ("T", times));
        assert_eq!(delivery.message.message_id, sent.message_id);
        delivery.settle(ConsumeResult::RetryLater);
        until("the retry waits", || broker.pending().len() == 1).await;
        broker.advance(Duration::from_millis(delay * 1000 - 1)).unwrap();
        assert_quiet(&deliveries).await;
        broker.advance(Duration::from_millis(1)).unwrap();
    }
    next(&deliveries).await.settle(ConsumeResult::RetryLater);
    let mut dead = PushConsumerOptions::new(&broker.address().to_string(), "dead").unwrap();
    dead.consume_from = ConsumeFrom::FirstOffset;
    let dead = dead.subscribe("%DLQ%g", FilterExpression::all());
    let (undertaker, dead) = PushConsumer::start_stream(dead).await.unwrap();
    assert_eq!(consume(&dead, 1).await, BTreeSet::from([5]));
    consumer.shutdown().await;
    undertaker.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn dropped_means_again_and_given_up_means_dead() {
    let broker = virtual_broker().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    send(&producer, 0..1).await;
    drop(next(&deliveries).await);
    until("the retry waits", || broker.pending().len() == 1).await;
    broker.advance(Duration::from_secs(10)).unwrap();
    next(&deliveries).await.settle(ConsumeResult::RetryAfterLevel(5));
    until("the retry waits", || broker.pending().len() == 1).await;
    broker.advance(Duration::from_secs(60)).unwrap();
    next(&deliveries).await.settle(ConsumeResult::DeadLetter);
    until("it is given back", || broker.request_count(request::CONSUMER_SEND_MSG_BACK) == 3).await;
    broker.advance(Duration::from_secs(86_400)).unwrap();
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn what_cannot_be_given_back_is_published_to_the_retry_topic() {
    let broker = virtual_broker().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    let refuse = || Fault::Refuse { code: response::SYSTEM_ERROR, remark: "as the test wants it".into() };
    broker.inject(request::CONSUMER_SEND_MSG_BACK, 1, refuse());
    let sent = producer.send(Message::new("T", "5").tag("x")).await.unwrap();
    next(&deliveries).await.settle(ConsumeResult::RetryLater);
    until("the copy waits", || broker.pending().len() == 1).await;
    broker.advance(Duration::from_secs(10)).unwrap();
    let again = next(&deliveries).await;
    let message = &again.message;
    assert_eq!((message.topic.as_str(), message.tag(), message.reconsume_times), ("T", Some("x"), 1));
    assert_eq!(message.message_id, sent.message_id);
    again.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    producer.shutdown().await;
}

/// The worst of the peers' defects: a failed message whose retry cannot be stored, and an offset that goes on.
#[tokio::test]
async fn what_cannot_be_stored_for_retry_is_not_lost() {
    let broker = broker().await;
    broker.create_topic("T", 1).unwrap();
    let producer = producer(&broker).await;
    let mut options = options(&broker, "g");
    options.offset_commit_interval = Duration::from_millis(50);
    let (consumer, deliveries) = PushConsumer::start_stream(options.clone()).await.unwrap();
    send(&producer, 0..3).await;
    let refuse = || Fault::Refuse { code: response::SYSTEM_ERROR, remark: "as the test wants it".into() };
    broker.inject(request::CONSUMER_SEND_MSG_BACK, usize::MAX, refuse());
    broker.inject(request::SEND_MESSAGE_V2, usize::MAX, refuse());
    for _ in 0..3 {
        let delivery = next(&deliveries).await;
        let fails = body(&delivery.message) == 1;
        delivery.settle(if fails { ConsumeResult::RetryLater } else { ConsumeResult::Success });
    }
    // It comes again here, without the broker's help.
    let again = next(&deliveries).await;
    assert_eq!(body(&again.message), 1);
    // And after a crash it comes again from the broker.
    drop(consumer);
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    assert_eq!(body(&next(&deliveries).await.message), 1);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_message_held_for_too_long_is_taken_back() {
    let broker = virtual_broker().await;
    let producer = producer(&broker).await;
    let mut options = options(&broker, "g");
    options.offset_commit_interval = Duration::from_millis(20);
    options.consume_timeout = Duration::from_millis(100);
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    send(&producer, 0..1).await;
    let held = next(&deliveries).await;
    until("the retry waits", || broker.pending().len() == 1).await;
    held.settle(ConsumeResult::Success);
    broker.advance(Duration::from_secs(10)).unwrap();
    assert_eq!(next(&deliveries).await.message.reconsume_times, 1);
    consumer.shutdown().await;
    producer.shutdown().await;
}
