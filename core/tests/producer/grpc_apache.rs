//! The producer over gRPC against the proxy of the real Apache RocketMQ, where `server.py run` has started one.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tminus::{
    Credentials, ErrorKind, Message, Outcome, Producer, ProducerOptions, TransactionResolution, clock,
};

/// The proxy's endpoint, if there is one.
fn proxy() -> Option<String> {
    let address = std::env::var("TMINUS_TEST_APACHE_PROXY").ok();
    if address.is_none() {
        println!("skipped: no Apache proxy; core/tests/apache/server.py run starts one");
    }
    Some(format!("grpc://{}", address?))
}

/// A topic of `kind` that nobody used before.
fn topic(kind: &str) -> String {
    let name = format!("grpc-{}-{:x}", kind.to_lowercase(), tminus::Clock::real().now_ms());
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apache/server.py");
    let made = Command::new("python3")
        .arg(server)
        .args(["topic", "--name", &name, "--type", kind])
        .status()
        .unwrap();
    assert!(made.success());
    name
}

/// The user of a server that knows users.
fn user() -> Option<Credentials> {
    let variable = |name: &str| std::env::var(format!("TMINUS_TEST_APACHE_{name}")).ok();
    Some(Credentials::new(variable("ACCESS_KEY")?, variable("SECRET_KEY")?))
}

fn options(endpoint: &str) -> ProducerOptions {
    let mut options = ProducerOptions::new(endpoint).unwrap();
    options.client.credentials = user().map(Into::into);
    options
}

async fn producer(endpoint: &str) -> Producer {
    Producer::start(options(endpoint)).await.unwrap()
}

#[tokio::test]
async fn apache_serves_the_right_key_only() {
    let (Some(endpoint), Some(user)) = (proxy(), user()) else { return };
    let guess = Credentials { secret_key: "a guess".into(), ..user };
    for wrong in [None, Some(guess), Some(Credentials::new("nobody", "a guess"))] {
        let mut options = options(&endpoint);
        options.client.credentials = wrong.clone().map(Into::into);
        let error = match Producer::start(options).await {
            Ok(producer) => producer.send(Message::new("orders", "secret")).await.unwrap_err(),
            Err(error) => error,
        };
        let got = (error.kind(), error.outcome());
        assert_eq!(got, (ErrorKind::PermissionDenied, Outcome::NotSent), "{wrong:?}: {error}");
        println!("{error}");
    }
}

#[tokio::test]
async fn apache_takes_every_type_of_message() {
    let Some(endpoint) = proxy() else { return };
    let producer = producer(&endpoint).await;

    let normal = topic("NORMAL");
    let receipt =
        producer.send(Message::new(&normal, "body").tag("A").keys(["k"]).property("c", "red")).await;
    let receipt = receipt.unwrap();
    assert_eq!((receipt.message_id.len(), receipt.queue.id), (32, -1));
    let batch: Vec<Message> = ["a", "b", "c"].map(|body| Message::new(&normal, body)).into();
    assert_eq!(producer.send_batch(batch, None).await.unwrap().message_id.split(',').count(), 3);
    producer.send_one_way(Message::new(&normal, "body")).await.unwrap();
    assert_eq!(producer.queues(&normal).await.unwrap().len(), 4);

    let fifo = topic("FIFO");
    for _ in 0..3 {
        producer.send(Message::new(&fifo, "body").message_group("g")).await.unwrap();
    }
    producer.send_by_key(Message::new(&fifo, "body"), "order-1", None).await.unwrap();

    let delay = topic("DELAY");
    let late = || Message::new(&delay, "body").deliver_after(Duration::from_secs(600));
    let receipt = producer.send(late()).await.unwrap();
    let handle = receipt.recall_handle.unwrap();
    assert_eq!(producer.recall(&delay, &handle).await.unwrap(), receipt.message_id);
    producer.send(Message::new(&delay, "body").delay_level(3)).await.unwrap();
    let error = producer.recall(&delay, "garbage").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    let too_far = Message::new(&delay, "body").deliver_after(Duration::from_secs(48 * 3600));
    let error = producer.send(too_far).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.response_code()),
        (ErrorKind::InvalidDeliveryTime, Some(40012)),
        "{error}"
    );
    let past =
        Message::new(&delay, "body").deliver_at(std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    producer.send(past).await.unwrap();

    let transaction = topic("TRANSACTION");
    for resolution in [TransactionResolution::Commit, TransactionResolution::Rollback] {
        let half = producer.send_transaction(Message::new(&transaction, "body")).await.unwrap();
        producer.end_transaction(half.receipt(), resolution).await.unwrap();
        let error = producer.end_transaction(half.receipt(), resolution).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "it has ended: {error}");
    }

    let begun = clock::instant();
    producer.shutdown().await;
    assert!(begun.elapsed() < Duration::from_millis(100), "stop: {:?}", begun.elapsed());
}

#[tokio::test]
async fn apache_and_the_client_agree_on_types_of_topics() {
    let Some(endpoint) = proxy() else { return };
    let producer = producer(&endpoint).await;
    for (kind, message) in [
        ("NORMAL", Message::new(topic("NORMAL"), "body").deliver_after(Duration::from_secs(10))),
        ("DELAY", Message::new(topic("DELAY"), "body")),
        ("NORMAL", Message::new(topic("NORMAL"), "body").message_group("g")),
    ] {
        let error = producer.send(message).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::TopicTypeMismatch, Outcome::NotSent),
            "{error}"
        );
        assert!(error.text().contains(kind) && error.text().contains("-a +message.type="), "{error}");
    }
    let error = producer.send(Message::new("nobody-made-it", "body")).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::TopicNotFound, Some(40402)), "{error}");
    producer.shutdown().await;
}
