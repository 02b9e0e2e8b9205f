//! Which messages of a queue a consumer wants: by hash of the tag, or by an SQL92 expression over the properties.

mod sql92;
mod tag;

use crate::codec::remoting::record;
use crate::message::{Properties, properties};

use sql92::Condition;
use tag::TagFilter;

/// What a subscription lets through.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    Tag(TagFilter),
    Sql92(Condition),
}

/// Why a text is no filter; made for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct FilterFault(String);

impl Filter {
    /// Reads the `text` of a filter of this `kind`: `TAG` (so is an empty kind) or `SQL92`.
    ///
    /// # Errors
    /// An unknown kind, or a text that is no SQL92 expression, with the place.
    pub(crate) fn parse(kind: &str, text: &str) -> Result<Self, FilterFault> {
        match kind {
            "" | "TAG" => Ok(Self::Tag(TagFilter::parse(text))),
            "SQL92" => Condition::parse(text).map(Self::Sql92).map_err(|fault| {
                FilterFault(format!("the SQL92 expression {:?} cannot be read: {fault}", head(text)))
            }),
            _ => Err(FilterFault(format!("there are filters by TAG and by SQL92, not by {:?}", head(kind)))),
        }
    }

    /// Whether a message with this hash of its tag may pass, as far as the index of a queue knows.
    pub(crate) fn may_pass(&self, tag_hash: i32) -> bool {
        match self {
            Self::Tag(filter) => filter.matches(tag_hash),
            Self::Sql92(_) => true,
        }
    }

    /// Whether a message that may pass does. Of its record only the properties are looked at, in place.
    pub(crate) fn passes_record(&self, record: &[u8]) -> bool {
        match self {
            Self::Tag(_) => true,
            Self::Sql92(condition) => record::properties_text(record)
                .is_some_and(|text| condition.holds(&|name| properties::find(text, name))),
        }
    }

    /// Whether a message with these properties passes; unlike [`Filter::passes_record`] it compares the tag itself.
    pub(crate) fn passes(&self, properties: &Properties) -> bool {
        match self {
            Self::Tag(filter) => filter.contains(properties.get(properties::TAGS)),
            Self::Sql92(condition) => condition.holds(&|name| properties.get(name)),
        }
    }
}

/// As much of a text of any length as fits into an error.
fn head(text: &str) -> &str {
    text.char_indices().nth(200).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::remoting::record::StoredMessage;

    #[test]
    fn the_kind_decides_how_the_text_is_read() {
        assert!(matches!(Filter::parse("", "a = 1"), Ok(Filter::Tag(_))));
        assert!(matches!(Filter::parse("TAG", "*"), Ok(Filter::Tag(_))));
        assert!(matches!(Filter::parse("SQL92", "a = 1"), Ok(Filter::Sql92(_))));
        let fault = Filter::parse("JAVA", "x").unwrap_err().to_string();
        assert_eq!(fault, "there are filters by TAG and by SQL92, not by \"JAVA\"");
        let fault = Filter::parse("SQL92", "a =").unwrap_err().to_string();
        assert!(fault.starts_with("the SQL92 expression \"a =\" cannot be read: "), "{fault}");
    }

    #[test]
    fn a_record_is_judged_by_the_properties_inside() {
        let filter = Filter::parse("SQL92", "TAGS = 'red' AND weight >= 10").unwrap();
        let mut bytes = bytes::BytesMut::new();
        let message = StoredMessage {
            queue_id: 0,
            flag: 0,
            queue_offset: 0,
            commit_log_offset: 0,
            sys_flag: 0,
            born_timestamp: 0,
            born_host: "[::1]:1".parse().unwrap(),
            store_timestamp: 0,
            store_host: "127.0.0.1:1".parse().unwrap(),
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: "weight".into(),
            topic: "T".into(),
            properties: [("weight", "11"), ("TAGS", "red")].into_iter().collect(),
        };
        message.encode(&mut bytes);
        assert!(filter.may_pass(0) && filter.passes_record(&bytes) && filter.passes(&message.properties));
        assert!(!filter.passes_record(&bytes[..bytes.len() - 1]), "cut off");
        assert!(!filter.passes_record(&[]));
    }
}
