//! What the tests over gRPC share: the loopback broker as a proxy.

pub(crate) use tminus::broker::{Fault, GroupOptions};
pub(crate) use tminus::{ErrorKind, ReceiptHandle, Received, SimpleConsumer, SimpleConsumerOptions};

pub(crate) use super::*;

/// Requests as the broker counts them.
pub(crate) const FORWARD: i32 = 36;
pub(crate) const RECEIVE: i32 = 200_050;
pub(crate) const ACK: i32 = 200_051;
pub(crate) const CHANGE: i32 = 200_053;

/// How long messages stay hidden here.
pub(crate) const HIDDEN: Duration = Duration::from_secs(30);

pub(crate) fn endpoint(broker: &Broker) -> String {
    format!("grpc://{}", broker.address())
}

pub(crate) async fn producer(broker: &Broker) -> Producer {
    Producer::start(ProducerOptions::new(&endpoint(broker)).unwrap()).await.unwrap()
}

/// The fault of a proxy that refuses with this status code.
pub(crate) fn refuse(code: i32) -> Fault {
    Fault::Refuse { code, remark: "as the test wants it".into() }
}

/// Options for a member of group `g` that wants all of topic `T`.
pub(crate) fn options(broker: &Broker) -> PushConsumerOptions {
    PushConsumerOptions::new(&endpoint(broker), "g").unwrap().subscribe("T", FilterExpression::all())
}

pub(crate) async fn simple(broker: &Broker) -> SimpleConsumer {
    let options = SimpleConsumerOptions::new(&endpoint(broker), "g").unwrap();
    SimpleConsumer::start(options.subscribe("T", FilterExpression::all())).await.unwrap()
}

/// A group whose messages come again after `ms` milliseconds.
pub(crate) fn again_after(ms: u64) -> GroupOptions {
    GroupOptions { backoff: vec![Duration::from_millis(ms)], ..GroupOptions::default() }
}

/// A broker with topic `T` of `queues` queues.
pub(crate) async fn broker_with(queues: i32) -> Broker {
    let broker = broker().await;
    broker.create_topic("T", queues).unwrap();
    broker
}

/// The same, on a virtual clock.
pub(crate) async fn virtual_broker_with(queues: i32) -> Broker {
    let broker = virtual_broker().await;
    broker.create_topic("T", queues).unwrap();
    broker
}

/// Receives until `count` messages came.
pub(crate) async fn receive(consumer: &SimpleConsumer, count: usize) -> Vec<Received> {
    let mut all = Vec::new();
    let receiving = async {
        while all.len() < count {
            all.extend(consumer.receive(32, HIDDEN, None).await.unwrap());
        }
    };
    timeout(PATIENCE, receiving).await.expect("no message");
    all
}

pub(crate) fn bodies<'a>(received: impl IntoIterator<Item = &'a Received>) -> BTreeSet<usize> {
    received.into_iter().map(|received| body(&received.message)).collect()
}
