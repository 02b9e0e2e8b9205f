//! Half messages over gRPC: their end, and the question about those that nobody ends.

use std::time::Duration;

use tminus::broker::{Broker, TopicType};
use tminus::codec::grpc::proto::telemetry_command::Command;
use tminus::codec::grpc::proto::*;
use tminus::codec::grpc::time;
use tminus::{Clock, MessageView};

use crate::grpc_peer::{GrpcPeer, code, named, outgoing, producer};
use crate::peer::{Peer, broker};

async fn start() -> (Broker, GrpcPeer, Peer) {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    broker.create_topic_of("T", 1, TopicType::Transaction).unwrap();
    let peer = GrpcPeer::connect(broker.address(), "p").await;
    let remoting = Peer::connect(broker.address()).await;
    (broker, peer, remoting)
}

async fn half(peer: &GrpcPeer, id: &str) -> String {
    let mut message = outgoing("T", id, "x");
    let system = message.system_properties.as_mut().unwrap();
    system.message_type = MessageType::Transaction.into();
    system.orphaned_transaction_recovery_duration = Some(time::duration(Duration::from_millis(4500)));
    let answer = peer.send([message]).await;
    assert_eq!(code(&answer.status), Code::Ok as i32);
    answer.entries[0].transaction_id.clone()
}

async fn end(peer: &GrpcPeer, id: &str, resolution: TransactionResolution) -> i32 {
    let request = EndTransactionRequest {
        topic: Some(named("T")),
        message_id: id.into(),
        transaction_id: id.into(),
        resolution: resolution.into(),
        source: TransactionSource::SourceClient.into(),
        trace_context: String::new(),
    };
    code(&peer.call::<_, EndTransactionResponse>("EndTransaction", request).await.unwrap().status)
}

async fn visible(remoting: &mut Peer) -> Vec<MessageView> {
    remoting.pull("T", 0, Duration::ZERO).await
}

#[tokio::test]
async fn a_half_message_is_seen_when_it_is_committed() {
    let (_broker, peer, mut remoting) = start().await;
    let (kept, dropped) = (half(&peer, "kept").await, half(&peer, "dropped").await);
    assert!(visible(&mut remoting).await.is_empty());
    assert_eq!(end(&peer, &kept, TransactionResolution::Unspecified).await, Code::Ok as i32);
    assert!(visible(&mut remoting).await.is_empty());
    assert_eq!(end(&peer, &dropped, TransactionResolution::Rollback).await, Code::Ok as i32);
    assert_eq!(end(&peer, &kept, TransactionResolution::Commit).await, Code::Ok as i32);
    let seen = visible(&mut remoting).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].message_id, "kept");
    let unknown = Code::InternalServerError as i32;
    for id in [kept.as_str(), dropped.as_str(), "never heard of"] {
        assert_eq!(end(&peer, id, TransactionResolution::Commit).await, unknown, "{id}");
    }
    assert_eq!(end(&peer, "", TransactionResolution::Commit).await, Code::InvalidTransactionId as i32);
}

#[tokio::test]
async fn a_producer_that_declared_the_topic_is_asked_about_orphans() {
    let (broker, peer, mut remoting) = start().await;
    let stranger = GrpcPeer::connect(broker.address(), "stranger").await;
    let (_other, _) = stranger.handshake(producer(&["U"])).await;
    let (mut telemetry, _) = peer.handshake(producer(&["T"])).await;
    half(&peer, "orphan").await;
    for checks in 1..=2 {
        broker.advance(Duration::from_secs(if checks == 1 { 5 } else { 30 })).unwrap();
        let asked = telemetry.next().await.unwrap().unwrap().command;
        let Some(Command::RecoverOrphanedTransactionCommand(question)) = asked else { panic!("{asked:?}") };
        assert_eq!(question.transaction_id, "orphan");
        let message = question.message.unwrap();
        assert_eq!(message.topic, Some(named("T")));
        assert_eq!(message.system_properties.unwrap().message_id, "orphan");
        let shown = |name: &str| message.user_properties.get(name).cloned().unwrap_or_default();
        assert_eq!(shown("TRANSACTION_CHECK_TIMES"), checks.to_string());
        assert_eq!(shown("CHECK_IMMUNITY_TIME_IN_SECONDS"), "5");
        assert_eq!(shown("__transactionId__"), "orphan");
    }
    assert_eq!(end(&peer, "orphan", TransactionResolution::Commit).await, Code::Ok as i32);
    assert_eq!(visible(&mut remoting).await.len(), 1);
}

#[tokio::test]
async fn a_half_message_survives_the_restart_of_its_broker() {
    let (broker, peer, _) = start().await;
    half(&peer, "id").await;
    broker.restart(Duration::ZERO).await.unwrap();
    let peer = GrpcPeer::connect(broker.address(), "p").await;
    assert_eq!(end(&peer, "id", TransactionResolution::Commit).await, Code::Ok as i32);
    assert_eq!(visible(&mut Peer::connect(broker.address()).await).await.len(), 1);
}
