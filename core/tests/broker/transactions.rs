//! Half messages, their end, and the questions to silent producers.

use std::time::Duration;

use tminus::Clock;
use tminus::codec::remoting::body::{HeartbeatData, JsonBody, ProducerData};
use tminus::codec::remoting::codes::{request, response};
use tminus::codec::remoting::record::sys_flag;
use tminus::codec::remoting::{Frame, decode_messages};
use tminus::message::OffsetMessageId;

use crate::peer::{Peer, broker};

const HALF: [(&str, &str); 3] = [("TRAN_MSG", "true"), ("PGROUP", "P"), ("UNIQ_KEY", "U1")];

fn end(half: &Frame, ending: i32) -> Frame {
    let id = OffsetMessageId::parse(half.ext.get("msgId").unwrap()).unwrap();
    Frame::request(request::END_TRANSACTION)
        .with("producerGroup", "P")
        .with("tranStateTableOffset", half.ext.get("queueOffset").unwrap())
        .with("commitLogOffset", id.commit_log_offset)
        .with("commitOrRollback", ending)
        .with("msgId", "U1")
}

#[tokio::test]
async fn a_half_message_is_visible_once_committed() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    let committed = peer.send("T", "committed", &HALF).await;
    let rolled_back = peer.send("T", "rolled back", &HALF).await;
    assert_eq!(committed.ext.get("transactionId"), Some("U1"));
    assert_eq!(peer.pull("T", 0, Duration::ZERO).await, []);
    assert_eq!(peer.call(end(&rolled_back, sys_flag::TRANSACTION_ROLLBACK)).await.code, response::SUCCESS);
    let stranger = end(&committed, sys_flag::TRANSACTION_COMMIT).with("producerGroup", "X");
    assert_eq!(peer.call(stranger).await.code, response::SYSTEM_ERROR);
    assert_eq!(peer.call(end(&committed, sys_flag::TRANSACTION_COMMIT)).await.code, response::SUCCESS);
    assert_eq!(peer.call(end(&committed, sys_flag::TRANSACTION_COMMIT)).await.code, response::SYSTEM_ERROR);
    let [view] = &peer.pull("T", 0, Duration::ZERO).await[..] else { panic!("one message") };
    assert_eq!((&view.body[..], view.sys_flag), (&b"committed"[..], sys_flag::TRANSACTION_COMMIT));
    let half = OffsetMessageId::parse(committed.ext.get("msgId").unwrap()).unwrap();
    assert_eq!(view.prepared_transaction_offset, half.commit_log_offset);
}

#[tokio::test]
async fn a_silent_producer_is_asked_until_it_is_given_up() {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    let mut peer = Peer::connect(broker.address()).await;
    let data = HeartbeatData {
        client_id: "p1".into(),
        producer_data_set: vec![ProducerData { group_name: "P".into() }],
        ..HeartbeatData::default()
    };
    peer.call(Frame::request(request::HEART_BEAT).with_body(data.encode())).await;
    let half = peer.send("T", "half", &HALF).await;
    broker.advance(Duration::from_secs(5)).unwrap();
    peer.write(end(&half, 0)).await;
    broker.advance(Duration::from_secs(1)).unwrap();
    let question = peer.read().await.unwrap();
    assert_eq!((question.code, question.is_one_way()), (request::CHECK_TRANSACTION_STATE, true));
    assert_eq!(question.ext.get("transactionId"), Some("U1"));
    let view = decode_messages(question.body.clone(), "broker-a").remove(0).unwrap();
    assert_eq!((view.topic.as_str(), &view.body[..]), ("T", &b"half"[..]));
    broker.advance(Duration::from_secs(365 * 24 * 3600)).unwrap();
    for _ in 2..=15 {
        assert_eq!(peer.read().await.unwrap().code, request::CHECK_TRANSACTION_STATE);
    }
    let given_up = peer.call(end(&half, sys_flag::TRANSACTION_COMMIT)).await;
    assert_eq!(given_up.code, response::SYSTEM_ERROR);
    assert_eq!(peer.pull("T", 0, Duration::ZERO).await, []);
}
