//! Filters by tag: by its hash, which the index of a queue knows, and by the tag itself.

use crate::codec::remoting::body::tag_hash;

/// What a subscription lets through. Different tags may share a hash: clients that pull compare the tags themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TagFilter {
    All,
    /// Hashes and tags.
    AnyOf(Vec<(i32, String)>),
}

impl TagFilter {
    /// Reads `*`, an empty text, or tags separated by `||`.
    pub(super) fn parse(expression: &str) -> Self {
        if matches!(expression.trim(), "" | "*") {
            return TagFilter::All;
        }
        let tags = expression.split("||").map(str::trim).filter(|tag| !tag.is_empty());
        TagFilter::AnyOf(tags.map(|tag| (tag_hash(tag), tag.to_owned())).collect())
    }

    pub(super) fn matches(&self, tag_hash: i32) -> bool {
        match self {
            TagFilter::All => true,
            TagFilter::AnyOf(tags) => tags.iter().any(|(hash, _)| *hash == tag_hash),
        }
    }

    pub(super) fn contains(&self, tag: Option<&str>) -> bool {
        match self {
            TagFilter::All => true,
            TagFilter::AnyOf(tags) => tags.iter().any(|(_, it)| Some(it.as_str()) == tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_alternatives() {
        let filter = TagFilter::parse(" TagA ||TagB|| ");
        assert_eq!(filter, TagFilter::AnyOf(vec![(2_598_919, "TagA".into()), (2_598_920, "TagB".into())]));
        assert!(filter.matches(tag_hash("TagB")));
        assert!(!filter.matches(tag_hash("TagC")));
        assert!(!filter.matches(0));
        // These two have one hash.
        let filter = TagFilter::parse("Aa");
        assert!(filter.matches(tag_hash("BB")));
        assert!(filter.contains(Some("Aa")) && !filter.contains(Some("BB")) && !filter.contains(None));
        for all in ["", " ", "*", " * "] {
            assert!(TagFilter::parse(all).matches(0), "{all:?}");
        }
    }
}
