//! Start, shutdown and what is left behind.

use std::time::Duration;

use tminus::broker::Fault;
use tminus::codec::remoting::codes::request;
use tminus::{ErrorKind, Outcome, Producer, clock};
use tokio::runtime::Handle;

use crate::support::{SEND, broker, dead_port, message, options, producer, silent_server};

#[tokio::test]
async fn use_after_shutdown() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    producer.shutdown().await;
    for error in [
        producer.send(message()).await.unwrap_err(),
        producer.send_one_way(message()).await.unwrap_err(),
        producer.send_batch(vec![message()], None).await.unwrap_err(),
        producer.queues("orders").await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Closed, Outcome::NotSent));
    }
    assert_eq!(broker.request_count(SEND), 1);
}

#[tokio::test]
async fn shutdown_twice_and_at_the_same_time() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    let begun = clock::instant();
    tokio::join!(producer.shutdown(), producer.shutdown());
    producer.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(broker.request_count(request::UNREGISTER_CLIENT), 1, "signed off once");
    assert!(broker.request_count(request::HEART_BEAT) >= 1, "had signed on");
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
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let broker = broker().await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let sockets = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let settled = async |before: (usize, usize)| {
        // The broker's side of the connections ends a moment later.
        let deadline = clock::instant() + Duration::from_secs(5);
        while (tasks(), sockets()) != before && clock::instant() < deadline {
            tokio::task::yield_now().await;
        }
        assert_eq!(tasks(), before.0);
    };
    let before = (tasks(), sockets());
    for _ in 0..20 {
        let producer = producer(broker.address()).await;
        producer.send(message()).await.unwrap();
        producer.shutdown().await;
    }
    settled(before).await;
    for _ in 0..20 {
        let producer = producer(broker.address()).await;
        producer.send(message()).await.unwrap();
        drop(producer);
    }
    settled(before).await;
    for _ in 0..20 {
        Producer::start(options(dead_port().await)).await.unwrap_err();
    }
    settled(before).await;
}

#[tokio::test]
async fn any_name_server_that_answers_will_do() {
    let broker = broker().await;
    for first in [dead_port().await, silent_server().await] {
        // Whichever is asked first, the other one answers; later requests go straight to it.
        for endpoint in [format!("{first};{}", broker.address()), format!("{},{first}", broker.address())] {
            let mut options = options(broker.address());
            options.client.endpoint = endpoint.parse().unwrap();
            options.client.request_timeout = Duration::from_secs(1);
            let producer = Producer::start(options).await.unwrap();
            let begun = clock::instant();
            producer.send(message()).await.unwrap();
            assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
            producer.shutdown().await;
        }
    }
}

#[tokio::test]
async fn heartbeats_and_routes_are_renewed() {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.client.heartbeat_interval = Duration::from_millis(20);
    options.client.route_refresh_interval = Duration::from_millis(20);
    let producer = Producer::start(options).await.unwrap();
    producer.send(message()).await.unwrap();
    let asked = broker.request_count(request::GET_ROUTEINFO_BY_TOPIC);
    let deadline = clock::instant() + Duration::from_secs(5);
    while broker.request_count(request::HEART_BEAT) < 4
        || broker.request_count(request::GET_ROUTEINFO_BY_TOPIC) < asked + 3
    {
        assert!(clock::instant() < deadline, "no heartbeats");
        tokio::task::yield_now().await;
    }
    // A broker that grew more queues gets messages in all of them.
    broker.create_topic("orders", 8).unwrap();
    while producer.queues("orders").await.unwrap().len() < 8 {
        assert!(clock::instant() < deadline, "no fresh route");
        tokio::task::yield_now().await;
    }
    producer.shutdown().await;
}

#[tokio::test]
async fn an_address_may_be_a_name_or_ipv6() {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.client.endpoint = format!("localhost:{}", broker.address().port()).parse().unwrap();
    let producer = Producer::start(options.clone()).await.unwrap();
    assert!(producer.send(message()).await.is_ok());
    producer.shutdown().await;
    let mut v6 = tminus::broker::BrokerOptions::default();
    v6.listen = "[::1]:0".parse().unwrap();
    let broker = tminus::broker::Broker::start(v6).await.unwrap();
    options.client.endpoint = broker.address().to_string().parse().unwrap();
    let producer = Producer::start(options).await.unwrap();
    assert!(producer.send(message()).await.is_ok());
    producer.shutdown().await;
}
