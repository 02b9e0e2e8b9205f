//! The remoting codec against byte-exact vectors, and against hostile bytes.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use tminus::codec::remoting::batch::{self, BatchItem};
use tminus::codec::remoting::body::{
    BrokerData, ClusterInfo, ConsumeFromWhere, ConsumerList, HeartbeatData, JsonBody, KeyStyle, LockReply,
    QueueData, QueueKey, ResetOffset, SubscriptionData, TopicRoute, tag_hash,
};
use tminus::codec::remoting::codes::request;
use tminus::codec::remoting::compression::{self, DecompressError};
use tminus::codec::remoting::header::{PullHeader, SendHeader};
use tminus::codec::remoting::record::{RecordError, StoredMessage, body_crc, sys_flag};
use tminus::codec::remoting::{
    DEFAULT_MAX_FRAME_BYTES, ExtFields, Foreign, Frame, FrameError, Language, Serialization, decode_messages,
    signature,
};
use tminus::message::{MessageQueue, Properties};
use tminus::options::Credentials;

const HELLO: &[u8] = b"hello hello hello";

fn vector(name: &str) -> Vec<u8> {
    let line = include_str!("vectors/remoting.txt").lines().find_map(|line| {
        let (key, hex) = line.split_once(" = ")?;
        (key == name).then_some(hex)
    });
    let hex = line.unwrap_or_else(|| panic!("no vector {name}"));
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The JSON frame with its two length fields.
fn json_frame_vector() -> Vec<u8> {
    let header = vector("frame_json_header");
    let mut frame = vec![0, 0, 0, 0x7F, 0, 0, 0, 0x7B];
    frame.extend(header);
    frame
}

fn route_request() -> Frame {
    let mut frame = Frame::request(request::GET_ROUTEINFO_BY_TOPIC).with("topic", "T");
    (frame.opaque, frame.version) = (7, 317);
    frame
}

fn encode(frame: &Frame, serialization: Serialization) -> Vec<u8> {
    let (head, body) = frame.encode(serialization).unwrap();
    [head, body].concat()
}

fn decode(bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
    Frame::decode(&mut bytes.into(), DEFAULT_MAX_FRAME_BYTES)
}

fn stored() -> StoredMessage {
    StoredMessage::decode(&mut vector("stored_message").into()).unwrap()
}

fn record(message: &StoredMessage) -> Bytes {
    let mut out = BytesMut::new();
    message.encode(&mut out);
    out.freeze()
}

#[test]
fn frames_match_the_vectors() {
    assert_eq!(encode(&route_request(), Serialization::Json), json_frame_vector());
    assert_eq!(encode(&route_request(), Serialization::Binary), vector("frame_binary"));
    assert_eq!(decode(&json_frame_vector()).unwrap(), Some(route_request()));
    assert_eq!(decode(&vector("frame_binary")).unwrap(), Some(route_request()));
}

#[test]
fn frames_survive_both_forms() {
    let mut frame = Frame::request(request::SEND_MESSAGE_V2)
        .with("i", "KEYS\u{1}a b\u{2}")
        .with("b", "quote \" slash \\ 中文 \u{1F600}\n")
        .with("empty", "")
        .with_remark("why \u{7}")
        .with_body("payload");
    frame.opaque = -5;
    frame.flag = 2;
    for language in [Language::Java, Language::Cpp, Language::Python, Language::Go, Language::Other(13)] {
        frame.language = language;
        for serialization in [Serialization::Json, Serialization::Binary] {
            assert_eq!(decode(&encode(&frame, serialization)).unwrap().unwrap(), frame, "{serialization:?}");
        }
    }
}

#[test]
fn codes_beyond_16_bits_are_written_as_json() {
    let bytes = encode(&Frame::request(request::POP_MESSAGE), Serialization::Binary);
    assert_eq!(bytes[4], 0);
    assert_eq!(decode(&bytes).unwrap().unwrap().code, request::POP_MESSAGE);
}

#[test]
fn json_headers_of_other_senders_are_read() {
    let header =
        br#"{"code":"0","flag":1,"language":"COBOL","opaque":9,"remark":null,"version":317,"new":{"a":[1]},
        "extFields":{"offset":17,"ok":true,"gone":null,"t":"x"},"serializeTypeCurrentRPC":"JSON"}"#;
    let mut bytes = ((header.len() + 4) as u32).to_be_bytes().to_vec();
    bytes.extend((header.len() as u32).to_be_bytes());
    bytes.extend(header);
    let frame = decode(&bytes).unwrap().unwrap();
    assert_eq!((frame.code, frame.opaque, frame.language, frame.remark), (0, 9, Language::Other(7), None));
    assert_eq!(frame.ext.parse("offset"), Some(17));
    assert_eq!(
        (frame.ext.get("ok"), frame.ext.get("gone"), frame.ext.get("t")),
        (Some("true"), None, Some("x"))
    );
}

