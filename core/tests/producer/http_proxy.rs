//! Requests that go through an HTTP proxy.

use std::net::SocketAddr;
use std::process::Command;

use tminus::broker::{Broker, BrokerOptions, BrokerTls};
use tminus::options::{ClientOptions, HttpProxy};
use tminus::{ErrorKind, HttpClient, Outcome};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::http_raw::{LONG, Raw, Reply, answer, client_options, message, published, read_request};

fn through(proxy: SocketAddr, endpoint: &str) -> ClientOptions {
    let mut options = ClientOptions::new(endpoint).unwrap();
    options.http_proxy = HttpProxy::Url(format!("http://me:s3cret@{proxy}").into());
    options
}

/// A proxy that opens ways, and what it was asked.
async fn tunnels() -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heads, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let Some((head, _)) = read_request(&mut socket).await else { continue };
            let to = head.split(' ').nth(1).unwrap().to_owned();
            heads.send(head).unwrap();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.unwrap();
                socket.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut socket, &mut server).await;
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_proxy_reads_plain_requests_itself() {
    let proxy = Raw::start(|number, _| match number {
        0 => Reply::With(published("hello")),
        _ => Reply::With(answer(407, "who are you?")),
    })
    .await;
    let client = HttpClient::new(through(proxy.address, "http://service.example:8080")).unwrap();
    client.publish(message(), LONG).await.unwrap();
    let seen = &proxy.seen()[0];
    assert_eq!(seen.line(), "POST http://service.example:8080/topics/orders/messages HTTP/1.1");
    assert_eq!(seen.header("host"), Some("service.example:8080"));
    assert_eq!(seen.header("proxy-authorization"), Some("Basic bWU6czNjcmV0"));
    let error = client.publish(message(), LONG).await.unwrap_err();
    assert_eq!((error.kind(), error.response_code()), (ErrorKind::PermissionDenied, Some(407)), "{error}");
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn encrypted_requests_go_through_a_tunnel() {
    let mut options = BrokerOptions::default();
    options.tls = Some(BrokerTls::SelfMade);
    let broker = Broker::start(options).await.unwrap();
    let (proxy, mut asked) = tunnels().await;
    let mut options = through(proxy, &format!("https://localhost:{}", broker.address().port()));
    options.tls.ca_pem = broker.ca_pem().map(str::to_owned);
    let client = HttpClient::new(options).unwrap();
    for _ in 0..2 {
        client.publish(message(), LONG).await.unwrap();
    }
    let head = asked.recv().await.unwrap();
    assert!(
        head.starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", broker.address().port())),
        "{head}"
    );
    assert!(head.contains("Proxy-Authorization: Basic bWU6czNjcmV0\r\n"), "{head}");
    client.shutdown().await;
    assert!(asked.is_empty(), "one tunnel is enough");
}

#[tokio::test]
async fn a_proxy_that_lets_nobody_through_is_told() {
    let proxy = Raw::start(|_, _| Reply::Last(answer(407, ""))).await;
    let client = HttpClient::new(through(proxy.address, "https://service.example:8080")).unwrap();
    let error = client.publish(message(), LONG).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::BrokerUnreachable, Outcome::NotSent), "{error}");
    assert!(error.text().contains("authorization required"), "{error}");
    assert!(error.text().contains(&proxy.address.to_string()) && !error.text().contains("s3cret"), "{error}");
    let dead = super::support::dead_port().await;
    for endpoint in ["http://service.example:8080", "https://service.example:8080"] {
        let client = HttpClient::new(through(dead, endpoint)).unwrap();
        let error = client.publish(message(), LONG).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::BrokerUnreachable, Outcome::NotSent));
        assert!(error.text().contains(&dead.to_string()), "{error}");
    }
}

/// The environment belongs to the process: this runs in one of its own, started below.
#[tokio::test]
#[ignore = "run by the_environment_names_the_proxy"]
async fn a_process_with_a_proxy_in_its_environment() {
    let client = HttpClient::new(ClientOptions::new("http://service.example:8080").unwrap()).unwrap();
    client.publish(message(), LONG).await.unwrap();
    let mut direct = ClientOptions::new("http://unused.example:8080").unwrap();
    direct.http_proxy = HttpProxy::Direct;
    direct.connect_timeout = std::time::Duration::from_millis(1);
    HttpClient::new(direct).unwrap().publish(message(), LONG).await.unwrap_err();
    // Never for addresses of this machine.
    let server = Raw::start(|_, _| Reply::With(published("hello"))).await;
    let mut here = client_options(server.address);
    here.http_proxy = HttpProxy::Environment;
    HttpClient::new(here).unwrap().publish(message(), LONG).await.unwrap();
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn the_environment_names_the_proxy() {
    let proxy = Raw::start(|_, _| Reply::With(published("hello"))).await;
    for (name, expected) in [("HTTP_PROXY", 1), ("http_proxy", 2), ("ALL_PROXY", 3), ("NO_SUCH_PROXY", 3)] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--ignored", "--exact", "http_proxy::a_process_with_a_proxy_in_its_environment"]);
        for inherited in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
            child.env_remove(inherited);
        }
        child.env(name, format!("http://{}", proxy.address));
        let run = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
        assert_eq!(proxy.count(), expected, "{name}: {}", String::from_utf8_lossy(&run.stdout));
        assert_eq!(run.status.success(), name != "NO_SUCH_PROXY", "{}", String::from_utf8_lossy(&run.stdout));
    }
}
