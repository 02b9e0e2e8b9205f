//! Servers and middle boxes that misbehave: nothing is sent twice unasked, and every end is told as it was.

use std::collections::HashMap;
use std::time::Duration;

use tminus::codec::http::Publish;
use tminus::{ConsumeMode, Error, ErrorKind, HttpClient, HttpConsume, Message, Outcome, Producer, clock};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::http_raw::{
    LONG, Raw, Reply, answer, answer_with, client, client_options, message, producer, producer_options,
    published, refused,
};
use super::support::dead_port;

fn consume() -> HttpConsume {
    HttpConsume {
        topic: "orders".into(),
        group: "GID_a".into(),
        tag: String::new(),
        mode: ConsumeMode::Concurrent,
        max: 1,
        wait: Duration::ZERO,
    }
}

#[track_caller]
fn is(error: &Error, kind: ErrorKind, outcome: Outcome) {
    assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{error}");
}

async fn producer_with_duplicates(server: &Raw) -> Producer {
    let mut options = producer_options(server.address);
    options.allow_duplicates = true;
    Producer::start(options).await.unwrap()
}

#[tokio::test]
async fn a_publish_whose_connection_dies_is_not_sent_again() {
    let server = Raw::start(|_, _| Reply::Close).await;
    let error = client(server.address).publish(message(), LONG).await.unwrap_err();
    is(&error, ErrorKind::ConnectionClosed, Outcome::MaybeSent);
    assert_eq!(server.count(), 1);
    let error = producer(server.address).await.send(message()).await.unwrap_err();
    is(&error, ErrorKind::ConnectionClosed, Outcome::MaybeSent);
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_publish_on_a_kept_connection_that_dies_is_not_sent_again() {
    let server = Raw::start(|number, _| match number {
        0 => Reply::With(published("hello")),
        _ => Reply::Close,
    })
    .await;
    let producer = producer(server.address).await;
    producer.send(message()).await.unwrap();
    let error = producer.send(message()).await.unwrap_err();
    is(&error, ErrorKind::ConnectionClosed, Outcome::MaybeSent);
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].connection), (2, seen[1].connection));
}

#[tokio::test]
async fn who_allows_duplicates_gets_them() {
    let server = Raw::start(|number, _| match number {
        0 => Reply::Close,
        1 => Reply::With(answer(502, "<html>Bad Gateway</html>")),
        _ => Reply::With(published("hello")),
    })
    .await;
    producer_with_duplicates(&server).await.send_timeout(message(), LONG.unwrap()).await.unwrap();
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn attempts_that_may_have_been_stored_leave_a_doubt() {
    let server = Raw::start(|number, _| match number {
        0 => Reply::Close,
        _ => Reply::With(refused("TopicNotExist")),
    })
    .await;
    let sent = producer_with_duplicates(&server).await.send_timeout(message(), LONG.unwrap()).await;
    is(&sent.unwrap_err(), ErrorKind::TopicNotFound, Outcome::MaybeSent);
}

#[tokio::test]
async fn a_consume_is_never_repeated() {
    let server = Raw::start(|_, _| Reply::Close).await;
    let error = client(server.address).consume(&consume()).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::ConnectionClosed, 1), "{error}");

    // The official Go client waits five times as long as it was told.
    let server = Raw::start(|_, _| Reply::Silence).await;
    let mut options = client_options(server.address);
    options.request_timeout = Duration::from_millis(200);
    let begun = clock::instant();
    let error = HttpClient::new(options).unwrap().consume(&consume()).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::Timeout, 1), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_acknowledgement_whose_connection_dies_is_told() {
    let server = Raw::start(|_, _| Reply::Close).await;
    let error = client(server.address).ack("orders", "GID_a", &["H".into()]).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::ConnectionClosed, 1), "{error}");
}