#[test]
fn frames_in_a_row_are_taken_one_by_one_and_bodies_are_not_copied() {
    let frame = route_request().with_body(vec![7; 100]);
    let mut buffer =
        BytesMut::from(&[encode(&frame, Serialization::Json), vector("frame_binary")].concat()[..]);
    let range = buffer.as_ptr_range();
    let first = Frame::decode(&mut buffer, DEFAULT_MAX_FRAME_BYTES).unwrap().unwrap();
    assert!(range.contains(&first.body.as_ptr()));
    assert_eq!(first, frame);
    assert_eq!(Frame::decode(&mut buffer, DEFAULT_MAX_FRAME_BYTES).unwrap(), Some(route_request()));
    assert_eq!(Frame::decode(&mut buffer, DEFAULT_MAX_FRAME_BYTES).unwrap(), None);
}

#[test]
fn hostile_lengths_are_errors_and_reserve_nothing() {
    let cases: [(&[u8], FrameError); 5] = [
        (&[0xFF; 8], FrameError::TooLarge { claimed: 0xFFFF_FFFF, limit: DEFAULT_MAX_FRAME_BYTES }),
        (
            &[0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 9],
            FrameError::TooLarge { claimed: 0x7FFF_FFFF, limit: DEFAULT_MAX_FRAME_BYTES },
        ),
        (&[0, 0, 0, 9, 0, 0, 0, 6], FrameError::BadLength { header: 6, frame: 9 }),
        (&[0, 0, 0, 0, 0, 0, 0, 0], FrameError::BadLength { header: 0, frame: 0 }),
        (&[0, 0, 0, 0x20, 9, 0, 0, 2], FrameError::UnknownSerialization(9)),
    ];
    for (bytes, error) in cases {
        let mut buffer = BytesMut::from(bytes);
        let capacity = buffer.capacity();
        assert_eq!(Frame::decode(&mut buffer, DEFAULT_MAX_FRAME_BYTES), Err(error));
        assert_eq!(buffer.capacity(), capacity);
    }
    // An honest claim of 16 MiB reserves nothing either before its bytes come.
    let mut buffer = BytesMut::from(&[0, 0xFF, 0xFF, 0xF0, 0, 0, 0, 9][..]);
    let capacity = buffer.capacity();
    assert_eq!(Frame::decode(&mut buffer, DEFAULT_MAX_FRAME_BYTES), Ok(None));
    assert_eq!(buffer.capacity(), capacity);
}

#[test]
fn other_protocols_are_named() {
    let cases: [(&[u8], Foreign); 7] = [
        (b"HTTP/1.1 400 Bad Request\r\n", Foreign::Http),
        (b"GET / HTTP/1.1\r\n", Foreign::Http),
        (b"POST /topics HTTP/1.1\r\n", Foreign::Http),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Foreign::Http2),
        (&[0, 0, 0x12, 4, 0, 0, 0, 0, 0, 0, 3], Foreign::Http2),
        (&[0x15, 3, 3, 0, 2, 2, 40, 0], Foreign::Tls),
        (&[0x16, 3, 1, 2, 0, 1, 0, 1], Foreign::Tls),
    ];
    for (bytes, foreign) in cases {
        assert_eq!(decode(bytes), Err(FrameError::Foreign(foreign)));
    }
}

