//! Start, shutdown and what is left behind, over gRPC.

use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions, Fault, TELEMETRY};
use tminus::codec::remoting::codes::request;
use tminus::{Error, ErrorKind, Outcome, Producer, ProducerOptions, clock};

use crate::support::{broker, dead_port, message};

const ROUTE: i32 = request::GET_ROUTEINFO_BY_TOPIC;
const PATIENCE: Duration = Duration::from_secs(5);

fn options(broker: &Broker) -> ProducerOptions {
    ProducerOptions::new(&format!("grpc://{}", broker.address())).unwrap()
}

async fn producer(broker: &Broker) -> Producer {
    Producer::start(options(broker)).await.unwrap()
}

/// Waits until `condition` holds.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = clock::instant() + PATIENCE;
    while !condition() {
        assert!(clock::instant() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn start_fault(broker: &Broker) -> Error {
    let mut options = options(broker);
    options.client.request_timeout = Duration::from_millis(500);
    let begun = clock::instant();
    let error = Producer::start(options).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(error.outcome(), Outcome::NotSent);
    error
}

#[tokio::test]
async fn a_start_that_gets_no_settings_ends_at_its_deadline() {
    let broker = broker().await;
    broker.inject(TELEMETRY, 100, Fault::Swallow);
    let error = start_fault(&broker).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.text().contains("settings"), "{error}");
}

#[tokio::test]
async fn a_start_that_gets_no_route_ends_at_its_deadline() {
    let broker = broker().await;
    broker.inject(ROUTE, 100, Fault::Swallow);
    let mut options = options(&broker);
    options.topics = vec!["orders".into()];
    options.client.request_timeout = Duration::from_millis(300);
    let begun = clock::instant();
    let error = Producer::start(options).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn a_start_that_is_cut_off_or_refused_says_so() {
    let broker = broker().await;
    for (fault, kind) in [
        (Fault::CloseBefore, ErrorKind::ConnectionClosed),
        (Fault::Refuse { code: 50001, remark: "no".into() }, ErrorKind::Server),
        (Fault::Refuse { code: 42900, remark: "flow limit".into() }, ErrorKind::Busy),
    ] {
        broker.inject(TELEMETRY, 1, fault);
        let error = start_fault(&broker).await;
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_found_out_at_the_start() {
    let mut server = BrokerOptions::default();
    server.auto_create_topics = false;
    let broker = Broker::start(server).await.unwrap();
    broker.create_topic("orders", 2).unwrap();
    let mut options = options(&broker);
    options.topics = vec!["orders".into(), "nobody-made-it".into()];
    let error = Producer::start(options.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::TopicNotFound, Some(40402)), "{error}");
    assert!(error.text().contains("nobody-made-it") && error.text().contains("updateTopic"), "{error}");
    options.topics.pop();
    let producer = Producer::start(options).await.unwrap();
    assert_eq!(producer.queues("orders").await.unwrap().len(), 2);
    producer.shutdown().await;
}

#[tokio::test]
async fn use_after_shutdown() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    producer.queues("orders").await.unwrap();
    producer.shutdown().await;
    for error in [
        producer.send(message()).await.unwrap_err(),
        producer.send_one_way(message()).await.unwrap_err(),
        producer.send_batch(vec![message()], None).await.unwrap_err(),
        producer.send_transaction(message()).await.unwrap_err(),
        producer.recall("orders", "handle").await.unwrap_err(),
        producer.queues("orders").await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Closed, Outcome::NotSent));
    }
}

#[tokio::test]
async fn shutdown_twice_and_at_the_same_time() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let begun = clock::instant();
    tokio::join!(producer.shutdown(), producer.shutdown());
    producer.shutdown().await;
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
    assert_eq!(broker.request_count(request::UNREGISTER_CLIENT), 1, "signed off once");
}

#[tokio::test]
async fn a_server_that_does_not_take_the_sign_off_holds_nobody_up() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    broker.inject(request::UNREGISTER_CLIENT, 1, Fault::Swallow);
    let begun = clock::instant();
    producer.shutdown().await;
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
}

/// The official Go client kept 11 goroutines and a socket of every cycle.
#[tokio::test]
async fn any_proxy_that_answers_will_do() {
    let broker = broker().await;
    let silent = crate::support::silent_server().await;
    for first in [dead_port().await, silent] {
        for endpoint in [format!("{first};{}", broker.address()), format!("{},{first}", broker.address())] {
            let mut options = options(&broker);
            options.client.endpoint = format!("grpc://{endpoint}").parse().unwrap();
            options.client.request_timeout = Duration::from_secs(1);
            options.topics = vec!["orders".into()];
            let begun = clock::instant();
            let producer = Producer::start(options).await.unwrap();
            assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
            assert_eq!(producer.queues("orders").await.unwrap().len(), 4);
            producer.shutdown().await;
        }
    }
}

#[tokio::test]
async fn heartbeats_and_routes_are_renewed() {
    let broker = broker().await;
    let mut options = options(&broker);
    options.client.heartbeat_interval = Duration::from_millis(20);
    options.client.route_refresh_interval = Duration::from_millis(20);
    options.topics = vec!["orders".into()];
    let producer = Producer::start(options).await.unwrap();
    until("heartbeats", || broker.request_count(request::HEART_BEAT) >= 4).await;
    broker.create_topic("orders", 8).unwrap();
    let deadline = clock::instant() + PATIENCE;
    while producer.queues("orders").await.unwrap().len() < 8 {
        assert!(clock::instant() < deadline, "no fresh route");
        tokio::task::yield_now().await;
    }
    producer.shutdown().await;
}

#[tokio::test]
async fn settings_are_said_again_after_a_restart_in_every_state() {
    let broker = broker().await;
    let telemetry = || broker.request_count(TELEMETRY);
    // Idle.
    let producer = producer(&broker).await;
    assert_eq!(telemetry(), 1);
    broker.restart(Duration::from_millis(20)).await.unwrap();
    until("settings after a restart", || telemetry() >= 2).await;
    // In the handshake: the stream is there, the settings are not answered.
    broker.inject(TELEMETRY, 1, Fault::Swallow);
    broker.restart(Duration::ZERO).await.unwrap();
    until("the handshake", || telemetry() >= 3).await;
    broker.restart(Duration::ZERO).await.unwrap();
    until("settings after the handshake broke off", || telemetry() >= 4).await;
    // While it connects: the port is closed for a while.
    broker.restart(Duration::from_millis(300)).await.unwrap();
    until("settings once the port is open", || telemetry() >= 5).await;
    producer.queues("orders").await.unwrap();
    producer.shutdown().await;
}

#[tokio::test]
async fn a_server_that_forgot_the_client_is_told_the_settings_again() {
    let broker = broker().await;
    let mut options = options(&broker);
    options.client.heartbeat_interval = Duration::from_millis(20);
    let producer = Producer::start(options).await.unwrap();
    let refusal = Fault::Refuse { code: 40015, remark: "settings are forgotten".into() };
    broker.inject(request::HEART_BEAT, 1, refusal);
    // The stream stays; another 40015 would end in another round.
    until("heartbeats go on", || broker.request_count(request::HEART_BEAT) >= 3).await;
    assert_eq!(broker.request_count(TELEMETRY), 1);
    producer.shutdown().await;
}
