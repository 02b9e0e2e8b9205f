//! What stands in the address of a request, and how.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::codec::http::request::{self, Trans};
use crate::error::{Error, ErrorKind, Result};

/// Everything but the characters that RFC 3986 leaves unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Longest name of a topic, group or instance.
const MAX_NAME_BYTES: usize = 127;

/// Refuses a name that the address of a request cannot carry as it is.
///
/// # Errors
/// `kind`, with what is wrong.
pub(super) fn check(kind: ErrorKind, operation: &'static str, what: &str, name: &str) -> Result<()> {
    let foreign = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '%'));
    let fault = if name.is_empty() {
        format!("the {what} is empty")
    } else if name.len() > MAX_NAME_BYTES {
        format!("the {what} has {} bytes, more than the {MAX_NAME_BYTES} allowed", name.len())
    } else if let Some(bad) = name.chars().find(foreign) {
        format!(
            "the {what} {name:?} contains {bad:?}; over HTTP letters, digits, '-', '_' and '%' are allowed"
        )
    } else {
        return Ok(());
    };
    Err(Error::new(kind, operation, fault))
}

/// Path and query of a request about `topic`.
pub(super) struct Target(String);

impl Target {
    pub(super) fn of(topic: &str) -> Self {
        Self(request::path(topic))
    }

    /// Adds a parameter, whose value needs no escapes.
    pub(super) fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let before = if self.0.contains('?') { '&' } else { '?' };
        self.0.push_str(&format!("{before}{name}={value}"));
        self
    }

    /// Adds a parameter, if it has a value.
    pub(super) fn with_some(self, name: &str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds the tags to consume, unless they are all.
    pub(super) fn with_tag(self, tag: &str) -> Self {
        match tag.trim() {
            "" | "*" => self,
            tag => self.with(request::TAG, utf8_percent_encode(tag, RESERVED)),
        }
    }

    pub(super) fn with_trans(self, trans: Option<Trans>) -> Self {
        self.with_some(request::TRANS, trans.map(Trans::name))
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_percent_encoded_and_the_rest_is_literal() {
        let target = Target::of("T").with("consumer", "GID%x").with_some("ns", None::<&str>);
        let target =
            target.with("numOfMessages", 16).with_tag("TagA||标 签/+~").with_trans(Some(Trans::Order));
        assert_eq!(
            target.into_text(),
            "/topics/T/messages?consumer=GID%x&numOfMessages=16&tag=TagA%7C%7C%E6%A0%87%20%E7%AD%BE%2F%2B~&trans=order"
        );
        for all in ["", "*", " * "] {
            assert_eq!(Target::of("T").with_tag(all).into_text(), "/topics/T/messages");
        }
    }

    #[test]
    fn names_that_would_change_the_address_are_refused() {
        for bad in ["", "a b", "a/b", "a?b", "a&b", "a|b", "ä", "a.b", &"x".repeat(128)] {
            let error = check(ErrorKind::InvalidArgument, "receive", "topic", bad).err().unwrap();
            assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidArgument, "receive"));
        }
        assert!(check(ErrorKind::InvalidArgument, "receive", "topic", "MQ_INST-1%t").is_ok());
    }
}
