//! A message as brokers store and send it: the body of a pull is a row of such records.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::message::{OffsetMessageId, Properties};

/// Bits of [`StoredMessage::sys_flag`].
pub mod sys_flag {
    /// The body is compressed.
    pub const COMPRESSED: i32 = 0x1;
    /// The message has several tags (never set by producers).
    pub const MULTI_TAGS: i32 = 0x2;
    /// Mask of the transaction state.
    pub const TRANSACTION: i32 = 0xC;
    /// Half message.
    pub const TRANSACTION_PREPARED: i32 = 0x4;
    /// Committed message.
    pub const TRANSACTION_COMMIT: i32 = 0x8;
    /// Rolled back.
    pub const TRANSACTION_ROLLBACK: i32 = 0xC;
    /// The born host is an IPv6 address.
    pub const BORN_HOST_V6: i32 = 0x10;
    /// The store host is an IPv6 address.
    pub const STORE_HOST_V6: i32 = 0x20;
    /// The body is a batch, to be taken apart by the consumer.
    pub const INNER_BATCH: i32 = 0xC0;
    /// Mask of the compression type.
    pub const COMPRESSION_TYPE: i32 = 0x700;
    /// LZ4 frame.
    pub const LZ4: i32 = 0x100;
    /// zstd frame.
    pub const ZSTD: i32 = 0x200;
    /// zlib stream; so is type 0.
    pub const ZLIB: i32 = 0x300;
}

const MAGIC_V1: u32 = 0xDAA3_20A7;
/// With a topic length of two bytes.
const MAGIC_V2: u32 = 0xDAA3_20AB;
/// Longest topic of a V1 record.
const MAX_V1_TOPIC_BYTES: usize = 127;
/// Everything but hosts, body, topic, properties.
const FIXED_BYTES: usize = 4 * 8 + 8 * 5 + 2;

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The lengths contradict each other, or the end is missing. What follows cannot be read either.
    #[error("a stored message is cut off or its lengths contradict each other")]
    BadLength,
    /// Not a message. What follows cannot be read either.
    #[error("a stored message starts with the unknown magic {0:#010X}")]
    BadMagic(u32),
    /// The record as a whole is sound, its content is not; the next one can be read.
    #[error("the message at queue offset {queue_offset} (commit log {commit_log_offset}) is damaged: {why}")]
    Damaged {
        /// Position in the queue.
        queue_offset: i64,
        /// Position in the commit log.
        commit_log_offset: i64,
        /// What is wrong.
        why: String,
    },
}

/// A stored message with all its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Queue number.
    pub queue_id: i32,
    /// User flag.
    pub flag: i32,
    /// Position in the queue.
    pub queue_offset: i64,
    /// Position in the commit log.
    pub commit_log_offset: i64,
    /// See [`sys_flag`]; the two host bits follow the hosts when it is written.
    pub sys_flag: i32,
    /// When the producer made it, Unix ms.
    pub born_timestamp: i64,
    /// The producer's address.
    pub born_host: SocketAddr,
    /// When the broker stored it, Unix ms.
    pub store_timestamp: i64,
    /// The broker's address.
    pub store_host: SocketAddr,
    /// Retries so far.
    pub reconsume_times: i32,
    /// Commit-log offset of the half message of a transaction.
    pub prepared_transaction_offset: i64,
    /// Content as stored (perhaps compressed).
    pub body: Bytes,
    /// Topic of the queue (a retry topic for a retried message).
    pub topic: String,
    /// Properties; their encoded form has to fit 32,767 bytes.
    pub properties: Properties,
}

/// CRC-32 of a body, without the sign bit.
pub fn body_crc(body: &[u8]) -> i32 {
    (crc32fast::hash(body) & 0x7FFF_FFFF) as i32
}

impl StoredMessage {
    /// The server's id of it.
    pub fn offset_message_id(&self) -> OffsetMessageId {
        OffsetMessageId { host: self.store_host, commit_log_offset: self.commit_log_offset }
    }

    /// Appends the record to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        let start = out.len();
        let v2 = self.topic.len() > MAX_V1_TOPIC_BYTES;
        let mut sys_flag = self.sys_flag & !(sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6);
        if self.born_host.is_ipv6() {
            sys_flag |= sys_flag::BORN_HOST_V6;
        }
        if self.store_host.is_ipv6() {
            sys_flag |= sys_flag::STORE_HOST_V6;
        }
        let properties = self.properties.encode();
        out.reserve(FIXED_BYTES + 42 + self.body.len() + self.topic.len() + properties.len());
        out.put_u32(0);
        out.put_u32(if v2 { MAGIC_V2 } else { MAGIC_V1 });
        out.put_i32(body_crc(&self.body));
        out.put_i32(self.queue_id);
        out.put_i32(self.flag);
        out.put_i64(self.queue_offset);
        out.put_i64(self.commit_log_offset);
        out.put_i32(sys_flag);
        out.put_i64(self.born_timestamp);
        put_host(self.born_host, out);
        out.put_i64(self.store_timestamp);
        put_host(self.store_host, out);
        out.put_i32(self.reconsume_times);
        out.put_i64(self.prepared_transaction_offset);
        out.put_u32(self.body.len() as u32);
        out.put_slice(&self.body);
        if v2 {
            out.put_u16(self.topic.len() as u16);
        } else {
            out.put_u8(self.topic.len() as u8);
        }
        out.put_slice(self.topic.as_bytes());
        out.put_u16(properties.len() as u16);
        out.put_slice(properties.as_bytes());
        let size = (out.len() - start) as u32;
        out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }

    /// Takes the record at the front of `records`, which must not be empty; the body is a slice of it.
    ///
    /// # Errors
    /// After `Damaged` the record has been taken and the next one can be read; not after the others.
    pub fn decode(records: &mut Bytes) -> Result<Self, RecordError> {
        let mut record = take_record(records)?;
        record.advance(4);
        let magic = record.get_u32();
        if magic != MAGIC_V1 && magic != MAGIC_V2 {
            return Err(RecordError::BadMagic(magic));
        }
        read(record, magic == MAGIC_V2).ok_or(RecordError::BadLength)?
    }
}

