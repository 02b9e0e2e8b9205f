//! Messages of a group go to one queue.

use std::collections::HashSet;

use tminus::{ErrorKind, Message, MessageQueue, SendReceipt};

use crate::support::{broker, message, producer};

fn queues<'r>(receipts: impl IntoIterator<Item = &'r SendReceipt>) -> HashSet<&'r MessageQueue> {
    receipts.into_iter().map(|receipt| &receipt.queue).collect()
}

#[tokio::test]
async fn messages_of_a_group_share_a_queue() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let grouped = |number: usize| message().message_group(format!("group-{number}"));
    let mut used = HashSet::new();
    for number in 0..20 {
        let by_send = producer.send(grouped(number)).await.unwrap();
        let by_batch = producer.send_batch(vec![grouped(number), grouped(number)], None).await.unwrap();
        let half = producer.send_transaction(grouped(number)).await.unwrap();
        let by_key = producer.send_by_key(message(), &format!("group-{number}"), None).await.unwrap();
        assert_eq!(queues([&by_send, &by_batch, half.receipt(), &by_key]).len(), 1);
        used.insert(by_send.queue);
    }
    assert_eq!(used.len(), 4, "groups are spread over all queues");
    producer.shutdown().await;
}

#[tokio::test]
async fn a_queue_that_the_caller_chose_goes_before_the_group() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let first = producer.send(message().message_group("g")).await.unwrap();
    let all = producer.queues("orders").await.unwrap();
    let other = all.iter().find(|queue| **queue != first.queue).unwrap();
    let receipt = producer.send_to_queue(message().message_group("g"), other, None).await.unwrap();
    assert_eq!(receipt.queue, *other);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_batch_has_one_message_group() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let batch =
        |groups: [&str; 2]| groups.map(|group| Message::new("orders", "x").message_group(group)).to_vec();
    for groups in [["a", "b"], ["a", ""], ["", "a"]] {
        let error = producer.send_batch(batch(groups), None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidMessage, "{groups:?}");
    }
    producer.shutdown().await;
}
