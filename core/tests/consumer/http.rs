//! What the tests over ApsaraMQ HTTP share.

pub(crate) use tminus::broker::Fault;
pub(crate) use tminus::clock;
pub(crate) use tminus::{
    ErrorKind, HttpClient, HttpConsume, ReceiptHandle, Received, SimpleConsumer, SimpleConsumerOptions,
};

pub(crate) use super::*;

/// Requests as the broker counts them.
pub(crate) const RECEIVE: i32 = 200_050;
pub(crate) const ACK: i32 = 200_051;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// How long the service hides messages.
pub(crate) const HIDDEN: Duration = Duration::from_secs(300);

pub(crate) fn endpoint(broker: &Broker) -> String {
    format!("http://{}", broker.address())
}

/// A broker with topic `T`.
pub(crate) async fn broker_with_topic() -> Broker {
    let broker = broker().await;
    broker.create_topic("T", 1).unwrap();
    broker
}

/// The same, on a virtual clock.
pub(crate) async fn virtual_broker_with_topic() -> Broker {
    let broker = virtual_broker().await;
    broker.create_topic("T", 1).unwrap();
    broker
}

/// The same, where messages stay hidden for one second only.
pub(crate) async fn hasty_broker() -> Broker {
    let mut options = BrokerOptions::default();
    options.http_invisible = SECOND;
    let broker = Broker::start(options).await.unwrap();
    broker.create_topic("T", 1).unwrap();
    broker
}

pub(crate) fn client(broker: &Broker) -> HttpClient {
    HttpClient::new(tminus::ClientOptions::new(&endpoint(broker)).unwrap()).unwrap()
}

pub(crate) fn wanted(max: usize, wait: Duration) -> HttpConsume {
    HttpConsume {
        topic: "T".into(),
        group: "g".into(),
        tag: String::new(),
        mode: tminus::ConsumeMode::Concurrent,
        max,
        wait,
    }
}

/// Options for a member of group `g` that wants all of topic `T`.
pub(crate) fn push_options(broker: &Broker) -> PushConsumerOptions {
    PushConsumerOptions::new(&endpoint(broker), "g").unwrap().subscribe("T", FilterExpression::all())
}

pub(crate) fn simple_options(broker: &Broker) -> SimpleConsumerOptions {
    SimpleConsumerOptions::new(&endpoint(broker), "g").unwrap().subscribe("T", FilterExpression::all())
}

pub(crate) async fn simple(broker: &Broker) -> SimpleConsumer {
    SimpleConsumer::start(simple_options(broker)).await.unwrap()
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

/// Sends messages with these bodies to message group `group` of topic `T`.
pub(crate) async fn send_to_group(producer: &Producer, group: &str, bodies: impl IntoIterator<Item = usize>) {
    for body in bodies {
        producer.send(Message::new("T", body.to_string()).message_group(group)).await.unwrap();
    }
}

pub(crate) fn bodies<'a>(received: impl IntoIterator<Item = &'a Received>) -> Vec<usize> {
    received.into_iter().map(|received| body(&received.message)).collect()
}

pub(crate) fn receipts<'a>(received: impl IntoIterator<Item = &'a Received>) -> Vec<ReceiptHandle> {
    received.into_iter().map(|received| received.receipt.clone()).collect()
}

pub(crate) fn kind<T>(result: tminus::Result<T>) -> Result<(), ErrorKind> {
    result.map(drop).map_err(|error| error.kind())
}
