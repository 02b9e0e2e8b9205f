//! The JSON dialect of RocketMQ's bodies.
//!
//! Maps whose keys are not strings are written with bare keys: `{0:"ip:port"}`, `{{"brokerName":"b","queueId":0}:7}`.
//! Reading quotes such keys (the key becomes the JSON text as a string) and leaves the rest to `serde_json`; writing
//! leaves the quotes of such keys away again.

use std::borrow::Cow;
use std::fmt;
use std::io;

use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::ser::{CharEscape, Formatter};

/// Reads `json`, bare keys or not.
pub(super) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(&quote_keys(json))
}

/// Writes `value` with bare integer and object keys.
pub(super) fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut json = Vec::with_capacity(256);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut json, BareKeys::default()))?;
    Ok(json)
}

/// `json` with every bare key as a string; borrowed when there is none.
fn quote_keys(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Vec<u8> = Vec::new();
    let (mut at, mut copied) = (0, 0);
    // One entry an open bracket: whether it is an object. A key can only follow `{` or a comma in an object.
    let mut open: Vec<bool> = Vec::new();
    let mut key_next = false;
    while at < json.len() {
        match json[at] {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'"' => {
                at = string_end(json, at);
                key_next = false;
            }
            byte if key_next && byte != b'}' => {
                let end = key_end(json, at);
                out.extend_from_slice(&json[copied..at]);
                let key = String::from_utf8_lossy(&json[at..end]);
                let _ = serde_json::to_writer(&mut out, key.trim_end());
                (at, copied, key_next) = (end, end, false);
            }
            byte => {
                match byte {
                    b'{' | b'[' => open.push(byte == b'{'),
                    b'}' | b']' => drop(open.pop()),
                    _ => {}
                }
                key_next = byte == b'{' || (byte == b',' && open.last() == Some(&true));
                at += 1;
            }
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.extend_from_slice(&json[copied..]);
    Cow::Owned(out)
}

/// The position after the string that starts at `at`, or the end of the text.
fn string_end(json: &[u8], mut at: usize) -> usize {
    at += 1;
    while at < json.len() {
        match json[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    json.len()
}

/// The position of the colon that ends the bare key at `at`, or the end of the text.
fn key_end(json: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < json.len() {
        match json[at] {
            b'"' => {
                at = string_end(json, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    json.len()
}

/// Leaves the quotes away around keys that are integers or JSON objects.
#[derive(Default)]
struct BareKeys {
    in_key: bool,
    /// The opening quote is held back until the first piece of the key is known.
    quote_due: bool,
    bare: bool,
}

impl BareKeys {
    fn open_quote<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        if std::mem::take(&mut self.quote_due) { out.write_all(b"\"") } else { Ok(()) }
    }
}

impl Formatter for BareKeys {
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        (self.in_key, self.bare) = (true, false);
        if first { Ok(()) } else { out.write_all(b",") }
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.in_key = false;
        Ok(())
    }

    fn begin_string<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.quote_due = true;
        if self.in_key { Ok(()) } else { self.open_quote(out) }
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.in_key && self.bare {
            return Ok(());
        }
        self.open_quote(out)?;
        out.write_all(b"\"")
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, out: &mut W, value: i64) -> io::Result<()> {
        if self.in_key {
            (self.quote_due, self.bare) = (false, true);
        }
        write!(out, "{value}")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        if self.in_key && self.quote_due && text.starts_with('{') {
            (self.quote_due, self.bare) = (false, true);
        }
        self.open_quote(out)?;
        out.write_all(text.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Quote if self.in_key && self.bare => out.write_all(b"\""),
            CharEscape::ReverseSolidus if self.in_key && self.bare => out.write_all(b"\\"),
            escape => {
                self.open_quote(out)?;
                serde_json::ser::CompactFormatter.write_char_escape(out, escape)
            }
        }
    }
}

/// A scalar of any JSON type, for fields whose type senders do not agree on; null, arrays and objects are `Null`.
#[derive(Debug, Default)]
pub(super) enum Scalar<'a> {
    /// Nothing of use.
    #[default]
    Null,
    /// An integer.
    Integer(i64),
    /// A text, borrowed where it has no escapes; other numbers and truths too.
    Text(Cow<'a, str>),
}

impl Scalar<'_> {
    /// The text of a text.
    pub(super) fn text(&self) -> Option<&str> {
        if let Scalar::Text(text) = self { Some(text) } else { None }
    }

    /// The value as text; `None` for null.
    pub(super) fn into_string(self) -> Option<String> {
        match self {
            Scalar::Null => None,
            Scalar::Integer(number) => Some(number.to_string()),
            Scalar::Text(text) => Some(text.into_owned()),
        }
    }

    /// The value as an integer, quoted or not; null is 0. `None` if it is none.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Scalar::Null => Some(0),
            Scalar::Integer(number) => Some(*number),
            Scalar::Text(text) => text.parse().ok(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Integer(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
                Ok(i64::try_from(number)
                    .map_or_else(|_| Scalar::Text(number.to_string().into()), Scalar::Integer))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(number.to_string().into()))
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(if truth { "true" } else { "false" }.into()))
            }

            fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar<'de>, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Null)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Null)
            }
        }
        input.deserialize_any(Any)
    }
}

