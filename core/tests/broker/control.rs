//! Faults on purpose, restart and stop, credentials, TLS, and two brokers together.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tminus::Clock;
use tminus::broker::{BrokerOptions, BrokerTls, Fault};
use tminus::codec::remoting::Frame;
use tminus::codec::remoting::body::{ClusterInfo, JsonBody, TopicRoute};
use tminus::codec::remoting::codes::{request, response};
use tminus::codec::remoting::signature;
use tminus::options::Credentials;
use tokio::net::TcpStream;

use crate::peer::{Peer, broker, message, pull};

#[tokio::test]
async fn faults_meet_the_next_requests_and_no_more() {
    let broker = broker(|_| {}).await;
    let code = request::SEND_MESSAGE_V2;
    let mut peer = Peer::connect(broker.address()).await;
    broker.inject(code, 2, Fault::Refuse { code: response::SYSTEM_BUSY, remark: "on purpose".into() });
    broker.inject(code, 1, Fault::Swallow);
    for _ in 0..2 {
        let refused = peer.send("T", "refused", &[]).await;
        assert_eq!((refused.code, refused.remark.as_deref()), (response::SYSTEM_BUSY, Some("on purpose")));
    }
    peer.write(message("T", "swallowed", &[])).await;
    let sent = peer.write(message("T", "stored", &[])).await;
    assert_eq!(peer.read().await.unwrap().opaque, sent);
    for fault in [Fault::CloseBefore, Fault::Gateway, Fault::CloseAfter] {
        broker.inject(code, 1, fault);
    }
    for body in ["lost", "lost too", "stored, and no answer"] {
        let mut victim = Peer::connect(broker.address()).await;
        victim.write(message("T", body, &[])).await;
        assert!(victim.read().await.is_none());
    }
    let bodies: Vec<_> = peer.pull("T", 0, Duration::ZERO).await.into_iter().map(|view| view.body).collect();
    assert_eq!(bodies, ["stored", "stored, and no answer"]);
    assert_eq!((broker.request_count(code), broker.request_count(request::PULL_MESSAGE)), (7, 1));
}

#[tokio::test]
async fn a_restart_keeps_the_port_the_messages_and_the_schedule() {
    let broker = broker(|options| options.clock = Clock::virtual_now()).await;
    let mut peer = Peer::connect(broker.address()).await;
    peer.send("T", "now", &[]).await;
    peer.send("T", "later", &[("TIMER_DELAY_SEC", "3")]).await;
    peer.write(pull("T", 1, Duration::from_secs(9))).await;
    let address = broker.address();
    broker.restart(Duration::from_millis(20)).await.unwrap();
    assert!(peer.read().await.is_none());
    assert_eq!(broker.address(), address);
    let mut peer = Peer::connect(address).await;
    assert_eq!(peer.pull("T", 0, Duration::ZERO).await.len(), 1);
    assert_eq!(broker.advance(Duration::from_secs(3)).unwrap(), 1);
    assert_eq!(peer.pull("T", 1, Duration::ZERO).await[0].body, "later");
    broker.stop().await;
    broker.stop().await;
    assert!(peer.read().await.is_none());
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0, "tasks left behind");
    assert_eq!(broker.restart(Duration::ZERO).await.unwrap_err().kind(), tminus::ErrorKind::Closed);
}

#[tokio::test]
async fn dropping_a_broker_closes_its_port() {
    let broker = broker(|_| {}).await;
    let address = broker.address();
    let mut peer = Peer::connect(address).await;
    drop(broker);
    assert!(peer.read().await.is_none());
    // The listener's task ends at its next turn.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn with_users_only_their_requests_are_taken() {
    let user = Credentials::new("key", "secret");
    let broker = broker(|options| options.credentials = vec![user.clone()]).await;
    let mut peer = Peer::connect(broker.address()).await;
    for (signer, hint) in [
        (None, "not signed"),
        (Some(Credentials::new("stranger", "secret")), "stranger"),
        (Some(Credentials::new("key", "wrong")), "secret key"),
    ] {
        let mut frame = message("T", "x", &[]);
        if let Some(signer) = signer {
            signature::sign(&mut frame, &signer);
        }
        let refused = peer.call(frame).await;
        assert_eq!(refused.code, response::NO_PERMISSION);
        let remark = refused.remark.unwrap();
        assert!(remark.contains(hint) && !remark.contains("wrong"), "{remark}");
    }
    let mut signed = message("T", "x", &[]);
    signature::sign(&mut signed, &user);
    let mut tampered = signed.clone();
    tampered.ext.set("b", "Other");
    assert_eq!(peer.call(tampered).await.code, response::NO_PERMISSION);
    assert_eq!(peer.call(signed).await.code, response::SUCCESS);
}