/// Takes the bytes of the record at the front of `records` without reading them.
///
/// # Errors
/// `BadLength`; nothing was taken.
pub fn take_record(records: &mut Bytes) -> Result<Bytes, RecordError> {
    let size = records.first_chunk().map_or(0, |size| u32::from_be_bytes(*size) as usize);
    if size < FIXED_BYTES || size > records.len() {
        return Err(RecordError::BadLength);
    }
    Ok(records.split_to(size))
}

/// The wire text of the properties of a whole record, in place; `None` if it is none. The body is not checked.
pub(crate) fn properties_text(record: &[u8]) -> Option<&str> {
    /// Length, magic, CRC, queue, flag, two offsets.
    const BEFORE_SYS_FLAG: usize = 5 * 4 + 2 * 8;
    /// Where the rest is, if `bytes` bytes can be skipped.
    fn skip(rest: &[u8], bytes: usize) -> Option<&[u8]> {
        rest.get(bytes..)
    }
    let (_, rest) = record.split_first_chunk::<4>()?;
    let (magic, _) = rest.split_first_chunk()?;
    let (sys_flag, rest) = skip(record, BEFORE_SYS_FLAG)?.split_first_chunk()?;
    let host = |v6: i32| if i32::from_be_bytes(*sys_flag) & v6 != 0 { 20 } else { 8 };
    let rest = skip(rest, 8 + host(sys_flag::BORN_HOST_V6))?;
    // The store's time and host, the retries, the offset of the half message.
    let rest = skip(rest, 8 + host(sys_flag::STORE_HOST_V6) + 4 + 8)?;
    let (length, rest) = rest.split_first_chunk()?;
    let rest = skip(rest, u32::from_be_bytes(*length) as usize)?;
    let rest = match u32::from_be_bytes(*magic) {
        MAGIC_V1 => skip(rest, 1 + usize::from(*rest.first()?))?,
        MAGIC_V2 => skip(rest, 2 + usize::from(u16::from_be_bytes(*rest.first_chunk()?)))?,
        _ => return None,
    };
    let (length, rest) = rest.split_first_chunk()?;
    std::str::from_utf8(rest.get(..usize::from(u16::from_be_bytes(*length)))?).ok()
}

/// Reads what follows the magic; `None` if it ends early.
fn read(mut record: Bytes, v2: bool) -> Option<Result<StoredMessage, RecordError>> {
    let bytes = &mut record;
    let crc = bytes.try_get_i32().ok()?;
    let queue_id = bytes.try_get_i32().ok()?;
    let flag = bytes.try_get_i32().ok()?;
    let queue_offset = bytes.try_get_i64().ok()?;
    let commit_log_offset = bytes.try_get_i64().ok()?;
    let sys_flag = bytes.try_get_i32().ok()?;
    let born_timestamp = bytes.try_get_i64().ok()?;
    let born_host = get_host(bytes, sys_flag & sys_flag::BORN_HOST_V6 != 0)?;
    let store_timestamp = bytes.try_get_i64().ok()?;
    let store_host = get_host(bytes, sys_flag & sys_flag::STORE_HOST_V6 != 0)?;
    let reconsume_times = bytes.try_get_i32().ok()?;
    let prepared_transaction_offset = bytes.try_get_i64().ok()?;
    let length = bytes.try_get_u32().ok()? as usize;
    let body = take(bytes, length)?;
    let length =
        if v2 { usize::from(bytes.try_get_u16().ok()?) } else { usize::from(bytes.try_get_u8().ok()?) };
    let topic = take(bytes, length)?;
    let length = usize::from(bytes.try_get_u16().ok()?);
    let properties = take(bytes, length)?;

    let damaged = |why: &str| Err(RecordError::Damaged { queue_offset, commit_log_offset, why: why.into() });
    // Brokers leave 0 where they have not computed it (in a transaction check, for instance).
    if crc != 0 && crc != body_crc(&body) {
        return Some(damaged("its body does not match its checksum"));
    }
    let (Ok(topic), Ok(properties)) = (std::str::from_utf8(&topic), std::str::from_utf8(&properties)) else {
        return Some(damaged("its topic or properties are not UTF-8"));
    };
    Some(Ok(StoredMessage {
        queue_id,
        flag,
        queue_offset,
        commit_log_offset,
        sys_flag,
        born_timestamp,
        born_host,
        store_timestamp,
        store_host,
        reconsume_times,
        prepared_transaction_offset,
        topic: topic.to_owned(),
        properties: Properties::decode(properties),
        body,
    }))
}

fn put_host(host: SocketAddr, out: &mut BytesMut) {
    match host.ip() {
        IpAddr::V4(ip) => out.put_slice(&ip.octets()),
        IpAddr::V6(ip) => out.put_slice(&ip.octets()),
    }
    out.put_u32(u32::from(host.port()));
}

fn get_host(bytes: &mut Bytes, v6: bool) -> Option<SocketAddr> {
    let ip = if v6 {
        Ipv6Addr::from(bytes.try_get_u128().ok()?).into()
    } else {
        IpAddr::from(Ipv4Addr::from(bytes.try_get_u32().ok()?))
    };
    // Four bytes for a port: the upper two are 0 from every known broker.
    Some(SocketAddr::new(ip, bytes.try_get_u32().ok()? as u16))
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= bytes.len()).then(|| bytes.split_to(length))
}
