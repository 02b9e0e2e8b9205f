//! What is sent over gRPC, what comes back, and what is refused before or by the server.

use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions, Persona, TopicType};
use tminus::{
    Clock, ErrorKind, Message, MessageQueue, Outcome, Producer, ProducerOptions, SendStatus, clock,
};

use crate::support::{SEND, broker, message};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn options(broker: &Broker) -> ProducerOptions {
    let mut options = ProducerOptions::new(&format!("grpc://{}", broker.address())).unwrap();
    options.client.clock = broker.clock().clone();
    options
}

async fn producer(broker: &Broker) -> Producer {
    Producer::start(options(broker)).await.unwrap()
}

async fn apache() -> Broker {
    let mut options = BrokerOptions::default();
    options.persona = Persona::Apache5;
    options.clock = Clock::virtual_now();
    Broker::start(options).await.unwrap()
}

#[tokio::test]
async fn the_receipt_of_a_message() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let receipt =
        producer.send(message().tag("A").keys(["k1", "k2"]).property("colour", "red")).await.unwrap();
    assert_eq!((receipt.status, receipt.message_id.len()), (SendStatus::Ok, 32));
    assert_eq!(receipt.queue, MessageQueue { topic: "orders".into(), broker: "broker-a".into(), id: -1 });
    assert_eq!((receipt.recall_handle, receipt.offset_message_id.as_str()), (None, ""));
    producer.shutdown().await;
}

#[tokio::test]
async fn start_to_first_send_and_stop_are_fast() {
    let broker = broker().await;
    // The best of a few: the machine has other work.
    let (mut first_send, mut stop) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let begun = clock::instant();
        let producer = producer(&broker).await;
        producer.send(message()).await.unwrap();
        first_send = first_send.min(begun.elapsed());
        let begun = clock::instant();
        producer.shutdown().await;
        stop = stop.min(begun.elapsed());
    }
    assert!(first_send < Duration::from_millis(50), "start to first send: {first_send:?}");
    assert!(stop < Duration::from_millis(100), "stop: {stop:?}");
}

#[tokio::test]
async fn a_batch_has_the_ids_of_its_messages() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let batch = ["a", "b", "c"].map(|body| Message::new("orders", body));
    let receipt = producer.send_batch(batch.into(), None).await.unwrap();
    assert_eq!(receipt.message_id.split(',').count(), 3);
    assert_eq!(broker.request_count(SEND), 1);
    for (batch, hint) in [
        (vec![], "empty"),
        (vec![message(), Message::new("others", "x")], "one topic"),
        (vec![message().message_group("a"), message().message_group("b")], "message group"),
        (vec![message(), message().deliver_after(DAY)], "scheduled"),
        (vec![Message::new("orders", vec![0; 3 << 20]), Message::new("orders", vec![0; 3 << 20])], "bytes"),
    ] {
        let error = producer.send_batch(batch, None).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidMessage, Outcome::NotSent));
        assert!(error.text().contains(hint), "{hint:?} in {error}");
    }
    assert_eq!(broker.request_count(SEND), 1, "refused before anything was sent");
    producer.shutdown().await;
}

#[tokio::test]
async fn one_way_messages_arrive() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    for _ in 0..10 {
        producer.send_one_way(message()).await.unwrap();
    }
    let deadline = clock::instant() + Duration::from_secs(5);
    while broker.request_count(SEND) < 10 {
        assert!(clock::instant() < deadline);
        tokio::task::yield_now().await;
    }
    producer.shutdown().await;
}

#[tokio::test]
async fn what_grpc_has_no_words_for() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let queue = producer.queues("orders").await.unwrap().remove(0);
    for error in [
        producer.send_to_queue(message(), &queue, None).await.unwrap_err(),
        producer.send(message().flag(1)).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::NotSent));
        assert!(error.text().contains("gRPC"), "names the protocol: {error}");
    }
    producer.shutdown().await;
}

#[tokio::test]
async fn bodies_up_to_4_mib() {
    let broker = broker().await;
    let mut options = options(&broker);
    // The server's limit holds where it is the lower one.
    options.max_body_bytes = 64 << 20;
    let producer = Producer::start(options).await.unwrap();
    producer.send(Message::new("orders", vec![7; 4 << 20])).await.unwrap();
    let error = producer.send(Message::new("orders", vec![7; (4 << 20) + 1])).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidMessage, Outcome::NotSent));
    assert!(error.text().contains("4194304"), "{error}");
    producer.shutdown().await;
}

