//! Members, subscriptions, offsets and locks of consumer groups.

use std::time::Duration;

use tminus::codec::remoting::body::{
    ConsumerData, ConsumerList, HeartbeatData, JsonBody, LockReply, LockRequest, ProducerData, QueueKey,
    SubscriptionData,
};
use tminus::codec::remoting::codes::{request, response};
use tminus::codec::remoting::header::pull_flag;
use tminus::codec::remoting::{Frame, decode_messages};

use crate::peer::{Peer, broker, message, pull};

fn heartbeat(client: &str, tags: &str) -> Frame {
    let consumer = ConsumerData {
        group_name: "G".into(),
        subscription_data_set: vec![SubscriptionData::tags("T", tags, 7)],
        ..ConsumerData::default()
    };
    let data = HeartbeatData {
        client_id: client.into(),
        consumer_data_set: vec![consumer],
        producer_data_set: vec![ProducerData { group_name: "P".into() }],
        ..HeartbeatData::default()
    };
    Frame::request(request::HEART_BEAT).with_body(data.encode())
}

fn ask(code: i32) -> Frame {
    Frame::request(code).with("consumerGroup", "G").with("topic", "T").with("queueId", 0)
}

async fn members(peer: &mut Peer) -> Vec<String> {
    let answer = peer.call(ask(request::GET_CONSUMER_LIST_BY_GROUP)).await;
    if answer.code == response::SUCCESS {
        ConsumerList::decode(&answer.body).unwrap().consumer_id_list
    } else {
        Vec::new()
    }
}

async fn notice(peer: &mut Peer) {
    loop {
        let frame = peer.read().await.unwrap();
        if frame.code == request::NOTIFY_CONSUMER_IDS_CHANGED && !frame.is_response() {
            assert!(frame.is_one_way());
            assert_eq!(frame.ext.get("consumerGroup"), Some("G"));
            return;
        }
    }
}

#[tokio::test]
async fn members_hear_of_each_other_and_of_those_who_leave() {
    let broker = broker(|_| {}).await;
    let mut first = Peer::connect(broker.address()).await;
    let mut second = Peer::connect(broker.address()).await;
    assert_eq!(members(&mut first).await, [""; 0]);
    first.write(heartbeat("c1", "*")).await;
    notice(&mut first).await;
    let answer = second.write(heartbeat("c2", "*")).await;
    notice(&mut first).await;
    let answer = second.answer(answer).await;
    assert_eq!((answer.code, answer.version), (response::SUCCESS, 513));
    assert_eq!(answer.ext.get("IS_SUPPORT_HEART_BEAT_V2"), Some("true"));
    assert_eq!(members(&mut first).await, ["c1", "c2"]);
    let leave = ask(request::UNREGISTER_CLIENT).with("clientID", "c2").with("producerGroup", "P");
    assert_eq!(second.call(leave).await.code, response::SUCCESS);
    notice(&mut first).await;
    assert_eq!(members(&mut first).await, ["c1"]);
    second.call(heartbeat("c2", "*")).await;
    notice(&mut first).await;
    drop(second);
    notice(&mut first).await;
    assert_eq!(members(&mut first).await, ["c1"]);
    // The same heartbeat again is no news: the next frame is its answer.
    let again = first.write(heartbeat("c1", "*")).await;
    assert_eq!(first.read().await.unwrap().opaque, again);
}

#[tokio::test]
async fn a_pull_may_rely_on_the_subscription_of_the_heartbeat() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    for tag in ["a", "b", "a"] {
        peer.send("T", tag, &[("TAGS", tag)]).await;
    }
    let relying = |version: i64| pull("T", 0, Duration::ZERO).with("sysFlag", 0).with("subVersion", version);
    assert_eq!(peer.call(relying(7)).await.code, response::SUBSCRIPTION_NOT_EXIST);
    peer.call(heartbeat("c1", "a")).await;
    assert_eq!(crate::peer::views(&peer.call(relying(7)).await).len(), 2);
    assert_eq!(peer.call(relying(8)).await.code, response::SUBSCRIPTION_NOT_LATEST);
}

