//! Names and limits of requests: headers, paths, parameters.

use http::HeaderName;

/// Base64 digest of what travels; see [`digest::content_md5`](super::digest::content_md5).
pub const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
/// Version of the protocol.
pub const VERSION: HeaderName = HeaderName::from_static("x-mq-version");
/// The only version.
pub const VERSION_VALUE: &str = "2015-06-06";
/// Id that the server gives a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-mq-request-id");
/// Security token of temporary credentials; not signed.
pub const SECURITY_TOKEN: HeaderName = HeaderName::from_static("security-token");
/// Type of every document.
pub const CONTENT_TYPE_VALUE: &str = "text/xml;charset=utf-8";

/// Instance id, where the instance has a namespace of its own.
pub const NAMESPACE: &str = "ns";
/// Consumer group, or the producer group of transactions.
pub const CONSUMER: &str = "consumer";
/// Tags joined by two vertical bars.
pub const TAG: &str = "tag";
/// Messages of one consume.
pub const COUNT: &str = "numOfMessages";
/// Seconds that the server holds a consume.
pub const WAIT: &str = "waitseconds";
/// See [`Trans`].
pub const TRANS: &str = "trans";

/// Most messages of a consume, and handles of an acknowledgement.
pub const MAX_COUNT: usize = 16;
/// Longest hold of a consume, seconds.
pub const MAX_WAIT_SECONDS: u64 = 30;

/// What a consume or an acknowledgement is beyond the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trans {
    /// Consume in order.
    Order,
    /// Consume half messages whose transaction is open.
    Pop,
    /// Commit the transaction of a half message.
    Commit,
    /// Roll it back.
    Rollback,
}

impl Trans {
    /// As it travels.
    pub fn name(self) -> &'static str {
        match self {
            Trans::Order => "order",
            Trans::Pop => "pop",
            Trans::Commit => "commit",
            Trans::Rollback => "rollback",
        }
    }

    /// What travelled.
    pub fn parse(name: &str) -> Option<Self> {
        [Trans::Order, Trans::Pop, Trans::Commit, Trans::Rollback].into_iter().find(|t| t.name() == name)
    }
}

/// The path of all requests about `topic`.
pub fn path(topic: &str) -> String {
    format!("/topics/{topic}/messages")
}

/// The topic of a path.
pub fn topic_of(path: &str) -> Option<&str> {
    let topic = path.strip_prefix("/topics/")?.strip_suffix("/messages")?;
    (!topic.is_empty() && !topic.contains('/')).then_some(topic)
}
