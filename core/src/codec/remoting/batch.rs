//! The body of a batch (320): messages of one topic, one after the other.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::message::Properties;

/// Size, magic, CRC, flag, body length, and properties length.
const FIXED_BYTES: usize = 4 * 5 + 2;

/// One message of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchItem {
    /// User flag.
    pub flag: i32,
    /// Content, not compressed.
    pub body: Bytes,
    /// Its own properties.
    pub properties: Properties,
}

/// The bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batch is malformed in item {0}")]
pub struct BatchError(usize);

/// Writes a batch. Properties have to fit their limit ([`crate::message::properties::MAX_ENCODED_BYTES`]).
pub fn encode(items: &[BatchItem]) -> Bytes {
    let mut out = BytesMut::with_capacity(items.iter().map(|item| FIXED_BYTES + 64 + item.body.len()).sum());
    for BatchItem { flag, body, properties } in items {
        let properties = properties.encode();
        out.put_u32((FIXED_BYTES + body.len() + properties.len()) as u32);
        out.put_u64(0); // magic and CRC, which nobody reads
        out.put_i32(*flag);
        out.put_u32(body.len() as u32);
        out.put_slice(body);
        out.put_u16(properties.len() as u16);
        out.put_slice(properties.as_bytes());
    }
    out.freeze()
}

/// Reads a batch; bodies are slices of `batch`.
pub fn decode(mut batch: Bytes) -> Result<Vec<BatchItem>, BatchError> {
    let mut items = Vec::new();
    while batch.has_remaining() {
        let item = read_item(&mut batch).ok_or(BatchError(items.len()))?;
        items.push(item);
    }
    Ok(items)
}

fn read_item(batch: &mut Bytes) -> Option<BatchItem> {
    let size = batch.try_get_u32().ok()? as usize;
    let rest = size.checked_sub(4).filter(|rest| *rest <= batch.len())?;
    let mut item = batch.split_to(rest);
    item.try_get_u64().ok()?;
    let flag = item.try_get_i32().ok()?;
    let length = item.try_get_u32().ok()? as usize;
    let body = (length <= item.len()).then(|| item.split_to(length))?;
    let length = usize::from(item.try_get_u16().ok()?);
    let properties = (length <= item.len()).then(|| item.split_to(length))?;
    Some(BatchItem { flag, body, properties: Properties::decode(std::str::from_utf8(&properties).ok()?) })
}