#[test]
fn every_prefix_of_every_vector_is_incomplete_or_an_error() {
    for frame in [json_frame_vector(), vector("frame_binary")] {
        for end in 0..frame.len() {
            assert_eq!(decode(&frame[..end]), Ok(None), "{end}");
        }
        // The same cut with lengths that hide it.
        for end in 8..frame.len() {
            let mut cut = frame[..end].to_vec();
            cut[..4].copy_from_slice(&(end as u32 - 4).to_be_bytes());
            cut[5..8].copy_from_slice(&(end as u32 - 8).to_be_bytes()[1..]);
            assert!(decode(&cut).is_err(), "{end}");
        }
    }
    let record = vector("stored_message");
    let item = vector("batch_item");
    for end in 1..record.len() {
        assert!(decode_messages(record[..end].to_vec().into(), "b")[0].is_err(), "{end}");
        let mut cut = record[..end].to_vec();
        if end >= 4 {
            cut[..4].copy_from_slice(&(end as u32).to_be_bytes());
        }
        assert!(StoredMessage::decode(&mut cut.into()).is_err(), "{end}");
    }
    for end in 1..item.len() {
        assert!(batch::decode(item[..end].to_vec().into()).is_err(), "{end}");
    }
    for (name, kind) in [("zlib", sys_flag::ZLIB), ("lz4", sys_flag::LZ4), ("zstd", sys_flag::ZSTD)] {
        let bytes = vector(name);
        for end in 0..bytes.len() {
            if let Ok(body) = compression::decompress(&bytes[..end], kind, 100) {
                assert!(HELLO.starts_with(&body), "{name} {end}");
            }
        }
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = fastrand::Rng::with_seed(20);
    let seeds = [
        json_frame_vector(),
        vector("frame_binary"),
        vector("stored_message"),
        vector("batch_item"),
        vector("zstd"),
    ];
    for round in 0..20_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        let _ = decode(&bytes);
        let _ = batch::decode(bytes.clone().into());
        let _ = TopicRoute::decode(&bytes);
        decode_messages(bytes.clone().into(), "b");
        for kind in [sys_flag::ZLIB, sys_flag::LZ4, sys_flag::ZSTD] {
            let _ = compression::decompress(&bytes, kind, 1 << 16);
        }
    }
}

#[test]
fn stored_message_matches_the_vector() {
    let message = stored();
    assert_eq!(record(&message), vector("stored_message"));
    assert_eq!(message.offset_message_id().to_string(), "7F00000100002A9F0000000000003039");
    let views = decode_messages(vector("stored_message").repeat(2).into(), "broker-a");
    assert_eq!(views.len(), 2);
    let view = views[1].as_ref().unwrap();
    assert_eq!((view.topic.as_str(), &view.body[..], view.tag()), ("TopicA", &b"hello"[..], Some("TagA")));
    assert_eq!(
        (view.queue_id, view.queue_offset, view.commit_log_offset, view.store_size),
        (3, 42, 12345, 112)
    );
    assert_eq!((view.born_timestamp, view.store_timestamp), (1_700_000_000_000, 1_700_000_000_001));
    assert_eq!(
        (view.born_host, view.store_host),
        ("10.1.2.3:50000".parse().unwrap(), "127.0.0.1:10911".parse().unwrap())
    );
    assert_eq!(
        (view.message_id.as_str(), view.broker.as_str()),
        ("7F00000100002A9F0000000000003039", "broker-a")
    );
    assert_eq!((body_crc(b"hello"), body_crc(b"a")), (907_060_870, 1_756_872_259));
}

