//! Messages that were given back: retried on schedule, and dead in the end.

use std::time::Duration;

use tminus::Clock;
use tminus::broker::Broker;
use tminus::codec::remoting::Frame;
use tminus::codec::remoting::body::{JsonBody, LockRequest, QueueKey};
use tminus::codec::remoting::codes::{request, response};
use tminus::message::MessageView;
use tminus::message::properties::{DLQ_ORIGIN_TOPIC, ORIGIN_MESSAGE_ID, RETRY_TOPIC, TIMER_DELAY_MS};

use crate::peer::{Peer, broker, message};

fn send_back(view: &MessageView, level: i32, max: i32) -> Frame {
    Frame::request(request::CONSUMER_SEND_MSG_BACK)
        .with("group", "G")
        .with("offset", view.commit_log_offset)
        .with("delayLevel", level)
        .with("maxReconsumeTimes", max)
}

async fn virtual_broker() -> (Broker, Peer) {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    let peer = Peer::connect(broker.address()).await;
    (broker, peer)
}

#[tokio::test]
async fn a_message_given_back_comes_again_on_schedule_and_then_dies() {
    let (broker, mut peer) = virtual_broker().await;
    let sent = peer.send("T", "hard", &[("UNIQ_KEY", "U1"), (TIMER_DELAY_MS, "5")]).await;
    broker.advance(Duration::from_millis(5)).unwrap();
    let mut view = peer.pull("T", 0, Duration::ZERO).await.remove(0);
    assert_eq!(sent.code, response::SUCCESS);
    for (times, delay_s) in [(1, 10), (2, 30), (3, 60)] {
        assert_eq!(peer.call(send_back(&view, 0, 3)).await.code, response::SUCCESS);
        let offset = i64::from(times) - 1;
        assert_eq!(broker.advance(Duration::from_millis(delay_s * 1000 - 1)).unwrap(), 0);
        assert_eq!(peer.pull("%RETRY%G", offset, Duration::ZERO).await, []);
        assert_eq!(broker.advance(Duration::from_millis(1)).unwrap(), 1);
        view = peer.pull("%RETRY%G", offset, Duration::ZERO).await.remove(0);
        assert_eq!((view.reconsume_times, view.property(RETRY_TOPIC)), (times, Some("T")));
        assert_eq!((view.message_id.as_str(), &view.body[..]), ("U1", &b"hard"[..]));
        assert!(view.property(ORIGIN_MESSAGE_ID).is_some());
    }
    assert_eq!(peer.call(send_back(&view, 0, 3)).await.code, response::SUCCESS);
    assert_eq!(broker.pending(), []);
    let dead = peer.pull("%DLQ%G", 0, Duration::ZERO).await.remove(0);
    assert_eq!((&dead.body[..], dead.property(DLQ_ORIGIN_TOPIC)), (&b"hard"[..], Some("T")));
}

#[tokio::test]
async fn the_consumer_may_choose_the_delay_or_death() {
    let (broker, mut peer) = virtual_broker().await;
    peer.send("T", "1", &[]).await;
    let view = peer.pull("T", 0, Duration::ZERO).await.remove(0);
    let start = broker.clock().now_ms();
    peer.call(send_back(&view, 5, 16)).await;
    let [pending] = &broker.pending()[..] else { panic!("one retry") };
    assert_eq!((pending.topic.as_str(), pending.deliver_at_ms), ("%RETRY%G", start + 60_000));
    peer.call(send_back(&view, -1, 16)).await;
    assert_eq!(peer.pull("%DLQ%G", 0, Duration::ZERO).await.len(), 1);
    let gone = MessageView { commit_log_offset: view.commit_log_offset + 1, ..view };
    assert_eq!(peer.call(send_back(&gone, 0, 16)).await.code, response::SYSTEM_ERROR);
}

#[tokio::test]
async fn a_client_may_send_the_retry_itself() {
    let (broker, mut peer) = virtual_broker().await;
    let again = |times| message("%RETRY%G", "again", &[("DELAY", "3")]).with("j", times).with("l", 2);
    peer.call(again(2)).await;
    assert_eq!(broker.advance(Duration::from_secs(10)).unwrap(), 1);
    assert_eq!(peer.pull("%RETRY%G", 0, Duration::ZERO).await[0].reconsume_times, 2);
    peer.call(again(3)).await;
    assert_eq!(peer.pull("%DLQ%G", 0, Duration::ZERO).await.len(), 1);
    // A group that consumes in order cannot retry later.
    let queue = QueueKey { broker_name: "broker-a".into(), queue_id: 0, topic: "T".into() };
    let lock = LockRequest {
        client_id: "c".into(),
        consumer_group: "G".into(),
        mq_set: vec![queue],
        ..Default::default()
    };
    peer.call(Frame::request(request::LOCK_BATCH_MQ).with_body(lock.encode())).await;
    peer.call(again(1)).await;
    assert_eq!(peer.pull("%DLQ%G", 1, Duration::ZERO).await.len(), 1);
}
