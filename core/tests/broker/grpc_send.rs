//! Messages are sent over gRPC, each check of the real server included.

use std::collections::BTreeMap;
use std::time::Duration;

use tminus::Clock;
use tminus::broker::{Fault, Persona, TopicType};
use tminus::codec::grpc::proto::*;
use tminus::codec::grpc::time;
use tminus::codec::remoting::codes::{request, response};
use tminus::message::properties;

use crate::grpc_peer::{GrpcPeer, code, named, outgoing};
use crate::peer::{Peer, broker};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Changes what the protocol knows of a message.
fn with(mut message: Message, change: impl FnOnce(&mut SystemProperties)) -> Message {
    change(message.system_properties.as_mut().unwrap());
    message
}

#[tokio::test]
async fn a_message_sent_over_grpc_is_pulled_over_remoting() {
    let broker = broker(|_| {}).await;
    broker.create_topic("T", 1).unwrap();
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let message = with(outgoing("T", "id-1", "body"), |system| {
        system.tag = Some("A".into());
        system.keys = vec!["k1".into(), "k2".into()];
        system.born_timestamp = Some(time::timestamp(1_700_000_000_123));
        system.message_group = Some("group".into());
        system.trace_context = Some("trace".into());
        system.priority = Some(3);
    });
    let message = Message { user_properties: BTreeMap::from([("colour".into(), "red".into())]), ..message };
    let answer = peer.send([message]).await;
    assert_eq!(code(&answer.status), Code::Ok as i32);
    let entry = &answer.entries[0];
    assert_eq!((entry.message_id.as_str(), entry.transaction_id.as_str()), ("id-1", "id-1"));
    assert_eq!((entry.offset, entry.recall_handle.as_str()), (0, ""));
    assert_eq!(broker.request_count(request::SEND_MESSAGE_V2), 1);
    let mut remoting = Peer::connect(broker.address()).await;
    let view = remoting.pull("T", 0, Duration::ZERO).await.pop().unwrap();
    assert_eq!((view.message_id.as_str(), &view.body[..]), ("id-1", &b"body"[..]));
    assert_eq!(view.born_timestamp, 1_700_000_000_123);
    let expected = [
        (properties::TAGS, "A"),
        (properties::KEYS, "k1 k2"),
        (properties::SHARDING_KEY, "group"),
        (properties::PRIORITY, "3"),
        ("TRACE_CONTEXT", "trace"),
        ("__BORNHOST", "host"),
        ("colour", "red"),
    ];
    for (name, value) in expected {
        assert_eq!(view.properties.get(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn unusable_messages_are_refused_one_by_one() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let good = || outgoing("T", "id", "body");
    let user = |pairs: &[(&str, &str)]| Message {
        user_properties: pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        ..good()
    };
    let long = "x".repeat(16 * 1024);
    let many: Vec<_> = (0..129).map(|n| (format!("name{n}"), "v".to_owned())).collect();
    let many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let cases: [(Code, Vec<Message>); 24] = [
        (Code::MessageCorrupted, vec![]),
        (Code::MessageCorrupted, vec![good(), outgoing("U", "id", "body")]),
        (Code::IllegalTopic, vec![outgoing("no topic", "id", "body")]),
        (Code::IllegalTopic, vec![outgoing("", "id", "body")]),
        (Code::IllegalTopic, vec![outgoing(&"t".repeat(128), "id", "body")]),
        (Code::IllegalTopic, vec![outgoing("RMQ_SYS_TRANS_HALF_TOPIC", "id", "body")]),
        (Code::MessageBodyEmpty, vec![outgoing("T", "id", "")]),
        (Code::MessageBodyTooLarge, vec![outgoing("T", "id", &"x".repeat(4 * 1024 * 1024 + 1))]),
        (Code::IllegalMessageId, vec![outgoing("T", "", "body")]),
        (Code::IllegalMessageId, vec![outgoing("T", "a\u{1}b", "body")]),
        (Code::IllegalMessageTag, vec![with(good(), |system| system.tag = Some("a|b".into()))]),
        (Code::IllegalMessageTag, vec![with(good(), |system| system.tag = Some(" ".into()))]),
        (Code::IllegalMessageKey, vec![with(good(), |system| system.keys = vec!["a\tb".into()])]),
        (Code::IllegalMessageGroup, vec![with(good(), |system| system.message_group = Some(" ".into()))]),
        (Code::IllegalMessageGroup, vec![with(good(), |system| system.message_group = Some("g".repeat(64)))]),
        (Code::IllegalMessagePropertyKey, vec![user(&[("TAGS", "a")])]),
        (Code::IllegalMessagePropertyKey, vec![user(&[("TIMER_DELIVER_MS", "1")])]),
        (Code::IllegalMessagePropertyKey, vec![user(&[("a\u{2}b", "v")])]),
        (Code::IllegalMessagePropertyKey, vec![user(&[("a", "v\u{1}w")])]),
        (Code::MessagePropertiesTooLarge, vec![user(&many)]),
        (Code::MessagePropertiesTooLarge, vec![user(&[("name", &long)])]),
        (
            Code::MessagePropertiesTooLarge,
            vec![with(good(), |system| system.trace_context = Some(long.repeat(3)))],
        ),
        (
            Code::MessagePropertyConflictWithType,
            vec![with(good(), |system| system.lite_topic = Some("l".into()))],
        ),
        (
            Code::BadRequest,
            vec![with(good(), |system| {
                system.message_type = MessageType::Transaction.into();
                system.orphaned_transaction_recovery_duration =
                    Some(time::duration(Duration::from_secs(3601)));
            })],
        ),
    ];
    for (expected, messages) in cases {
        let shown = format!("{messages:.200?}");
        let answer = peer.send(messages).await;
        assert_eq!(code(&answer.status), expected as i32, "{shown}: {:?}", answer.status);
        assert!(answer.entries.is_empty());
    }
    let largest = "x".repeat(4 * 1024 * 1024);
    assert_eq!(code(&peer.send([outgoing("T", "id", &largest)]).await.status), Code::Ok as i32);
}

#[tokio::test]
async fn a_topic_takes_the_messages_of_its_type() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let later = time::timestamp(broker.clock().now_ms() + 60_000);
    let message = |topic: &str, kind: TopicType| {
        with(outgoing(topic, "id", "body"), |system| match kind {
            TopicType::Fifo => system.message_group = Some("g".into()),
            TopicType::Delay => system.delivery_timestamp = Some(later),
            TopicType::Transaction => system.message_type = MessageType::Transaction.into(),
            TopicType::Priority => system.priority = Some(1),
            _ => {}
        })
    };
    let types =
        [TopicType::Normal, TopicType::Fifo, TopicType::Delay, TopicType::Transaction, TopicType::Priority];
    for expected in types {
        let topic = format!("T-{}", expected.name());
        broker.create_topic_of(&topic, 1, expected).unwrap();
        let route = peer.route(&topic).await;
        assert_eq!(route.message_queues[0].accept_message_types.len(), 1);
        for actual in types {
            let answer = peer.send([message(&topic, actual)]).await;
            let status = answer.status.unwrap();
            if actual == expected {
                assert_eq!(status.code(), Code::Ok);
            } else {
                assert_eq!(status.code(), Code::MessagePropertyConflictWithType);
                for part in [&topic, expected.name(), actual.name()] {
                    assert!(status.message.contains(part), "{part} is not in {:?}", status.message);
                }
            }
        }
    }
    broker.create_topic_of("Mixed", 1, TopicType::Mixed).unwrap();
    for actual in types {
        assert_eq!(code(&peer.send([message("Mixed", actual)]).await.status), Code::Ok as i32);
        assert_eq!(code(&peer.send([message("Unheard-of", actual)]).await.status), Code::Ok as i32);
    }
    // What counts is what the message has, not what its producer calls it.
    let called = with(message("T-NORMAL", TopicType::Normal), |system| {
        system.message_type = MessageType::Fifo.into();
    });
    assert_eq!(code(&peer.send([called]).await.status), Code::Ok as i32);
}

#[tokio::test]
async fn an_unknown_topic_is_refused_where_none_is_created() {
    for (persona, expected) in [
        (Persona::Loopback, Code::TopicNotFound),
        // The real server finds that the type of such a topic does not fit.
        (Persona::Apache5, Code::MessagePropertyConflictWithType),
    ] {
        let broker = broker(|options| {
            options.persona = persona;
            options.auto_create_topics = false;
        })
        .await;
        let peer = GrpcPeer::connect(broker.address(), "c").await;
        assert_eq!(code(&peer.route("Unknown").await.status), Code::TopicNotFound as i32);
        assert_eq!(code(&peer.send([outgoing("Unknown", "id", "x")]).await.status), expected as i32);
    }
}

#[tokio::test]
async fn delivery_times_past_are_at_once_and_too_far_are_refused() {
    for (persona, days) in [(Persona::Loopback, 365), (Persona::Apache5, 1)] {
        let broker = broker(|options| {
            options.persona = persona;
            options.clock = Clock::virtual_now();
        })
        .await;
        broker.create_topic_of("T", 1, TopicType::Delay).unwrap();
        broker.create_topic_of("Normal", 1, TopicType::Normal).unwrap();
        let peer = GrpcPeer::connect(broker.address(), "c").await;
        let now = broker.clock().now_ms();
        let at = |topic: &str, id: &str, ms: i64| {
            with(outgoing(topic, id, "x"), |system| system.delivery_timestamp = Some(time::timestamp(ms)))
        };
        let past = peer.send([at("T", "past", now - 5000)]).await;
        assert_eq!(code(&past.status), Code::Ok as i32);
        assert_eq!(past.entries[0].recall_handle, "");
        let last = peer.send([at("T", "last", now + days * DAY_MS)]).await;
        assert_eq!(code(&last.status), Code::Ok as i32);
        assert_ne!(last.entries[0].recall_handle, "");
        for ms in [now + days * DAY_MS + 120_000, i64::MAX / 1_000_000] {
            for topic in ["T", "Normal"] {
                let beyond = peer.send([at(topic, "beyond", ms)]).await;
                assert_eq!(code(&beyond.status), Code::IllegalDeliveryTime as i32, "before the type");
            }
        }
        let pending = broker.pending();
        assert_eq!(pending.len(), 1);
        assert_eq!((pending[0].message_id.as_str(), pending[0].deliver_at_ms), ("last", now + days * DAY_MS));
        let mut remoting = Peer::connect(broker.address()).await;
        assert_eq!(remoting.pull("T", 0, Duration::ZERO).await.len(), 1);
        let days = u64::try_from(days).unwrap();
        assert_eq!(broker.advance(Duration::from_secs(days * 24 * 3600)).unwrap(), 1);
        assert_eq!(remoting.pull("T", 0, Duration::ZERO).await.len(), 2);
    }
}

#[tokio::test]
async fn several_messages_of_a_request_get_one_entry() {
    let broker = broker(|_| {}).await;
    broker.create_topic("T", 4).unwrap();
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let answer = peer.send(["a", "b", "c"].map(|id| outgoing("T", id, id))).await;
    assert_eq!(code(&answer.status), Code::Ok as i32);
    assert_eq!(answer.entries.len(), 1);
    let entry = &answer.entries[0];
    assert_eq!(entry.transaction_id, "c");
    assert!(!["a", "b", "c"].contains(&entry.message_id.as_str()));
    let mut remoting = Peer::connect(broker.address()).await;
    let mut stored = Vec::new();
    for queue in 0..4 {
        let mut frame = crate::peer::pull("T", 0, Duration::ZERO);
        frame.ext.set("queueId", queue);
        frame.ext.set("e", queue);
        let answer = remoting.call(frame).await;
        stored.extend(crate::peer::views(&answer).into_iter().map(|view| (view.queue_id, view.message_id)));
    }
    let ids: Vec<_> = stored.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"], "in one queue, in their order");
    // One bad message, and none is stored.
    let mixed = peer.send([outgoing("U", "a", "x"), outgoing("U", "", "x")]).await;
    assert_eq!(code(&mixed.status), Code::IllegalMessageId as i32);
    let pulled = remoting.call(crate::peer::pull("U", 0, Duration::ZERO)).await;
    assert_eq!(pulled.code, response::TOPIC_NOT_EXIST);
}

#[tokio::test]
async fn a_message_group_keeps_its_queue() {
    let broker = broker(|_| {}).await;
    broker.create_topic("T", 8).unwrap();
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let mut remoting = Peer::connect(broker.address()).await;
    for expected in 0..5 {
        let message = with(outgoing("T", &format!("id-{expected}"), "x"), |system| {
            system.message_group = Some("group-1".into());
        });
        let answer = peer.send([message]).await;
        assert_eq!(answer.entries[0].offset, expected, "all in one queue");
    }
    let mut frame = crate::peer::pull("T", 0, Duration::ZERO);
    frame.ext.set("queueId", 7);
    assert_eq!(crate::peer::views(&remoting.call(frame).await).len(), 5, "where the real server puts it");
}

#[tokio::test]
async fn a_scheduled_message_is_taken_back() {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let later = time::timestamp(broker.clock().now_ms() + 60_000);
    let message = with(outgoing("T", "id", "x"), |system| system.delivery_timestamp = Some(later));
    let handle = peer.send([message]).await.entries[0].recall_handle.clone();
    let recall = async |topic: &str, handle: &str| -> RecallMessageResponse {
        let request = RecallMessageRequest { topic: Some(named(topic)), recall_handle: handle.into() };
        peer.call("RecallMessage", request).await.unwrap()
    };
    for (topic, handle) in [("T", "garbage"), ("U", handle.as_str()), ("T", "")] {
        assert_eq!(code(&recall(topic, handle).await.status), Code::InternalServerError as i32);
    }
    let recalled = recall("T", &handle).await;
    assert_eq!((code(&recalled.status), recalled.message_id.as_str()), (Code::Ok as i32, "id"));
    assert_eq!(code(&recall("T", &handle).await.status), Code::InternalServerError as i32);
    assert_eq!(broker.advance(Duration::from_secs(120)).unwrap(), 0);
    assert_eq!(broker.request_count(request::RECALL_MESSAGE), 5);
}

#[tokio::test]
async fn sends_meet_faults() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    broker.inject(request::SEND_MESSAGE_V2, 1, Fault::Refuse { code: 42900, remark: "flow limit".into() });
    assert_eq!(code(&peer.send([outgoing("T", "a", "x")]).await.status), Code::TooManyRequests as i32);
    broker.inject(request::SEND_MESSAGE_V2, 1, Fault::CloseAfter);
    peer.try_send([outgoing("T", "b", "x")]).await.unwrap_err();
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    broker.inject(request::SEND_MESSAGE_V2, 1, Fault::CloseBefore);
    peer.try_send([outgoing("T", "c", "x")]).await.unwrap_err();
    let mut remoting = Peer::connect(broker.address()).await;
    let mut found = Vec::new();
    for queue in 0..4 {
        let mut frame = crate::peer::pull("T", 0, Duration::ZERO);
        frame.ext.set("queueId", queue);
        found.extend(crate::peer::views(&remoting.call(frame).await).into_iter().map(|view| view.message_id));
    }
    assert_eq!(found, ["b"], "the one whose answer was lost");
}

#[tokio::test]
async fn namespaces_keep_topics_apart() {
    for (persona, seen) in [(Persona::Loopback, "ns%T"), (Persona::Apache5, "T")] {
        let broker = broker(|options| options.persona = persona).await;
        broker.create_topic(seen, 1).unwrap();
        let peer = GrpcPeer::connect(broker.address(), "c").await;
        let topic = Resource { resource_namespace: "ns".into(), name: "T".into() };
        let message = Message { topic: Some(topic), ..outgoing("T", "id", "x") };
        assert_eq!(code(&peer.send([message]).await.status), Code::Ok as i32);
        let mut remoting = Peer::connect(broker.address()).await;
        assert_eq!(remoting.pull(seen, 0, Duration::ZERO).await.len(), 1, "{persona:?}");
    }
}
