//! Who gets in over gRPC: plain and over TLS, signed, with a certificate; and what hostile peers cost.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tminus::broker::{Broker, BrokerTls, Persona};
use tminus::codec::grpc::metadata;
use tminus::codec::grpc::proto::*;
use tminus::codec::grpc::signature::authorization;
use tminus::codec::remoting::codes::response;
use tminus::options::Credentials;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::grpc_peer::{GrpcPeer, code, outgoing, producer};
use crate::peer::{Peer, broker};

/// A client's certificate chain and key, in PEM.
pub(crate) type Identity<'a> = (&'a str, &'a str);

/// A connection to the broker over TLS.
pub(crate) async fn tls(
    broker: &Broker,
    alpn: &[&[u8]],
    identity: Option<Identity<'_>>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    let authority = broker.ca_pem().unwrap().as_bytes();
    roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()];
            config
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                .unwrap()
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(broker.address()).await?;
    let name = ServerName::try_from("localhost").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn one_port_serves_both_protocols_plain_and_over_tls() {
    let broker = broker(|options| options.tls = Some(BrokerTls::SelfMade)).await;
    broker.create_topic("T", 1).unwrap();
    let plain = GrpcPeer::connect(broker.address(), "plain").await;
    let encrypted = tls(&broker, &[b"h2"], None).await.unwrap();
    assert_eq!(encrypted.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let encrypted = GrpcPeer::over(encrypted, "encrypted").await;
    // A client that offers no protocol speaks what it likes.
    let quiet = GrpcPeer::over(tls(&broker, &[], None).await.unwrap(), "quiet").await;
    for (id, peer) in [("plain", &plain), ("encrypted", &encrypted), ("quiet", &quiet)] {
        let (_telemetry, _) = peer.handshake(producer(&["T"])).await;
        assert_eq!(code(&peer.send([outgoing("T", id, "x")]).await.status), Code::Ok as i32);
    }
    let mut remoting = Peer::connect(broker.address()).await;
    assert_eq!(remoting.send("T", "remoting", &[]).await.code, response::SUCCESS);
    let mut secret = Peer::over(tls(&broker, &[], None).await.unwrap());
    assert_eq!(secret.pull("T", 0, Duration::ZERO).await.len(), 4);
    assert!(tls(&broker, &[b"spdy/3"], None).await.is_err(), "a protocol that nobody speaks here");
}

#[tokio::test]
async fn a_broker_for_tls_only_refuses_plain_grpc() {
    let broker = broker(|options| {
        options.tls = Some(BrokerTls::SelfMade);
        options.tls_only = true;
    })
    .await;
    let plain = GrpcPeer::connect(broker.address(), "c").await;
    plain.try_send([outgoing("T", "id", "x")]).await.unwrap_err();
    let encrypted = GrpcPeer::over(tls(&broker, &[b"h2"], None).await.unwrap(), "c").await;
    assert_eq!(code(&encrypted.route("T").await.status), Code::Ok as i32);
}

#[tokio::test]
async fn clients_show_their_certificate_where_it_is_asked_for() {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let key = rcgen::KeyPair::generate().unwrap();
    let client = rcgen::CertificateParams::new(["client".to_owned()]).unwrap();
    let chain = client.signed_by(&key, &rcgen::Issuer::new(authority, authority_key)).unwrap().pem();
    let broker = broker(|options| {
        options.tls = Some(BrokerTls::SelfMade);
        options.client_ca_pem = Some(authority_pem);
    })
    .await;
    let known = tls(&broker, &[b"h2"], Some((&chain, &key.serialize_pem()))).await.unwrap();
    assert_eq!(code(&GrpcPeer::over(known, "c").await.route("T").await.status), Code::Ok as i32);
    // With TLS 1.3 the client learns of the refusal when it reads.
    let mut unknown = tls(&broker, &[b"h2"], None).await.unwrap();
    assert!(unknown.read_u8().await.is_err());
}

#[tokio::test]
async fn with_users_only_their_calls_are_taken() {
    const DATE: &str = "20240101T000000Z";
    let mut user = Credentials::new("key", "secret");
    user.security_token = Some(tminus::options::Secret::new("token"));
    let broker = broker(|options| options.credentials = vec![user.clone()]).await;
    let good = GrpcPeer::connect(broker.address(), "c")
        .await
        .with(metadata::DATE_TIME, Some(DATE))
        .with(metadata::AUTHORIZATION, Some(&authorization(&user, DATE)))
        .with(metadata::SESSION_TOKEN, Some("token"));
    assert_eq!(code(&good.route("T").await.status), Code::Ok as i32);
    let (_telemetry, _) = good.handshake(producer(&["T"])).await;
    let stranger = authorization(&Credentials::new("stranger", "secret"), DATE);
    let bad = [
        (good.clone().with(metadata::AUTHORIZATION, Some(&stranger)), "stranger"),
        (good.clone().with(metadata::AUTHORIZATION, None), "not signed"),
        (good.clone().with(metadata::AUTHORIZATION, Some("nonsense")), "cannot be read"),
        (good.clone().with(metadata::DATE_TIME, Some("20240101T000001Z")), "secret key"),
        (good.clone().with(metadata::DATE_TIME, None), "not signed"),
        (good.clone().with(metadata::SESSION_TOKEN, Some("other")), "security token"),
    ];
    for (peer, hint) in bad {
        let status = peer.route("T").await.status.unwrap();
        assert_eq!(status.code(), Code::Unauthorized);
        assert!(status.message.contains(hint), "{}", status.message);
        assert_eq!(code(&peer.send([outgoing("T", "id", "x")]).await.status), Code::Unauthorized as i32);
        let mut telemetry = peer.telemetry().await.unwrap();
        assert_eq!(code(&telemetry.next().await.unwrap().unwrap().status), Code::Unauthorized as i32);
    }
}

/// What the broker answers until it closes the connection.
async fn answer_to(broker: &Broker, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(broker.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A connection that is reset is closed, too.
    let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("the connection stays open");
    answer
}

#[tokio::test]
async fn hostile_http_closes_the_connection_and_nothing_else() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let broker = broker(|_| {}).await;
    let neighbour = GrpcPeer::connect(broker.address(), "c").await;
    let garbage = [PREFACE, &[0xA5; 4096]].concat();
    let huge_frame = [PREFACE, b"\xff\xff\xff\x00\x00\x00\x00\x00\x01"].concat();
    let headers_on_stream_0 = [PREFACE, b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x01\x01\x05\0\0\0\0\x82"].concat();
    let bad_headers =
        [PREFACE, b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x04\x01\x05\0\0\0\x01\xff\xff\xff\xff"].concat();
    let data_first = [PREFACE, b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x01\0\x01\0\0\0\x01x"].concat();
    let line = [b"GET /", "x".repeat(1024 * 1024).as_bytes(), b" HTTP/1.1\r\n\r\n"].concat();
    let frames: [(&str, &[u8]); 8] = [
        ("garbage after the preface", &garbage),
        ("a frame larger than allowed", &huge_frame),
        ("headers on stream 0", &headers_on_stream_0),
        ("headers that cannot be read", &bad_headers),
        ("data before headers", &data_first),
        ("half a preface and then something else", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
        ("a request line without end", &line),
        ("letters", b"HELLO BROKER\r\n\r\n"),
    ];
    for (what, bytes) in frames {
        answer_to(&broker, bytes).await;
        assert_eq!(code(&neighbour.route("T").await.status), Code::Ok as i32, "{what}");
    }
    let answer = answer_to(&broker, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with(b"HTTP/1.1 426 "), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn unreadable_calls_fail_alone() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    // A message of another kind, whose fields do not fit.
    let wrong = Endpoints { scheme: 7, addresses: vec![Address { host: "\u{ff}".into(), port: -1 }] };
    let answer = peer.call::<_, SendMessageResponse>("SendMessage", wrong).await;
    assert!(answer.is_err() || code(&answer.unwrap().status) != Code::Ok as i32);
    let unknown = peer.call::<_, QueryRouteResponse>("NoSuchCall", QueryRouteRequest::default()).await;
    assert_eq!(unknown.unwrap_err().code(), tonic::Code::Unimplemented);
    let not_offered = peer.call::<_, GetOffsetResponse>("GetOffset", GetOffsetRequest::default()).await;
    assert_eq!(not_offered.unwrap_err().code(), tonic::Code::Unimplemented);
    let huge = peer.clone().with(metadata::REQUEST_ID, Some(&"x".repeat(64 * 1024)));
    assert!(huge.call::<_, QueryRouteResponse>("QueryRoute", QueryRouteRequest::default()).await.is_err());
    let again = GrpcPeer::connect(broker.address(), "c").await;
    assert_eq!(code(&again.route("T").await.status), Code::Ok as i32);
}

#[tokio::test]
async fn a_body_far_beyond_the_limit_is_refused_and_not_fatal() {
    let broker = broker(|_| {}).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let large = peer.send([outgoing("T", "id", &"x".repeat(100 * 1024 * 1024))]).await;
    assert_eq!(code(&large.status), Code::MessageBodyTooLarge as i32);
    assert_eq!(code(&peer.send([outgoing("T", "id", "x")]).await.status), Code::Ok as i32);
}

#[tokio::test]
async fn streams_left_half_open_do_not_keep_a_broker() {
    let broker = broker(|options| options.persona = Persona::Apache5).await;
    let peer = GrpcPeer::connect(broker.address(), "c").await;
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push(peer.telemetry().await.unwrap());
    }
    let mut silent = Vec::new();
    for bytes in
        [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(broker.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        silent.push(stream);
    }
    assert_eq!(code(&peer.route("T").await.status), Code::TopicNotFound as i32);
    let stopping = tminus::clock::instant();
    broker.stop().await;
    assert!(stopping.elapsed() < Duration::from_millis(100), "{:?}", stopping.elapsed());
    for stream in &mut streams {
        assert!(stream.next().await.is_err());
    }
    drop((peer, streams));
    while tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(TcpStream::connect(broker.address()).await.is_err());
}

#[tokio::test]
async fn clients_that_come_and_go_leave_nothing() {
    let broker = broker(|_| {}).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let alone = tasks();
    for round in 0..200 {
        let peer = GrpcPeer::connect(broker.address(), &format!("c-{round}")).await;
        let (telemetry, _) = peer.handshake(producer(&["T"])).await;
        assert_eq!(code(&peer.send([outgoing("T", "id", "x")]).await.status), Code::Ok as i32);
        let leave = NotifyClientTerminationRequest { group: None };
        peer.call::<_, NotifyClientTerminationResponse>("NotifyClientTermination", leave).await.unwrap();
        drop((telemetry, peer));
    }
    while tasks() > alone {
        tokio::task::yield_now().await;
    }
}
