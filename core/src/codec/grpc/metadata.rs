//! Names of what travels beside every call.

/// Who calls; servers know a client by it.
pub const CLIENT_ID: &str = "x-mq-client-id";
/// The client's language, as RocketMQ names languages: `RUST`, `GO`, `JAVA`.
pub const LANGUAGE: &str = "x-mq-language";
/// The client's version.
pub const CLIENT_VERSION: &str = "x-mq-client-version";
/// When the call was made, as text; what is signed.
pub const DATE_TIME: &str = "x-mq-date-time";
/// Namespace of topics and groups; may be empty.
pub const NAMESPACE: &str = "x-mq-namespace";
/// A new random id a call, for logs.
pub const REQUEST_ID: &str = "x-mq-request-id";
/// Version of the protocol.
pub const PROTOCOL: &str = "x-mq-protocol";
/// Security token of temporary credentials.
pub const SESSION_TOKEN: &str = "x-mq-session-token";
/// The signature, see [`super::signature`].
pub const AUTHORIZATION: &str = "authorization";
