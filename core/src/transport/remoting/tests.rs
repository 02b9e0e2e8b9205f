//! A connection against a real socket on the other side.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Connection, Dialer, ServerRequest};
use crate::clock;
use crate::codec::remoting::{DEFAULT_MAX_FRAME_BYTES, Frame, Serialization};
use crate::error::{ErrorKind, Outcome};
use crate::transport::pool::{Connection as _, Dialer as _};
use crate::transport::socket::Socket;

const LONG: Duration = Duration::from_secs(10);

/// A connection, the requests its server sent, and the server's end.
async fn connected() -> (Connection, mpsc::UnboundedReceiver<ServerRequest>, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let socket = TcpStream::connect(&address).await.unwrap();
    let (sender, requests) = mpsc::unbounded_channel();
    let handler = Arc::new(move |request| drop(sender.send(request)));
    let dialer = Dialer::new(None, handler);
    let connection = dialer.begin(&address.into(), Socket::Plain(socket)).await.unwrap();
    (connection, requests, Peer { socket: listener.accept().await.unwrap().0, input: BytesMut::new() })
}

struct Peer {
    socket: TcpStream,
    input: BytesMut,
}

impl Peer {
    async fn read(&mut self) -> Frame {
        loop {
            if let Some(frame) = Frame::decode(&mut self.input, DEFAULT_MAX_FRAME_BYTES).unwrap() {
                return frame;
            }
            assert_ne!(self.socket.read_buf(&mut self.input).await.unwrap(), 0, "closed");
        }
    }

    async fn write(&mut self, frame: &Frame) {
        let (head, body) = frame.encode(Serialization::Json).unwrap();
        self.socket.write_all(&[head, body].concat()).await.unwrap();
    }
}

fn request(code: i32, body: usize) -> Frame {
    Frame::request(code).with_body(vec![b'x'; body])
}

#[tokio::test]
async fn answers_find_their_calls_in_any_order() {
    let (connection, _requests, mut peer) = connected().await;
    let mut calls = JoinSet::new();
    for code in 0..100 {
        let connection = connection.clone();
        calls.spawn(async move {
            let answer = connection.call("test", request(code, 10), clock::instant() + LONG).await.unwrap();
            assert_eq!(answer.code, 1000 + code);
        });
    }
    let mut read = Vec::new();
    while read.len() < 100 {
        read.push(peer.read().await);
    }
    for frame in read.iter().rev() {
        peer.write(&Frame::response(frame, 1000 + frame.code)).await;
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
    assert_eq!(connection.in_flight(), 0);
}

#[tokio::test]
async fn a_cancelled_call_leaves_nothing_behind() {
    let (connection, _requests, mut peer) = connected().await;
    let call = connection.call("test", request(1, 0), clock::instant() + LONG);
    assert!(tokio::time::timeout(Duration::from_millis(20), call).await.is_err());
    assert_eq!(connection.in_flight(), 0);
    // Its late answer is dropped, and the connection goes on.
    let late = peer.read().await;
    peer.write(&Frame::response(&late, 7)).await;
    let (answer, ()) = tokio::join!(connection.call("test", request(2, 0), clock::instant() + LONG), async {
        let frame = peer.read().await;
        peer.write(&Frame::response(&frame, 8)).await;
    });
    assert_eq!(answer.unwrap().code, 8);
}

#[tokio::test]
async fn calls_under_way_fail_at_once_when_the_server_closes() {
    let (connection, _requests, mut peer) = connected().await;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let connection = connection.clone();
        calls.spawn(async move { connection.call("test", request(1, 10), clock::instant() + LONG).await });
    }
    for _ in 0..50 {
        peer.read().await;
    }
    let begun = clock::instant();
    drop(peer);
    while let Some(call) = calls.join_next().await {
        let error = call.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::ConnectionClosed, Outcome::MaybeSent));
    }
    assert!(begun.elapsed() < Duration::from_secs(1));
    let error = connection.call("test", request(1, 0), clock::instant() + LONG).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::ConnectionClosed, Outcome::NotSent));
    connection.ended().await;
}

#[tokio::test]
async fn what_never_left_is_not_sent() {
    let (connection, _requests, mut peer) = connected().await;
    // Larger than the buffers of a socket whose other end does not read.
    let large = connection.clone();
    let large = tokio::spawn(async move {
        large.call("test", request(1, 15 << 20), clock::instant() + Duration::from_millis(300)).await
    });
    while connection.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    let deadline = clock::instant() + Duration::from_millis(100);
    let error = connection.call("test", request(2, 0), deadline).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotSent));
    let error = large.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::MaybeSent));
    // The first goes on when the server reads; the second was taken back and never comes.
    let next = connection.call("test", request(3, 0), clock::instant() + LONG);
    let serve = async {
        for _ in 0..2 {
            let frame = peer.read().await;
            assert_ne!(frame.code, 2);
            peer.write(&Frame::response(&frame, 0)).await;
        }
    };
    assert!(tokio::join!(next, serve).0.is_ok());
}

#[tokio::test]
async fn a_request_of_the_server_is_handled_and_answered() {
    let (connection, mut requests, mut peer) = connected().await;
    // The same opaque as a call under way: only the response bit tells them apart.
    let call =
        tokio::spawn(async move { connection.call("test", request(1, 0), clock::instant() + LONG).await });
    let asked = peer.read().await;
    peer.write(&Frame { opaque: asked.opaque, ..Frame::request(307) }).await;
    let request = requests.recv().await.unwrap();
    assert_eq!(request.frame.code, 307);
    request.answer(Frame::response(&request.frame, 0).with_remark("here"));
    let answer = peer.read().await;
    assert!(answer.is_response());
    assert_eq!((answer.opaque, answer.remark.as_deref()), (asked.opaque, Some("here")));
    peer.write(&Frame::response(&asked, 5)).await;
    assert_eq!(call.await.unwrap().unwrap().code, 5);
}

#[tokio::test]
async fn a_one_way_sender_waits_while_too_much_is_queued() {
    let (connection, _requests, mut peer) = connected().await;
    let sender = tokio::spawn(async move {
        for _ in 0..16 {
            connection.one_way("test", request(9, 1 << 20), clock::instant() + LONG).await.unwrap();
        }
        connection
    });
    for _ in 0..16 {
        assert!(peer.read().await.is_one_way());
    }
    let connection = sender.await.unwrap();
    assert!(!connection.is_closed());
}

#[tokio::test]
async fn a_request_without_time_left_is_not_written() {
    let (connection, _requests, mut peer) = connected().await;
    let error = connection.call("test", request(1, 0), clock::instant()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotSent));
    connection.cast(request(2, 0)).unwrap();
    assert_eq!(peer.read().await.code, 2);
}

#[tokio::test]
async fn a_connection_that_stays_silent_is_given_up() {
    let (connection, _requests, mut peer) = connected().await;
    let impatient = connection.call("test", request(1, 0), clock::instant() + Duration::from_millis(10));
    assert_eq!(impatient.await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(!connection.is_closed(), "too short to tell");
    let patient = connection.call("test", request(2, 0), clock::instant() + Duration::from_millis(3_000));
    assert_eq!(patient.await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(connection.is_closed());
    assert_eq!((peer.read().await.code, peer.read().await.code), (1, 2));
}
