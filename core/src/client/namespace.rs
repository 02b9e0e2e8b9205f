//! Namespaces: `ns%name`, below the prefixes of retry and dead letter topics; system names are never touched.

use std::borrow::Cow;

use crate::message::{DLQ_PREFIX, RETRY_PREFIX};

const PREFIXES: [&str; 2] = [RETRY_PREFIX, DLQ_PREFIX];

/// Names that belong to the server.
const SYSTEM: [&str; 7] = [
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "BenchmarkTest",
    "OFFSET_MOVED_EVENT",
    "SELF_TEST_TOPIC",
    "CID_RMQ_SYS_",
    "rmq_sys_",
];

/// The namespace of a client, if it has one.
#[derive(Debug, Clone)]
pub(crate) struct Namespace(Option<String>);

impl Namespace {
    pub(crate) fn new(name: Option<&str>) -> Self {
        Self(name.filter(|name| !name.is_empty()).map(str::to_owned))
    }

    /// Its name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// A topic or group name as the server knows it; what is inside already stays as it is.
    pub(crate) fn wrap<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let Some(namespace) = &self.0 else { return name.into() };
        let (prefix, rest) = split(name);
        let system = SYSTEM.iter().any(|s| rest.starts_with(s)) || rest.starts_with("RMQ_SYS_");
        let inside = rest.strip_prefix(namespace.as_str()).is_some_and(|rest| rest.starts_with('%'));
        if system || inside { name.into() } else { format!("{prefix}{namespace}%{rest}").into() }
    }

    /// A topic or group name as the user knows it.
    pub(crate) fn strip<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let Some(namespace) = &self.0 else { return name.into() };
        let (prefix, rest) = split(name);
        match rest.strip_prefix(namespace.as_str()).and_then(|rest| rest.strip_prefix('%')) {
            Some(own) if prefix.is_empty() => own.into(),
            Some(own) => format!("{prefix}{own}").into(),
            None => name.into(),
        }
    }
}

fn split(name: &str) -> (&str, &str) {
    let prefix = PREFIXES.iter().find(|prefix| name.starts_with(**prefix)).map_or(0, |prefix| prefix.len());
    name.split_at(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_wrapped_once_and_stripped_again() {
        let namespace = Namespace::new(Some("ns"));
        for (name, wrapped) in [
            ("topic", "ns%topic"),
            ("%RETRY%group", "%RETRY%ns%group"),
            ("%DLQ%group", "%DLQ%ns%group"),
            ("TBW102", "TBW102"),
            ("RMQ_SYS_TRACE_TOPIC", "RMQ_SYS_TRACE_TOPIC"),
            ("nsx", "ns%nsx"),
        ] {
            assert_eq!(namespace.wrap(name), wrapped);
            assert_eq!(namespace.wrap(wrapped), wrapped);
            assert_eq!(namespace.strip(wrapped), name);
        }
        let none = Namespace::new(None);
        assert_eq!((none.wrap("a%b"), none.strip("a%b")), ("a%b".into(), "a%b".into()));
    }
}
