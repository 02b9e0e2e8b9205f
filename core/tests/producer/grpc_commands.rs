//! What proxies ask clients over the telemetry stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use prost::Message as _;
use tminus::broker::{Broker, BrokerOptions, ClientCommand, ClientReply, TELEMETRY};
use tminus::codec::grpc::proto::telemetry_command::Command;
use tminus::codec::grpc::proto::{
    Code, HeartbeatResponse, NotifyUnsubscribeLiteCommand, PrintThreadStackTraceCommand,
    RecoverOrphanedTransactionCommand, Settings, Status, TelemetryCommand, VerifyMessageCommand,
};
use tminus::codec::remoting::codes::request;
use tminus::{Clock, Producer, ProducerOptions, TransactionResolution, clock};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{broker, message};

async fn producer(broker: &Broker) -> Producer {
    Producer::start(options(broker)).await.unwrap()
}

fn options(broker: &Broker) -> ProducerOptions {
    let mut options = ProducerOptions::new(&format!("grpc://{}", broker.address())).unwrap();
    options.client.clock = broker.clock().clone();
    options
}

#[tokio::test]
async fn an_operator_gets_what_the_client_is_doing() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let ask = |command| broker.ask_client(producer.client_id(), command);
    let ClientReply { code, text } = ask(ClientCommand::PrintThreadStackTrace).await.unwrap();
    assert_eq!(code, 20000);
    assert!(text.contains(producer.client_id()) && text.contains(&broker.address().to_string()), "{text}");
    producer.send(message()).await.unwrap();
    producer.shutdown().await;
}

#[tokio::test]
async fn a_producer_consumes_no_message_to_verify() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let receipt = producer.send(message()).await.unwrap();
    let command = ClientCommand::VerifyMessage { topic: "orders".into(), message_id: receipt.message_id };
    let reply = broker.ask_client(producer.client_id(), command).await.unwrap();
    assert_eq!(reply.code, 50100, "not implemented");
    producer.shutdown().await;
}

/// The official Go client set a flag that nobody read.
#[tokio::test]
async fn a_client_connects_anew_when_it_is_told_to() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    producer.send(message()).await.unwrap();
    let command = ClientCommand::ReconnectEndpoints;
    broker.ask_client(producer.client_id(), command).await.unwrap();
    let deadline = clock::instant() + Duration::from_secs(5);
    while broker.request_count(TELEMETRY) < 2 {
        assert!(clock::instant() < deadline, "no new session");
        producer.send(message()).await.unwrap();
    }
    producer.send(message()).await.unwrap();
    producer.shutdown().await;
}

/// A server that takes the settings and then says `words`; what the client answers to them.
async fn says(words: Vec<Bytes>, answers: usize) -> (Producer, Vec<TelemetryCommand>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, mut hears) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut connection = h2::server::handshake(listener.accept().await.unwrap().0).await.unwrap();
        let mut streams = Vec::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut answer = respond.send_response(head, false).unwrap();
            if !request.uri().path().ends_with("/Telemetry") {
                let ok = Status { code: Code::Ok.into(), message: String::new() };
                answer.send_data(framed(&HeartbeatResponse { status: Some(ok) }), false).unwrap();
                let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
                answer.send_trailers(trailers).unwrap();
                continue;
            }
            let settings =
                TelemetryCommand { command: Some(Command::Settings(Settings::default())), status: None };
            answer.send_data(framed(&settings), false).unwrap();
            for words in &words {
                answer.send_data(words.clone(), false).unwrap();
            }
            streams.push(answer);
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut body = request.into_body();
                while let Some(Ok(chunk)) = body.data().await {
                    let _ = heard.send(TelemetryCommand::decode(chunk.slice(5..)).unwrap());
                }
            });
        }
    });
    let producer =
        Producer::start(ProducerOptions::new(&format!("grpc://{address}")).unwrap()).await.unwrap();
    let mut said = Vec::new();
    while said.len() < answers + 1 {
        said.push(hears.recv().await.unwrap());
    }
    (producer, said.split_off(1))
}

fn framed(message: &impl prost::Message) -> Bytes {
    let body = message.encode_to_vec();
    [&[0][..], &(body.len() as u32).to_be_bytes(), &body].concat().into()
}

/// The official Go client called a function that was not there, and fell over.
#[tokio::test]
async fn commands_that_are_not_for_this_client_do_no_harm() {
    let lite = NotifyUnsubscribeLiteCommand { lite_topic: "lite".into() };
    let command = |command| framed(&TelemetryCommand { status: None, command: Some(command) });
    let print = PrintThreadStackTraceCommand { nonce: "n".into() };
    let recover = RecoverOrphanedTransactionCommand::default();
    let words = vec![
        command(Command::NotifyUnsubscribeLiteCommand(lite)),
        // Field 99, which no version knows.
        Bytes::from_static(b"\0\0\0\0\x05\x9a\x06\x02hi"),
        framed(&TelemetryCommand::default()),
        command(Command::RecoverOrphanedTransactionCommand(recover)),
        command(Command::VerifyMessageCommand(VerifyMessageCommand::default())),
        command(Command::PrintThreadStackTraceCommand(print)),
    ];
    let (producer, said) = says(words, 2).await;
    let [verified, traced] = said.try_into().unwrap();
    assert_eq!(verified.status.unwrap().code(), Code::NotImplemented);
    let Some(Command::ThreadStackTrace(trace)) = traced.command else { panic!("{:?}", traced.command) };
    assert_eq!((trace.nonce.as_str(), traced.status.unwrap().code()), ("n", Code::Ok));
    producer.shutdown().await;
}

/// Time until a broker asks first, and between its questions.
const FIRST_QUESTION: Duration = Duration::from_secs(6);
const INTERVAL: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_orphaned_transaction_is_asked_for_until_it_ends() {
    let mut server = BrokerOptions::default();
    server.clock = Clock::virtual_now();
    let broker = Broker::start(server).await.unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let producer = Producer::start_with_checker(options(&broker), move |message| {
        assert_eq!((message.topic.as_str(), &message.body[..]), ("orders", &b"hello"[..]));
        let question = counter.fetch_add(1, Ordering::Relaxed);
        async move {
            match question {
                0 => TransactionResolution::Unknown,
                1 => panic!("counts as unknown"),
                _ => TransactionResolution::Commit,
            }
        }
    })
    .await
    .unwrap();
    let half = producer.send_transaction(message()).await.unwrap();
    let ended = || broker.request_count(request::END_TRANSACTION);
    for question in 1..=3 {
        broker.advance(if question == 1 { FIRST_QUESTION } else { INTERVAL }).unwrap();
        let deadline = clock::instant() + Duration::from_secs(5);
        while asked.load(Ordering::Relaxed) < question {
            assert!(clock::instant() < deadline, "question {question} does not come");
            tokio::task::yield_now().await;
        }
    }
    let deadline = clock::instant() + Duration::from_secs(5);
    while ended() < 1 {
        assert!(clock::instant() < deadline, "the end is not told");
        tokio::task::yield_now().await;
    }
    broker.advance(INTERVAL).unwrap();
    assert_eq!((asked.load(Ordering::Relaxed), ended()), (3, 1));
    // It has ended.
    producer.end_transaction(half.receipt(), TransactionResolution::Rollback).await.unwrap_err();
    producer.shutdown().await;
}
