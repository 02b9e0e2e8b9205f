//! What goes wrong while consuming over ApsaraMQ HTTP: each fault of other clients is named by its cause.

use tokio::net::TcpListener;

use super::http::*;
use super::http_raw::{self, Raw, Reply};

#[tokio::test]
async fn a_consume_whose_connection_dies_is_not_repeated() {
    let raw = Raw::start(|_, _| Reply::Close).await;
    let client = http_raw::client(raw.address);
    let error = client.consume(&wanted(16, SECOND)).await.unwrap_err();
    assert_eq!((error.kind(), raw.count()), (ErrorKind::ConnectionClosed, 1), "{error}");
    assert_eq!(error.outcome(), tminus::Outcome::MaybeSent);
    client.shutdown().await;
    // Nor by a consumer: every call is one request.
    let broker = broker_with_topic().await;
    let consumer = simple(&broker).await;
    broker.inject(RECEIVE, 2, Fault::CloseBefore);
    for asked in 1..=2 {
        let received = consumer.receive(16, HIDDEN, Some(SECOND)).await;
        assert_eq!(kind(received), Err(ErrorKind::ConnectionClosed));
        assert_eq!(broker.request_count(RECEIVE), asked);
    }
    consumer.shutdown().await;
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_the_wait_and_one_request_timeout() {
    let broker = broker_with_topic().await;
    let mut options = simple_options(&broker);
    options.client.request_timeout = Duration::from_millis(300);
    let consumer = SimpleConsumer::start(options).await.unwrap();
    broker.inject(RECEIVE, 1, Fault::Swallow);
    let begun = clock::instant();
    let received = consumer.receive(16, HIDDEN, Some(SECOND)).await;
    let took = begun.elapsed();
    assert_eq!((kind(received), broker.request_count(RECEIVE)), (Err(ErrorKind::Timeout), 1));
    assert!((1300..2000).contains(&took.as_millis()), "{took:?}");
    consumer.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_gets_lost_hides_its_messages_and_loses_none() {
    let broker = virtual_broker_with_topic().await;
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    send(&producer, 0..3).await;
    broker.inject(RECEIVE, 1, Fault::CloseAfter);
    let error = consumer.receive(16, HIDDEN, Some(SECOND)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::ConnectionClosed, tminus::Outcome::MaybeSent));
    assert!(consumer.receive(16, HIDDEN, Some(Duration::ZERO)).await.unwrap().is_empty());
    broker.advance(HIDDEN).unwrap();
    let again = receive(&consumer, 3).await;
    assert_eq!((bodies(&again), again[0].message.delivery_attempt()), (vec![0, 1, 2], 2));
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn an_unknown_topic_is_told_and_those_beside_it_are_received() {
    let mut options = BrokerOptions::default();
    options.auto_create_topics = false;
    let broker = Broker::start(options).await.unwrap();
    broker.create_topic("T", 1).unwrap();
    let producer = producer(&broker).await;
    let consumer = simple(&broker).await;
    consumer.subscribe("U", FilterExpression::all()).await.unwrap();
    send(&producer, 0..1).await;
    let mut results = Vec::new();
    for _ in 0..4 {
        results.push(consumer.receive(1, HIDDEN, Some(Duration::ZERO)).await);
    }
    let (received, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(received.into_iter().flat_map(Result::unwrap).count(), 1);
    assert!(!refused.is_empty() && refused.into_iter().all(|r| kind(r) == Err(ErrorKind::TopicNotFound)));
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_consume_that_is_given_up_takes_no_message_along() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    let client = client(&broker);
    assert!(timeout(QUIET, client.consume(&wanted(1, 30 * SECOND))).await.is_err());
    send(&producer, 0..1).await;
    let consumed = client.consume(&wanted(1, SECOND)).await.unwrap();
    assert_eq!((bodies(&consumed.messages), consumed.messages[0].message.delivery_attempt()), (vec![0], 1));
    client.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_consumer_whose_deliveries_nobody_takes_can_be_shut_down() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    send(&producer, 0..200).await;
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    let begun = clock::instant();
    consumer.shutdown().await;
    assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
    assert!(timeout(PATIENCE, deliveries.next(1)).await.unwrap().is_empty());
    producer.shutdown().await;
}

#[tokio::test]
async fn numbers_out_of_range_are_refused_and_not_repaired() {
    let broker = broker_with_topic().await;
    let client = client(&broker);
    let half_a_second = Duration::from_millis(500);
    for (max, wait) in [(0, SECOND), (17, SECOND), (1, 31 * SECOND), (1, SECOND + half_a_second)] {
        let error = client.consume(&wanted(max, wait)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    for handles in [0, 17] {
        let error = client.ack("T", "g", &vec!["h".to_owned(); handles]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    assert_eq!((broker.request_count(RECEIVE), broker.request_count(ACK)), (0, 0));
    client.shutdown().await;
}

#[tokio::test]
async fn a_wait_of_more_than_a_server_holds_is_several_polls() {
    let raw = Raw::start(|_, _| Reply::With(http_raw::refused("MessageNotExist"))).await;
    let options = SimpleConsumerOptions::with_client(http_raw::client_options(raw.address), "g");
    let consumer = SimpleConsumer::start(options.subscribe("T", FilterExpression::all())).await.unwrap();
    let wait = Some(Duration::from_secs(45));
    assert!(timeout(QUIET, consumer.receive(32, HIDDEN, wait)).await.is_err());
    let seen = raw.seen();
    assert!((2..=4).contains(&seen.len()), "{} requests: answered at once it is no hot loop", seen.len());
    let asked = seen[0].line();
    assert!(asked.contains("numOfMessages=16") && asked.contains("waitseconds=30"), "{asked}");
    consumer.shutdown().await;
}

#[tokio::test]
async fn each_handle_of_an_acknowledgement_has_its_own_result() {
    let broker = virtual_broker_with_topic().await;
    let producer = producer(&broker).await;
    let client = client(&broker);
    send(&producer, 0..1).await;
    let expired = client.consume(&wanted(16, SECOND)).await.unwrap().messages;
    broker.advance(HIDDEN).unwrap();
    send(&producer, 1..2).await;
    let good = client.consume(&wanted(16, SECOND)).await.unwrap().messages;
    let handle = |received: &Received| received.receipt.handle.clone();
    let handles = vec![handle(&expired[0]), handle(&good[0]), "garbage".into(), handle(&good[1])];
    let results = client.ack("T", "g", &handles).await.unwrap();
    let kinds: Vec<_> = results.iter().map(|result| result.as_ref().map_err(tminus::Error::kind)).collect();
    let invalid = Err(ErrorKind::InvalidReceipt);
    assert_eq!(kinds, [invalid, Ok(&()), invalid, Ok(&())]);
    let refusal = results[0].as_ref().unwrap_err().refusal().unwrap();
    assert_eq!(refusal.code, "ReceiptHandleError");
    let error = client.consume(&wanted(16, Duration::ZERO)).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::MessageNotFound, Some(404)));
    assert_eq!(error.refusal().map(|refusal| refusal.code.as_str()), Some("MessageNotExist"));
    client.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn the_page_of_a_middle_box_is_told_with_its_status_and_passes() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    let simple = simple(&broker).await;
    broker.inject(RECEIVE, 1, Fault::Gateway);
    let error = simple.receive(1, HIDDEN, Some(SECOND)).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::Server, Some(502)), "{error}");
    assert!(error.refusal().is_some_and(|refusal| refusal.code.is_empty() && !refusal.message.is_empty()));
    // A push consumer goes on, also if it meets one at its start.
    broker.inject(RECEIVE, 3, Fault::Gateway);
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    send(&producer, 0..1).await;
    assert_eq!(consume(&deliveries, 1).await, BTreeSet::from([0]));
    consumer.shutdown().await;
    simple.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn an_acknowledgement_that_fails_is_told_again() {
    let broker = broker_with_topic().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(push_options(&broker)).await.unwrap();
    let sent = producer.send(Message::new("T", "0")).await.unwrap();
    for fault in [Fault::CloseBefore, Fault::Gateway, Fault::CloseAfter] {
        broker.inject(ACK, 1, fault);
    }
    next(&deliveries).await.settle(ConsumeResult::Success);
    until("it is told until an answer comes", || broker.request_count(ACK) == 4).await;
    assert_eq!(broker.message_stage("T", "g", &sent.message_id), tminus::broker::MessageStage::Acknowledged);
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_wrong_address_shows_at_the_start_and_a_wrong_key_at_that_of_a_push_consumer() {
    let mut options = BrokerOptions::default();
    options.credentials = vec![tminus::Credentials::new("ak", "sk")];
    let broker = Broker::start(options).await.unwrap();
    broker.create_topic("T", 1).unwrap();
    let mut wrong = push_options(&broker);
    wrong.client.credentials = Some(tminus::Credentials::new("ak", "wrong").into());
    let error = PushConsumer::start_stream(wrong).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::PermissionDenied, Some(403)), "{error}");
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nowhere = PushConsumerOptions::new(&format!("http://{unused}"), "g").unwrap();
    let error =
        PushConsumer::start_stream(nowhere.subscribe("T", FilterExpression::all())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokerUnreachable, "{error}");
    let nowhere = SimpleConsumerOptions::new(&format!("http://{unused}"), "g").unwrap();
    let error = SimpleConsumer::start(nowhere).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokerUnreachable, "{error}");
}
