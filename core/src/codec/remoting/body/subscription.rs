//! What a group wants of a topic.

use serde::{Deserialize, Deserializer, Serialize};

use super::super::fastjson::{Scalar, integer, null_as_default};

/// Subscription of a consumer group, part of the heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionData {
    /// Legacy filter classes; always false.
    pub class_filter_mode: bool,
    /// Hashes of the tags. Some senders quote the numbers.
    #[serde(deserialize_with = "codes")]
    pub code_set: Vec<i32>,
    /// `TAG` or `SQL92`.
    #[serde(deserialize_with = "null_as_default")]
    pub expression_type: String,
    /// The expression.
    #[serde(deserialize_with = "null_as_default")]
    pub sub_string: String,
    /// Grows with every change, ms.
    #[serde(deserialize_with = "integer")]
    pub sub_version: i64,
    /// The single tags; empty: all messages (or an SQL92 expression).
    #[serde(deserialize_with = "null_as_default")]
    pub tags_set: Vec<String>,
    /// Topic name.
    pub topic: String,
}

impl SubscriptionData {
    /// A subscription by tags, `a || b`; `*` or nothing means all.
    pub fn tags(topic: &str, expression: &str, version: i64) -> Self {
        let mut tags: Vec<String> =
            expression.split("||").map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
        if tags.is_empty() || tags.iter().any(|tag| tag == "*") {
            tags.clear();
        }
        tags.sort();
        tags.dedup();
        Self {
            code_set: tags.iter().map(|tag| tag_hash(tag)).collect(),
            expression_type: "TAG".into(),
            sub_string: if tags.is_empty() { "*".into() } else { expression.trim().into() },
            sub_version: version,
            tags_set: tags,
            topic: topic.into(),
            class_filter_mode: false,
        }
    }

    /// A subscription by an SQL92 expression, which only the server evaluates.
    pub fn sql92(topic: &str, expression: &str, version: i64) -> Self {
        Self {
            expression_type: "SQL92".into(),
            sub_string: expression.into(),
            sub_version: version,
            topic: topic.into(),
            ..Self::default()
        }
    }

    /// Whether tags filter. Senders that leave the type out mean tags.
    pub fn is_by_tag(&self) -> bool {
        self.expression_type.is_empty() || self.expression_type == "TAG"
    }

    /// Whether a message with `tag` is wanted, by the exact text. True for an SQL92 subscription.
    pub fn wants_tag(&self, tag: Option<&str>) -> bool {
        self.tags_set.is_empty()
            || !self.is_by_tag()
            || tag.is_some_and(|tag| self.tags_set.iter().any(|t| t == tag))
    }
}

/// Java's `String.hashCode` of a tag, which brokers index by; the empty tag is 0.
pub fn tag_hash(tag: &str) -> i32 {
    tag.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

fn codes<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<i32>, D::Error> {
    let codes = Option::<Vec<Scalar<'_>>>::deserialize(input)?.unwrap_or_default();
    let code = |code: Scalar<'_>| code.integer().and_then(|code| i32::try_from(code).ok());
    codes
        .into_iter()
        .filter(|code| !matches!(code, Scalar::Null))
        .map(|scalar| {
            code(scalar).ok_or_else(|| serde::de::Error::custom("a tag's hash is no 32-bit integer"))
        })
        .collect()
}
