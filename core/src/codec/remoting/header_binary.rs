//! The binary header (serialize type 1).

use bytes::{Buf, BufMut, BytesMut};

use super::{ExtFields, Frame, Language};

/// Whether the narrow fields of this form can hold `frame`.
pub(super) fn fits(frame: &Frame) -> bool {
    i16::try_from(frame.code).is_ok()
        && i16::try_from(frame.version).is_ok()
        && frame.ext.iter().all(|(name, _)| i16::try_from(name.len()).is_ok())
}

/// Appends the header of `frame`, which [`fits`].
pub(super) fn write(frame: &Frame, out: &mut BytesMut) {
    out.put_i16(frame.code as i16);
    out.put_u8(frame.language.number());
    out.put_i16(frame.version as i16);
    out.put_i32(frame.opaque);
    out.put_i32(frame.flag);
    let remark = frame.remark.as_deref().unwrap_or_default();
    out.put_u32(remark.len() as u32);
    out.put_slice(remark.as_bytes());
    let ext: usize = frame.ext.iter().map(|(name, value)| 6 + name.len() + value.len()).sum();
    out.put_u32(ext as u32);
    for (name, value) in frame.ext.iter() {
        out.put_u16(name.len() as u16);
        out.put_slice(name.as_bytes());
        out.put_u32(value.len() as u32);
        out.put_slice(value.as_bytes());
    }
}

/// Reads a header; the text says what is wrong with it.
pub(super) fn read(mut header: &[u8]) -> Result<Frame, String> {
    let bytes = &mut header;
    let code = i32::from(bytes.try_get_i16().map_err(truncated)?);
    let language = Language::from_number(bytes.try_get_u8().map_err(truncated)?);
    let version = i32::from(bytes.try_get_i16().map_err(truncated)?);
    let opaque = bytes.try_get_i32().map_err(truncated)?;
    let flag = bytes.try_get_i32().map_err(truncated)?;
    let length = bytes.try_get_u32().map_err(truncated)? as usize;
    let remark = str_from(take(bytes, length)?)?;
    let length = bytes.try_get_u32().map_err(truncated)? as usize;
    let mut fields = take(bytes, length)?;
    let mut ext = ExtFields::with_capacity(16);
    while !fields.is_empty() {
        let length = usize::from(fields.try_get_u16().map_err(truncated)?);
        let name = str_from(take(&mut fields, length)?)?;
        let length = fields.try_get_u32().map_err(truncated)? as usize;
        ext.push_read(name, str_from(take(&mut fields, length)?)?.to_owned());
    }
    let remark = (!remark.is_empty()).then(|| remark.to_owned());
    Ok(Frame { code, language, version, opaque, flag, remark, ext, body: bytes::Bytes::new() })
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (taken, rest) =
        bytes.split_at_checked(length).ok_or_else(|| format!("a field claims {length} bytes"))?;
    *bytes = rest;
    Ok(taken)
}

fn str_from(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|e| e.to_string())
}

fn truncated(_: bytes::TryGetError) -> String {
    "it ends early".into()
}
