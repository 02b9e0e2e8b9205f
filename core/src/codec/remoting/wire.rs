//! Frames on the wire: `length | serialize type and header length | header | body`.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Foreign, Frame, Serialization, header_binary, header_json};

/// Frames that claim more are refused unless configured otherwise: 16 MiB, as the servers do.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 16_777_216;

/// The length field and the field for serialize type and header length.
const PREFIX_BYTES: usize = 8;
/// The header length has 24 bits.
const MAX_HEADER_BYTES: usize = 0xFF_FFFF;

/// Why bytes are not a frame, or a frame not bytes. The connection is beyond use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The other side speaks another protocol.
    #[error("the other side speaks {0}, not RocketMQ remoting")]
    Foreign(Foreign),
    /// The frame claims to be longer than allowed.
    #[error("the frame claims {claimed} bytes, more than the {limit} allowed")]
    TooLarge {
        /// What it claims (negative lengths read as unsigned).
        claimed: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The lengths contradict each other.
    #[error("the header claims {header} bytes in a frame of {frame}")]
    BadLength {
        /// Claimed header length.
        header: usize,
        /// Claimed frame length.
        frame: usize,
    },
    /// The serialize type is neither JSON (0) nor binary (1).
    #[error("unknown serialize type {0}")]
    UnknownSerialization(u8),
    /// The header cannot be read.
    #[error("the header is malformed: {0}")]
    BadHeader(String),
    /// The header to send does not fit.
    #[error("the header takes {0} bytes, more than a frame can hold")]
    HeaderTooLarge(usize),
}

impl Frame {
    /// Length fields and header in one buffer, and the body as it is: a writer queues both without copying the body.
    ///
    /// # Errors
    /// `HeaderTooLarge` if the header has more than 24 bits of length.
    pub fn encode(&self, serialization: Serialization) -> Result<(Bytes, Bytes), FrameError> {
        let mut head = BytesMut::with_capacity(256);
        self.encode_head(serialization, &mut head)?;
        Ok((head.freeze(), self.body.clone()))
    }

    /// Appends length fields and header to `out`; [`Frame::body`] has to follow them on the wire.
    ///
    /// # Errors
    /// As [`Frame::encode`]; `out` is then as before.
    pub fn encode_head(&self, serialization: Serialization, out: &mut BytesMut) -> Result<(), FrameError> {
        let start = out.len();
        out.put_bytes(0, PREFIX_BYTES);
        let kind = if serialization == Serialization::Binary && header_binary::fits(self) {
            header_binary::write(self, out);
            1
        } else {
            header_json::write(self, out);
            0
        };
        let header = out.len() - start - PREFIX_BYTES;
        let length = i32::try_from(4 + header + self.body.len());
        let (Ok(length), true) = (length, header <= MAX_HEADER_BYTES) else {
            out.truncate(start);
            return Err(FrameError::HeaderTooLarge(header));
        };
        let mut prefix = &mut out[start..start + PREFIX_BYTES];
        prefix.put_i32(length);
        prefix.put_u32(kind << 24 | header as u32);
        Ok(())
    }

    /// Takes the next whole frame from the front of `buffer`; `None` if more bytes are needed. The body is a slice of
    /// the buffer, not a copy. Lengths are checked before anything is reserved for them.
    ///
    /// # Errors
    /// Any but `HeaderTooLarge`. The buffer is then beyond use and the connection has to be closed.
    pub fn decode(buffer: &mut BytesMut, max_frame_bytes: usize) -> Result<Option<Frame>, FrameError> {
        let Some(prefix) = buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        if let Some(foreign) = Foreign::recognise(prefix) {
            return Err(FrameError::Foreign(foreign));
        }
        let mut fields = &prefix[..];
        let (length, kind) = (fields.get_u32() as usize, fields.get_u32());
        let (kind, header) = ((kind >> 24) as u8, kind as usize & MAX_HEADER_BYTES);
        if length.saturating_add(4) > max_frame_bytes {
            return Err(FrameError::TooLarge { claimed: length, limit: max_frame_bytes });
        }
        if header + 4 > length {
            return Err(FrameError::BadLength { header, frame: length });
        }
        if kind > 1 {
            return Err(FrameError::UnknownSerialization(kind));
        }
        if buffer.len() < length + 4 {
            return Ok(None);
        }
        let mut body = buffer.split_to(length + 4).freeze();
        body.advance(PREFIX_BYTES);
        let header = body.split_to(header);
        let read = if kind == 0 { header_json::read(&header) } else { header_binary::read(&header) };
        let mut frame = read.map_err(FrameError::BadHeader)?;
        frame.body = body;
        Ok(Some(frame))
    }
}
