//! Custom headers (ext fields) that both client and broker read or write.

mod pull;
mod send;

pub use pull::{PullHeader, PullReplyHeader, pull_flag};
pub use send::SendHeader;

use super::ExtFields;

/// A mandatory ext field is missing or unreadable; servers answer with code 1 and this text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the custom header field <{0}> is missing or unreadable")]
pub struct HeaderError(pub &'static str);

fn text(ext: &ExtFields, name: &'static str) -> Result<String, HeaderError> {
    ext.get(name).map(str::to_owned).ok_or(HeaderError(name))
}

fn number<T: std::str::FromStr>(ext: &ExtFields, name: &'static str) -> Result<T, HeaderError> {
    ext.parse(name).ok_or(HeaderError(name))
}
