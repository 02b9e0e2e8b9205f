//! Peers that break the protocol cost them their connection, and nobody else anything.

use std::time::Duration;

use tminus::ErrorKind;
use tminus::broker::{Broker, BrokerOptions};
use tminus::codec::remoting::Frame;
use tminus::codec::remoting::codes::{request, response};

use crate::peer::{Peer, broker, message};

#[tokio::test]
async fn hostile_frames_close_the_connection_and_nothing_else() {
    let broker = broker(|_| {}).await;
    let mut neighbour = Peer::connect(broker.address()).await;
    let frames: [(&str, &[u8]); 7] = [
        ("a length of 2 GiB", b"\x7f\xff\xff\xff\0\0\0\x10"),
        ("a negative length", b"\xff\xff\xff\xff\0\0\0\x10"),
        ("a length of 17 MiB", b"\x01\x10\0\0\0\0\0\x10"),
        ("a header longer than the frame", b"\0\0\0\x10\0\0\0\xff"),
        ("an unknown serialization", b"\0\0\0\x08\x07\0\0\x04{}  "),
        ("a header that is no JSON", b"\0\0\0\x08\0\0\0\x04nope"),
        ("a binary header cut off", b"\0\0\0\x08\x01\0\0\x04\0\x0a\0\0"),
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
async fn every_request_survives_every_value() {
    const CODES: [i32; 39] = [
        10, 11, 12, 14, 15, 17, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 41, 42, 46, 103, 104, 105, 106, 200,
        203, 204, 206, 207, 215, 216, 217, 222, 307, 309, 310, 320, 324, 361, 370,
    ];
    const NAMES: [&str; 38] = [
        "topic",
        "consumerGroup",
        "producerGroup",
        "group",
        "queueId",
        "queueOffset",
        "maxMsgNums",
        "sysFlag",
        "commitOffset",
        "suspendTimeoutMillis",
        "subVersion",
        "subscription",
        "timestamp",
        "offset",
        "delayLevel",
        "maxReconsumeTimes",
        "reconsumeTimes",
        "bornTimestamp",
        "flag",
        "properties",
        "defaultTopic",
        "defaultTopicQueueNums",
        "readQueueNums",
        "writeQueueNums",
        "perm",
        "key",
        "maxNum",
        "beginTimestamp",
        "endTimestamp",
        "tranStateTableOffset",
        "commitLogOffset",
        "commitOrRollback",
        "brokerName",
        "brokerAddr",
        "clusterName",
        "brokerId",
        "clientID",
        "recallHandle",
    ];
    const LETTERS: [&str; 14] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
    const VALUES: [&str; 18] = [
        "0",
        "0",
        "1",
        "-1",
        "4",
        "32",
        "9223372036854775807",
        "-9223372036854775808",
        "2147483647",
        "-2147483648",
        "T",
        "T",
        "%RETRY%T",
        "G",
        "true",
        "",
        "DELAY\u{1}-9223372036854775808\u{2}TRAN_MSG\u{1}true\u{2}",
        "TIMER_DELAY_SEC\u{1}9223372036854775807\u{2}CHECK_IMMUNITY_TIME_IN_SECONDS\u{1}9223372036854775807\u{2}",
    ];
    const BODIES: [&str; 6] =
        ["", "x", "{}", "null", "[[[", r#"{"clientID":"c","consumerDataSet":[{"groupName":"G"}]}"#];
    let mut random = fastrand::Rng::with_seed(11);
    let broker = broker(|options| options.clock = tminus::Clock::virtual_now()).await;
    let mut hostile = Peer::connect(broker.address()).await;
    hostile.send("T", "x", &[]).await;
    for round in 0..2000 {
        let code = CODES[random.usize(..CODES.len())];
        let mut frame = Frame::request(code).with_body(BODIES[random.usize(..BODIES.len())]);
        for name in NAMES.iter().chain(&LETTERS) {
            if random.u8(..10) > 0 {
                frame.ext.set(*name, VALUES[random.usize(..VALUES.len())]);
            }
        }
        // No long holds: a parked pull is not answered by what follows.
        frame.ext.set("sysFlag", 4);
        hostile.write(frame).await;
        let probe = hostile.call(Frame::request(request::GET_BROKER_CLUSTER_INFO)).await;
        assert_eq!(probe.code, response::SUCCESS, "round {round}, request {code}");
    }
    broker.advance(Duration::from_secs(365 * 24 * 3600)).unwrap();
    assert_eq!(hostile.call(message("Sound", "x", &[])).await.code, response::SUCCESS);
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