#[tokio::test]
async fn offsets_are_kept_by_group_and_queue() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    peer.send("T", "1", &[]).await;
    peer.send("T", "2", &[]).await;
    let query = |peer: Frame| peer.with("setZeroIfNotFound", false);
    assert_eq!(peer.call(query(ask(request::QUERY_CONSUMER_OFFSET))).await.code, response::QUERY_NOT_FOUND);
    let young = peer.call(ask(request::QUERY_CONSUMER_OFFSET)).await;
    assert_eq!((young.code, young.ext.get("offset")), (response::SUCCESS, Some("0")));
    peer.call(ask(request::UPDATE_CONSUMER_OFFSET).with("commitOffset", 1)).await;
    let stored = peer.call(query(ask(request::QUERY_CONSUMER_OFFSET))).await;
    assert_eq!(stored.ext.get("offset"), Some("1"));
    let riding = pull("T", 1, Duration::ZERO)
        .with("sysFlag", pull_flag::SUBSCRIPTION | pull_flag::COMMIT_OFFSET)
        .with("commitOffset", 2);
    peer.call(riding).await;
    assert_eq!(peer.call(ask(request::QUERY_CONSUMER_OFFSET)).await.ext.get("offset"), Some("2"));
    for (bad, code) in [
        (
            ask(request::UPDATE_CONSUMER_OFFSET).with("commitOffset", 1).with("queueId", 9),
            response::INVALID_PARAMETER,
        ),
        (
            ask(request::UPDATE_CONSUMER_OFFSET).with("commitOffset", 1).with("topic", "X"),
            response::TOPIC_NOT_EXIST,
        ),
    ] {
        assert_eq!(peer.call(bad).await.code, code);
    }
}

#[tokio::test]
async fn queues_know_their_bounds_and_times() {
    let broker = broker(|options| options.clock = tminus::Clock::virtual_now()).await;
    let mut peer = Peer::connect(broker.address()).await;
    let start = broker.clock().now_ms();
    for body in ["1", "2", "3"] {
        peer.send("T", body, &[]).await;
        broker.advance(Duration::from_secs(10)).unwrap();
    }
    for (frame, field, value) in [
        (ask(request::GET_MAX_OFFSET), "offset", 3),
        (ask(request::GET_MIN_OFFSET), "offset", 0),
        (ask(request::GET_MAX_OFFSET).with("topic", "unknown"), "offset", 0),
        (ask(request::GET_EARLIEST_MSG_STORETIME), "timestamp", start),
        (ask(request::SEARCH_OFFSET_BY_TIMESTAMP).with("timestamp", 0), "offset", 0),
        (ask(request::SEARCH_OFFSET_BY_TIMESTAMP).with("timestamp", start + 10_000), "offset", 1),
        (ask(request::SEARCH_OFFSET_BY_TIMESTAMP).with("timestamp", start + 10_001), "offset", 2),
        (ask(request::SEARCH_OFFSET_BY_TIMESTAMP).with("timestamp", start + 99_000), "offset", 3),
    ] {
        let asked = format!("{frame:?}");
        assert_eq!(peer.call(frame).await.ext.parse(field), Some(value), "{asked}");
    }
}

#[tokio::test]
async fn a_queue_is_locked_by_one_client_of_a_group() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    let frame = |code, client: &str| {
        let queue = QueueKey { broker_name: "broker-a".into(), queue_id: 0, topic: "T".into() };
        let request = LockRequest {
            client_id: client.into(),
            consumer_group: "G".into(),
            mq_set: vec![queue],
            ..LockRequest::default()
        };
        Frame::request(code).with_body(request.encode())
    };
    for (code, client, granted) in [
        (request::LOCK_BATCH_MQ, "a", 1),
        (request::LOCK_BATCH_MQ, "b", 0),
        (request::UNLOCK_BATCH_MQ, "b", 0),
        (request::LOCK_BATCH_MQ, "b", 0),
        (request::UNLOCK_BATCH_MQ, "a", 0),
        (request::LOCK_BATCH_MQ, "b", 1),
    ] {
        let answer = peer.call(frame(code, client)).await;
        assert_eq!(answer.code, response::SUCCESS);
        if code == request::LOCK_BATCH_MQ {
            assert_eq!(LockReply::decode(&answer.body).unwrap().locked.len(), granted, "{client}");
        }
    }
}