/// For `deserialize_with`: null reads as the default.
pub(super) fn null_as_default<'de, T, D>(input: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

/// For `deserialize_with`: integers that some senders quote; null is 0.
pub(super) fn integer<'de, D: Deserializer<'de>>(input: D) -> Result<i64, D::Error> {
    let scalar = Scalar::deserialize(input)?;
    scalar.integer().ok_or_else(|| de::Error::custom(format_args!("{scalar:?} is not an integer")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn quoted(json: &str) -> String {
        String::from_utf8(quote_keys(json.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn standard_json_is_left_alone() {
        let json = r#"{"a":[1,{"b":"x,{0:"}],"c":{}, "d" : null}"#;
        assert!(matches!(quote_keys(json.as_bytes()), Cow::Borrowed(_)));
    }

    #[test]
    fn bare_keys_become_strings() {
        assert_eq!(quoted(r#"{0:"a", 1 :"b"}"#), r#"{"0":"a", "1":"b"}"#);
        assert_eq!(quoted(r#"[{"x":{-1:2}},{3:[4,5]}]"#), r#"[{"x":{"-1":2}},{"3":[4,5]}]"#);
        assert_eq!(
            quoted(r#"{{"b":"q:}","i":3}:100,{"i":4}:5}"#),
            r#"{"{\"b\":\"q:}\",\"i\":3}":100,"{\"i\":4}":5}"#
        );
    }

    #[test]
    fn hostile_text_ends_without_panic() {
        for json in ["{", "{{", "{0", "{0:", "{\"", "{\"\\", "{{{{:", "}}]],{:", "{]:"] {
            quote_keys(json.as_bytes());
            assert!(from_slice::<serde_json::Value>(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn bare_keys_are_written_and_read_back() {
        let map = BTreeMap::from([(0_i64, "a\"b"), (1, "c")]);
        let json = to_vec(&map).unwrap();
        assert_eq!(json, br#"{0:"a\"b",1:"c"}"#);
        assert_eq!(from_slice::<BTreeMap<i64, String>>(&json).unwrap()[&0], "a\"b");
        let map = BTreeMap::from([(r#"{"t":"a\\b","q":3}"#, 7), ("plain", 8), ("", 9)]);
        let json = to_vec(&map).unwrap();
        assert_eq!(json, br#"{"":9,"plain":8,{"t":"a\\b","q":3}:7}"#.as_slice());
        let read: BTreeMap<String, i64> = from_slice(&json).unwrap();
        assert!(map.iter().all(|(k, v)| read[*k] == *v));
    }
}
