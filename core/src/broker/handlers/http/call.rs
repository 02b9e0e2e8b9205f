//! A request whose checks are passed, as its operation sees it.

use std::sync::Arc;

use bytes::Bytes;

use super::query::Query;
use super::refusal::Refusal;
use crate::broker::handlers::group_fault;
use crate::broker::http::Link;
use crate::broker::node::Node;
use crate::broker::topics;
use crate::codec::http::request::CONSUMER;
use crate::codec::http::{code, digest};

/// A request on its way through its operation.
pub(super) struct Call<'a> {
    pub(super) node: &'a Arc<Node>,
    pub(super) link: &'a Link,
    /// The document.
    pub(super) body: Bytes,
    /// Whether a fault wants wrong digests in the answer.
    pub(super) corrupt: bool,
    /// As the path names it, with the namespace of the instance in front; see [`Call::topic`].
    pub(super) named: String,
}

impl Call<'_> {
    /// The topic.
    ///
    /// # Errors
    /// `InvalidArgument`: no topic name, or one of the broker's own.
    pub(super) fn topic(&self) -> Result<&str, Refusal> {
        match topics::public_fault(&self.named) {
            None => Ok(&self.named),
            Some(fault) => Err(Refusal::new(code::INVALID_ARGUMENT, fault)),
        }
    }

    /// The topic, where it has to exist.
    ///
    /// # Errors
    /// Those of [`Call::topic`]; `TopicNotExist`.
    pub(super) fn known_topic(&self) -> Result<&str, Refusal> {
        let topic = self.topic()?;
        match self.node.state().store.topics.get(topic) {
            Some(_) => Ok(topic),
            None => Err(Refusal::no_topic(topic)),
        }
    }

    /// The consumer group, with the namespace of the instance in front.
    ///
    /// # Errors
    /// `InvalidArgument`: there is none, or it is no group name.
    pub(super) fn group(&self, query: &Query) -> Result<String, Refusal> {
        let name = query.literal(CONSUMER).unwrap_or_default();
        if name.is_empty() {
            return Err(Refusal::new(
                code::INVALID_ARGUMENT,
                format!("the parameter {CONSUMER} is missing or empty"),
            ));
        }
        let name = query.in_namespace(&name);
        match group_fault(&name) {
            None => Ok(name),
            Some(fault) => Err(Refusal::new(code::INVALID_ARGUMENT, fault)),
        }
    }

    /// The digest of a message body that goes with the answer.
    pub(super) fn body_md5(&self, body: &[u8]) -> String {
        if self.corrupt { digest::body_md5(&[body, b"corrupt"].concat()) } else { digest::body_md5(body) }
    }
}
