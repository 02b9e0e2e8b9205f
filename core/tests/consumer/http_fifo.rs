//! Order over ApsaraMQ HTTP, which the consumer asks for: within a message group, whatever fails.

use super::http::*;

fn ordered(broker: &Broker) -> PushConsumerOptions {
    let mut options = push_options(broker);
    options.orderly = true;
    options
}

#[tokio::test]
async fn a_failed_message_keeps_its_place_and_other_groups_go_on() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    send_to_group(&producer, "a", 0..30).await;
    send_to_group(&producer, "b", 100..130).await;
    let (seen, mut received) = tokio::sync::mpsc::unbounded_channel();
    let listener = move |message: MessageView| {
        let seen = seen.clone();
        async move {
            let (body, attempt) = (body(&message), message.delivery_attempt());
            seen.send((body, attempt)).unwrap();
            if body == 3 && attempt == 1 { ConsumeResult::RetryLater } else { ConsumeResult::Success }
        }
    };
    let consumer = PushConsumer::start(ordered(&broker), listener).await.unwrap();
    let mut all = Vec::new();
    while all.len() < 61 {
        all.push(timeout(PATIENCE, received.recv()).await.unwrap().unwrap());
    }
    let (a, b): (Vec<_>, Vec<_>) = all.iter().copied().partition(|(body, _)| *body < 100);
    let wanted: Vec<_> =
        (0..30).flat_map(|n| if n == 3 { vec![(3, 1), (3, 2)] } else { vec![(n, 1)] }).collect();
    assert_eq!(a, wanted);
    assert_eq!(b, (100..130).map(|n| (n, 1)).collect::<Vec<_>>());
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn what_only_the_server_can_give_up_comes_again_with_those_behind_it() {
    let broker = virtual_broker_with_topic().await;
    let producer = producer(&broker).await;
    send_to_group(&producer, "a", 0..4).await;
    let (consumer, deliveries) = PushConsumer::start_stream(ordered(&broker)).await.unwrap();
    let first = next(&deliveries).await;
    assert_eq!(body(&first.message), 0);
    first.settle(ConsumeResult::Success);
    let poison = next(&deliveries).await;
    assert_eq!(body(&poison.message), 1);
    poison.settle(ConsumeResult::DeadLetter);
    assert_quiet(&deliveries).await;
    broker.advance(HIDDEN).unwrap();
    for wanted in 1..4 {
        let delivery = next(&deliveries).await;
        assert_eq!((body(&delivery.message), delivery.message.delivery_attempt()), (wanted, 2));
        delivery.settle(ConsumeResult::Success);
    }
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn nothing_overtakes_a_corrupted_message_of_its_group() {
    let broker = virtual_broker_with_topic().await;
    let producer = producer(&broker).await;
    send_to_group(&producer, "a", 0..3).await;
    broker.inject(RECEIVE, 1, Fault::Corrupt);
    let (consumer, deliveries) = PushConsumer::start_stream(ordered(&broker)).await.unwrap();
    assert_quiet(&deliveries).await;
    broker.advance(HIDDEN).unwrap();
    for wanted in 0..3 {
        let delivery = next(&deliveries).await;
        assert_eq!(body(&delivery.message), wanted);
        delivery.settle(ConsumeResult::Success);
    }
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_message_whose_handler_is_slow_holds_its_group_beyond_the_life_of_the_handles() {
    let broker = hasty_broker().await;
    let producer = producer(&broker).await;
    send_to_group(&producer, "a", 0..3).await;
    let (consumer, deliveries) = PushConsumer::start_stream(ordered(&broker)).await.unwrap();
    let slow = next(&deliveries).await;
    assert!(timeout(SECOND * 3 / 2, deliveries.next(1)).await.is_err(), "1 waits for 0");
    slow.settle(ConsumeResult::Success);
    let mut seen = Vec::new();
    while seen.last() != Some(&2) {
        let delivery = next(&deliveries).await;
        seen.push(body(&delivery.message));
        delivery.settle(ConsumeResult::Success);
    }
    assert_eq!(seen, [1, 2]);
    consumer.shutdown().await;
    producer.shutdown().await;
}