#[tokio::test]
async fn types_of_messages_and_topics_have_to_fit() {
    let broker = broker().await;
    for (topic, kind) in [
        ("normal", TopicType::Normal),
        ("fifo", TopicType::Fifo),
        ("delay", TopicType::Delay),
        ("transaction", TopicType::Transaction),
        ("priority", TopicType::Priority),
    ] {
        broker.create_topic_of(topic, 2, kind).unwrap();
    }
    let producer = producer(&broker).await;
    let messages = |topic: &str| {
        [
            ("NORMAL", Message::new(topic, "x")),
            ("FIFO", Message::new(topic, "x").message_group("g")),
            ("DELAY", Message::new(topic, "x").deliver_after(DAY)),
            ("PRIORITY", Message::new(topic, "x").priority(3)),
        ]
    };
    for topic in ["normal", "fifo", "delay", "transaction", "priority"] {
        for (kind, message) in messages(topic) {
            let sent = producer.send(message).await;
            if topic.to_uppercase() == kind {
                sent.unwrap();
                continue;
            }
            let error = sent.unwrap_err();
            assert_eq!(
                (error.kind(), error.outcome()),
                (ErrorKind::TopicTypeMismatch, Outcome::NotSent),
                "{error}"
            );
            let command = format!(
                "mqadmin updateTopic -n <name server> -c <cluster> -t {topic} -a +message.type={kind}"
            );
            for hint in [format!("takes {}", topic.to_uppercase()), format!("a {kind} message"), command] {
                assert!(error.text().contains(&hint), "{hint:?} in {error}");
            }
        }
    }
    assert_eq!(broker.request_count(SEND), 4, "what does not fit is not sent");
    producer.send_transaction(Message::new("transaction", "x")).await.unwrap();
    // A topic that was changed takes the message at once.
    broker.create_topic_of("normal", 2, TopicType::Delay).unwrap();
    producer.send(Message::new("normal", "x").deliver_after(DAY)).await.unwrap();
    producer.shutdown().await;
}

#[tokio::test]
async fn a_message_has_one_type() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let grouped = message().message_group("g").deliver_after(DAY);
    for error in [
        producer.send(grouped).await.unwrap_err(),
        producer.send_transaction(message().deliver_after(DAY)).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidMessage, Outcome::NotSent), "{error}");
    }
    producer.shutdown().await;
}

#[tokio::test]
async fn delivery_times_within_and_beyond_the_limits() {
    let broker = apache().await;
    broker.create_topic_of("delay", 2, TopicType::Delay).unwrap();
    let producer = producer(&broker).await;
    let now = broker.clock().now();
    let send = |message: Message| producer.send(message);
    let delay = || Message::new("delay", "x");
    // Past: at once.
    assert_eq!(send(delay().deliver_at(now - DAY)).await.unwrap().recall_handle, None);
    assert!(broker.pending().is_empty());
    let receipt = send(delay().deliver_at(now + DAY)).await.unwrap();
    assert!(receipt.recall_handle.is_some());
    let at = |ahead: Duration| broker.clock().now_ms() + ahead.as_millis() as i64;
    assert_eq!(broker.pending()[0].deliver_at_ms, at(DAY));
    // A level is an instant; a raw property is understood as over remoting.
    send(delay().delay_level(3)).await.unwrap();
    send(delay().property("__STARTDELIVERTIME", at(DAY / 2).to_string())).await.unwrap();
    let times: Vec<i64> = broker.pending().iter().map(|message| message.deliver_at_ms).collect();
    assert_eq!(times, [at(Duration::from_secs(10)), at(DAY / 2), at(DAY)]);
    let error = send(delay().deliver_at(now + 2 * DAY)).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::InvalidDeliveryTime, Some(40012)));
    assert_eq!(error.outcome(), Outcome::NotSent);
    let requests = broker.request_count(SEND);
    let error = send(delay().deliver_at(now + 400 * DAY)).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::InvalidDeliveryTime, None));
    assert_eq!(broker.request_count(SEND), requests, "a year is the client's own limit");
    producer.shutdown().await;
}

#[tokio::test]
async fn a_scheduled_message_is_taken_back_once() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let kept = producer.send(message().deliver_after(DAY)).await.unwrap();
    let receipt = producer.send(message().deliver_after(DAY)).await.unwrap();
    let handle = receipt.recall_handle.unwrap();
    assert_eq!(producer.recall("orders", &handle).await.unwrap(), receipt.message_id);
    let waiting: Vec<String> = broker.pending().into_iter().map(|message| message.message_id).collect();
    assert_eq!(waiting, [kept.message_id]);
    let again = producer.recall("orders", &handle).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Server, "{again}");
    for handle in ["nonsense", "AAAA"] {
        let error = producer.recall("orders", handle).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    let error = producer.recall("others", &handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    producer.shutdown().await;
}

#[tokio::test]
async fn unknown_topics_are_not_found() {
    let broker = apache().await;
    let producer = producer(&broker).await;
    let error = producer.send(Message::new("nobody-made-it", "x")).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::TopicNotFound, Some(40402)));
    assert_eq!(error.outcome(), Outcome::NotSent);
    broker.create_topic("nobody-made-it", 1).unwrap();
    producer.send(Message::new("nobody-made-it", "x")).await.unwrap();
    producer.shutdown().await;
}

/// A switch of the scheme is the only difference from the run over remoting: names mean the same to the server.
#[tokio::test]
async fn a_namespace_names_the_same_topics_as_over_remoting() {
    let broker = broker().await;
    for scheme in ["remoting", "grpc"] {
        let mut options = options(&broker);
        options.client.endpoint = format!("{scheme}://{}", broker.address()).parse().unwrap();
        options.client.namespace = Some("ns".into());
        let producer = Producer::start(options).await.unwrap();
        let receipt = producer.send(message().deliver_after(DAY)).await.unwrap();
        assert_eq!(receipt.queue.topic, "orders");
        producer.shutdown().await;
    }
    let topics: Vec<String> = broker.pending().into_iter().map(|message| message.topic).collect();
    assert_eq!(topics, ["ns%orders", "ns%orders"]);
}
