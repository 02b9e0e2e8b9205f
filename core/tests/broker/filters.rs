//! Filters by SQL92 expression, which only the broker evaluates.

use std::time::Duration;

use tminus::codec::remoting::Frame;
use tminus::codec::remoting::body::{ConsumerData, HeartbeatData, JsonBody, SubscriptionData};
use tminus::codec::remoting::codes::{request, response};

use crate::peer::{Peer, broker, pull, pull_tags, views};

fn pull_where(offset: i64, hold: Duration, expression: &str) -> Frame {
    pull_tags("T", offset, hold, expression).with("expressionType", "SQL92")
}

fn bodies(answer: &Frame) -> Vec<String> {
    views(answer).iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
}

#[tokio::test]
async fn a_pull_gets_the_messages_its_expression_is_true_of() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    peer.send("T", "light", &[("weight", "3"), ("TAGS", "red")]).await;
    peer.send("T", "heavy", &[("weight", "30"), ("TAGS", "red")]).await;
    peer.send("T", "unknown", &[("TAGS", "red")]).await;
    let heavy = peer.call(pull_where(0, Duration::ZERO, "TAGS = 'red' AND weight > 10")).await;
    assert_eq!((heavy.code, bodies(&heavy)), (response::SUCCESS, vec!["heavy".to_owned()]));
    assert_eq!(heavy.ext.get("nextBeginOffset"), Some("3"));
    let none = peer.call(pull_where(0, Duration::ZERO, "weight > 100")).await;
    assert_eq!(none.code, response::PULL_RETRY_IMMEDIATELY);
    assert_eq!(none.ext.get("nextBeginOffset"), Some("3"));
}

#[tokio::test]
async fn a_pull_that_waits_is_woken_by_a_message_that_passes_only() {
    let broker = broker(|_| {}).await;
    let (mut consumer, mut producer) =
        (Peer::connect(broker.address()).await, Peer::connect(broker.address()).await);
    producer.send("T", "first", &[]).await;
    let waits = consumer.write(pull_where(1, Duration::from_secs(30), "weight > 10")).await;
    producer.send("T", "light", &[("weight", "3")]).await;
    // Answered after the pull would have been, had the light message woken it.
    let later = consumer.call(pull("T", 0, Duration::ZERO)).await;
    assert_eq!(bodies(&later), ["first", "light"]);
    producer.send("T", "heavy", &[("weight", "30")]).await;
    assert_eq!(bodies(&consumer.answer(waits).await), ["heavy"]);
}

#[tokio::test]
async fn an_expression_of_the_heartbeat_filters_and_a_bad_one_is_told_to_the_pull() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    peer.send("T", "light", &[("weight", "3")]).await;
    peer.send("T", "heavy", &[("weight", "30")]).await;
    let heartbeat = |expression: &str| {
        let consumer = ConsumerData {
            group_name: "G".into(),
            subscription_data_set: vec![SubscriptionData::sql92("T", expression, 1)],
            ..ConsumerData::default()
        };
        let data = HeartbeatData {
            client_id: "c".into(),
            consumer_data_set: vec![consumer],
            ..HeartbeatData::default()
        };
        Frame::request(request::HEART_BEAT).with_body(data.encode())
    };
    let relying = || pull("T", 0, Duration::ZERO).with("sysFlag", 0).with("subVersion", 1);
    assert_eq!(peer.call(heartbeat("weight > 10")).await.code, response::SUCCESS);
    assert_eq!(bodies(&peer.call(relying()).await), ["heavy"]);
    assert_eq!(peer.call(heartbeat("weight >")).await.code, response::SUCCESS);
    let refused = peer.call(relying()).await;
    assert_eq!(refused.code, response::FILTER_DATA_NOT_EXIST);
    assert!(refused.remark.unwrap().ends_with("found the end, at character 9"));
    let refused = peer.call(pull_where(0, Duration::ZERO, "weight >")).await;
    assert_eq!(refused.code, response::SUBSCRIPTION_PARSE_FAILED);
}
