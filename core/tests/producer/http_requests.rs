//! What travels over HTTP, and what is made of answers.

use std::time::Duration;

use http::Method;
use tminus::codec::http::request::CONTENT_MD5;
use tminus::codec::http::{
    Delivered, HandleError, HandleErrors, Handles, Publish, digest, encode_messages, signature,
};
use tminus::options::{ClientOptions, Credentials, SharedCredentials};
use tminus::{ConsumeMode, ErrorKind, HttpClient, HttpConsume, Message, Outcome, TransactionResolution};

use super::http_raw::{
    LONG, Raw, Reply, Seen, answer, client, client_options, message, producer, published, refused,
};

fn consume() -> HttpConsume {
    HttpConsume {
        topic: "orders".into(),
        group: "GID_a".into(),
        tag: String::new(),
        mode: ConsumeMode::Concurrent,
        max: 16,
        wait: Duration::ZERO,
    }
}

fn delivered(body: &str) -> Delivered {
    Delivered {
        message_id: "M1".into(),
        handle: "H1".into(),
        body_md5: digest::body_md5(body.as_bytes()),
        body: body.into(),
        published_ms: 1,
        next_consume_ms: 300_002,
        first_consume_ms: 2,
        consumed_times: 3,
        tag: "TagA".into(),
        properties: "a:1|KEYS:k|".into(),
    }
}

