//! Faults of proxies under a send: what is tried again, where, and what is known about the message in the end.

use std::net::SocketAddr;
use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions, Fault};
use tminus::{Error, ErrorKind, Outcome, Producer, ProducerOptions, clock};

use crate::support::{SEND, broker, dead_port, message};

fn options(address: SocketAddr) -> ProducerOptions {
    ProducerOptions::new(&format!("grpc://{address}")).unwrap()
}

async fn producer(address: SocketAddr) -> Producer {
    Producer::start(options(address)).await.unwrap()
}

fn refuse(code: i32, remark: &str) -> Fault {
    Fault::Refuse { code, remark: remark.into() }
}

/// Two brokers, of which the second has joined the first; both have the topic.
async fn two_brokers() -> (Broker, Broker) {
    let a = broker().await;
    a.create_topic("orders", 2).unwrap();
    let mut second = BrokerOptions::default();
    second.name = "b".into();
    second.join = Some(a.address());
    let b = Broker::start(second).await.unwrap();
    b.create_topic("orders", 2).unwrap();
    let mut options = options(a.address());
    options.client.route_refresh_interval = Duration::from_millis(10);
    let producer = Producer::start(options).await.unwrap();
    let deadline = clock::instant() + Duration::from_secs(5);
    while producer.queues("orders").await.unwrap().len() < 4 {
        assert!(clock::instant() < deadline, "the second broker does not join");
        tokio::task::yield_now().await;
    }
    producer.shutdown().await;
    (a, b)
}

/// The official Go client asked the same queue every time.
#[tokio::test]
async fn a_retry_goes_to_another_broker() {
    let (a, b) = two_brokers().await;
    for fault in [Fault::CloseBefore, refuse(50001, "broken"), refuse(50400, "the broker is slow")] {
        a.inject(SEND, 1, fault);
        let producer = producer(a.address()).await;
        for _ in 0..8 {
            let receipt = producer.send(message()).await.unwrap();
            assert!(receipt.queue.broker == "b" || receipt.queue.broker == "broker-a");
        }
        producer.shutdown().await;
    }
    a.inject(SEND, 1000, Fault::CloseBefore);
    let producer = producer(a.address()).await;
    for _ in 0..8 {
        assert_eq!(producer.send(message()).await.unwrap().queue.broker, "b");
    }
    assert!(b.request_count(SEND) >= 8);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_hung_proxy_does_not_take_the_time_of_the_other() {
    let (a, b) = two_brokers().await;
    a.inject(SEND, 1000, Fault::Swallow);
    let producer = producer(a.address()).await;
    let begun = clock::instant();
    for _ in 0..8 {
        let sent = producer.send_timeout(message(), Duration::from_millis(1500)).await;
        assert_eq!(sent.unwrap().queue.broker, "b");
    }
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "only the first send waits, for a third of its time"
    );
    drop(b);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_broker_that_is_gone_is_left_for_the_other() {
    let (a, b) = two_brokers().await;
    let producer = producer(a.address()).await;
    producer.send(message()).await.unwrap();
    b.stop().await;
    for _ in 0..8 {
        assert_eq!(producer.send(message()).await.unwrap().queue.broker, "broker-a");
    }
    producer.shutdown().await;
}

/// The error of one send to a proxy that meets it with `fault` every time, and how many requests it took.
async fn meets(fault: Fault, retries: u32) -> (Error, u64, Duration) {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.retries = retries;
    options.send_timeout = Duration::from_millis(600);
    let producer = Producer::start(options).await.unwrap();
    producer.send(message()).await.unwrap();
    broker.inject(SEND, 1000, fault);
    let begun = clock::instant();
    let error = producer.send(message()).await.unwrap_err();
    let taken = begun.elapsed();
    producer.shutdown().await;
    (error, broker.request_count(SEND) - 1, taken)
}

#[tokio::test]
async fn too_many_requests_are_answered_by_backing_off() {
    let (error, requests, taken) = meets(refuse(42900, "flow limit"), 3).await;
    assert_eq!((error.kind(), error.response_code(), requests), (ErrorKind::Busy, Some(42900), 4));
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.is_retryable() && error.text().contains("flow limit"), "{error}");
    // 20, 40 and 80 ms, by the server's policy.
    assert!((140..600).contains(&taken.as_millis()), "{taken:?}");
}

#[tokio::test]
async fn a_refusal_that_may_pass_is_tried_three_times() {
    for (code, kind, outcome) in [
        (50000, ErrorKind::Server, Outcome::NotSent),
        (50001, ErrorKind::Server, Outcome::NotSent),
        (50400, ErrorKind::Timeout, Outcome::MaybeSent),
    ] {
        let (error, requests, _) = meets(refuse(code, "not now"), 2).await;
        assert_eq!((error.kind(), error.response_code(), requests), (kind, Some(code), 3), "{error}");
        assert_eq!(error.outcome(), outcome);
        assert!(error.text().contains("not now"), "{error}");
    }
}

