//! Settings of a producer.

use std::time::Duration;

use super::ClientOptions;
use crate::error::Result;
use crate::message::{DelayLimits, MAX_BODY_BYTES};

/// How a producer sends.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProducerOptions {
    /// Connection settings.
    pub client: ClientOptions,
    /// Producer group. Default `DEFAULT_PRODUCER`.
    pub group: String,
    /// Deadline of a send when the call gives none; all attempts share it. Default 3 s.
    pub send_timeout: Duration,
    /// Further attempts, each on another broker if there is one; over ApsaraMQ HTTP, after a send that the server did not
    /// get or had no room for (see [`ProducerOptions::allow_duplicates`]). Default 2.
    pub retries: u32,
    /// Largest body in bytes; over gRPC the server's limit holds where it is lower. Default 4 MiB.
    pub max_body_bytes: usize,
    /// Bodies of at least this many bytes are compressed (zlib). Default 4096; `None`: never. Not over gRPC and
    /// ApsaraMQ HTTP: the other clients of those protocols do not compress either.
    pub compress_above_bytes: Option<usize>,
    /// zlib level 1..=9. Default 5.
    pub compress_level: u32,
    /// Limits for delivery times.
    pub delay_limits: DelayLimits,
    /// Queue count of a topic that the first send creates. Default 4.
    pub default_topic_queues: i32,
    /// Topics that are looked up at the start, so that it fails early; others are looked up by the first send. Over gRPC a
    /// producer of transactions is asked about those of its topics only, so name them here; over ApsaraMQ HTTP, where nothing
    /// is looked up, too, so that it hears of transactions from before its start. Default none.
    pub topics: Vec<String>,
    /// Over ApsaraMQ HTTP: send again although the message may be stored, so that it may be stored twice. Default false:
    /// such a send fails with the outcome `MaybeSent`. (The attempts of other protocols carry one id, by which
    /// consumers can tell a repetition.)
    pub allow_duplicates: bool,
    /// Over ApsaraMQ HTTP: how a body travels that XML cannot carry. Default [`BodyEncoding::Text`].
    pub body_encoding: BodyEncoding,
    /// Over ApsaraMQ HTTP: how long after the half message the server first asks how a transaction ended, 10 s to 300 s.
    /// Default 10 s.
    pub transaction_check_after: Duration,
}

/// How a body travels over a protocol that carries text only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BodyEncoding {
    /// As it is. A body that is no UTF-8 text, or has characters that XML 1.0 does not allow, is refused with `InvalidMessage`.
    #[default]
    Text,
    /// In base64 where it is no text, marked by the property `__BODY_ENCODING`, by which the consumers of this library
    /// decode it, whatever their protocol. Other consumers get the base64 text.
    Base64,
}

impl ProducerOptions {
    /// Options with defaults for `endpoint`.
    pub fn new(endpoint: &str) -> Result<Self> {
        Ok(Self::with_client(ClientOptions::new(endpoint)?))
    }

    /// Options with defaults over `client`.
    pub fn with_client(client: ClientOptions) -> Self {
        Self {
            client,
            group: "DEFAULT_PRODUCER".into(),
            send_timeout: Duration::from_secs(3),
            retries: 2,
            max_body_bytes: MAX_BODY_BYTES,
            compress_above_bytes: Some(4096),
            compress_level: 5,
            delay_limits: DelayLimits::default(),
            default_topic_queues: 4,
            topics: Vec::new(),
            allow_duplicates: false,
            body_encoding: BodyEncoding::default(),
            transaction_check_after: Duration::from_secs(10),
        }
    }
}
