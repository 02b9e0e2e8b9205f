//! Access keys against the real Apache RocketMQ 5.5.0, run with users: `server.py run --acl` starts it and names it in the
//! environment. The other servers of the tests know no users, so this is apart from the shared scenarios.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::process::Command;
use std::time::Duration;

use tminus::options::ClientOptions;
use tminus::{
    ConsumeFrom, ConsumeResult, Credentials, ErrorKind, FilterExpression, Message, Outcome, Producer,
    ProducerOptions, PushConsumer, PushConsumerOptions, clock,
};

const LIMIT: Duration = Duration::from_secs(20);

fn options(address: &str, user: Option<Credentials>) -> ClientOptions {
    let mut options = ClientOptions::new(address).unwrap();
    options.credentials = user.map(Into::into);
    options
}

#[tokio::test]
async fn only_the_right_key_is_served() {
    only_the_right_key("remoting", "").await;
}

#[tokio::test]
async fn only_the_right_key_is_served_over_grpc() {
    only_the_right_key("grpc", "_PROXY").await;
}

async fn only_the_right_key(protocol: &str, server: &str) {
    let variable = |name: &str| std::env::var(format!("TMINUS_TEST_APACHE{name}"));
    let (Ok(address), Ok(access), Ok(secret)) =
        (variable(server), variable("_ACCESS_KEY"), variable("_SECRET_KEY"))
    else {
        println!("skipped: no Apache RocketMQ with users; `make test-apache` starts one");
        return;
    };
    let address = format!("{protocol}://{address}");
    let right = Credentials::new(&access, &secret);
    let topic = format!("acl-{protocol}-{}", std::process::id());
    let harness = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apache/server.py");
    let made = Command::new("python3").args([harness, "topic", "--name", &topic, "--type", "MIXED"]).status();
    assert!(made.unwrap().success());

    let wrong = [None, Some(Credentials::new(&access, "a guess")), Some(Credentials::new("nobody", &secret))];
    for user in wrong {
        // A wrong key is noticed at the start; a missing one by the broker, which the first message meets.
        let options = ProducerOptions::with_client(options(&address, user.clone()));
        let refused = match Producer::start(options).await {
            Ok(producer) => producer.send(Message::new(&topic, "secret")).await.map(drop),
            Err(error) => Err(error),
        };
        let error = refused.expect_err("a message was taken without the right key");
        let got = (error.kind(), error.outcome());
        assert_eq!(got, (ErrorKind::PermissionDenied, Outcome::NotSent), "{user:?}: {error}");
    }

    let producer =
        Producer::start(ProducerOptions::with_client(options(&address, Some(right.clone())))).await.unwrap();
    let batch = ["a", "b"].map(|body| Message::new(&topic, body));
    producer.send_batch(batch.into(), None).await.unwrap();
    let late = Message::new(&topic, "later").deliver_after(Duration::from_secs(2));
    let due_ms = tminus::Clock::real().now_ms() + 2000;
    producer.send(late).await.unwrap();

    let mut consumer =
        PushConsumerOptions::with_client(options(&address, Some(right)), format!("{topic}-group"))
            .subscribe(&topic, FilterExpression::all());
    consumer.consume_from = ConsumeFrom::FirstOffset;
    let (consumer, deliveries) = PushConsumer::start_stream(consumer).await.unwrap();
    let mut missing = vec!["a", "b", "later"];
    let begun = clock::instant();
    while !missing.is_empty() {
        let received = tokio::time::timeout(LIMIT, deliveries.next(8)).await;
        for delivery in
            received.unwrap_or_else(|_| panic!("missing after {:?}: {missing:?}", begun.elapsed()))
        {
            let early = due_ms - tminus::Clock::real().now_ms();
            assert!(delivery.message.body != "later" || early <= 0, "{early} ms early");
            missing.retain(|body| delivery.message.body != *body);
            delivery.settle(ConsumeResult::Success);
        }
    }
    consumer.shutdown().await;
    producer.shutdown().await;
}