#[test]
fn ipv6_hosts_and_long_topics_survive() {
    let mut message = stored();
    message.topic = "%RETRY%".to_owned() + &"g".repeat(150);
    message.born_host = "[2001:db8::1]:50000".parse::<SocketAddr>().unwrap();
    message.store_host = "[::1]:10911".parse::<SocketAddr>().unwrap();
    let bytes = record(&message);
    assert_eq!(bytes[..8][4..], [0xDA, 0xA3, 0x20, 0xAB]);
    let read = StoredMessage::decode(&mut bytes.clone()).unwrap();
    assert_eq!(read.sys_flag, 0x30);
    message.sys_flag = 0x30;
    assert_eq!(read, message);
    assert_eq!(read.offset_message_id().to_string().len(), 56);
}

#[test]
fn a_damaged_message_does_not_hide_the_next_one() {
    let mut bytes = vector("stored_message");
    let body_at = bytes.windows(5).position(|w| w == b"hello").unwrap();
    bytes[body_at] ^= 1;
    bytes.extend(vector("stored_message"));
    let views = decode_messages(bytes.into(), "b");
    assert!(matches!(views[0], Err(RecordError::Damaged { queue_offset: 42, commit_log_offset: 12345, .. })));
    assert_eq!(views[1].as_ref().unwrap().body, "hello");
}

#[test]
fn compressed_bodies_are_read() {
    for (name, kind) in
        [("zlib", 0), ("zlib", sys_flag::ZLIB), ("lz4", sys_flag::LZ4), ("zstd", sys_flag::ZSTD)]
    {
        let message =
            StoredMessage { body: vector(name).into(), sys_flag: sys_flag::COMPRESSED | kind, ..stored() };
        let views = decode_messages(record(&message), "b");
        let view = views[0].as_ref().unwrap();
        assert_eq!((&view.body[..], view.sys_flag), (HELLO, kind), "{name}");
    }
    let ours = compression::zlib(HELLO, 5);
    assert_eq!(compression::decompress(&ours, sys_flag::ZLIB, 17).unwrap(), HELLO);
    assert_eq!(compression::decompress(&ours, sys_flag::ZLIB, 16), Err(DecompressError::TooLarge(16)));
}

#[test]
fn a_decompression_bomb_is_refused() {
    let bomb = compression::zlib(&vec![0; 32 << 20], 9);
    assert!(bomb.len() < 64 << 10);
    let message = StoredMessage { body: bomb.into(), sys_flag: sys_flag::COMPRESSED, ..stored() };
    let views = decode_messages([record(&message), record(&stored())].concat().into(), "b");
    assert!(matches!(&views[0], Err(RecordError::Damaged { why, .. }) if why.contains("16777216")));
    assert!(views[1].is_ok());
}

#[test]
fn batches_match_the_vector_and_inner_batches_are_taken_apart() {
    let item =
        BatchItem { flag: 0, body: "hi".into(), properties: Properties::from_iter([("UNIQ_KEY", "U1")]) };
    assert_eq!(batch::encode(std::slice::from_ref(&item)), vector("batch_item"));
    let second = BatchItem { flag: 9, body: "there".into(), properties: Properties::new() };
    let body = batch::encode(&[item.clone(), second.clone()]);
    assert_eq!(batch::decode(body.clone()).unwrap(), [item, second]);
    let message = StoredMessage { body, sys_flag: sys_flag::INNER_BATCH, ..stored() };
    let views = decode_messages(record(&message), "b");
    let seen: Vec<_> =
        views.iter().flatten().map(|v| (v.queue_offset, v.flag, v.message_id.as_str())).collect();
    assert_eq!(seen, [(42, 0, "U1"), (43, 9, "7F00000100002A9F0000000000003039")]);
}

#[test]
fn a_retried_message_shows_its_original_topic() {
    let mut message = StoredMessage { topic: "%RETRY%g".into(), reconsume_times: 2, ..stored() };
    message.properties.set("RETRY_TOPIC", "TopicA");
    assert_eq!(decode_messages(record(&message), "b")[0].as_ref().unwrap().topic, "TopicA");
    message.topic = "Other".into();
    assert_eq!(decode_messages(record(&message), "b")[0].as_ref().unwrap().topic, "Other");
}

