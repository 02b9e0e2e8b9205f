//! SQL92 expressions: what is wrong with them is known at the start.

use tminus::broker::Fault;
use tminus::codec::remoting::codes::{request, response};
use tminus::{ErrorKind, MessageModel};

use super::*;

fn sql(broker: &Broker, expression: &str) -> PushConsumerOptions {
    options(broker, "g").subscribe("T", FilterExpression::Sql92(expression.into()))
}

#[tokio::test]
async fn an_expression_that_cannot_be_read_ends_the_start_with_its_place() {
    let broker = broker().await;
    broker.create_topic("T", 1).unwrap();
    let error = PushConsumer::start_stream(sql(&broker, "weight >")).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidArgument, "start"));
    assert!(error.text().contains("found the end, at character 9"), "{error}");
    assert_eq!(broker.request_count(request::HEART_BEAT), 0, "the group would have had the bad filter");
    let (consumer, deliveries) = PushConsumer::start_stream(sql(&broker, "weight > 1")).await.unwrap();
    let error = consumer.subscribe("T", FilterExpression::Sql92("weight".into())).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidArgument, "subscribe"));
    let producer = producer(&broker).await;
    producer.send(Message::new("T", "1").property("weight", "1")).await.unwrap();
    producer.send(Message::new("T", "2").property("weight", "2")).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, [2].into());
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_broker_that_takes_no_expressions_is_told_from_a_bad_one() {
    let broker = broker().await;
    broker.create_topic("T", 1).unwrap();
    let remark = "The broker does not support consumer to filter message by SQL92";
    let fault = Fault::Refuse { code: response::SYSTEM_ERROR, remark: remark.into() };
    broker.inject(request::CHECK_CLIENT_CONFIG, 1, fault);
    let error = PushConsumer::start_stream(sql(&broker, "weight > 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.text().contains("enablePropertyFilter"), "{error}");
}

/// The connection that the question opened was taken for one that knows the group.
#[tokio::test]
async fn a_broadcasting_consumer_signs_on_after_its_filter_was_checked() {
    let broker = broker().await;
    broker.create_topic("T", 1).unwrap();
    let mut options = sql(&broker, "weight > 1");
    options.model = MessageModel::Broadcasting;
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    let producer = producer(&broker).await;
    producer.send(Message::new("T", "2").property("weight", "2")).await.unwrap();
    assert_eq!(consume(&deliveries, 1).await, [2].into());
    assert_eq!(broker.request_count(request::HEART_BEAT), 2, "the consumer's and the producer's");
    consumer.shutdown().await;
    producer.shutdown().await;
}
