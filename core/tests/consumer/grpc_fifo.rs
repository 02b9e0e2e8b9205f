//! Order over gRPC: within a message group, whatever fails; groups do not wait for each other.

use super::grpc::*;

async fn fifo_broker(queues: i32, max_attempts: i32) -> Broker {
    let broker = broker_with(queues).await;
    broker.create_group("g", GroupOptions { fifo: true, max_attempts, ..again_after(20) }).unwrap();
    broker
}

fn ordered(broker: &Broker) -> PushConsumerOptions {
    let mut options = options(broker);
    options.orderly = true;
    options
}

async fn send_to_group(producer: &Producer, group: &str, bodies: impl IntoIterator<Item = usize>) {
    for body in bodies {
        producer.send(Message::new("T", body.to_string()).message_group(group)).await.unwrap();
    }
}

#[tokio::test]
async fn a_failed_message_keeps_its_place_and_other_groups_go_on() {
    let broker = fifo_broker(2, 17).await;
    let producer = producer(&broker).await;
    send_to_group(&producer, "a", 0..10).await;
    send_to_group(&producer, "b", 100..110).await;
    let (seen, mut received) = tokio::sync::mpsc::unbounded_channel();
    let listener = move |message: MessageView| {
        let seen = seen.clone();
        async move {
            let (body, attempt) = (body(&message), message.delivery_attempt());
            let failing = body == 3 && attempt < 4;
            seen.send((body, attempt)).unwrap();
            if failing { ConsumeResult::RetryLater } else { ConsumeResult::Success }
        }
    };
    let consumer = PushConsumer::start(ordered(&broker), listener).await.unwrap();
    let mut all = Vec::new();
    while all.len() < 23 {
        all.push(timeout(PATIENCE, received.recv()).await.unwrap().unwrap());
    }
    let (a, b): (Vec<_>, Vec<_>) = all.iter().copied().partition(|(body, _)| *body < 100);
    let wanted: Vec<_> = (0..10)
        .flat_map(|n| if n == 3 { vec![(3, 1), (3, 2), (3, 3), (3, 4)] } else { vec![(n, 1)] })
        .collect();
    assert_eq!(a, wanted);
    assert_eq!(b, (100..110).map(|n| (n, 1)).collect::<Vec<_>>());
    let last_of_b = all.iter().position(|seen| *seen == (109, 1)).unwrap();
    let recovered = all.iter().position(|seen| *seen == (3, 4)).unwrap();
    assert!(last_of_b < recovered, "group b waited for group a: {all:?}");
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn after_its_last_attempt_a_message_is_a_dead_letter_and_its_group_goes_on() {
    let broker = fifo_broker(2, 3).await;
    let producer = producer(&broker).await;
    send_to_group(&producer, "a", 0..3).await;
    let (consumer, deliveries) = PushConsumer::start_stream(ordered(&broker)).await.unwrap();
    for attempt in 1..=3 {
        let delivery = next(&deliveries).await;
        assert_eq!((body(&delivery.message), delivery.message.delivery_attempt()), (0, attempt));
        delivery.settle(ConsumeResult::RetryLater);
    }
    assert_eq!(consume(&deliveries, 2).await, BTreeSet::from([1, 2]));
    assert_eq!(broker.request_count(FORWARD), 1);
    let dead = PushConsumerOptions::new(&endpoint(&broker), "dead").unwrap();
    let dead = dead.subscribe("%DLQ%g", FilterExpression::all());
    let (undertaker, dead) = PushConsumer::start_stream(dead).await.unwrap();
    assert_eq!(consume(&dead, 1).await, BTreeSet::from([0]));
    consumer.shutdown().await;
    undertaker.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_corrupted_message_does_not_hold_its_group_up() {
    let broker = fifo_broker(1, 17).await;
    let producer = producer(&broker).await;
    send_to_group(&producer, "a", 0..1).await;
    broker.inject(RECEIVE, 1, Fault::Corrupt);
    let (consumer, deliveries) = PushConsumer::start_stream(ordered(&broker)).await.unwrap();
    until("it is a dead letter", || broker.request_count(FORWARD) == 1).await;
    send_to_group(&producer, "a", 1..3).await;
    for wanted in 1..3 {
        let delivery = next(&deliveries).await;
        assert_eq!(body(&delivery.message), wanted);
        delivery.settle(ConsumeResult::Success);
    }
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn at_the_end_what_nobody_had_goes_to_the_next_member_in_order() {
    let broker = fifo_broker(2, 17).await;
    let producer = producer(&broker).await;
    send_to_group(&producer, "a", 0..5).await;
    let (consumer, deliveries) = PushConsumer::start_stream(ordered(&broker)).await.unwrap();
    let first = next(&deliveries).await;
    assert_eq!(body(&first.message), 0);
    first.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    let (consumer, deliveries) = PushConsumer::start_stream(ordered(&broker)).await.unwrap();
    for wanted in 1..5 {
        let delivery = next(&deliveries).await;
        assert_eq!(body(&delivery.message), wanted);
        delivery.settle(ConsumeResult::Success);
    }
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn order_that_the_group_does_not_keep_is_refused_to_a_simple_consumer_too() {
    let broker = broker_with(1).await;
    broker.create_group("plain", GroupOptions::default()).unwrap();
    broker.create_group("g", GroupOptions { fifo: true, ..GroupOptions::default() }).unwrap();
    let ordered = |group: &str| {
        let mut options = SimpleConsumerOptions::new(&endpoint(&broker), group).unwrap();
        options.orderly = true;
        options.subscribe("T", FilterExpression::all())
    };
    let error = SimpleConsumer::start(ordered("plain")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.text().contains("updateSubGroup"), "{error}");
    SimpleConsumer::start(ordered("g")).await.unwrap().shutdown().await;
}
