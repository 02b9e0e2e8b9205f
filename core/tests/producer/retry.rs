//! Faults of brokers: what is tried again, where, and what is known about the message in the end.

use std::time::Duration;

use tminus::broker::{Broker, Fault};
use tminus::codec::remoting::codes::response;
use tminus::{ErrorKind, Outcome, Producer, clock};
use tokio::io::AsyncWriteExt;

use crate::support::{
    SEND, SHORT, broker, broker_named, dead_port, message, name_server, options, producer, server,
    silent_server,
};

fn refuse(code: i32, remark: &str) -> Fault {
    Fault::Refuse { code, remark: remark.into() }
}

#[tokio::test]
async fn a_send_goes_on_with_another_broker() {
    let alive = broker_named("b").await;
    let names = name_server(&[("a", dead_port().await), ("b", alive.address())]).await;
    let producer = producer(names).await;
    for _ in 0..8 {
        assert_eq!(producer.send(message()).await.unwrap().queue.broker, "b");
    }
    assert_eq!(alive.request_count(SEND), 8);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_hung_broker_does_not_take_the_time_of_the_other() {
    let alive = broker_named("b").await;
    let names = name_server(&[("a", silent_server().await), ("b", alive.address())]).await;
    let producer = producer(names).await;
    let begun = clock::instant();
    for _ in 0..8 {
        let receipt = producer.send_timeout(message(), Duration::from_millis(1500)).await.unwrap();
        assert_eq!(receipt.queue.broker, "b");
    }
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "only the first send waits, for a third of its time"
    );
    producer.shutdown().await;
}

#[tokio::test]
async fn a_busy_broker_is_left_for_another() {
    let (busy, free) = (broker_named("a").await, broker_named("b").await);
    busy.inject(SEND, 100, refuse(response::SYSTEM_BUSY, "[PCBUSY_CLEAN_QUEUE]"));
    let names = name_server(&[("a", busy.address()), ("b", free.address())]).await;
    let producer = producer(names).await;
    for _ in 0..8 {
        assert_eq!(producer.send(message()).await.unwrap().queue.broker, "b");
    }
    assert_eq!(busy.request_count(SEND), 1, "left alone after the first refusal");
    producer.shutdown().await;
}

/// The error of one send to a broker that meets it with `fault` every time, and how many requests it took.
async fn meets(fault: Fault, retries: u32) -> (tminus::Error, u64) {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.retries = retries;
    let producer = Producer::start(options).await.unwrap();
    producer.send(message()).await.unwrap();
    broker.inject(SEND, 100, fault);
    let error = producer.send(message()).await.unwrap_err();
    producer.shutdown().await;
    (error, broker.request_count(SEND) - 1)
}

#[tokio::test]
async fn a_refusal_that_may_pass_is_tried_three_times() {
    for (code, kind) in [
        (response::SYSTEM_BUSY, ErrorKind::Busy),
        (response::SERVICE_NOT_AVAILABLE, ErrorKind::Busy),
        (response::SYSTEM_ERROR, ErrorKind::Server),
    ] {
        let (error, requests) = meets(refuse(code, "not now"), 2).await;
        assert_eq!((error.kind(), error.response_code(), requests), (kind, Some(code), 3));
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(error.text().contains("not now"), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again() {
    for (code, remark, kind) in [
        (response::MESSAGE_ILLEGAL, "the message is illegal", ErrorKind::MessageRefused),
        (
            response::MESSAGE_ILLEGAL,
            "timer message illegal, max delay 259200000ms",
            ErrorKind::InvalidDeliveryTime,
        ),
        (response::NO_PERMISSION, "the signature does not match", ErrorKind::PermissionDenied),
        (response::SYSTEM_ERROR, "AclException: check signature failed", ErrorKind::PermissionDenied),
        (response::INVALID_PARAMETER, "queue", ErrorKind::InvalidArgument),
    ] {
        let (error, requests) = meets(refuse(code, remark), 2).await;
        assert_eq!((error.kind(), requests), (kind, 1), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
}

#[tokio::test]
async fn a_connection_closed_under_a_send_is_dialled_again() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    broker.inject(SEND, 1, Fault::CloseBefore);
    producer.send(message()).await.unwrap();
    assert_eq!(broker.request_count(SEND), 3);
    producer.shutdown().await;
}

#[tokio::test]
async fn server_closes_mid_send() {
    let (error, requests) = meets(Fault::CloseAfter, 0).await;
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::ConnectionClosed, Outcome::MaybeSent));
    assert_eq!(requests, 1);
    assert!(error.to_string().contains("may have been stored"), "{error}");
}

#[tokio::test]
async fn a_broker_that_is_gone_got_nothing() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    broker.stop().await;
    // The first may meet the old connection before its end is noticed.
    producer.send_timeout(message(), SHORT).await.unwrap_err();
    let begun = clock::instant();
    let error = producer.send_timeout(message(), SHORT).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    assert_eq!(error.kind(), ErrorKind::BrokerUnreachable, "{error}");
    assert!(error.is_retryable());
    assert!(begun.elapsed() < SHORT * 2);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_swallowed_answer_ends_at_the_deadline() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    broker.inject(SEND, 1, Fault::Swallow);
    let begun = clock::instant();
    let error = producer.send_timeout(message(), SHORT).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::MaybeSent));
    assert!((SHORT..SHORT * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    producer.send(message()).await.unwrap();
    producer.shutdown().await;
}

#[tokio::test]
async fn one_doubtful_attempt_makes_the_outcome_doubtful() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    broker.inject(SEND, 1, Fault::CloseAfter);
    broker.inject(SEND, 9, refuse(response::MESSAGE_ILLEGAL, "no"));
    let error = producer.send(message()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::MessageRefused, Outcome::MaybeSent));
    producer.shutdown().await;
}

