//! Looking messages up, and the administration of topics and groups.

use std::time::Duration;

use tminus::codec::remoting::codes::{request, response};
use tminus::codec::remoting::{Frame, decode_messages};
use tminus::message::OffsetMessageId;

use crate::peer::{Peer, broker, message};

#[tokio::test]
async fn messages_are_found_by_key_and_by_id() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    peer.send("T", "1", &[("UNIQ_KEY", "U1"), ("KEYS", "order-1 blue")]).await;
    let second = peer.send("T", "2", &[("UNIQ_KEY", "U2"), ("KEYS", "order-2 blue")]).await;
    let by_key = |key: &str| {
        Frame::request(request::QUERY_MESSAGE)
            .with("topic", "T")
            .with("key", key)
            .with("maxNum", 10)
            .with("beginTimestamp", 0)
            .with("endTimestamp", i64::MAX)
    };
    for (key, bodies) in
        [("order-1", &["1"][..]), ("blue", &["2", "1"]), ("U2", &["2"]), ("order", &[]), ("", &[])]
    {
        let answer = peer.call(by_key(key)).await;
        let code = if bodies.is_empty() { response::QUERY_NOT_FOUND } else { response::SUCCESS };
        assert_eq!(answer.code, code, "{key}");
        let found: Vec<_> =
            decode_messages(answer.body, "b").into_iter().map(|view| view.unwrap().body).collect();
        assert_eq!(found, bodies, "{key}");
    }
    let unique = by_key("blue").with("_UNIQUE_KEY_QUERY", true);
    assert_eq!(peer.call(unique).await.code, response::QUERY_NOT_FOUND);
    let id = OffsetMessageId::parse(second.ext.get("msgId").unwrap()).unwrap();
    let by_id = |offset: i64| Frame::request(request::VIEW_MESSAGE_BY_ID).with("offset", offset);
    let answer = peer.call(by_id(id.commit_log_offset)).await;
    assert_eq!(decode_messages(answer.body, "b")[0].as_ref().unwrap().body, "2");
    for nowhere in [id.commit_log_offset + 1, i64::MAX, -1] {
        assert_eq!(peer.call(by_id(nowhere)).await.code, response::SYSTEM_ERROR);
    }
}

#[tokio::test]
async fn topics_are_created_and_deleted_on_request() {
    let broker = broker(|options| options.auto_create_topics = false).await;
    let mut peer = Peer::connect(broker.address()).await;
    let create = |queues: i32, perm: i32| {
        Frame::request(request::UPDATE_AND_CREATE_TOPIC)
            .with("topic", "T")
            .with("defaultTopic", "TBW102")
            .with("readQueueNums", queues)
            .with("writeQueueNums", queues)
            .with("perm", perm)
            .with("topicFilterType", "SINGLE_TAG")
            .with("order", false)
    };
    assert_eq!(peer.send("T", "x", &[]).await.code, response::TOPIC_NOT_EXIST);
    for absurd in [0, -1, i32::MAX] {
        assert_eq!(peer.call(create(absurd, 6)).await.code, response::INVALID_PARAMETER);
    }
    assert_eq!(peer.call(create(2, 6)).await.code, response::SUCCESS);
    assert_eq!(peer.send("T", "x", &[]).await.code, response::SUCCESS);
    peer.call(create(2, 4)).await;
    assert_eq!(peer.send("T", "read only", &[]).await.code, response::NO_PERMISSION);
    assert_eq!(peer.pull("T", 0, Duration::ZERO).await.len(), 1);
    peer.call(create(2, 2)).await;
    let unreadable = peer.call(crate::peer::pull("T", 0, Duration::ZERO)).await;
    assert_eq!(unreadable.code, response::NO_PERMISSION);
    peer.call(Frame::request(request::DELETE_TOPIC_IN_BROKER).with("topic", "T")).await;
    assert_eq!(peer.call(message("T", "x", &[])).await.code, response::TOPIC_NOT_EXIST);
}