/// Whether `seen` is signed with `secret`, and carries the digest of its content.
fn is_signed(seen: &Seen, secret: &str) -> bool {
    let mut headers = http::HeaderMap::new();
    for line in seen.head.lines().skip(1) {
        if let Some((name, value)) = line.split_once(": ") {
            headers.insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
    }
    let mut line = seen.line().split(' ');
    let (method, target) = (Method::try_from(line.next().unwrap()).unwrap(), line.next().unwrap());
    assert!(digest::content_md5_fits(headers[CONTENT_MD5].to_str().unwrap(), &seen.body));
    let text = seen.header("authorization").unwrap();
    signature::Authorization::parse(text).unwrap().verify(secret, &method, &headers, target)
}

#[tokio::test]
async fn every_request_is_signed_as_it_travels_with_the_credentials_of_that_moment() {
    let server = Raw::start(|number, _| match number {
        0 => Reply::With(published("hello")),
        1 => Reply::With(answer(200, encode_messages(&[delivered("hello")]))),
        _ => Reply::With(answer(204, "")),
    })
    .await;
    let mut options = client_options(server.address);
    options.namespace = Some("MQ_INST_1".into());
    let credentials = SharedCredentials::from(Credentials::new("AK", "SK"));
    options.credentials = Some(credentials.clone());
    let client = HttpClient::new(options).unwrap();
    let receipt = client.publish(message().tag("TagA"), None).await.unwrap();
    assert_eq!((&*receipt.message_id, receipt.request_id.as_deref()), ("M1", Some("R-201")));

    let rotated = Credentials { security_token: Some("STS".into()), ..Credentials::new("AK2", "SK2") };
    credentials.set(rotated);
    let wanted = HttpConsume {
        tag: "TagA||Ünï".into(),
        mode: ConsumeMode::Orderly,
        wait: Duration::from_secs(3),
        ..consume()
    };
    let consumed = client.consume(&wanted).await.unwrap();
    assert_eq!(consumed.request_id, "R-200");
    let received = &consumed.messages[0];
    assert_eq!((received.invisible_until_ms, received.first_delivered_ms), (Some(300_002), Some(2)));
    assert_eq!((received.message.delivery_attempt(), received.receipt.handle.as_str()), (3, "H1"));
    assert_eq!((received.message.tag(), received.message.property("a")), (Some("TagA"), Some("1")));
    let results = client.ack("orders", "GID_a", &["H1".into()]).await.unwrap();
    assert!(results.into_iter().all(|result| result.is_ok()));
    client.end_transaction("orders", "GID_a", "H2", TransactionResolution::Commit).await.unwrap();
    client.end_transaction("orders", "GID_a", "H2", TransactionResolution::Rollback).await.unwrap();
    client.end_transaction("orders", "GID_a", "H2", TransactionResolution::Unknown).await.unwrap();
    client.shutdown().await;

    let seen = server.seen();
    let lines: Vec<&str> = seen.iter().map(Seen::line).collect();
    assert_eq!(
        lines,
        [
            "POST /topics/orders/messages?ns=MQ_INST_1 HTTP/1.1",
            "GET /topics/orders/messages?consumer=GID_a&ns=MQ_INST_1&numOfMessages=16&waitseconds=3&\
             tag=TagA%7C%7C%C3%9Cn%C3%AF&trans=order HTTP/1.1",
            "DELETE /topics/orders/messages?consumer=GID_a&ns=MQ_INST_1 HTTP/1.1",
            "DELETE /topics/orders/messages?consumer=GID_a&ns=MQ_INST_1&trans=commit HTTP/1.1",
            "DELETE /topics/orders/messages?consumer=GID_a&ns=MQ_INST_1&trans=rollback HTTP/1.1",
        ]
    );
    for (number, request) in seen.iter().enumerate() {
        let (secret, token) = if number == 0 { ("SK", None) } else { ("SK2", Some("STS")) };
        assert!(is_signed(request, secret), "{request:?}");
        assert_eq!(request.header("security-token"), token);
        assert_eq!(request.header("host"), Some(&*server.address.to_string()));
        assert_eq!(request.header("x-mq-version"), Some("2015-06-06"));
        assert_eq!(request.header("content-type"), Some("text/xml;charset=utf-8"));
        assert!(request.header("user-agent").unwrap().starts_with("tminus/"));
        assert_eq!(request.connection, 0, "one connection is enough");
    }
    let sent = Publish::decode(&seen[0].body).unwrap();
    assert_eq!((&*sent.body, &*sent.tag), ("hello", "TagA"));
    assert_eq!(Handles::decode(&seen[3].body).unwrap().0, ["H2"]);
}

#[tokio::test]
async fn an_acknowledgement_that_is_refused_in_part_says_which_handles() {
    let server = Raw::start(|number, _| {
        let error = |handle: &str, code: &str| HandleError {
            handle: handle.into(),
            code: code.into(),
            message: "expired".into(),
        };
        let errors = match number {
            0 => vec![error("H2", "ReceiptHandleError"), error("H3", "MessageNotExist")],
            // The official Go client panics here.
            1 => Vec::new(),
            _ => return Reply::With(refused("TopicNotExist")),
        };
        Reply::With(answer(404, HandleErrors(errors).encode()))
    })
    .await;
    let client = client(server.address);
    let handles = ["H1", "H2", "H3"].map(String::from);
    let results = client.ack("orders", "GID_a", &handles).await.unwrap();
    assert!(results[0].is_ok());
    let kinds = results[1..].iter().map(|result| result.as_ref().unwrap_err());
    let kinds: Vec<_> =
        kinds.map(|e| (e.kind(), e.response_code(), e.refusal().unwrap().code.clone())).collect();
    assert_eq!(
        kinds,
        [
            (ErrorKind::InvalidReceipt, Some(404), "ReceiptHandleError".to_owned()),
            (ErrorKind::MessageNotFound, Some(404), "MessageNotExist".to_owned()),
        ]
    );
    let error = client.ack("orders", "GID_a", &handles).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::Protocol, Some(404)), "{error}");
    let error = client.ack("orders", "GID_a", &handles).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::TopicNotFound, Some(404)), "{error}");
    let refusal = error.refusal().unwrap();
    assert_eq!((&*refusal.request_id, &*refusal.host_id), ("R-body", "http://host"));
}

