//! Beginning and end: what is refused, what is left behind, and clusters that change meanwhile.

use tminus::broker::BrokerTls;
use tminus::codec::remoting::Frame;
use tminus::codec::remoting::body::{JsonBody, TopicRoute};
use tminus::codec::remoting::codes::request;
use tminus::{Credentials, ErrorKind};

use super::peer::Peer;
use super::*;

#[tokio::test]
async fn unusable_options_are_refused_before_anything_is_connected() {
    let nowhere = || PushConsumerOptions::new("127.0.0.1:1", "g").unwrap();
    let mut cases = vec![
        PushConsumerOptions::new("127.0.0.1:1", "").unwrap(),
        PushConsumerOptions::new("127.0.0.1:1", "no spaces").unwrap(),
        nowhere().subscribe("", FilterExpression::all()),
        nowhere().subscribe("T/U", FilterExpression::all()),
        nowhere().subscribe("T", FilterExpression::Sql92(" ".into())),
    ];
    let changes: [fn(&mut PushConsumerOptions); 4] = [
        |o| o.concurrency = 0,
        |o| o.pull_batch = 0,
        |o| o.cached_messages_per_queue = 0,
        |o| o.offset_commit_interval = Duration::ZERO,
    ];
    for change in changes {
        let mut options = nowhere();
        change(&mut options);
        cases.push(options);
    }
    for options in cases {
        let error = PushConsumer::start_stream(options.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{options:?}");
    }
    let error = PushConsumer::start_stream(nowhere()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameServerUnreachable);
}

#[tokio::test]
async fn a_shutdown_given_up_halfway_is_finished_by_the_next() {
    let broker = broker().await;
    broker.create_topic("T", 1).unwrap();
    let producer = producer(&broker).await;
    send(&producer, 0..1).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    let held = next(&deliveries).await;
    assert!(timeout(QUIET, consumer.shutdown()).await.is_err(), "it waits for the handler");
    held.settle(ConsumeResult::Success);
    consumer.shutdown().await;
    assert!(deliveries.next(1).await.is_empty());
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    assert_quiet(&deliveries).await;
    consumer.shutdown().await;
    producer.shutdown().await;
}

#[tokio::test]
async fn a_consumer_let_go_of_leaves_the_group() {
    let broker = broker().await;
    broker.create_topic("T", 4).unwrap();
    let (first, _) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    let queues = |consumer: &PushConsumer| {
        consumer.assigned_queues().iter().filter(|queue| queue.topic == "T").count()
    };
    {
        let (second, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
        until("they share", || queues(&first) == 2 && queues(&second) == 2).await;
        drop(second);
        assert!(deliveries.next(1).await.is_empty());
    }
    until("the other takes over", || queues(&first) == 4).await;
    // A start that is given up halfway is not a member either.
    let starting = PushConsumer::start_stream(options(&broker, "g"));
    let _ = timeout(Duration::from_micros(500), starting).await;
    until("all queues are back", || queues(&first) == 4).await;
    first.shutdown().await;
}

#[tokio::test]
async fn with_tls_keys_and_a_namespace() {
    let mut options = BrokerOptions::default();
    options.tls = Some(BrokerTls::SelfMade);
    options.credentials = vec![Credentials::new("user", "secret")];
    let broker = Broker::start(options).await.unwrap();
    let endpoint = format!("remotings://{}", broker.address());
    let mut client = tminus::ClientOptions::new(&endpoint).unwrap();
    client.tls.ca_pem = broker.ca_pem().map(str::to_owned);
    client.credentials = Some(Credentials::new("user", "secret").into());
    client.namespace = Some("ns".into());
    let producer = Producer::start(ProducerOptions::with_client(client.clone())).await.unwrap();
    let mut options = PushConsumerOptions::with_client(client, "g").subscribe("T", FilterExpression::all());
    options.consume_from = ConsumeFrom::FirstOffset;
    send(&producer, 0..5).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options.clone()).await.unwrap();
    assert!(consumer.assigned_queues().iter().any(|queue| queue.topic == "T"));
    let delivery = next(&deliveries).await;
    assert_eq!(delivery.message.topic, "T");
    delivery.settle(ConsumeResult::Success);
    assert_eq!(consume(&deliveries, 4).await.len(), 4);
    consumer.shutdown().await;
    options.client.credentials = Some(Credentials::new("user", "wrong").into());
    let error = PushConsumer::start_stream(options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(!format!("{error:?}").contains("wrong"));
    producer.shutdown().await;
}

#[tokio::test]
async fn a_cluster_loses_a_broker_and_gets_it_back() {
    let first = broker().await;
    let mut joining = BrokerOptions::default();
    (joining.join, joining.name) = (Some(first.address()), "broker-b".into());
    let second = Broker::start(joining).await.unwrap();
    for broker in [&first, &second] {
        broker.create_topic("T", 2).unwrap();
    }
    let mut peer = Peer::connect(first.address()).await;
    let joined = async {
        while routed_brokers(&mut peer).await < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, joined).await.expect("the second broker did not join");
    let producer = producer(&first).await;
    let mut options = options(&first, "g");
    options.rebalance_interval = Duration::from_millis(100);
    options.client.route_refresh_interval = Duration::from_millis(100);
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    let queues = |consumer: &PushConsumer| {
        consumer.assigned_queues().iter().filter(|queue| queue.topic == "T").count()
    };
    until("the queues of both", || queues(&consumer) == 4).await;
    send(&producer, 0..20).await;
    let mut seen = consume(&deliveries, 20).await;
    let restarting = second.restart(Duration::from_secs(1));
    let meanwhile = async {
        send(&producer, 20..40).await;
        seen.extend(consume(&deliveries, 20).await);
    };
    let (restarted, ()) = tokio::join!(restarting, meanwhile);
    restarted.unwrap();
    until("the queues of both again", || queues(&consumer) == 4).await;
    send(&producer, 40..60).await;
    while seen.len() < 60 {
        seen.extend(consume(&deliveries, 1).await);
    }
    consumer.shutdown().await;
    producer.shutdown().await;
}

/// Number of brokers in the route of `T`.
async fn routed_brokers(peer: &mut Peer) -> usize {
    let answer = peer.call(Frame::request(request::GET_ROUTEINFO_BY_TOPIC).with("topic", "T")).await;
    TopicRoute::decode(&answer.body).unwrap().queue_datas.len()
}
