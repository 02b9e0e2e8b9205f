//! What administrators ask of a consumer through the broker.

use tminus::codec::remoting::Frame;
use tminus::codec::remoting::body::{ConsumeDirectlyResult, ConsumerRunningInfo, JsonBody, QueueKey};
use tminus::codec::remoting::codes::{request, response};

use super::peer::Peer;
use super::*;

#[tokio::test]
async fn a_consumer_tells_how_it_runs() {
    let broker = broker().await;
    let (consumer, _deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    broker.create_topic("T", 3).unwrap();
    until("T is assigned", || consumer.assigned_queues().iter().filter(|q| q.topic == "T").count() == 3)
        .await;
    let mut admin = Peer::connect(broker.address()).await;
    let question = Frame::request(request::GET_CONSUMER_RUNNING_INFO)
        .with("consumerGroup", "g")
        .with("clientId", consumer.client_id());
    let answer = admin.call(question).await;
    assert_eq!(answer.code, response::SUCCESS, "{:?}", answer.remark);
    let info = ConsumerRunningInfo::decode(&answer.body).unwrap();
    let queues: Vec<_> = info.mq_table.keys().filter_map(|key| QueueKey::from_key(key)).collect();
    assert_eq!(queues.iter().filter(|queue| queue.topic == "T").count(), 3);
    assert!(info.subscription_set.iter().any(|subscription| subscription.topic == "T"));
    consumer.shutdown().await;
}

#[tokio::test]
async fn one_message_is_consumed_directly() {
    let broker = broker().await;
    broker.create_topic("T", 1).unwrap();
    let producer = producer(&broker).await;
    let listener = |message: MessageView| async move {
        if body(&message) == 1 { ConsumeResult::Success } else { ConsumeResult::RetryLater }
    };
    let consumer = PushConsumer::start(options(&broker, "g"), listener).await.unwrap();
    let mut admin = Peer::connect(broker.address()).await;
    for (body, result) in [("1", "CR_SUCCESS"), ("2", "CR_LATER")] {
        let sent = producer.send(Message::new("T", body)).await.unwrap();
        let question = Frame::request(request::CONSUME_MESSAGE_DIRECTLY)
            .with("consumerGroup", "g")
            .with("clientId", consumer.client_id())
            .with("msgId", sent.offset_message_id);
        let answer = admin.call(question).await;
        assert_eq!(answer.code, response::SUCCESS, "{:?}", answer.remark);
        assert_eq!(ConsumeDirectlyResult::decode(&answer.body).unwrap().consume_result, result);
    }
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_reset_goes_backwards_and_stays() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    send(&producer, 0..10).await;
    let mut options = options(&broker, "g");
    options.long_poll = Duration::from_millis(50);
    let (consumer, deliveries) = PushConsumer::start_stream(options.clone()).await.unwrap();
    consume(&deliveries, 10).await;
    let mut admin = Peer::connect(broker.address()).await;
    let question = Frame::request(request::INVOKE_BROKER_TO_RESET_OFFSET)
        .with("topic", "T")
        .with("group", "g")
        .with("timestamp", 0)
        .with("isForce", true);
    assert_eq!(admin.call(question).await.code, response::SUCCESS);
    assert_eq!(consume(&deliveries, 10).await.len(), 10);
    consumer.shutdown().await;
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}