#[tokio::test]
async fn what_no_server_would_take_is_refused_before_it_is_sent() {
    let server = Raw::start(|_, _| Reply::Close).await;
    let client = client(server.address);
    for wanted in [
        HttpConsume { max: 0, ..consume() },
        HttpConsume { max: 17, ..consume() },
        HttpConsume { wait: Duration::from_secs(31), ..consume() },
        HttpConsume { wait: Duration::from_millis(1500), ..consume() },
        HttpConsume { topic: "a/b".into(), ..consume() },
        HttpConsume { group: String::new(), ..consume() },
    ] {
        let error = client.consume(&wanted).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{wanted:?}");
    }
    for handles in [Vec::new(), vec!["h".to_owned(); 17], vec![String::new()], vec!["a\0".to_owned()]] {
        let error = client.ack("orders", "GID_a", &handles).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{handles:?}");
    }
    for bad in [Message::new("orders", &b"a\0b\xff"[..]), message().property("a", "x|y")] {
        let error = client.publish(bad, None).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidMessage, Outcome::NotSent));
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn text_arrives_as_it_was_given() {
    let text = "a <b> & \"c\" 'd' ]]> :|\r\n\ttail\r 中😀 ";
    let server = Raw::start(move |_, _| Reply::With(published(text))).await;
    let message = Message::new("orders", text).tag("<&>").property("a", "line\nline").keys(["k1", "k2"]);
    let kept = message.clone();
    producer(server.address).await.send(message.clone()).await.unwrap();
    assert_eq!(message, kept);
    let sent = Publish::decode(&server.seen()[0].body).unwrap();
    assert_eq!((&*sent.body, &*sent.tag), (text, "<&>"));
    assert_eq!(sent.properties, "a:line\nline|KEYS:k1 k2|");
}

#[tokio::test]
async fn a_message_that_is_sent_twice_carries_nothing_of_the_first_time() {
    let server = Raw::start(|_, _| Reply::With(published("hello"))).await;
    let producer = producer(server.address).await;
    let plain = message().property("a", "1");
    producer.send(plain.clone().keys(["k"]).deliver_after(Duration::from_secs(5))).await.unwrap();
    producer.send_by_key(plain.clone(), "shard", LONG).await.unwrap();
    producer.send(plain).await.unwrap();
    let properties = server.seen().into_iter().map(|seen| Publish::decode(&seen.body).unwrap().properties);
    let properties: Vec<String> = properties.collect();
    assert!(properties[0].starts_with("a:1|KEYS:k|__STARTDELIVERTIME:"), "{properties:?}");
    assert_eq!(properties[1..], ["a:1|__SHARDINGKEY:shard|", "a:1|"]);
}

#[tokio::test]
async fn a_body_that_was_changed_on_the_way_is_told() {
    let server = Raw::start(|number, _| match number {
        0 => Reply::With(published("another")),
        _ => Reply::With(answer(
            200,
            encode_messages(&[Delivered { body: "other".into(), ..delivered("hello") }]),
        )),
    })
    .await;
    let client = client(server.address);
    let error = client.publish(message(), LONG).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Server, Outcome::Done), "{error}");
    assert!(client.consume(&consume()).await.unwrap().messages[0].corrupted);
}

/// The official Go client sends no group where there is no instance.
#[tokio::test]
async fn the_end_of_a_transaction_names_the_group_also_without_an_instance() {
    let server = Raw::start(|_, _| Reply::With(answer(204, ""))).await;
    let client = client(server.address);
    client.end_transaction("orders", "GID_a", "H", TransactionResolution::Commit).await.unwrap();
    client.end_transaction("orders", "GID_a", "H", TransactionResolution::Rollback).await.unwrap();
    let lines: Vec<String> = server.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(
        lines,
        ["commit", "rollback"]
            .map(|end| format!("DELETE /topics/orders/messages?consumer=GID_a&trans={end} HTTP/1.1"))
    );
}

/// The official Go client knows IPv4 only.
#[tokio::test]
async fn services_with_names_and_addresses_of_every_kind_are_reached() {
    let server = Raw::start(|_, _| Reply::With(published("hello"))).await;
    let port = server.address.port();
    let six = Raw::start_on("[::1]:0", |_, _| Reply::With(published("hello"))).await;
    for endpoint in [format!("http://localhost:{port}"), format!("http://{}/", six.address)] {
        let client = HttpClient::new(ClientOptions::new(&endpoint).unwrap()).unwrap();
        client.publish(message(), LONG).await.unwrap();
        client.shutdown().await;
    }
    assert_eq!((server.count(), six.count()), (1, 1));
    assert_eq!(server.seen()[0].header("host"), Some(&*format!("localhost:{port}")));
}
