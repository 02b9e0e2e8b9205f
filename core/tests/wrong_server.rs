//! What a person gets who points a client at something that is not a healthy name server or proxy. Real sockets on the
//! other side.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use tminus::options::ProducerOptions;
use tminus::{Error, ErrorKind, Outcome, Producer, clock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server that answers whatever arrives first with `answer` and keeps the connection open, or closes it.
async fn answering(answer: &'static [u8], keep_open: bool) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            read_some(&mut socket).await;
            let _ = socket.write_all(answer).await;
            if keep_open {
                open.push(socket);
            }
        }
    });
    (address, task)
}

async fn read_some(socket: &mut TcpStream) {
    let _ = socket.read(&mut [0; 4096]).await;
}

async fn start(endpoint: &str) -> Result<Producer, Error> {
    let mut options = ProducerOptions::new(endpoint).unwrap();
    options.client.request_timeout = Duration::from_millis(500);
    Producer::start(options).await
}

async fn start_fault(endpoint: &str) -> Error {
    let error = start(endpoint).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.to_string().contains(endpoint.split(';').next().unwrap()), "names the address: {error}");
    error
}

/// A port that nobody listens on.
async fn dead_port() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn no_name_server_reachable() {
    let error = start_fault(&dead_port().await).await;
    assert_eq!(error.kind(), ErrorKind::NameServerUnreachable);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_silent_name_server_is_given_up_at_the_deadline() {
    let (address, server) = answering(b"", true).await;
    let begun = clock::instant();
    let error = start_fault(&address).await;
    assert_eq!(error.kind(), ErrorKind::NameServerUnreachable);
    assert!((400..1500).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    server.abort();
}

#[tokio::test]
async fn a_host_that_does_not_exist() {
    let error = start("no-such-host.invalid:9876").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameServerUnreachable);
    assert!(error.text().contains("no-such-host.invalid:9876"), "{error}");
}

#[tokio::test]
async fn wrong_port_an_http_server_answers() {
    let (address, server) = answering(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", false).await;
    let error = start_fault(&address).await;
    assert_eq!(error.kind(), ErrorKind::WrongProtocol);
    assert!(error.text().contains("HTTP") && error.text().contains("9876"), "{error}");
    server.abort();
}

#[tokio::test]
async fn wrong_port_a_grpc_server_answers() {
    // An empty SETTINGS frame, the first thing every HTTP/2 server says.
    let (address, server) = answering(&[0, 0, 0, 4, 0, 0, 0, 0, 0], true).await;
    let error = start_fault(&address).await;
    assert_eq!(error.kind(), ErrorKind::WrongProtocol);
    assert!(error.text().contains("gRPC"), "{error}");
    server.abort();
}

#[tokio::test]
async fn wrong_port_a_tls_server_answers_a_plain_client() {
    // The alert "unexpected message", with which TLS servers answer plain bytes before they close.
    let (address, server) = answering(&[0x15, 3, 3, 0, 2, 2, 10], false).await;
    let error = start_fault(&address).await;
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.text().contains("remotings://"), "{error}");
    server.abort();
}

#[tokio::test]
async fn a_server_that_closes_without_a_word() {
    let (address, server) = answering(b"", false).await;
    let error = start_fault(&address).await;
    assert_eq!(error.kind(), ErrorKind::NameServerUnreachable);
    assert!(error.text().contains("closed the connection"), "{error}");
    server.abort();
}

#[tokio::test]
async fn a_frame_with_a_hostile_length() {
    for hostile in [&[0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0][..], &[0xFF; 8], &[0, 0, 0, 9, 0, 0, 0, 200]] {
        let hostile: &'static [u8] = Box::leak(hostile.to_vec().into_boxed_slice());
        let (address, server) = answering(hostile, true).await;
        let begun = clock::instant();
        let error = start_fault(&address).await;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(begun.elapsed() < Duration::from_millis(400), "refused at once, not at the deadline");
        server.abort();
    }
}

#[tokio::test]
async fn a_frame_with_a_truncated_header() {
    // The header says 13 bytes, its own fields say more.
    let frame = b"\x00\x00\x00\x11\x01\x00\x00\x0D\x00\x00\x0c\x01\x01\x00\x00\x00\x01\x00\x00\x00\x01";
    let (address, server) = answering(frame, true).await;
    let error = start_fault(&address).await;
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    server.abort();
}

#[tokio::test]
async fn a_connection_that_closes_within_a_frame() {
    let (address, server) = answering(b"\x00\x00\x01\x00\x00\x00\x00\x50{\"code\":0", false).await;
    let error = start_fault(&address).await;
    assert_eq!(error.kind(), ErrorKind::NameServerUnreachable);
    assert!(error.text().contains("middle of a frame"), "{error}");
    server.abort();
}

#[tokio::test]
async fn tls_asked_of_a_server_that_speaks_none() {
    for (answer, keep_open) in [(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], true), (b"", false)] {
        let (address, server) = answering(answer, keep_open).await;
        let error = start(&format!("remotings://{address}")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.text().contains("TLS"), "{error}");
        server.abort();
    }
}

#[tokio::test]
async fn an_illegal_group_is_refused_before_anything_is_dialled() {
    let mut options = ProducerOptions::new("127.0.0.1:1").unwrap();
    options.group = "a group".into();
    let error = Producer::start(options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.text().contains("' '"), "{error}");
}

