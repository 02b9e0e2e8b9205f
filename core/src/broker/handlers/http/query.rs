//! The parameters of a request.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::refusal::Refusal;
use crate::broker::topics;
use crate::codec::http::code;
use crate::codec::http::request::{NAMESPACE, TRANS, Trans};

/// Parameters in any order, as they travelled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Splits `query`.
    pub(super) fn parse(query: &str) -> Self {
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that clients do not escape: the name of an instance or group.
    pub(super) fn literal(&self, name: &str) -> Option<String> {
        self.raw(name).map(|value| literal(value).into_owned())
    }

    /// A parameter that clients escape, each in its way.
    ///
    /// # Errors
    /// `InvalidQueryString`: the escapes make no text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        // Where a form is encoded, a plus is a space; where it is not, it is escaped.
        let spaced = raw.replace('+', " ");
        match percent_decode_str(&spaced).decode_utf8() {
            Ok(text) => Ok(Some(text.into_owned())),
            Err(_) => Err(Refusal::new(
                code::INVALID_QUERY_STRING,
                format!("the parameter {name} is {raw:?}, which is no text in UTF-8"),
            )),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// `InvalidArgument`: it is none.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let number = raw.parse().map_err(|_| {
            Refusal::new(code::INVALID_ARGUMENT, format!("the parameter {name} is {raw:?}, not a number"))
        })?;
        Ok(Some(number))
    }

    /// What the request is beyond the plain one.
    ///
    /// # Errors
    /// `InvalidArgument`: nothing that is known.
    pub(super) fn trans(&self) -> Result<Option<Trans>, Refusal> {
        let Some(name) = self.raw(TRANS).filter(|name| !name.is_empty()) else { return Ok(None) };
        let unknown = || {
            let text = format!("the parameter {TRANS} is {name:?}, not order, pop, commit or rollback");
            Refusal::new(code::INVALID_ARGUMENT, text)
        };
        Trans::parse(name).map(Some).ok_or_else(unknown)
    }

    /// The instance id; empty without one.
    pub(super) fn namespace(&self) -> String {
        self.literal(NAMESPACE).unwrap_or_default()
    }

    /// The name of a topic or group with the namespace of the instance in front.
    pub(super) fn in_namespace(&self, name: &str) -> String {
        topics::in_namespace(&self.namespace(), name)
    }
}

/// A name as it was meant: clients send names as they are, and some HTTP libraries escape the percent sign between a
/// namespace and a name.
pub(super) fn literal(name: &str) -> Cow<'_, str> {
    if name.contains("%25") { name.replace("%25", "%").into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_however_they_are_escaped() {
        for (raw, tag) in [
            ("TagA%7C%7CTagB", "TagA||TagB"),
            ("a+b", "a b"),
            ("a%20b", "a b"),
            ("a%2Bb", "a+b"),
            ("a/b", "a/b"),
            ("!'()*~", "!'()*~"),
            ("%E4%B8%AD", "中"),
            ("", ""),
        ] {
            let query = Query::parse(&format!("consumer=G&tag={raw}&ns=I"));
            assert_eq!(query.text("tag").unwrap().as_deref(), Some(tag), "{raw}");
            assert_eq!(query.namespace(), "I");
        }
        assert!(Query::parse("tag=%FF").text("tag").is_err());
        assert_eq!(Query::parse("").text("tag").unwrap(), None);
    }

    #[test]
    fn names_are_taken_literally() {
        let query = Query::parse("consumer=MQ_INST_1%GID_x&ns=MQ_INST_1");
        assert_eq!(query.literal("consumer").as_deref(), Some("MQ_INST_1%GID_x"));
        assert_eq!(query.in_namespace("MQ_INST_1%GID_x"), "MQ_INST_1%GID_x");
        assert_eq!(query.in_namespace("t"), "MQ_INST_1%t");
        assert_eq!(Query::parse("ns=").in_namespace("t"), "t");
        assert_eq!(literal("MQ_INST_1%25topic"), "MQ_INST_1%topic");
    }
}
