//! Peers that break the protocol cost them their connection, and nobody else anything.

use std::time::Duration;

use tminus::ErrorKind;
use tminus::broker::{Broker, BrokerOptions};
use tminus::codec::remoting::codes::response;

use crate::peer::{Peer, broker, message};

#[tokio::test]
async fn hostile_frames_close_the_connection_and_nothing_else() {
    let broker = broker(|_| {}).await;
    let mut neighbour = Peer::connect(broker.address()).await;
    let frames: [(&str, &[u8]); 9] = [
        ("a length of 2 GiB", b"\x7f\xff\xff\xff\0\0\0\x10"),
        ("a negative length", b"\xff\xff\xff\xff\0\0\0\x10"),
        ("a length of 17 MiB", b"\x01\x10\0\0\0\0\0\x10"),
        ("a header longer than the frame", b"\0\0\0\x10\0\0\0\xff"),
        ("an unknown serialization", b"\0\0\0\x08\x07\0\0\x04{}  "),
        ("a header that is no JSON", b"\0\0\0\x08\0\0\0\x04nope"),
        ("a binary header cut off", b"\0\0\0\x08\x01\0\0\x04\0\x0a\0\0"),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ];
    for (what, bytes) in frames {
        let mut hostile = Peer::connect(broker.address()).await;
        hostile.raw(bytes).await;
        assert!(hostile.read().await.is_none(), "{what}");
        assert_eq!(neighbour.send("T", what, &[]).await.code, response::SUCCESS, "{what}");
    }
}

#[tokio::test]
async fn a_claimed_length_costs_no_memory() {
    let broker = broker(|_| {}).await;
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = resident();
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut peer = Peer::connect(broker.address()).await;
        // 15 MiB claimed, the largest that is allowed, and never sent.
        peer.raw(b"\0\xf0\0\0\0\0\0\x10").await;
        waiting.push(peer);
    }
    let mut neighbour = Peer::connect(broker.address()).await;
    assert_eq!(neighbour.send("T", "x", &[]).await.code, response::SUCCESS);
    let grown = resident().saturating_sub(before);
    assert!(grown < 50_000, "{grown} KiB for 50 claims of 15 MiB");
}

#[tokio::test]
async fn pipelined_requests_in_pieces_are_all_answered() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    let mut bytes = Vec::new();
    for opaque in 0..100 {
        let mut frame = message("T", "pipelined", &[]);
        frame.opaque = opaque;
        let (head, body) = frame.encode(Default::default()).unwrap();
        bytes.extend([head, body].concat());
    }
    for piece in bytes.chunks(37) {
        peer.raw(piece).await;
    }
    for opaque in 0..100 {
        assert_eq!(peer.read().await.unwrap().opaque, opaque);
    }
    assert_eq!(peer.pull("T", 99, Duration::ZERO).await.len(), 1);
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let mut options = BrokerOptions::default();
        options.listen = listen.parse().unwrap();
        assert_eq!(Broker::start(options).await.unwrap_err().kind(), ErrorKind::InvalidArgument, "{listen}");
    }
}
