//! How a loopback broker runs.

use std::net::SocketAddr;
use std::time::Duration;

use super::Persona;
use crate::clock::Clock;
use crate::options::Credentials;

/// The broker's certificate.
#[derive(Debug, Clone)]
pub enum BrokerTls {
    /// Makes a certificate authority and a certificate for `localhost`, 127.0.0.1 and ::1; see [`Broker::ca_pem`](super::Broker::ca_pem).
    SelfMade,
    /// Given PEM texts: chain and key.
    Given {
        /// Certificate chain.
        cert_pem: String,
        /// Private key.
        key_pem: crate::options::Secret,
    },
}

/// How a loopback broker runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BrokerOptions {
    /// Address to listen on; loopback only. Default `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// Its clock. Default real.
    pub clock: Clock,
    /// TLS beside plain TCP on the same port. Default none.
    pub tls: Option<BrokerTls>,
    /// PEM text of the authorities that client certificates must come from; none: no client certificate asked.
    pub client_ca_pem: Option<String>,
    /// Refuse plain connections. Default false.
    pub tls_only: bool,
    /// Users; when not empty, every request must be signed by one of them.
    pub credentials: Vec<Credentials>,
    /// Default [`Persona::Loopback`].
    pub persona: Persona,
    /// Create a topic with the first send to it. Default true.
    pub auto_create_topics: bool,
    /// Queues of a created topic. Default 4.
    pub queues: i32,
    /// Broker name. Default `broker-a`.
    pub name: String,
    /// How long a message that was received over HTTP is hidden from the others of its group, and its handle lives: the
    /// clients of that protocol cannot say. Whole milliseconds, at least one. Default 300 s, as the service has it.
    pub http_invisible: Duration,
    /// Join the name server of another loopback broker at this address (a cluster of two for retry tests).
    pub join: Option<SocketAddr>,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: Clock::real(),
            tls: None,
            client_ca_pem: None,
            tls_only: false,
            credentials: Vec::new(),
            persona: Persona::default(),
            auto_create_topics: true,
            queues: 4,
            name: "broker-a".into(),
            http_invisible: Duration::from_secs(300),
            join: None,
        }
    }
}