/// What a server of HTTP/2 does to every request.
#[derive(Clone, Copy)]
enum Http2 {
    /// Never answers.
    Silent,
    /// Answers with the head of a gRPC answer and no more.
    HeadOnly,
    /// Answers with this status and no body, as web servers do.
    Status(u16),
    /// Ends the call with this gRPC status.
    Grpc(&'static str),
    /// Sends these bytes as the first answer.
    Bytes(&'static [u8]),
    /// Closes the connection.
    Close,
}

async fn http2(what: Http2) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(serve(socket, what));
        }
    });
    (address, task)
}

async fn serve(socket: TcpStream, what: Http2) {
    let mut connection = h2::server::handshake(socket).await.unwrap();
    let mut open = Vec::new();
    while let Some(Ok((_, mut answer))) = connection.accept().await {
        let head =
            |status: u16| Response::builder().status(status).header("content-type", "application/grpc");
        match what {
            Http2::Close => return,
            Http2::Silent => open.push((answer, None)),
            Http2::HeadOnly => {
                let body = answer.send_response(head(200).body(()).unwrap(), false).unwrap();
                open.push((answer, Some(body)));
            }
            Http2::Status(status) => {
                let plain = Response::builder().status(status).header("content-type", "text/html");
                answer.send_response(plain.body(()).unwrap(), true).unwrap();
            }
            Http2::Grpc(status) => {
                let mut body = answer.send_response(head(200).body(()).unwrap(), false).unwrap();
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", status.parse().unwrap());
                trailers.insert("grpc-message", "not%20here".parse().unwrap());
                body.send_trailers(trailers).unwrap();
            }
            Http2::Bytes(bytes) => {
                let mut body = answer.send_response(head(200).body(()).unwrap(), false).unwrap();
                body.send_data(Bytes::from_static(bytes), false).unwrap();
                open.push((answer, Some(body)));
            }
        }
    }
}

async fn grpc_fault(address: &str) -> Error {
    let error = start(&format!("grpc://{address}")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    assert!(error.text().contains(address), "names the address: {error}");
    error
}

#[tokio::test]
async fn no_proxy_reachable() {
    let error = grpc_fault(&dead_port().await).await;
    assert_eq!(error.kind(), ErrorKind::BrokerUnreachable);
    assert!(error.is_retryable());
}

/// The official Go client's start hung for ever here.
#[tokio::test]
async fn a_proxy_that_never_says_a_word_is_given_up_at_the_deadline() {
    let (silent, server) = answering(b"", true).await;
    let (head_only, second) = http2(Http2::HeadOnly).await;
    let (no_answer, third) = http2(Http2::Silent).await;
    for address in [&silent, &head_only, &no_answer] {
        let begun = clock::instant();
        let error = grpc_fault(address).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!((400..1500).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    }
    let error = grpc_fault(&head_only).await;
    assert!(error.text().contains("settings"), "says what is missing: {error}");
    for server in [server, second, third] {
        server.abort();
    }
}

#[tokio::test]
async fn grpc_asked_of_servers_of_other_protocols() {
    for (answer, keep_open, kind, hint) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], false, ErrorKind::WrongProtocol, "HTTP/1"),
        // The length of a remoting frame, and the first bytes of its header.
        (b"\x00\x00\x00\x60\x00\x00\x00\x57{\"code\":1}", true, ErrorKind::WrongProtocol, "remoting://"),
        (b"\x15\x03\x03\x00\x02\x02\x0a", false, ErrorKind::Tls, "grpcs://"),
        (b"", false, ErrorKind::BrokerUnreachable, "remoting://"),
    ] {
        let (address, server) = answering(answer, keep_open).await;
        let begun = clock::instant();
        let error = grpc_fault(&address).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.text().contains(hint), "{hint:?} in {error}");
        assert!(begun.elapsed() < Duration::from_millis(400), "found out at once, not at the deadline");
        server.abort();
    }
}

#[tokio::test]
async fn http2_servers_that_are_no_proxies() {
    for (what, kind, hint) in [
        (Http2::Status(404), ErrorKind::WrongProtocol, "404"),
        (Http2::Status(200), ErrorKind::WrongProtocol, "not in gRPC"),
        (Http2::Grpc("12"), ErrorKind::Unsupported, "no RocketMQ proxy"),
        (Http2::Grpc("16"), ErrorKind::PermissionDenied, "not here"),
        (Http2::Grpc("nonsense"), ErrorKind::Server, "not here"),
        (Http2::Bytes(&[1, 0, 0, 0, 0]), ErrorKind::Protocol, "compress"),
        (Http2::Bytes(&[0, 0xFF, 0xFF, 0xFF, 0xFF]), ErrorKind::Protocol, "4294967295"),
        (Http2::Bytes(&[0, 0, 0, 0, 2, 0xFF, 0xFF]), ErrorKind::Protocol, ""),
        (Http2::Close, ErrorKind::ConnectionClosed, ""),
    ] {
        let (address, server) = http2(what).await;
        let begun = clock::instant();
        let error = grpc_fault(&address).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.text().contains(hint), "{hint:?} in {error}");
        assert!(begun.elapsed() < Duration::from_millis(400), "found out at once, not at the deadline");
        server.abort();
    }
}

#[tokio::test]
async fn tls_asked_of_a_plain_proxy() {
    let (address, server) = http2(Http2::Silent).await;
    let error = start(&format!("grpcs://{address}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    server.abort();
}
