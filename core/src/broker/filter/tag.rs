//! Filters by tag: what the index of a queue can tell, the hash.

use crate::codec::remoting::body::tag_hash;

/// What a subscription lets through. Different tags may share a hash: the client compares the tags themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TagFilter {
    All,
    AnyOf(Vec<i32>),
}

impl TagFilter {
    /// Reads `*`, an empty text, or tags separated by `||`.
    pub(super) fn parse(expression: &str) -> Self {
        if matches!(expression.trim(), "" | "*") {
            return TagFilter::All;
        }
        let tags = expression.split("||").map(str::trim).filter(|tag| !tag.is_empty());
        TagFilter::AnyOf(tags.map(tag_hash).collect())
    }

    pub(super) fn matches(&self, tag_hash: i32) -> bool {
        match self {
            TagFilter::All => true,
            TagFilter::AnyOf(hashes) => hashes.contains(&tag_hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_alternatives() {
        let filter = TagFilter::parse(" TagA ||TagB|| ");
        assert_eq!(filter, TagFilter::AnyOf(vec![2_598_919, 2_598_920]));
        assert!(filter.matches(tag_hash("TagB")));
        assert!(!filter.matches(tag_hash("TagC")));
        assert!(!filter.matches(0));
        for all in ["", " ", "*", " * "] {
            assert!(TagFilter::parse(all).matches(0), "{all:?}");
        }
    }
}
