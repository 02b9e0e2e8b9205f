//! Taking scheduled messages back.

use std::time::Duration;

use tminus::broker::Fault;
use tminus::codec::remoting::codes::{request, response};
use tminus::{ErrorKind, Message};

use crate::support::{broker, message, producer};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_scheduled_message_is_taken_back_once() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let kept = producer.send(message().deliver_after(HOUR)).await.unwrap();
    let receipt = producer.send(message().deliver_after(HOUR)).await.unwrap();
    let handle = receipt.recall_handle.unwrap();
    assert_eq!(producer.recall("orders", &handle).await.unwrap(), receipt.message_id);
    let waiting: Vec<String> = broker.pending().into_iter().map(|message| message.message_id).collect();
    assert_eq!(waiting, [kept.message_id]);
    let again = producer.recall("orders", &handle).await.unwrap_err();
    assert_eq!((again.kind(), again.response_code()), (ErrorKind::Server, Some(response::ILLEGAL_OPERATION)));
    producer.shutdown().await;
}

#[tokio::test]
async fn a_handle_that_is_none_or_of_another_topic_is_not_sent() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    assert_eq!(producer.send(message()).await.unwrap().recall_handle, None);
    let receipt = producer.send(Message::new("others", "x").deliver_after(HOUR)).await.unwrap();
    for handle in ["", "nonsense", &receipt.recall_handle.unwrap()] {
        let error = producer.recall("orders", handle).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidArgument, "recall"), "{handle}");
    }
    assert_eq!(broker.request_count(request::RECALL_MESSAGE), 0);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_broker_with_recall_switched_off_is_told_from_missing_rights() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let handle = producer.send(message().deliver_after(HOUR)).await.unwrap().recall_handle.unwrap();
    for (remark, kind) in
        [("recall failed, operation is forbidden", ErrorKind::Server), ("no", ErrorKind::PermissionDenied)]
    {
        let fault = Fault::Refuse { code: response::NO_PERMISSION, remark: remark.into() };
        broker.inject(request::RECALL_MESSAGE, 1, fault);
        let error = producer.recall("orders", &handle).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    producer.shutdown().await;
}