#[tokio::test]
async fn a_silent_server_is_given_up_at_the_deadline() {
    let server = Raw::start(|_, _| Reply::Silence).await;
    for allow_duplicates in [false, true] {
        let mut options = producer_options(server.address);
        options.allow_duplicates = allow_duplicates;
        let producer = Producer::start(options).await.unwrap();
        let begun = clock::instant();
        let error = producer.send_timeout(message(), Duration::from_millis(200)).await.unwrap_err();
        is(&error, ErrorKind::Timeout, Outcome::MaybeSent);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    assert_eq!(server.count(), 2);
    // What was given up holds no connection, nor do the starts.
    server.ended(4).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_got_nothing() {
    let address = dead_port().await;
    let error = client(address).publish(message(), LONG).await.unwrap_err();
    is(&error, ErrorKind::BrokerUnreachable, Outcome::NotSent);
    assert!(error.is_retryable());
    // It goes away, and comes while the producer still tries.
    let listener = TcpListener::bind(address).await.unwrap();
    let mut options = producer_options(address);
    options.retries = 1000;
    let producer = Producer::start(options).await.unwrap();
    drop(listener);
    let sending = tokio::spawn(async move { producer.send_timeout(message(), LONG.unwrap()).await });
    let listener = TcpListener::bind(address).await.unwrap();
    let (mut socket, _) = listener.accept().await.unwrap();
    super::http_raw::read_request(&mut socket).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut socket, &published("hello")).await.unwrap();
    sending.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_takes_no_connection_got_nothing() {
    // A full backlog: further connects are never answered.
    let dead = TcpSocket::new_v4().unwrap();
    dead.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let dead = dead.listen(1).unwrap();
    let address = dead.local_addr().unwrap();
    let mut fillers = Vec::new();
    while let Ok(Ok(filler)) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        fillers.push(filler);
    }
    let error = client(address).publish(message(), Some(Duration::from_millis(200))).await.unwrap_err();
    is(&error, ErrorKind::Timeout, Outcome::NotSent);
    let mut options = client_options(address);
    options.connect_timeout = Duration::from_millis(200);
    let error = HttpClient::new(options).unwrap().publish(message(), LONG).await.unwrap_err();
    is(&error, ErrorKind::BrokerUnreachable, Outcome::NotSent);
    assert!(error.text().contains("200ms"), "{error}");
}

#[tokio::test]
async fn a_connection_that_closed_between_two_requests_is_replaced_unnoticed() {
    let server = Raw::start(|number, _| match number {
        0 => Reply::Last(published("hello")),
        _ => Reply::With(published("hello")),
    })
    .await;
    let client = client(server.address);
    client.publish(message(), LONG).await.unwrap();
    server.ended(1).await;
    client.publish(message(), LONG).await.unwrap();
    let connections: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let server = Raw::start(|_, _| Reply::With(published("hello"))).await;
    let client = client(server.address);
    for _ in 0..10 {
        client.publish(message(), LONG).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
    for _ in 0..3 {
        let mut sends = JoinSet::new();
        for _ in 0..8 {
            let client = client.clone();
            sends.spawn(async move { client.publish(message(), LONG).await });
        }
        assert!(sends.join_all().await.iter().all(Result::is_ok));
    }
    assert!(server.connections() <= 9, "{} for at most 8 at a time", server.connections());
    assert_eq!(server.count(), 34);
}

#[tokio::test]
async fn a_page_of_a_middle_box_keeps_status_and_beginning() {
    let page = "<html>\r\n<h1>502 Bad Gateway</h1></html>";
    let server = Raw::start(move |number, _| match number {
        0 => Reply::With(answer_with(502, "content-type: text/html\r\n", page)),
        1 => Reply::With(answer(500, "")),
        2 => Reply::With(answer(503, [0xff, 0xfe, 0])),
        _ => Reply::With(refused("InternalError")),
    })
    .await;
    let producer = producer(server.address).await;
    for (status, said) in
        [(502, "<html> <h1>502 Bad Gateway</h1></html>"), (500, ""), (503, "\u{fffd}\u{fffd}\0")]
    {
        let error = producer.send(message()).await.unwrap_err();
        is(&error, ErrorKind::Server, Outcome::MaybeSent);
        assert!(error.is_retryable());
        assert_eq!((error.response_code(), &*error.refusal().unwrap().message), (Some(status), said));
    }
    let error = producer.send(message()).await.unwrap_err();
    is(&error, ErrorKind::Server, Outcome::MaybeSent);
    assert_eq!(error.refusal().unwrap().code, "InternalError");
    assert_eq!(server.count(), 4, "each was sent once");
    let error = client(server.address).consume(&consume()).await.unwrap_err();
    is(&error, ErrorKind::Server, Outcome::NotSent);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Raw::start(|_, _| Reply::With(published("hello"))).await;
    let location = format!("location: http://{}/topics/orders/messages\r\n", elsewhere.address);
    let server = Raw::start(move |_, _| Reply::With(answer_with(307, &location, ""))).await;
    let error = producer(server.address).await.send(message()).await.unwrap_err();
    is(&error, ErrorKind::WrongProtocol, Outcome::NotSent);
    assert_eq!(error.response_code(), Some(307));
    assert!(error.text().contains(&elsewhere.address.to_string()), "{error}");
    assert_eq!((server.count(), elsewhere.connections()), (1, 0));
}

#[tokio::test]
async fn a_server_of_another_kind_is_told() {
    let xml = "content-type: text/xml;charset=utf-8\r\n";
    let answers = [
        (b"\x15\x03\x01\x00\x02\x02\x0a".to_vec(), ErrorKind::WrongProtocol, None),
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00 and more of HTTP/2".to_vec(), ErrorKind::WrongProtocol, None),
        (answer(200, "<html>Welcome</html>"), ErrorKind::WrongProtocol, Some(200)),
        (answer_with(201, xml, "<Message><MessageId>1</Mess"), ErrorKind::Protocol, Some(201)),
        (answer(404, "<html>Not here</html>"), ErrorKind::WrongProtocol, Some(404)),
    ];
    let bytes: Vec<Vec<u8>> = answers.iter().map(|(bytes, ..)| bytes.clone()).collect();
    let server = Raw::start(move |number, _| Reply::Last(bytes[number].clone())).await;
    let producer = producer(server.address).await;
    for (number, (_, kind, status)) in answers.into_iter().enumerate() {
        let error = producer.send(message()).await.unwrap_err();
        let outcome = if status == Some(404) { Outcome::NotSent } else { Outcome::MaybeSent };
        is(&error, kind, outcome);
        assert_eq!(error.response_code(), status, "{error}");
        // That of the start is one of them.
        server.ended(number + 2).await;
    }
    assert_eq!(server.count(), 5, "each was sent once");
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_a_doubt() {
    let server = Raw::start(|_, _| {
        let mut whole = published("hello");
        whole.truncate(whole.len() - 10);
        Reply::Last(whole)
    })
    .await;
    let error = producer(server.address).await.send(message()).await.unwrap_err();
    is(&error, ErrorKind::ConnectionClosed, Outcome::MaybeSent);
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_server_that_is_asked_too_often_is_asked_again_after_a_pause() {
    let server = Raw::start(|number, _| match number % 3 {
        2 => Reply::With(published("hello")),
        _ => Reply::With(refused("QpsLimitExceeded")),
    })
    .await;
    let begun = clock::instant();
    producer(server.address).await.send_timeout(message(), LONG.unwrap()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(400), "two pauses, not {:?}", begun.elapsed());
    assert_eq!(server.count(), 3);
    let error = client(server.address).publish(message(), LONG).await.unwrap_err();
    is(&error, ErrorKind::Busy, Outcome::NotSent);
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn a_page_without_end_is_not_read_to_its_end() {
    let head = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 1000000000\r\n\r\n";
    let server = Raw::start(|_, _| Reply::With([&head[..], &[b'x'; 1_000_000]].concat())).await;
    let error = client(server.address).publish(message(), LONG).await.unwrap_err();
    is(&error, ErrorKind::Server, Outcome::MaybeSent);
    assert_eq!(error.refusal().unwrap().message, "x".repeat(200));
}

/// The server closes after every answer, without a word, while the next request may be on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_twice_while_connections_are_closed_all_the_time() {
    let server = Raw::start(|_, seen| {
        let body = Publish::decode(&seen.body).unwrap().body;
        Reply::Last(published(&body))
    })
    .await;
    let producer = producer(server.address).await;
    let mut sent = HashMap::new();
    for number in 0..300 {
        let body = format!("message {number}");
        let outcome = match producer.send_timeout(Message::new("orders", body.clone()), LONG.unwrap()).await {
            Ok(_) => Outcome::Done,
            Err(error) => error.outcome(),
        };
        sent.insert(body, outcome);
    }
    for seen in server.seen() {
        let body = Publish::decode(&seen.body).unwrap().body;
        let outcome = sent.remove(&body);
        assert!(matches!(outcome, Some(Outcome::Done | Outcome::MaybeSent)), "{body}: {outcome:?}");
    }
    assert!(sent.values().all(|outcome| *outcome != Outcome::Done), "told as sent, and never came: {sent:?}");
}