#[tokio::test]
async fn an_administrator_can_send_a_group_to_another_offset() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    for body in ["1", "2"] {
        peer.send("T", body, &[]).await;
    }
    let reset = Frame::request(request::INVOKE_BROKER_TO_RESET_OFFSET)
        .with("group", "G")
        .with("topic", "T")
        .with("timestamp", 0)
        .with("isForce", true);
    assert_eq!(peer.call(reset).await.code, response::SUCCESS);
    let told = peer.call(pull("T", 2, Duration::ZERO)).await;
    assert_eq!((told.code, told.ext.get("nextBeginOffset")), (response::PULL_OFFSET_MOVED, Some("0")));
    assert_eq!(peer.call(pull("T", 2, Duration::ZERO)).await.code, response::PULL_NOT_FOUND);
}

#[tokio::test]
async fn a_question_to_a_consumer_is_passed_on_and_its_answer_back() {
    let broker = broker(|_| {}).await;
    let mut consumer = Peer::connect(broker.address()).await;
    let mut administrator = Peer::connect(broker.address()).await;
    consumer.call(heartbeat("c1", "*")).await;
    let question = || {
        Frame::request(request::GET_CONSUMER_RUNNING_INFO).with("consumerGroup", "G").with("clientId", "c1")
    };
    let asked = administrator.write(question()).await;
    let passed = loop {
        let frame = consumer.read().await.unwrap();
        if frame.code == request::GET_CONSUMER_RUNNING_INFO {
            break frame;
        }
    };
    let mut answer = Frame::response(&passed, response::SUCCESS).with_body("{}");
    answer.opaque = passed.opaque;
    consumer.reply(answer).await;
    assert_eq!(administrator.answer(asked).await.body, "{}");
    // Nobody waits for ever for a client that goes.
    let asked = administrator.write(question()).await;
    while consumer.read().await.unwrap().code != request::GET_CONSUMER_RUNNING_INFO {}
    drop(consumer);
    assert_eq!(administrator.answer(asked).await.code, response::CONSUMER_NOT_ONLINE);
}

#[tokio::test]
async fn a_message_can_be_given_to_one_consumer_directly() {
    let broker = broker(|_| {}).await;
    let mut consumer = Peer::connect(broker.address()).await;
    let mut administrator = Peer::connect(broker.address()).await;
    consumer.call(heartbeat("c1", "*")).await;
    let sent = administrator.send("T", "look at this", &[]).await;
    let question = Frame::request(request::CONSUME_MESSAGE_DIRECTLY)
        .with("consumerGroup", "G")
        .with("clientId", "c1")
        .with("msgId", sent.ext.get("msgId").unwrap());
    administrator.write(question).await;
    let passed = loop {
        let frame = consumer.read().await.unwrap();
        if frame.code == request::CONSUME_MESSAGE_DIRECTLY {
            break frame;
        }
    };
    assert_eq!(passed.ext.get("brokerName"), Some("broker-a"));
    assert_eq!(decode_messages(passed.body, "broker-a")[0].as_ref().unwrap().body, "look at this");
}

