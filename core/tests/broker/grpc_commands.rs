//! What the broker tells and asks clients on their telemetry streams.

use std::time::Duration;

use tminus::ErrorKind;
use tminus::broker::{ClientCommand, GroupOptions};
use tminus::codec::grpc::proto::retry_policy::Strategy;
use tminus::codec::grpc::proto::settings::PubSub;
use tminus::codec::grpc::proto::telemetry_command::Command;
use tminus::codec::grpc::proto::*;

use crate::grpc_peer::{GrpcPeer, consumer, outgoing, producer};
use crate::peer::broker;

#[tokio::test]
async fn consumers_are_told_when_their_group_changes() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let (mut telemetry, _) = peer.handshake(consumer("G", &["T"])).await;
    let other = GrpcPeer::connect(broker.address(), "other").await;
    let (mut other, _) = other.handshake(consumer("H", &["T"])).await;
    let options = GroupOptions { fifo: true, max_attempts: 3, backoff: vec![Duration::from_millis(500)] };
    broker.create_group("G", options).unwrap();
    let told = telemetry.next().await.unwrap().unwrap().command;
    let Some(Command::Settings(settings)) = told else { panic!("{told:?}") };
    let Some(PubSub::Subscription(subscription)) = settings.pub_sub else { panic!("{:?}", settings.pub_sub) };
    assert_eq!(subscription.fifo, Some(true));
    assert_eq!(subscription.subscriptions.len(), 1);
    let policy = settings.backoff_policy.unwrap();
    assert_eq!(policy.max_attempts, 3);
    let Some(Strategy::CustomizedBackoff(backoff)) = policy.strategy else { panic!("{policy:?}") };
    assert_eq!(backoff.next, [tminus::codec::grpc::time::duration(Duration::from_millis(500))]);
    tokio::time::timeout(Duration::from_millis(50), other.next()).await.expect_err("told, and not concerned");
    for (group, attempts) in [("G", 0), ("no group", 1), ("", 1)] {
        let options = GroupOptions { max_attempts: attempts, ..GroupOptions::default() };
        assert_eq!(broker.create_group(group, options).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[tokio::test]
async fn a_new_group_is_fifo_when_its_first_consumer_says_so() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    for (wanted, expected) in [(Some(true), true), (Some(false), true), (None, true)] {
        let mut settings = consumer("Fifo", &["T"]);
        if let Some(PubSub::Subscription(subscription)) = &mut settings.pub_sub {
            subscription.fifo = wanted;
        }
        let (_telemetry, settings) = peer.handshake(settings).await;
        let Some(PubSub::Subscription(subscription)) = settings.pub_sub else { panic!() };
        assert_eq!(subscription.fifo, Some(expected));
    }
}

#[tokio::test]
async fn a_client_answers_what_it_is_asked() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let (mut telemetry, _) = peer.handshake(producer(&["T"])).await;
    peer.send([outgoing("T", "id", "body")]).await;

    let answers = async {
        let asked = telemetry.next().await.unwrap().unwrap().command;
        let Some(Command::PrintThreadStackTraceCommand(command)) = asked else { panic!("{asked:?}") };
        // An answer to another question is nobody's.
        let text = |text: &str| Some(text.to_owned());
        let trace = |nonce: &str, text| ThreadStackTrace { nonce: nonce.into(), thread_stack_trace: text };
        telemetry.answer(Code::Ok, Command::ThreadStackTrace(trace("?", text("wrong"))));
        telemetry.answer(Code::Ok, Command::ThreadStackTrace(trace(&command.nonce, text("main: asleep"))));
        let asked = telemetry.next().await.unwrap().unwrap().command;
        let Some(Command::VerifyMessageCommand(command)) = asked else { panic!("{asked:?}") };
        assert_eq!(command.message.unwrap().body, "body");
        let result = VerifyMessageResult { nonce: command.nonce };
        telemetry.answer(Code::NotImplemented, Command::VerifyMessageResult(result));
        let asked = telemetry.next().await.unwrap().unwrap().command;
        assert!(matches!(asked, Some(Command::ReconnectEndpointsCommand(_))));
    };
    let asks = async {
        let trace = broker.ask_client("c", ClientCommand::PrintThreadStackTrace).await.unwrap();
        assert_eq!((trace.code, trace.text.as_str()), (Code::Ok as i32, "main: asleep"));
        let verify = ClientCommand::VerifyMessage { topic: "T".into(), message_id: "id".into() };
        assert_eq!(broker.ask_client("c", verify).await.unwrap().code, Code::NotImplemented as i32);
        let reconnect = broker.ask_client("c", ClientCommand::ReconnectEndpoints).await.unwrap();
        assert_eq!(reconnect.code, Code::Ok as i32);
    };
    tokio::join!(answers, asks);

    let unknown = ClientCommand::VerifyMessage { topic: "T".into(), message_id: "other".into() };
    for (client, command) in [("c", unknown), ("nobody", ClientCommand::PrintThreadStackTrace)] {
        assert_eq!(broker.ask_client(client, command).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    let (gone, ()) = tokio::join!(broker.ask_client("c", ClientCommand::PrintThreadStackTrace), async {
        telemetry.next().await.unwrap();
        drop(telemetry);
    });
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::ConnectionClosed);
}