/// The official Go client repeated every refusal at once.
#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again() {
    for (code, kind) in [
        (40002, ErrorKind::InvalidArgument),
        (40004, ErrorKind::MessageRefused),
        (40007, ErrorKind::MessageRefused),
        (40012, ErrorKind::InvalidDeliveryTime),
        (40014, ErrorKind::TopicTypeMismatch),
        (40100, ErrorKind::PermissionDenied),
        (40300, ErrorKind::PermissionDenied),
        (41301, ErrorKind::MessageRefused),
        (43101, ErrorKind::MessageRefused),
        (50100, ErrorKind::Unsupported),
        (44444, ErrorKind::Server),
    ] {
        let (error, requests, _) = meets(refuse(code, "no"), 2).await;
        assert_eq!((error.kind(), error.response_code(), requests), (kind, Some(code), 1), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
}

#[tokio::test]
async fn what_is_stored_but_not_safe_yet_is_a_receipt() {
    use tminus::SendStatus::{FlushDiskTimeout, FlushSlaveTimeout, SlaveNotAvailable};
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    for (code, status) in [(50401, FlushDiskTimeout), (50402, FlushSlaveTimeout), (50002, SlaveNotAvailable)]
    {
        broker.inject(SEND, 1, refuse(code, ""));
        assert_eq!(producer.send(message()).await.unwrap().status, status);
    }
    assert_eq!(broker.request_count(SEND), 3);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_send_without_an_answer_ends_at_its_deadline() {
    let (error, requests, taken) = meets(Fault::Swallow, 0).await;
    assert_eq!((error.kind(), error.outcome(), requests), (ErrorKind::Timeout, Outcome::MaybeSent, 1));
    assert!((550..900).contains(&taken.as_millis()), "{taken:?}");
}

#[tokio::test]
async fn a_proxy_that_closes_under_a_send() {
    for fault in [Fault::CloseBefore, Fault::CloseAfter] {
        let (error, requests, _) = meets(fault, 0).await;
        assert_eq!((error.kind(), requests), (ErrorKind::ConnectionClosed, 1), "{error}");
        assert_eq!(error.outcome(), Outcome::MaybeSent, "nobody knows");
    }
    // With a retry it goes through on a new connection.
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    broker.inject(SEND, 1, Fault::CloseBefore);
    producer.send(message()).await.unwrap();
    assert_eq!(broker.request_count(SEND), 2);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_proxy_that_restarts_under_a_send() {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.retries = 0;
    let producer = Producer::start(options).await.unwrap();
    for _ in 0..3 {
        broker.inject(SEND, 1, Fault::Swallow);
        let requests = broker.request_count(SEND);
        let sending = producer.clone();
        let sending = tokio::spawn(async move { sending.send(message()).await });
        while broker.request_count(SEND) == requests {
            tokio::task::yield_now().await;
        }
        broker.restart(Duration::from_millis(20)).await.unwrap();
        let error = sending.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::ConnectionClosed, Outcome::MaybeSent));
        // Nothing is left of it for the next one.
        producer.send(message()).await.unwrap();
    }
    producer.shutdown().await;
}

#[tokio::test]
async fn sends_go_on_while_a_proxy_restarts() {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.retries = 10;
    let producer = Producer::start(options).await.unwrap();
    let sending = producer.clone();
    let sends = tokio::spawn(async move {
        for _ in 0..200 {
            sending.send(message()).await?;
        }
        Ok::<_, Error>(())
    });
    for _ in 0..5 {
        broker.restart(Duration::from_millis(10)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sends.await.unwrap().unwrap();
    producer.shutdown().await;
}

#[tokio::test]
async fn a_group_is_not_sent_twice_where_it_may_be_stored() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let grouped = || message().message_group("g");
    producer.send(grouped()).await.unwrap();
    broker.inject(SEND, 1, refuse(50001, "not now"));
    producer.send(grouped()).await.unwrap();
    broker.inject(SEND, 1, Fault::CloseAfter);
    let error = producer.send(grouped()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::ConnectionClosed, Outcome::MaybeSent));
    assert_eq!(broker.request_count(SEND), 4);
    producer.shutdown().await;
}

#[tokio::test]
async fn shutdown_wakes_a_send_that_waits() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    broker.inject(SEND, 1, Fault::Swallow);
    let waiting = producer.clone();
    let waiting = tokio::spawn(async move { waiting.send_timeout(message(), Duration::from_secs(60)).await });
    while broker.request_count(SEND) < 2 {
        tokio::task::yield_now().await;
    }
    let begun = clock::instant();
    producer.shutdown().await;
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Closed, Outcome::MaybeSent));
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_cancelled_send_leaves_the_connection_to_others() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    broker.inject(SEND, 1, Fault::Swallow);
    let cancelled = tokio::time::timeout(Duration::from_millis(50), producer.send(message())).await;
    assert!(cancelled.is_err());
    producer.send(message()).await.unwrap();
    producer.shutdown().await;
}

#[tokio::test]
async fn nobody_there_any_more() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    broker.stop().await;
    // The first may meet the old connection before its end is noticed.
    producer.send_timeout(message(), Duration::from_millis(50)).await.unwrap_err();
    let begun = clock::instant();
    let error = producer.send_timeout(message(), Duration::from_millis(500)).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    assert!(matches!(error.kind(), ErrorKind::BrokerUnreachable | ErrorKind::Timeout), "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent, "no server was there to take it: {error}");
    producer.shutdown().await;
    let mut options = options(dead_port().await);
    options.client.request_timeout = Duration::from_millis(300);
    assert_eq!(Producer::start(options).await.unwrap_err().kind(), ErrorKind::BrokerUnreachable);
}
