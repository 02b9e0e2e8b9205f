//! What the tests over gRPC share: the loopback broker as a proxy.

pub use tminus::broker::{Fault, GroupOptions};
pub use tminus::{ErrorKind, ReceiptHandle, Received, SimpleConsumer, SimpleConsumerOptions};

pub use super::*;

/// Requests as the broker counts them.
pub const ASSIGNMENT: i32 = 400;
pub const FORWARD: i32 = 36;
pub const RECEIVE: i32 = 200_050;
pub const ACK: i32 = 200_051;
pub const CHANGE: i32 = 200_053;

/// How long messages stay hidden here.
pub const HIDDEN: Duration = Duration::from_secs(30);

pub fn endpoint(broker: &Broker) -> String {
    format!("grpc://{}", broker.address())
}

pub async fn producer(broker: &Broker) -> Producer {
    Producer::start(ProducerOptions::new(&endpoint(broker)).unwrap()).await.unwrap()
}

/// Options for a member of group `g` that wants all of topic `T`.
pub fn options(broker: &Broker) -> PushConsumerOptions {
    PushConsumerOptions::new(&endpoint(broker), "g").unwrap().subscribe("T", FilterExpression::all())
}

pub async fn simple(broker: &Broker) -> SimpleConsumer {
    let options = SimpleConsumerOptions::new(&endpoint(broker), "g").unwrap();
    SimpleConsumer::start(options.subscribe("T", FilterExpression::all())).await.unwrap()
}

/// A broker with topic `T` of `queues` queues.
pub async fn broker_with(queues: i32) -> Broker {
    let broker = broker().await;
    broker.create_topic("T", queues).unwrap();
    broker
}

/// The same, on a virtual clock.
pub async fn virtual_broker_with(queues: i32) -> Broker {
    let broker = virtual_broker().await;
    broker.create_topic("T", queues).unwrap();
    broker
}

/// Receives until `count` messages came.
pub async fn receive(consumer: &SimpleConsumer, count: usize) -> Vec<Received> {
    let mut all = Vec::new();
    let receiving = async {
        while all.len() < count {
            all.extend(consumer.receive(32, HIDDEN, None).await.unwrap());
        }
    };
    timeout(PATIENCE, receiving).await.expect("no message");
    all
}

pub fn bodies<'a>(received: impl IntoIterator<Item = &'a Received>) -> BTreeSet<usize> {
    received.into_iter().map(|received| body(&received.message)).collect()
}