#[test]
fn signature_matches_the_vector() {
    let mut credentials = Credentials::new("ak", "sk");
    credentials.security_token = Some("st".into());
    let mut frame = Frame::request(1).with("topic", "T").with("queueId", 3).with_body("body");
    signature::sign(&mut frame, &credentials);
    assert_eq!(frame.ext.get("Signature"), Some("vqiI8VUUp7CkBGuOBEknzYzFxQs="));
    assert!(signature::verify(&frame, "sk"));
    assert!(!signature::verify(&frame, "other"));
    assert!(!signature::verify(&frame.clone().with_body("b"), "sk"));
    assert!(!signature::verify(&frame.clone().with("_UNIQUE_KEY_QUERY", true), "sk"));
    frame.version = 399;
    assert!(signature::verify(&frame.with("_UNIQUE_KEY_QUERY", true), "sk"));
}

#[test]
fn tags_hash_as_in_java() {
    assert_eq!(["TagA", "TagB", "中文", ""].map(tag_hash), [2_598_919, 2_598_920, 646_394, 0]);
    let subscription = SubscriptionData::tags("T", " TagB || TagA ||", 5);
    assert_eq!(subscription.tags_set, ["TagA", "TagB"]);
    assert_eq!(subscription.code_set, [2_598_919, 2_598_920]);
    assert!(
        subscription.wants_tag(Some("TagA"))
            && !subscription.wants_tag(Some("TagC"))
            && !subscription.wants_tag(None)
    );
    for all in ["*", "", " || ", "a || *"] {
        let subscription = SubscriptionData::tags("T", all, 5);
        assert_eq!((subscription.sub_string.as_str(), subscription.tags_set.len()), ("*", 0), "{all}");
        assert!(subscription.wants_tag(None));
    }
}

