//! Members of one group share the queues; with broadcasting everybody gets everything.

use std::collections::BTreeSet;

use tminus::options::MessageModel;
use tminus::{ConsumeResult, PushConsumer};

use super::*;

#[tokio::test]
async fn two_consumers_share_a_topic_and_one_takes_over() {
    let broker = broker().await;
    broker.create_topic("T", 8).unwrap();
    let producer = producer(&broker).await;
    let (first, to_first) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    let queues_of = |consumer: &PushConsumer| {
        consumer.assigned_queues().into_iter().filter(|q| q.topic == "T").collect::<BTreeSet<_>>()
    };
    assert_eq!(queues_of(&first).len(), 8);
    let (second, to_second) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    until("half of the queues each", || queues_of(&first).len() == 4 && queues_of(&second).len() == 4).await;
    assert!(queues_of(&first).is_disjoint(&queues_of(&second)));

    send(&producer, 0..80).await;
    let (some, others) = tokio::join!(consume(&to_first, 40), consume(&to_second, 40));
    assert!(some.is_disjoint(&others));
    second.shutdown().await;
    assert!(to_second.next(1).await.is_empty());
    until("all queues again", || queues_of(&first).len() == 8).await;
    send(&producer, 80..100).await;
    assert_eq!(consume(&to_first, 20).await, (80..100).collect());
    first.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn broadcasting_reaches_every_consumer() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    send(&producer, 0..1).await;
    let mut options = options(&broker, "g");
    options.model = MessageModel::Broadcasting;
    let (first, to_first) = PushConsumer::start_stream(options.clone()).await.unwrap();
    let (second, to_second) = PushConsumer::start_stream(options).await.unwrap();
    send(&producer, 1..10).await;
    // Not consumed with success: broadcasting does not deliver again.
    next(&to_first).await.settle(ConsumeResult::RetryLater);
    let (some, others) = tokio::join!(consume(&to_first, 9), consume(&to_second, 10));
    assert_eq!((some.len(), others.len()), (9, 10));
    assert_quiet(&to_first).await;
    assert_quiet(&to_second).await;
    first.shutdown().await;
    second.shutdown().await;
    producer.shutdown().await;
}
#[tokio::test]
async fn one_message_of_a_queue_at_a_time_and_in_order() {
    let broker = broker().await;
    broker.create_topic("T", 2).unwrap();
    let producer = producer(&broker).await;
    for at in 0..20 {
        producer.send_by_key(Message::new("T", at.to_string()), &(at % 2).to_string(), None).await.unwrap();
    }
    let mut options = options(&broker, "g");
    options.orderly = true;
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    let mut seen: Vec<(i32, usize, i32)> = Vec::new();
    while seen.len() < 21 {
        let delivery = next(&deliveries).await;
        let message = &delivery.message;
        seen.push((message.queue_id, body(message), message.reconsume_times));
        let again = body(message) == 4 && message.reconsume_times == 0;
        delivery.settle(if again { ConsumeResult::RetryLater } else { ConsumeResult::Success });
    }
    for queue in [0, 1] {
        let bodies: Vec<_> = seen.iter().filter(|(q, ..)| *q == queue).map(|(_, body, _)| *body).collect();
        assert!(bodies.is_sorted(), "{bodies:?}");
    }
    assert_eq!(seen.iter().filter(|(_, body, _)| *body == 4).map(|s| s.2).collect::<Vec<_>>(), [0, 1]);
    consumer.shutdown().await;
    producer.shutdown().await;
}
