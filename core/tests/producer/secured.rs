//! TLS and access keys, over every protocol.

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tminus::broker::{Broker, BrokerOptions, BrokerTls};
use tminus::options::{ClientOptions, Credentials, ProducerOptions, Secret};
use tminus::{Error, ErrorKind, Producer, Result};

use crate::support::message;

/// The schemes with TLS.
const SCHEMES: [&str; 3] = ["remotings", "grpcs", "https"];

async fn secured(change: impl FnOnce(&mut BrokerOptions)) -> Broker {
    let mut options = BrokerOptions::default();
    options.tls = Some(BrokerTls::SelfMade);
    change(&mut options);
    Broker::start(options).await.unwrap()
}

/// Starts against `endpoint`, sends one message and shuts down.
async fn send(endpoint: &str, change: impl FnOnce(&mut ClientOptions)) -> Result<()> {
    let mut client = ClientOptions::new(endpoint)?;
    change(&mut client);
    let producer = Producer::start(ProducerOptions::with_client(client)).await?;
    let sent = producer.send(message()).await;
    producer.shutdown().await;
    sent.map(drop)
}

fn tls_fault(result: Result<()>, hint: &str) {
    let error: Error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.text().contains(hint), "{hint:?} in {error}");
}

#[tokio::test]
async fn tls_with_the_authority_of_the_server() {
    let broker = secured(|_| ()).await;
    let ca = broker.ca_pem().map(str::to_owned);
    let port = broker.address().port();
    for scheme in SCHEMES {
        for host in ["127.0.0.1", "localhost"] {
            let endpoint = format!("{scheme}://{host}:{port}");
            send(&endpoint, |client| client.tls.ca_pem = ca.clone()).await.unwrap();
        }
        // Switched on by option instead of scheme.
        let plain = format!("{}://{}", scheme.trim_end_matches('s'), broker.address());
        send(&plain, |client| {
            client.tls.enabled = true;
            client.tls.ca_pem = ca.clone();
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn tls_with_large_bodies_and_many_at_once() {
    let broker = secured(|_| ()).await;
    for scheme in SCHEMES {
        let mut options = ProducerOptions::new(&format!("{scheme}://{}", broker.address())).unwrap();
        options.client.tls.ca_pem = broker.ca_pem().map(str::to_owned);
        options.compress_above_bytes = None;
        let producer = Producer::start(options).await.unwrap();
        let mut sends = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let producer = producer.clone();
            sends.spawn(
                async move { producer.send(tminus::Message::new("orders", vec![b'7'; 300_000])).await },
            );
        }
        assert!(sends.join_all().await.iter().all(Result::is_ok));
        producer.shutdown().await;
    }
}

#[tokio::test]
async fn tls_with_an_untrusted_authority() {
    let broker = secured(|_| ()).await;
    let other = secured(|_| ()).await;
    for scheme in SCHEMES {
        let endpoint = format!("{scheme}://{}", broker.address());
        tls_fault(send(&endpoint, |_| ()).await, "ca_pem");
        let ca = other.ca_pem().map(str::to_owned);
        tls_fault(send(&endpoint, |client| client.tls.ca_pem = ca).await, "ca_pem");
    }
}

#[tokio::test]
async fn tls_with_a_certificate_for_another_name() {
    let broker = secured(|_| ()).await;
    let ca = broker.ca_pem().map(str::to_owned);
    for scheme in SCHEMES {
        let endpoint = format!("{scheme}://{}", broker.address());
        let wrong = send(&endpoint, |client| {
            client.tls.ca_pem = ca.clone();
            client.tls.server_name = Some("broker.example".into());
        });
        tls_fault(wrong.await, "server_name");
        let right = send(&endpoint, |client| {
            client.tls.ca_pem = ca.clone();
            client.tls.server_name = Some("localhost".into());
        });
        right.await.unwrap();
    }
}

#[tokio::test]
async fn tls_without_verification_has_to_be_asked_for() {
    let broker = secured(|_| ()).await;
    for scheme in SCHEMES {
        let endpoint = format!("{scheme}://{}", broker.address());
        send(&endpoint, |client| client.tls.insecure = true).await.unwrap();
    }
}

#[tokio::test]
async fn tls_asked_of_a_plain_broker() {
    let broker = Broker::start(BrokerOptions::default()).await.unwrap();
    for scheme in SCHEMES {
        let endpoint = format!("{scheme}://{}", broker.address());
        tls_fault(send(&endpoint, |client| client.tls.insecure = true).await, "TLS");
    }
}

#[tokio::test]
async fn a_client_certificate() {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["client".into()]).unwrap().signed_by(&key, &ca).unwrap();

    let broker = secured(|options| options.client_ca_pem = Some(ca.as_ref().pem())).await;
    let server_ca = broker.ca_pem().map(str::to_owned);
    for scheme in SCHEMES {
        let endpoint = format!("{scheme}://{}", broker.address());
        let without = send(&endpoint, |client| client.tls.ca_pem = server_ca.clone());
        tls_fault(without.await, "client_cert_pem");
        let with = send(&endpoint, |client| {
            client.tls.ca_pem = server_ca.clone();
            client.tls.client_cert_pem = Some(certificate.pem());
            client.tls.client_key_pem = Some(Secret::new(key.serialize_pem()));
        });
        with.await.unwrap();
    }
}

#[tokio::test]
async fn access_keys() {
    let user = Credentials { security_token: Some("token".into()), ..Credentials::new("ak", "sk") };
    let broker = secured(|options| options.credentials = vec![user.clone()]).await;
    for (scheme, found_at) in [("remoting", "start"), ("grpc", "start"), ("http", "send")] {
        let endpoint = format!("{scheme}://{}", broker.address());
        send(&endpoint, |client| client.credentials = Some(user.clone().into())).await.unwrap();
        for wrong in [
            None,
            Some(Credentials::new("ak", "sk")),
            Some(Credentials::new("nobody", "sk")),
            Some(Credentials { secret_key: "other".into(), ..user.clone() }),
        ] {
            let error = send(&endpoint, |client| client.credentials = wrong.clone().map(Into::into))
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            assert!(error.text().contains("key"), "{error}");
            if wrong.is_some() {
                assert_eq!(error.operation(), found_at, "wrong keys are found as soon as a server is asked");
            }
            assert!(!error.to_string().contains("other"), "secrets stay out of texts");
        }
    }
}

/// What is logged, in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn secrets_stay_out_of_logs() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _logging = tracing::subscriber::set_default(subscriber.finish());
    // With one subscriber alone, what another test's thread logs first is taken for unwanted everywhere.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let user =
        Credentials { security_token: Some("t0ken-value".into()), ..Credentials::new("ak", "s3cret-value") };
    let broker = secured(|options| options.credentials = vec![user.clone()]).await;
    for scheme in ["remoting", "grpc", "http"] {
        let endpoint = format!("{scheme}://{}", broker.address());
        send(&endpoint, |client| client.credentials = Some(user.clone().into())).await.unwrap();
        let guess = Credentials { secret_key: "a-gu3ss".into(), ..user.clone() };
        send(&endpoint, |client| client.credentials = Some(guess.into())).await.unwrap_err();
    }
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("send"), "the run is logged");
    for secret in ["s3cret-value", "t0ken-value", "a-gu3ss", "Signature=", "MQ ak:"] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}