async fn tls_peer(broker: &tminus::broker::Broker, ca_pem: &str) -> std::io::Result<Peer> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(broker.address()).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from(broker.address().ip().to_string()).unwrap();
    Ok(Peer::over(connector.connect(name, stream).await?))
}

#[tokio::test]
async fn tls_and_plain_clients_share_the_port() {
    let both = broker(|options| options.tls = Some(BrokerTls::SelfMade)).await;
    let mut encrypted = tls_peer(&both, both.ca_pem().unwrap()).await.unwrap();
    let mut plain = Peer::connect(both.address()).await;
    assert_eq!(encrypted.send("T", "secret", &[]).await.code, response::SUCCESS);
    assert_eq!(plain.pull("T", 0, Duration::ZERO).await[0].body, "secret");

    let strict = broker(|options| {
        options.tls = Some(BrokerTls::SelfMade);
        options.tls_only = true;
    })
    .await;
    assert!(tls_peer(&strict, both.ca_pem().unwrap()).await.is_err(), "another authority");
    let mut plain = Peer::connect(strict.address()).await;
    plain.write(message("T", "x", &[])).await;
    assert!(plain.read().await.is_none());

    // A broker that asks for client certificates takes nobody without.
    let mutual = broker(|options| {
        options.tls = Some(BrokerTls::SelfMade);
        options.client_ca_pem = both.ca_pem().map(str::to_owned);
    })
    .await;
    if let Ok(mut anonymous) = tls_peer(&mutual, mutual.ca_pem().unwrap()).await {
        assert!(anonymous.read().await.is_none());
    }
    assert_eq!(mutual.request_count(request::SEND_MESSAGE_V2), 0);
}

#[tokio::test]
async fn a_plain_broker_closes_on_a_tls_client() {
    let broker = broker(|_| {}).await;
    let mut peer = Peer::connect(broker.address()).await;
    peer.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    assert!(peer.read().await.is_none());
}

#[tokio::test]
async fn two_brokers_make_a_cluster() {
    let first = broker(|_| {}).await;
    let second = broker(|options| {
        options.name = "broker-b".into();
        options.join = Some(first.address());
    })
    .await;
    let mut peer = Peer::connect(first.address()).await;
    let answer = peer.call(Frame::request(request::GET_BROKER_CLUSTER_INFO)).await;
    let cluster = ClusterInfo::decode(&answer.body).unwrap();
    assert_eq!(cluster.cluster_addr_table["DefaultCluster"], ["broker-a", "broker-b"]);
    assert_eq!(cluster.broker_addr_table["broker-b"].master(), Some(second.address().to_string().as_str()));
    first.create_topic("T", 2).unwrap();
    second.create_topic("T", 3).unwrap();
    let queues = async |peer: &mut Peer| {
        let answer = peer.call(Frame::request(request::GET_ROUTEINFO_BY_TOPIC).with("topic", "T")).await;
        let route = TopicRoute::decode(&answer.body).unwrap();
        route
            .queue_datas
            .iter()
            .map(|data| (data.broker_name.clone(), data.read_queue_nums))
            .collect::<Vec<_>>()
    };
    let both = [("broker-a".to_owned(), 2), ("broker-b".to_owned(), 3)];
    while queues(&mut peer).await != both {}
    // The second broker finds the way back after a restart of its name server, and goes when it stops.
    first.restart(Duration::ZERO).await.unwrap();
    let mut peer = Peer::connect(first.address()).await;
    while queues(&mut peer).await != both {}
    second.stop().await;
    while queues(&mut peer).await != both[..1] {}

    let mut alone = BrokerOptions::default();
    alone.join = Some(second.address());
    let error = tminus::broker::Broker::start(alone).await.unwrap_err();
    assert_eq!(error.kind(), tminus::ErrorKind::BrokerUnreachable);
}
