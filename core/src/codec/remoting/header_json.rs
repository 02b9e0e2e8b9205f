//! The JSON header (serialize type 0): a direct writer, and a reader that takes what all known senders write.

use std::fmt::{self, Write};

use bytes::{BufMut, BytesMut};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::fastjson::Scalar;
use super::{ExtFields, Frame, Language};

/// Appends the header of `frame`.
pub(super) fn write(frame: &Frame, out: &mut BytesMut) {
    // Writing to a `BytesMut` cannot fail: it grows.
    let _ = write!(out, "{{\"code\":{},\"extFields\":{{", frame.code);
    for (at, (name, value)) in frame.ext.iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        string(name, out);
        out.put_u8(b':');
        string(value, out);
    }
    let (flag, language, opaque) = (frame.flag, frame.language.name(), frame.opaque);
    let _ = write!(out, "}},\"flag\":{flag},\"language\":\"{language}\",\"opaque\":{opaque}");
    if let Some(remark) = &frame.remark {
        out.put_slice(b",\"remark\":");
        string(remark, out);
    }
    let _ = write!(out, ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":{}}}", frame.version);
}

/// Appends `text` as a JSON string, runs of plain bytes at once.
fn string(text: &str, out: &mut BytesMut) {
    out.put_u8(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1F)) {
        out.put_slice(&rest[..at]);
        match rest[at] {
            special @ (b'"' | b'\\') => out.put_slice(&[b'\\', special]),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
    out.put_u8(b'"');
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    code: Scalar<'a>,
    #[serde(borrow, default)]
    language: Scalar<'a>,
    #[serde(borrow, default)]
    version: Scalar<'a>,
    #[serde(borrow, default)]
    opaque: Scalar<'a>,
    #[serde(borrow, default)]
    flag: Scalar<'a>,
    #[serde(borrow, default)]
    remark: Scalar<'a>,
    #[serde(default, rename = "extFields")]
    ext: Ext,
}

/// Reads a header; the text says what is wrong with it.
pub(super) fn read(header: &[u8]) -> Result<Frame, String> {
    let header: Header<'_> = serde_json::from_slice(header).map_err(|e| e.to_string())?;
    Ok(Frame {
        code: number(&header.code, "code")?,
        language: header.language.text().map_or(Language::Other(7), Language::from_name),
        version: number(&header.version, "version")?,
        opaque: number(&header.opaque, "opaque")?,
        flag: number(&header.flag, "flag")?,
        remark: header.remark.into_string().filter(|remark| !remark.is_empty()),
        ext: header.ext.0,
        body: bytes::Bytes::new(),
    })
}

fn number(field: &Scalar<'_>, name: &str) -> Result<i32, String> {
    field.integer().and_then(|value| i32::try_from(value).ok()).ok_or_else(|| format!("{name} is {field:?}"))
}

#[derive(Default)]
struct Ext(ExtFields);

impl<'de> Deserialize<'de> for Ext {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Ext;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of ext fields")
            }

            fn visit_unit<E>(self) -> Result<Ext, E> {
                Ok(Ext::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ext, A::Error> {
                let mut ext = ExtFields::with_capacity(8);
                while let Some((name, value)) = map.next_entry::<Scalar<'_>, Scalar<'_>>()? {
                    if let (Some(name), Some(value)) = (name.text(), value.into_string()) {
                        ext.push_read(name, value);
                    }
                }
                Ok(Ext(ext))
            }
        }
        input.deserialize_any(Fields)
    }
}