#[test]
fn routes_are_read_in_every_style_and_written_in_two() {
    let bare = br#"{"brokerDatas":[{"brokerAddrs":{0:"127.0.0.1:10911",1:"127.0.0.1:10921"},"brokerName":"broker-a","cluster":"C","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}"#;
    let route = TopicRoute::decode(bare).unwrap();
    assert_eq!(route.broker_datas[0].master(), Some("127.0.0.1:10911"));
    assert_eq!(route.encode_with(KeyStyle::Bare), bare);
    let quoted = route.encode_with(KeyStyle::Quoted);
    assert!(String::from_utf8(quoted.clone()).unwrap().contains(r#"{"0":"127.0.0.1:10911","1":"#));
    assert_eq!(TopicRoute::decode(&quoted).unwrap(), route);
    let old = br#"{"orderTopicConf":null,"queueDatas":[{"topicSynFlag":2}],"brokerDatas":null,"topicQueueMappingByBroker":{}}"#;
    let old = TopicRoute::decode(old).unwrap();
    assert_eq!((old.queue_datas[0].topic_sys_flag, old.broker_datas.len()), (2, 0));
    assert!(TopicRoute::decode(b"").is_err());
}

#[test]
fn other_bodies_are_read_and_written() {
    let mut cluster = ClusterInfo::default();
    let broker = BrokerData {
        broker_name: "b".into(),
        broker_addrs: BTreeMap::from([(0, "h:1".into())]),
        ..Default::default()
    };
    cluster.broker_addr_table.insert("b".into(), broker);
    cluster.cluster_addr_table.insert("c".into(), vec!["b".into()]);
    assert!(String::from_utf8(cluster.encode()).unwrap().contains(r#""brokerAddrs":{0:"h:1"}"#));
    assert_eq!(ClusterInfo::decode(&cluster.encode()).unwrap(), cluster);

    let list = ConsumerList::decode(br#"{"consumerIdList":["b","a"]}"#).unwrap();
    assert_eq!(list.consumer_id_list, ["b", "a"]);
    assert!(ConsumerList::decode(br#"{"consumerIdList":null}"#).unwrap().consumer_id_list.is_empty());

    let reply =
        LockReply::decode(br#"{"lockOKMQSet":[{"brokerName":"b","queueId":"2","topic":"T"}]}"#).unwrap();
    assert_eq!(
        MessageQueue::from(reply.locked[0].clone()),
        MessageQueue { topic: "T".into(), broker: "b".into(), id: 2 }
    );
    assert_eq!(LockReply::decode(&reply.encode()).unwrap(), reply);
}

#[test]
fn heartbeats_of_the_go_client_are_read() {
    let body = br#"{"clientID":"127.0.0.1@1","producerDataSet":[{"groupName":"p"}],"consumerDataSet":[{"groupName":"g",
        "consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET",
        "unitMode":false,"subscriptionDataSet":[{"classFilterMode":false,"topic":"T","subString":"TagA","tagsSet":["TagA"],
        "codeSet":["2598919"],"subVersion":1700000000000,"expressionType":"TAG"}]}]}"#;
    let heartbeat = HeartbeatData::decode(body).unwrap();
    let group = &heartbeat.consumer_data_set[0];
    assert_eq!(group.consume_from_where, ConsumeFromWhere::FirstOffset);
    assert_eq!(group.subscription_data_set[0], SubscriptionData::tags("T", "TagA", 1_700_000_000_000));
    assert_eq!(HeartbeatData::decode(&heartbeat.encode()).unwrap(), heartbeat);
}

#[test]
fn offset_resets_are_read_in_every_form() {
    let queue = |id| QueueKey { broker_name: "b".into(), queue_id: id, topic: "T".into() };
    let bare = br#"{"offsetTable":{{"brokerName":"b","queueId":3,"topic":"T"}:100}}"#;
    let reset = ResetOffset { offsets: vec![(queue(3), 100)] };
    assert_eq!(reset.encode(), bare);
    let quoted = br#"{"offsetTable":{"{\"brokerName\":\"b\",\"queueId\":3,\"topic\":\"T\"}":100}}"#;
    let pairs = br#"{"offsetTable":[[{"brokerName":"b","queueId":3,"topic":"T"},100]]}"#;
    let list = br#"{"offsetTable":[{"topic":"T","brokerName":"b","queueId":3,"offset":100}]}"#;
    for body in [&bare[..], quoted, pairs, list] {
        assert_eq!(ResetOffset::decode(body).unwrap(), reset);
    }
}

#[test]
fn send_headers_are_read_with_long_names_and_letters() {
    let header = SendHeader {
        producer_group: "p".into(),
        topic: "T".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: 1,
        born_timestamp: 1_700_000_000_000,
        properties: "WAIT\u{1}true\u{2}".into(),
        max_reconsume_times: Some(16),
        ..SendHeader::default()
    };
    let mut frame = Frame::request(request::SEND_MESSAGE_V2);
    frame.ext = header.clone().into_ext();
    assert_eq!(SendHeader::read(&frame).unwrap(), header);
    let names = [
        "producerGroup",
        "topic",
        "defaultTopic",
        "defaultTopicQueueNums",
        "queueId",
        "sysFlag",
        "bornTimestamp",
        "flag",
        "properties",
        "reconsumeTimes",
        "unitMode",
        "maxReconsumeTimes",
        "batch",
    ];
    let long = frame.ext.iter().zip(names).fold(ExtFields::default(), |mut ext, ((_, value), name)| {
        ext.set(name, value);
        ext
    });
    let long = Frame { code: request::SEND_MESSAGE, ext: long, ..Frame::default() };
    assert_eq!(SendHeader::read(&long).unwrap(), header);
    assert_eq!(SendHeader::read(&Frame { code: request::SEND_MESSAGE_V2, ..long }).unwrap_err().0, "a");
}

#[test]
fn pull_headers_survive() {
    let header = PullHeader {
        consumer_group: "g".into(),
        queue_offset: 7,
        subscription: Some("a||b".into()),
        ..Default::default()
    };
    assert_eq!(PullHeader::read(&header.clone().into_ext()).unwrap(), header);
    assert_eq!(PullHeader::read(&ExtFields::default()).unwrap_err().0, "consumerGroup");
    assert_eq!(QueueData::default().perm, 0);
}
