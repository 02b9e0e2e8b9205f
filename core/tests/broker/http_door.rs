//! Who gets in over HTTP, and what is refused before anything is done.

use tminus::broker::{Broker, BrokerTls, Fault};
use tminus::codec::http::code as error;
use tminus::codec::remoting::codes::{request, response};
use tminus::options::{Credentials, Secret};

use crate::grpc_door::tls;
use crate::http_peer::{HttpPeer, HttpRequest, date, text};
use crate::peer::broker;

const TARGET: &str = "/topics/T/messages";

fn publish() -> HttpRequest {
    HttpRequest::new("POST", TARGET, text("x").encode())
}

/// The code of the refusal of `request`.
async fn refusal(peer: &mut HttpPeer, request: &HttpRequest) -> String {
    peer.exchange(request).await.refused().code
}

fn stored(broker: &Broker) -> u64 {
    broker.request_count(request::SEND_MESSAGE_V2)
}

#[tokio::test]
async fn a_request_without_its_headers_is_refused() {
    let broker = broker(|_| {}).await;
    let mut peer = HttpPeer::connect(broker.address()).await;
    for (name, value, code) in [
        ("x-mq-version", None, error::INVALID_ARGUMENT),
        ("x-mq-version", Some("2014-01-01"), error::INVALID_ARGUMENT),
        ("Date", None, error::MISSING_DATE_HEADER),
        ("Date", Some("yesterday"), error::INVALID_DATE_HEADER),
        ("Date", Some(&*date(16 * 60)), error::TIME_EXPIRED),
        ("Date", Some(&*date(-16 * 60)), error::TIME_EXPIRED),
        ("Content-MD5", Some("1B2M2Y8AsgTpgAmY7PhCfg=="), error::INVALID_DIGEST),
        ("Content-MD5", Some("nonsense"), error::INVALID_DIGEST),
    ] {
        let request = publish().with(name, value);
        assert_eq!(refusal(&mut peer, &request).await, code, "{name}: {value:?}");
    }
    for accepted in [
        publish(),
        publish().with("Date", Some(&date(14 * 60))),
        publish().with("Content-MD5", None),
        publish().with("Content-MD5", Some("")),
        publish().with("Content-Type", None),
    ] {
        peer.exchange(&accepted).await.published();
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_by_how_much() {
    let broker = broker(|_| {}).await;
    let mut peer = HttpPeer::connect(broker.address()).await;
    for (ahead_s, words) in [(3600, "ahead of"), (-3600, "behind")] {
        let late = publish().with("Date", Some(&date(ahead_s)));
        let answer = peer.exchange(&late).await;
        let message = answer.refused().message;
        assert!(message.contains(words) && message.contains("s "), "{message}");
        assert!(answer.headers.contains_key("date"), "the client can learn the time");
    }
}

#[tokio::test]
async fn with_users_only_their_requests_are_taken() {
    let mut user = Credentials::new("key", "secret");
    user.security_token = Some(Secret::new("token"));
    let broker = broker(|options| options.credentials = vec![user.clone()]).await;
    let mut peer = HttpPeer::connect(broker.address()).await;
    peer.exchange(&publish().signed(&user)).await.published();
    let good = publish().signed(&user);
    let stranger = Credentials { access_key: "stranger".into(), ..user.clone() };
    let wrong = Credentials { secret_key: Secret::new("other"), ..user.clone() };
    for (request, code) in [
        (publish(), error::MISSING_AUTHORIZATION_HEADER),
        (good.clone().with("Authorization", Some("Bearer x")), error::INVALID_AUTHORIZATION_HEADER),
        (publish().signed(&stranger), error::INVALID_ACCESS_KEY_ID),
        (publish().signed(&wrong), error::SIGNATURE_DOES_NOT_MATCH),
        (good.clone().with("security-token", None), error::ACCESS_DENIED),
        (good.clone().with("security-token", Some("other")), error::ACCESS_DENIED),
        // Whatever was signed must travel as it was.
        (good.clone().with("Date", Some(&date(5))), error::SIGNATURE_DOES_NOT_MATCH),
        (good.clone().with("Content-Type", Some("text/xml")), error::SIGNATURE_DOES_NOT_MATCH),
        (good.clone().with("Content-MD5", None), error::SIGNATURE_DOES_NOT_MATCH),
        (good.clone().with("x-mq-more", Some("1")), error::SIGNATURE_DOES_NOT_MATCH),
        (HttpRequest { target: format!("{TARGET}?ns=I"), ..good.clone() }, error::SIGNATURE_DOES_NOT_MATCH),
        // The date is looked at first, the digest and the document last.
        (publish().with("Date", Some(&date(-3600))), error::TIME_EXPIRED),
        (good.clone().with("Date", Some(&date(-3600))), error::TIME_EXPIRED),
    ] {
        assert_eq!(refusal(&mut peer, &request).await, code, "{request:?}");
    }
    let unreadable = HttpRequest::new("POST", TARGET, "plain").signed(&wrong);
    assert_eq!(refusal(&mut peer, &unreadable).await, error::SIGNATURE_DOES_NOT_MATCH);
    let unreadable = HttpRequest::new("POST", TARGET, "plain").signed(&user);
    assert_eq!(refusal(&mut peer, &unreadable).await, error::MALFORMED_XML);
}

#[tokio::test]
async fn the_requests_of_every_official_client_are_taken() {
    let user = Credentials::new("key", "secret");
    let broker = broker(|options| options.credentials = vec![user.clone()]).await;
    let mut peer = HttpPeer::connect(broker.address()).await;
    // Header names in any case, types in theirs, extra headers, parameters in any order, with and without a digest.
    let cased = |request: HttpRequest, names: &[(&str, &str)]| {
        let mut request = request;
        for (name, _) in &mut request.headers {
            if let Some((_, cased)) = names.iter().find(|(known, _)| name == known) {
                *name = (*cased).to_owned();
            }
        }
        request
    };
    let body = "<Message><MessageBody>x</MessageBody></Message>";
    let go = HttpRequest::new("POST", "/topics/T/messages?ns=MQ_INST_1", body).signed(&user);
    let go = cased(
        go,
        &[
            ("x-mq-version", "X-Mq-Version"),
            ("content-md5", "Content-Md5"),
            ("date", "Date"),
            ("authorization", "Authorization"),
        ],
    );
    peer.exchange(&go).await.published();
    let java = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Message xmlns=\"http://mq.aliyuncs.com/doc/v1\"><MessageBody>x</MessageBody></Message>";
    let java = HttpRequest::new("POST", TARGET, java)
        .with("Content-Type", Some("text/xml;charset=UTF-8"))
        .with("Content-MD5", None)
        .signed(&user);
    peer.exchange(&java).await.published();
    let node = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Message xmlns=\"http://mq.aliyuncs.com/doc/v1/\"><MessageBody><![CDATA[x]]></MessageBody></Message>";
    peer.exchange(&HttpRequest::new("POST", TARGET, node).signed(&user)).await.published();
    // A query is signed as it travels, whatever its order and its escapes.
    for target in [
        "/topics/T/messages?consumer=GID_x&ns=I&numOfMessages=1&tag=TagA%7C%7CTagB",
        "/topics/T/messages?numOfMessages=1&consumer=GID_x&ns=I&tag=a+b%2Fc",
        "/topics/T/messages?consumer=GID_x&numOfMessages=1&ns=I&tag=a%20b/c",
        "/topics/T/messages?consumer=GID_x&ns=I&tag=a%20b!'()*~&numOfMessages=1",
    ] {
        let bare = HttpRequest::new("GET", target, "").with("Content-Type", None).with("Content-MD5", None);
        let code = refusal(&mut peer, &bare.signed(&user)).await;
        assert!([error::MESSAGE_NOT_EXIST, error::TOPIC_NOT_EXIST].contains(&&*code), "{target}: {code}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_of_the_protocol_is_refused() {
    let broker = broker(|_| {}).await;
    let mut peer = HttpPeer::connect(broker.address()).await;
    let long = format!("{TARGET}?ns={}", "x".repeat(1100));
    for (method, target, code) in [
        ("POST", "/topics/T", error::INVALID_REQUEST_URL),
        ("POST", "/topics//messages", error::INVALID_REQUEST_URL),
        ("POST", "/topics/a/b/messages", error::INVALID_REQUEST_URL),
        ("POST", "/topics/T/messages/", error::INVALID_REQUEST_URL),
        ("POST", &long, error::INVALID_REQUEST_URL),
        ("PUT", TARGET, error::INVALID_REQUEST_URL),
        ("POST", "/topics/T/messages?trans=commit", error::INVALID_REQUEST_URL),
        ("GET", "/topics/T/messages?consumer=G&trans=rollback", error::INVALID_REQUEST_URL),
        ("DELETE", "/topics/T/messages?consumer=G&trans=pop", error::INVALID_REQUEST_URL),
        ("DELETE", "/topics/T/messages?consumer=G&trans=other", error::INVALID_ARGUMENT),
        ("POST", "/topics/T!/messages", error::INVALID_ARGUMENT),
        ("POST", "/topics/RMQ_SYS_TRANS_HALF_TOPIC/messages", error::INVALID_ARGUMENT),
        ("DELETE", TARGET, error::INVALID_ARGUMENT),
        ("DELETE", "/topics/T/messages?consumer=", error::INVALID_ARGUMENT),
        ("DELETE", "/topics/T/messages?consumer=a.b", error::INVALID_ARGUMENT),
    ] {
        let answer = peer.call(method, target, text("x").encode()).await;
        assert_eq!(answer.refused().code, code, "{method} {target}");
    }
    assert_eq!(peer.call("GET", "/", Vec::new()).await.status, 426);
}

#[tokio::test]
async fn injected_faults_are_met_and_counted() {
    let broker = broker(|_| {}).await;
    let connect = || HttpPeer::connect(broker.address());
    let mut peer = connect().await;
    for (code, expected) in [
        (response::SYSTEM_BUSY, error::QPS_LIMIT_EXCEEDED),
        (response::TOPIC_NOT_EXIST, error::TOPIC_NOT_EXIST),
        (response::NO_PERMISSION, error::ACCESS_DENIED),
        (response::MESSAGE_ILLEGAL, error::INVALID_ARGUMENT),
        (response::SYSTEM_ERROR, error::INTERNAL_ERROR),
        (42_900, error::QPS_LIMIT_EXCEEDED),
        (40_403, error::INTERNAL_ERROR),
    ] {
        broker.inject(request::SEND_MESSAGE_V2, 1, Fault::Refuse { code, remark: "on purpose".into() });
        let refused = peer.exchange(&publish()).await.refused();
        assert_eq!((&*refused.code, &*refused.message), (expected, "on purpose"), "{code}");
    }
    broker.inject(request::SEND_MESSAGE_V2, 1, Fault::Gateway);
    let page = peer.exchange(&publish()).await;
    assert_eq!(page.status, 502);
    assert!(page.body.starts_with(b"<html>") && !page.headers.contains_key("x-mq-request-id"));
    broker.inject(request::SEND_MESSAGE_V2, 1, Fault::Corrupt);
    let wrong = peer.exchange(&publish()).await.published().body_md5;
    assert_ne!(wrong, peer.exchange(&publish()).await.published().body_md5);
    for fault in [Fault::CloseBefore, Fault::CloseAfter] {
        broker.inject(request::SEND_MESSAGE_V2, 1, fault);
        let mut peer = connect().await;
        peer.write(&publish()).await;
        assert!(peer.read().await.is_none());
    }
    assert_eq!(stored(&broker), 12);
    broker.inject(request::ACK_MESSAGE, 1, Fault::Swallow);
    let mut silent = connect().await;
    silent.write(&HttpRequest::new("DELETE", "/topics/T/messages?consumer=G", "")).await;
    let mut neighbour = connect().await;
    neighbour.exchange(&publish()).await.published();
    let stopping = tminus::clock::instant();
    broker.stop().await;
    assert!(stopping.elapsed() < std::time::Duration::from_secs(1));
    assert!(silent.read().await.is_none());
}

#[tokio::test]
async fn the_port_of_the_other_protocols_takes_https() {
    let user = Credentials::new("key", "secret");
    let broker = broker(|options| {
        options.tls = Some(BrokerTls::SelfMade);
        options.credentials = vec![user.clone()];
    })
    .await;
    for alpn in [&[&b"http/1.1"[..]][..], &[]] {
        let mut peer = HttpPeer::over(tls(&broker, alpn, None).await.unwrap());
        peer.exchange(&publish().signed(&user)).await.published();
        let answer = peer.exchange(&publish()).await;
        assert_eq!(answer.refused().host_id, format!("https://{}", broker.address()));
    }
    let mut plain = HttpPeer::connect(broker.address()).await;
    assert_eq!(plain.exchange(&publish()).await.refused().host_id, format!("http://{}", broker.address()));
}

#[tokio::test]
async fn a_request_may_come_in_pieces_and_others_behind_it() {
    let broker = broker(|_| {}).await;
    let mut peer = HttpPeer::connect(broker.address()).await;
    let chunked = publish().with("Transfer-Encoding", Some("chunked"));
    let document = chunked.body.clone();
    let mut pieces = Vec::new();
    for piece in document.chunks(7) {
        pieces.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        pieces.extend([piece, b"\r\n"].concat());
    }
    pieces.extend(b"0\r\n\r\n");
    peer.write_head(&chunked).await;
    peer.raw(&pieces).await;
    peer.read().await.unwrap().published();
    // A client that asks before it sends what it has.
    let asking = publish().with("Expect", Some("100-continue"));
    let asking = asking.with("Content-Length", Some(&document.len().to_string()));
    peer.write_head(&asking).await;
    assert_eq!(peer.read().await.unwrap().status, 100);
    peer.raw(&document).await;
    peer.read().await.unwrap().published();
    for _ in 0..3 {
        peer.write(&publish()).await;
    }
    for _ in 0..3 {
        peer.read().await.unwrap().published();
    }
    // Who leaves in the middle leaves nothing behind.
    let mut gone = HttpPeer::connect(broker.address()).await;
    gone.write_head(&publish().with("Content-Length", Some("1000"))).await;
    drop(gone);
    assert_eq!(stored(&broker), 5);
}

#[tokio::test]
async fn clients_that_come_and_go_leave_nothing() {
    let broker = broker(|_| {}).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let alone = tasks();
    for _ in 0..200 {
        let mut peer = HttpPeer::connect(broker.address()).await;
        peer.exchange(&publish()).await.published();
        // The answer to this one finds nobody.
        peer.write(&publish()).await;
    }
    while tasks() > alone {
        tokio::task::yield_now().await;
    }
}