#[tokio::test]
async fn a_reply_goes_to_the_client_that_asked() {
    let broker = broker(|_| {}).await;
    let mut asker = Peer::connect(broker.address()).await;
    let mut replier = Peer::connect(broker.address()).await;
    asker.call(heartbeat("asker", "*")).await;
    let reply = |to: &str| {
        let frame = message("DefaultCluster_REPLY_TOPIC", "the answer", &[("REPLY_TO_CLIENT", to)]);
        Frame { code: request::SEND_REPLY_MESSAGE_V2, ..frame }
    };
    assert_eq!(replier.call(reply("asker")).await.code, response::SUCCESS);
    let pushed = loop {
        let frame = asker.read().await.unwrap();
        if frame.code == request::PUSH_REPLY_MESSAGE_TO_CLIENT {
            break frame;
        }
    };
    assert!(!pushed.is_one_way());
    assert_eq!(
        (&pushed.body[..], pushed.ext.get("topic")),
        (&b"the answer"[..], Some("DefaultCluster_REPLY_TOPIC"))
    );
    assert_eq!(replier.call(reply("nobody")).await.code, response::SYSTEM_ERROR);
}

#[tokio::test]
async fn who_is_connected_is_told_to_administrators() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    let consumers = || ask(request::GET_CONSUMER_CONNECTION_LIST);
    let producers = || Frame::request(request::GET_PRODUCER_CONNECTION_LIST).with("producerGroup", "P");
    assert_eq!(peer.call(consumers()).await.code, response::CONSUMER_NOT_ONLINE);
    assert_eq!(peer.call(producers()).await.code, response::SYSTEM_ERROR);
    peer.call(heartbeat("c1", "a || b")).await;
    let mut told = Vec::new();
    for question in [consumers(), producers()] {
        let answer = peer.call(question).await;
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let connection = &body["connectionSet"][0];
        assert_eq!((&connection["clientId"], &connection["language"]), (&"c1".into(), &"RUST".into()));
        told.push(body);
    }
    assert_eq!(told[0]["subscriptionTable"]["T"]["subString"], "a || b");
    assert_eq!(told[0]["messageModel"], "CLUSTERING");
}

#[tokio::test]
async fn a_group_may_have_its_own_limit_of_retries() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    let config =
        r#"{"groupName":"G","retryMaxTimes":0,"retryQueueNums":1,"groupRetryPolicy":{"type":"CUSTOMIZED"}}"#;
    let create = Frame::request(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP).with_body(config);
    assert_eq!(peer.call(create).await.code, response::SUCCESS);
    peer.send("T", "x", &[]).await;
    let offset = peer.pull("T", 0, Duration::ZERO).await[0].commit_log_offset;
    let send_back = |limit: &str| {
        let frame = Frame::request(request::CONSUMER_SEND_MSG_BACK);
        frame.with("group", "G").with("offset", offset).with("delayLevel", 1).with("maxReconsumeTimes", limit)
    };
    // A client that says nothing, and one too old to be asked.
    peer.call(send_back("")).await;
    peer.call(Frame { version: 120, ..send_back("16") }).await;
    assert_eq!(peer.pull("%DLQ%G", 0, Duration::ZERO).await.len(), 2);
    let delete =
        Frame::request(request::DELETE_SUBSCRIPTIONGROUP).with("groupName", "G").with("cleanOffset", true);
    peer.call(ask(request::UPDATE_CONSUMER_OFFSET).with("commitOffset", 1)).await;
    assert_eq!(peer.call(delete).await.code, response::SUCCESS);
    peer.call(send_back("")).await;
    assert_eq!(broker.pending().len(), 1);
    let forgotten = ask(request::QUERY_CONSUMER_OFFSET).with("setZeroIfNotFound", false);
    assert_eq!(peer.call(forgotten).await.code, response::QUERY_NOT_FOUND);
}

#[tokio::test]
async fn a_filter_is_checked_before_a_consumer_starts() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    let refused = response::SUBSCRIPTION_PARSE_FAILED;
    for (kind, text, code) in
        [("TAG", "a", response::SUCCESS), ("SQL92", "a = 1", response::SUCCESS), ("SQL92", "a", refused)]
    {
        let body = format!(
            r#"{{"clientId":"c","group":"G","subscriptionData":{{"topic":"T","subString":"{text}","expressionType":"{kind}"}}}}"#
        );
        let answer = peer.call(Frame::request(request::CHECK_CLIENT_CONFIG).with_body(body)).await;
        assert_eq!(answer.code, code, "{kind} {text}");
    }
}
