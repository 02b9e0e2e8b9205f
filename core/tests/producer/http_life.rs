//! What a client over HTTP begins, and what it leaves behind.

use std::time::Duration;

use tminus::{ConsumeMode, ErrorKind, HttpClient, HttpConsume, Outcome, Producer, ProducerOptions};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::http_raw::{
    LONG, Raw, Reply, client, client_options, message, producer, producer_options, published,
};
use super::support::dead_port;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_client_begins_with_its_first_call_and_leaves_nothing() {
    let servers = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = servers.block_on(Raw::start(|_, _| Reply::With(published("hello"))));
    // No runtime is needed here.
    let client = client(server.address);
    let runtime = runtime();
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    runtime.block_on(async {
        tokio::join!(client.publish(message(), LONG), client.publish(message(), LONG)).0.unwrap();
    });
    assert!(runtime.metrics().num_alive_tasks() > 0);
    runtime.block_on(client.shutdown());
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    servers.block_on(server.ended(server.connections()));
    assert!(server.connections() > 0);
}

#[test]
fn a_client_outlives_the_runtime_of_its_connections() {
    let servers = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = servers.block_on(Raw::start(|_, _| Reply::With(published("hello"))));
    let client = client(server.address);
    for connections in 1..=2 {
        runtime().block_on(client.publish(message(), LONG)).unwrap();
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn shutdown_ends_a_call_under_way_and_all_later_ones() {
    let server = Raw::start(|_, _| Reply::Silence).await;
    let client = client(server.address);
    let waiting = client.clone();
    let waiting =
        tokio::spawn(async move { waiting.publish(message(), Some(Duration::from_secs(60))).await });
    server.asked().await;
    tokio::join!(client.shutdown(), client.shutdown());
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Closed, Outcome::MaybeSent), "{error}");
    let error = client.publish(message(), LONG).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Closed, Outcome::NotSent), "{error}");
    server.ended(1).await;
    assert_eq!((server.connections(), server.count()), (1, 1));
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_does_not_hold_up_a_shutdown() {
    let server = Raw::start(|_, _| Reply::Silence).await;
    let client = client(server.address);
    let mut call = Box::pin(client.publish(message(), LONG));
    tokio::select! {
        biased;
        _ = &mut call => unreachable!("nobody answers"),
        () = server.asked() => {}
    }
    client.shutdown().await;
    assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_dropped_call_or_client_closes_its_connection() {
    let server = Raw::start(|number, _| match number {
        0 => Reply::Silence,
        _ => Reply::With(published("hello")),
    })
    .await;
    let client = client(server.address);
    tokio::select! {
        biased;
        _ = client.publish(message(), LONG) => unreachable!("nobody answers"),
        () = server.asked() => {}
    }
    server.ended(1).await;
    client.publish(message(), LONG).await.unwrap();
    drop(client);
    server.ended(2).await;
    let producer = producer(server.address).await;
    producer.send(message()).await.unwrap();
    drop(producer);
    // One was that of the start.
    server.ended(4).await;
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn a_burst_does_not_open_a_connection_a_message() {
    let server = Raw::start(|_, seen| match seen.line() {
        line if line.starts_with("GET") => Reply::Silence,
        _ => Reply::With(published("hello")),
    })
    .await;
    let client = client(server.address);
    // What the server holds is in nobody's way.
    let consumers: Vec<_> = (0..70).map(|_| consume_for_long(client.clone())).collect();
    while server.count() < consumers.len() {
        tokio::task::yield_now().await;
    }
    let publish = |_| {
        let client = client.clone();
        tokio::spawn(async move { client.publish(message(), LONG).await })
    };
    for published in (0..500).map(publish).collect::<Vec<_>>() {
        published.await.unwrap().unwrap();
    }
    assert_eq!(server.count(), consumers.len() + 500);
    let connections = server.connections() - consumers.len();
    assert!(connections <= 2 * 64, "{connections} connections");
    client.shutdown().await;
    for consumer in consumers {
        assert_eq!(consumer.await.unwrap(), Some(ErrorKind::Closed));
    }
}

fn consume_for_long(client: HttpClient) -> JoinHandle<Option<ErrorKind>> {
    tokio::spawn(async move {
        let wanted = HttpConsume {
            topic: "orders".into(),
            group: "GID_g".into(),
            tag: String::new(),
            mode: ConsumeMode::Concurrent,
            max: 1,
            wait: Duration::from_secs(30),
        };
        client.consume(&wanted).await.err().map(|error| error.kind())
    })
}

#[tokio::test]
async fn a_start_asks_for_nothing_and_checks_its_options() {
    let server = Raw::start(|_, _| Reply::Close).await;
    let mut options = ProducerOptions::with_client(client_options(server.address));
    options.topics = vec!["orders".into()];
    options.client.client_id = Some("me".into());
    let producer = Producer::start(options.clone()).await.unwrap();
    assert_eq!(producer.client_id(), "me");
    producer.shutdown().await;
    for seconds in [9, 301] {
        options.transaction_check_after = Duration::from_secs(seconds);
        let error = Producer::start(options.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    let mut options = client_options(server.address);
    options.namespace = Some("no/instance".into());
    assert_eq!(HttpClient::new(options).unwrap_err().kind(), ErrorKind::InvalidArgument);
    for other in ["127.0.0.1:1", "grpc://127.0.0.1:1"] {
        let options = tminus::options::ClientOptions::new(other).unwrap();
        assert_eq!(HttpClient::new(options).unwrap_err().kind(), ErrorKind::Unsupported);
    }
    assert_eq!(server.count(), 0);
    let nobody = Producer::start(producer_options(dead_port().await)).await.unwrap_err();
    assert_eq!(
        (nobody.kind(), nobody.outcome()),
        (ErrorKind::BrokerUnreachable, Outcome::NotSent),
        "{nobody}"
    );
}

#[tokio::test]
async fn what_the_protocol_has_no_words_for_is_unsupported() {
    let server = Raw::start(|_, _| Reply::With(published("hello"))).await;
    let producer = producer(server.address).await;
    let receipt = producer.send(message()).await.unwrap();
    for error in [
        producer.send_to_queue(message(), &receipt.queue, None).await.unwrap_err(),
        producer.send_batch(vec![message()], None).await.unwrap_err(),
        producer.send_one_way(message()).await.unwrap_err(),
        producer.recall("orders", "handle").await.unwrap_err(),
        producer.queues("orders").await.unwrap_err(),
        producer.send(message().flag(1)).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::NotSent), "{error}");
        assert!(error.text().contains("ApsaraMQ HTTP"), "{error}");
    }
    assert_eq!(server.count(), 1);
}
