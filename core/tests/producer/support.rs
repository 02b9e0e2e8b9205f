//! What the tests start, and a name server for routes that a single broker does not have.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tminus::broker::{Broker, BrokerOptions};
use tminus::codec::remoting::body::{BrokerData, JsonBody, QueueData, TopicRoute};
use tminus::codec::remoting::codes::{request, response};
use tminus::codec::remoting::{DEFAULT_MAX_FRAME_BYTES, Frame, Serialization};
use tminus::options::ProducerOptions;
use tminus::{Message, Producer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const SEND: i32 = request::SEND_MESSAGE_V2;

pub async fn broker() -> Broker {
    Broker::start(BrokerOptions::default()).await.unwrap()
}

pub async fn broker_named(name: &str) -> Broker {
    let mut options = BrokerOptions::default();
    options.name = name.into();
    Broker::start(options).await.unwrap()
}

pub fn options(address: SocketAddr) -> ProducerOptions {
    ProducerOptions::new(&address.to_string()).unwrap()
}

pub async fn producer(address: SocketAddr) -> Producer {
    Producer::start(options(address)).await.unwrap()
}

pub fn message() -> Message {
    Message::new("orders", "hello")
}

/// A name server that gives every topic to the brokers named, two queues each.
pub async fn name_server(brokers: &[(&str, SocketAddr)]) -> SocketAddr {
    let mut route = TopicRoute::default();
    for (name, address) in brokers {
        route.broker_datas.push(BrokerData {
            broker_addrs: [(0, address.to_string())].into(),
            broker_name: (*name).into(),
            cluster: "c".into(),
            ..BrokerData::default()
        });
        route.queue_datas.push(QueueData {
            broker_name: (*name).into(),
            perm: 6,
            read_queue_nums: 2,
            write_queue_nums: 2,
            ..QueueData::default()
        });
    }
    let body = route.encode();
    server(move |mut peer| {
        let body = body.clone();
        async move {
            while let Some(asked) = peer.read().await {
                peer.write(&Frame::response(&asked, response::SUCCESS).with_body(body.clone())).await;
            }
        }
    })
    .await
}

/// A server that lets `serve` talk on every connection.
pub async fn server<F>(serve: impl Fn(Peer) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the runtime of the test.
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(Peer { socket, input: BytesMut::new() }));
        }
    });
    address
}

/// A server that reads everything and never says a word.
pub async fn silent_server() -> SocketAddr {
    server(|mut peer| async move { while peer.read().await.is_some() {} }).await
}

/// A port that nobody listens on.
pub async fn dead_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// The server's end of a connection.
pub struct Peer {
    pub socket: TcpStream,
    input: BytesMut,
}

impl Peer {
    pub async fn read(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::decode(&mut self.input, DEFAULT_MAX_FRAME_BYTES).unwrap() {
                return Some(frame);
            }
            if self.socket.read_buf(&mut self.input).await.ok()? == 0 {
                return None;
            }
        }
    }

    pub async fn write(&mut self, frame: &Frame) {
        let (head, body) = frame.encode(Serialization::Json).unwrap();
        let _ = self.socket.write_all(&[head, body].concat()).await;
    }
}

pub const SHORT: Duration = Duration::from_millis(400);
