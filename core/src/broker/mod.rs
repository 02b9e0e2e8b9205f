//! The loopback broker: name server and broker on one port, for programs that learn, develop or test.
//!
//! `socket → listener → session (codec) → handlers → store + timer → delivery → session`

use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::Result;
use crate::options::Credentials;

/// Which server the broker behaves like, where servers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Persona {
    /// Acts on every delivery property of every server, to the millisecond, one year ahead.
    #[default]
    Loopback,
    /// Apache RocketMQ 5: `TIMER_*` and levels, 3 days ahead, ignores `__STARTDELIVERTIME`.
    Apache5,
    /// Apache RocketMQ 4: levels only.
    Apache4,
    /// Huawei DMS: `__STARTDELIVERTIME` and levels, one year ahead.
    Huawei,
}

/// The broker's certificate.
#[derive(Debug, Clone)]
pub enum BrokerTls {
    /// Makes a certificate authority and a certificate for `localhost`, 127.0.0.1 and ::1; see [`Broker::ca_pem`].
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
    /// Create a topic with the first send (or route query for it by a producer). Default true.
    pub auto_create_topics: bool,
    /// Queues of a created topic. Default 4.
    pub queues: i32,
    /// Broker name. Default `broker-a`.
    pub name: String,
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
            join: None,
        }
    }
}

/// A scheduled message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMessage {
    /// Its topic.
    pub topic: String,
    /// The producer's unique id.
    pub message_id: String,
    /// When it becomes visible, Unix ms.
    pub deliver_at_ms: i64,
}

/// What a fault does to a matching request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answer with this response code and remark; the request has no effect.
    Refuse {
        /// Response code.
        code: i32,
        /// Remark.
        remark: String,
    },
    /// Read the request, do nothing, never answer.
    Swallow,
    /// Close the connection without handling the request.
    CloseBefore,
    /// Handle the request, then close the connection instead of answering.
    CloseAfter,
}

/// A running loopback broker. Dropping it stops it.
#[derive(Debug)]
pub struct Broker {}

impl Broker {
    /// Starts on the current tokio runtime; it accepts connections when this returns.
    pub async fn start(options: BrokerOptions) -> Result<Self> {
        let _ = options;
        todo!()
    }

    /// The address it listens on: name server and broker.
    pub fn address(&self) -> SocketAddr {
        todo!()
    }

    /// The clock it runs by.
    pub fn clock(&self) -> &Clock {
        todo!()
    }

    /// PEM text of the authority that signed the self-made certificate.
    pub fn ca_pem(&self) -> Option<&str> {
        todo!()
    }

    /// Creates a topic, or changes its number of queues.
    pub fn create_topic(&self, topic: &str, queues: i32) -> Result<()> {
        let _ = (topic, queues);
        todo!()
    }

    /// Moves a virtual clock forward by `by`, in deadline order; returns how many messages became visible, when they
    /// are. `InvalidArgument` with a real clock.
    pub fn advance(&self, by: Duration) -> Result<usize> {
        let _ = by;
        todo!()
    }

    /// Scheduled messages (and delayed retries) that wait, in deadline order.
    pub fn pending(&self) -> Vec<PendingMessage> {
        todo!()
    }

    /// Lets the next `times` requests with this remoting request code meet `fault`; returns once set.
    pub fn inject(&self, request_code: i32, times: usize, fault: Fault) {
        let _ = (request_code, times, fault);
        todo!()
    }

    /// Number of requests with this remoting request code received so far.
    pub fn request_count(&self, request_code: i32) -> u64 {
        let _ = request_code;
        todo!()
    }

    /// Closes the port and every connection, waits `down`, and opens the same port again; messages and offsets stay.
    pub async fn restart(&self, down: Duration) -> Result<()> {
        let _ = down;
        todo!()
    }

    /// Closes the port and every connection. Idempotent.
    pub async fn stop(&self) {
        todo!()
    }
}
