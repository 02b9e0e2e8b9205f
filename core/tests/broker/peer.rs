//! A client of raw frames over a real socket.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tminus::broker::{Broker, BrokerOptions};
use tminus::codec::remoting::codes::{request, response};
use tminus::codec::remoting::header::{PullHeader, SendHeader, pull_flag};
use tminus::codec::remoting::{DEFAULT_MAX_FRAME_BYTES, Frame, Serialization, decode_messages};
use tminus::message::{MessageView, Properties};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(crate) struct Peer {
    stream: Box<dyn Stream>,
    received: BytesMut,
    opaque: i32,
}

/// A broker with these changes to the default options.
pub(crate) async fn broker(change: impl FnOnce(&mut BrokerOptions)) -> Broker {
    let mut options = BrokerOptions::default();
    change(&mut options);
    Broker::start(options).await.unwrap()
}

impl Peer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self { stream: Box::new(stream), received: BytesMut::new(), opaque: 100 }
    }

    /// Writes `frame` with a new opaque, which is returned.
    pub(crate) async fn write(&mut self, frame: Frame) -> i32 {
        self.write_as(frame, Serialization::Json).await
    }

    pub(crate) async fn write_as(&mut self, mut frame: Frame, serialization: Serialization) -> i32 {
        self.opaque += 1;
        frame.opaque = self.opaque;
        let (head, body) = frame.encode(serialization).unwrap();
        self.raw(&head).await;
        self.raw(&body).await;
        self.opaque
    }

    /// Answers a request of the broker.
    pub(crate) async fn reply(&mut self, answer: Frame) {
        let (head, body) = answer.encode(Serialization::Json).unwrap();
        self.raw(&[head, body].concat()).await;
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next frame, or `None` when the broker closed the connection.
    pub(crate) async fn read(&mut self) -> Option<Frame> {
        tokio::time::timeout(PATIENCE, self.read_forever()).await.expect("no frame came")
    }

    async fn read_forever(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::decode(&mut self.received, DEFAULT_MAX_FRAME_BYTES).unwrap() {
                return Some(frame);
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The answer to a request; what the broker asks meanwhile is passed over.
    pub(crate) async fn call(&mut self, frame: Frame) -> Frame {
        let opaque = self.write(frame).await;
        self.answer(opaque).await
    }

    pub(crate) async fn answer(&mut self, opaque: i32) -> Frame {
        loop {
            let frame = self.read().await.expect("the broker closed the connection");
            if frame.is_response() && frame.opaque == opaque {
                return frame;
            }
        }
    }

    /// Sends a message to queue 0 of `topic`.
    pub(crate) async fn send(&mut self, topic: &str, body: &str, properties: &[(&str, &str)]) -> Frame {
        self.call(message(topic, body, properties)).await
    }

    /// Messages of queue 0 from `offset` on, waiting for them up to `hold`.
    pub(crate) async fn pull(&mut self, topic: &str, offset: i64, hold: Duration) -> Vec<MessageView> {
        let answer = self.call(pull(topic, offset, hold)).await;
        views(&answer)
    }
}

/// A send request to queue 0.
pub(crate) fn message(topic: &str, body: &str, properties: &[(&str, &str)]) -> Frame {
    let properties: Properties = properties.iter().copied().collect();
    let header = SendHeader {
        producer_group: "P".into(),
        topic: topic.into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        properties: properties.encode(),
        ..SendHeader::default()
    };
    let mut frame =
        Frame::request(request::SEND_MESSAGE_V2).with_body(Bytes::copy_from_slice(body.as_bytes()));
    frame.ext = header.into_ext();
    frame
}

/// A pull request of group `G` for queue 0.
pub(crate) fn pull(topic: &str, offset: i64, hold: Duration) -> Frame {
    pull_tags(topic, offset, hold, "*")
}

pub(crate) fn pull_tags(topic: &str, offset: i64, hold: Duration, tags: &str) -> Frame {
    let header = PullHeader {
        consumer_group: "G".into(),
        topic: topic.into(),
        queue_offset: offset,
        max_msg_nums: 32,
        sys_flag: pull_flag::SUBSCRIPTION | if hold.is_zero() { 0 } else { pull_flag::SUSPEND },
        suspend_timeout_millis: hold.as_millis() as i64,
        subscription: Some(tags.into()),
        expression_type: Some("TAG".into()),
        ..PullHeader::default()
    };
    Frame { ext: header.into_ext(), ..Frame::request(request::PULL_MESSAGE) }
}

/// The messages of an answer to a pull.
pub(crate) fn views(answer: &Frame) -> Vec<MessageView> {
    match answer.code {
        response::SUCCESS => {
            decode_messages(answer.body.clone(), "broker-a").into_iter().map(Result::unwrap).collect()
        }
        response::PULL_NOT_FOUND | response::PULL_RETRY_IMMEDIATELY => Vec::new(),
        _ => panic!("pull answered {} {:?}", answer.code, answer.remark),
    }
}
