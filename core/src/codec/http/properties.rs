//! Properties as one text: `name:value|name:value|`.

use super::text::unfit;
use crate::message::Properties;

/// What the service forbids in names and values. A colon or a bar would break the text apart.
const FORBIDDEN: [char; 7] = ['\'', '"', '<', '>', '&', ':', '|'];

/// A property that cannot travel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProperty {
    /// Empty name or value, which readers drop.
    #[error("property {0:?} has an empty name or value, which would be dropped")]
    Empty(String),
    /// A character that the service does not take in names and values, or XML not at all.
    #[error(
        "property {name:?} holds {character:?}; over HTTP names and values may have no control character and none of \
         ' \" < > & : |, so put it into the body or percent-encode it"
    )]
    Forbidden {
        /// Name of the property.
        name: String,
        /// The first such character.
        character: char,
    },
}

/// The text of `properties`; empty without any.
///
/// # Errors
/// The first property that readers would drop or misread.
pub fn encode(properties: &Properties) -> Result<String, BadProperty> {
    let mut text = String::new();
    for (name, value) in properties.iter() {
        check(name, value)?;
        text.extend([name, ":", value, "|"]);
    }
    Ok(text)
}

fn check(name: &str, value: &str) -> Result<(), BadProperty> {
    if name.is_empty() || value.is_empty() {
        return Err(BadProperty::Empty(name.to_owned()));
    }
    for part in [name, value] {
        if let Some(character) = part.chars().find(|c| FORBIDDEN.contains(c)).or_else(|| unfit(part)) {
            return Err(BadProperty::Forbidden { name: name.to_owned(), character });
        }
    }
    Ok(())
}

/// The same without a check, for a server that shows what came by another protocol: parts that would break the text apart
/// are left out.
pub fn encode_lossy<'p>(properties: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let fits = |text: &str| !text.is_empty() && !text.contains('|') && unfit(text).is_none();
    properties.filter(|(name, value)| fits(name) && !name.contains(':') && fits(value)).fold(
        String::new(),
        |mut text, (name, value)| {
            text.extend([name, ":", value, "|"]);
            text
        },
    )
}

/// Reads the text. A value keeps what comes behind the first colon; parts without name or value are dropped, as every
/// reader does.
pub fn decode(text: &str) -> Properties {
    let pairs = text.split('|').filter_map(|part| part.split_once(':'));
    pairs.filter(|(name, value)| !name.is_empty() && !value.is_empty()).collect()
}

/// Reads the text as the service does: what [`encode`] would not write is refused.
///
/// # Errors
/// The first such property.
pub fn decode_strict(text: &str) -> Result<Properties, BadProperty> {
    let parts = text.split('|').filter(|part| !part.is_empty());
    let pairs = parts.map(|part| part.split_once(':').unwrap_or((part, "")));
    pairs.map(|(name, value)| check(name, value).map(|()| (name, value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_keep_names_values_and_order() {
        let given = Properties::from_iter([("b", "2"), ("KEYS", "k1 k2"), ("a", "ünï\ncode")]);
        let text = encode(&given);
        assert_eq!(text.as_deref(), Ok("b:2|KEYS:k1 k2|a:ünï\ncode|"));
        assert_eq!(decode(&text.unwrap_or_default()), given);
        assert_eq!(encode(&Properties::new()), Ok(String::new()));
    }

    #[test]
    fn readers_forgive() {
        let read = decode("a:1|:x|y:||plain|url:http://h:1/p|b:2");
        assert_eq!(read, Properties::from_iter([("a", "1"), ("url", "http://h:1/p"), ("b", "2")]));
    }

    #[test]
    fn what_would_be_misread_is_refused() {
        for bad in ['\'', '"', '<', '>', '&', ':', '|', '\0', '\u{1f}'] {
            for (name, value) in [(format!("n{bad}"), "v".to_owned()), ("n".to_owned(), format!("v{bad}"))] {
                let refused = encode(&Properties::from_iter([(name.clone(), value)]));
                assert_eq!(refused, Err(BadProperty::Forbidden { name, character: bad }));
            }
        }
        assert!(matches!(encode(&Properties::from_iter([("a", "")])), Err(BadProperty::Empty(_))));
    }

    #[test]
    fn the_service_does_not_forgive() {
        let read = Properties::from_iter([("a", "1"), ("KEYS", "k1 k2")]);
        assert_eq!(decode_strict("a:1|KEYS:k1 k2").as_ref(), Ok(&read));
        assert_eq!(decode_strict("a:1|KEYS:k1 k2|").as_ref(), Ok(&read));
        assert_eq!(decode_strict(""), Ok(Properties::new()));
        for bad in ["a:1|:x", "y:", "plain", "url:http://h", "a:<b>", "a:\"b\"", "a:\u{1}"] {
            assert!(decode_strict(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_other_protocols_carry_is_shown_as_far_as_it_can_be() {
        let pairs = [("a", "http://x/?b=1&c=\"2\""), ("b", "x|y"), ("c:d", "1"), ("e", "\u{1}"), ("f", "6")];
        assert_eq!(encode_lossy(pairs.into_iter()), "a:http://x/?b=1&c=\"2\"|f:6|");
    }
}
