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
    /// Further attempts, each on another broker if there is one. Default 2.
    pub retries: u32,
    /// Largest body in bytes; over gRPC the server's limit holds where it is lower. Default 4 MiB.
    pub max_body_bytes: usize,
    /// Bodies of at least this many bytes are compressed (zlib). Default 4096; `None`: never. Not over gRPC: the other
    /// clients of that protocol do not compress either.
    pub compress_above_bytes: Option<usize>,
    /// zlib level 1..=9. Default 5.
    pub compress_level: u32,
    /// Limits for delivery times.
    pub delay_limits: DelayLimits,
    /// Queue count of a topic that the first send creates. Default 4.
    pub default_topic_queues: i32,
    /// Topics that are looked up at the start, so that it fails early; others are looked up by the first send. Over gRPC a
    /// producer of transactions is asked about those of its topics only, so name them here. Default none.
    pub topics: Vec<String>,
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
        }
    }
}