#[tokio::test]
async fn a_send_to_one_queue_is_repeated_only_while_nothing_is_stored() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    let queue = producer.send(message()).await.unwrap().queue;
    broker.inject(SEND, 1, Fault::CloseAfter);
    let error = producer.send_to_queue(message(), &queue, None).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::MaybeSent);
    assert_eq!(broker.request_count(SEND), 2);
    broker.inject(SEND, 1, refuse(response::SYSTEM_BUSY, "later"));
    assert_eq!(producer.send_to_queue(message(), &queue, None).await.unwrap().queue, queue);
    producer.shutdown().await;
}

#[tokio::test]
async fn a_server_that_goes_away_is_dialled_again() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    broker.inject(SEND, 1, refuse(response::GO_AWAY, "draining"));
    assert!(producer.send(message()).await.is_ok());
    producer.shutdown().await;
}

#[tokio::test]
async fn sends_go_on_after_a_restart_of_the_broker() {
    let broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    broker.restart(Duration::from_millis(50)).await.unwrap();
    assert!(producer.send(message()).await.is_ok());
    producer.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_is_no_frame_ends_the_connection_and_leaves_the_outcome_open() {
    let hostile = server(|mut peer| async move {
        while let Some(asked) = peer.read().await {
            if asked.code == SEND {
                let _ = peer.socket.write_all(&[0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 9]).await;
            }
        }
    })
    .await;
    let producer = producer(name_server(&[("a", hostile)]).await).await;
    let error = producer.send(message()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::MaybeSent), "{error}");
    producer.shutdown().await;
}

#[tokio::test]
async fn a_cancelled_send_ends_alone() {
    let broker: Broker = broker().await;
    let producer = producer(broker.address()).await;
    producer.send(message()).await.unwrap();
    broker.inject(SEND, 1, Fault::Swallow);
    assert!(tokio::time::timeout(Duration::from_millis(30), producer.send(message())).await.is_err());
    assert!(producer.send(message()).await.is_ok(), "the connection lives on");
    producer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_and_cancelled_ones_live_through_a_restart() {
    let broker = broker().await;
    let mut options = options(broker.address());
    options.send_timeout = Duration::from_secs(20);
    options.retries = 20;
    let producer = Producer::start(options).await.unwrap();
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..32 {
        let producer = producer.clone();
        senders.spawn(async move {
            for number in 0..60 {
                if (sender + number) % 8 == 0 {
                    // Given up at any moment: before, while and after it is written.
                    let patience = Duration::from_micros(number * 20);
                    let _ = tokio::time::timeout(patience, producer.send(message())).await;
                } else {
                    producer.send(message()).await.unwrap();
                }
            }
        });
    }
    while broker.request_count(SEND) < 500 {
        tokio::task::yield_now().await;
    }
    broker.restart(Duration::from_millis(20)).await.unwrap();
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }
    producer.shutdown().await;
}
