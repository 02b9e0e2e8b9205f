//! Compression of message bodies.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::ZlibEncoder;

use super::record::sys_flag;

/// Largest body after decompression; servers take a quarter of it. What grows beyond is refused, not held in memory.
pub const MAX_DECOMPRESSED_BYTES: usize = 16 * 1024 * 1024;

/// Why a body cannot be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// It grows beyond the limit.
    #[error("the body grows beyond {0} bytes when decompressed")]
    TooLarge(usize),
    /// It is damaged, or of another format than its flag says.
    #[error("the body cannot be decompressed: {0}")]
    Damaged(String),
}

/// `body` as a zlib stream, with `level` 1..=9.
pub fn zlib(body: &[u8], level: u32) -> Vec<u8> {
    let mut encoder =
        ZlibEncoder::new(Vec::with_capacity(body.len() / 2), Compression::new(level.clamp(1, 9)));
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

/// Decompresses `body` by the compression bits of `flags`, to at most `limit` bytes.
pub fn decompress(body: &[u8], flags: i32, limit: usize) -> Result<Vec<u8>, DecompressError> {
    let damaged = |e: &dyn std::fmt::Display| DecompressError::Damaged(e.to_string());
    match flags & sys_flag::COMPRESSION_TYPE {
        sys_flag::LZ4 => read_limited(lz4_flex::frame::FrameDecoder::new(body), limit),
        sys_flag::ZSTD => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(body).map_err(|e| damaged(&e))?;
            read_limited(decoder, limit)
        }
        0 | sys_flag::ZLIB => read_limited(ZlibDecoder::new(body), limit),
        other => Err(damaged(&format_args!("unknown compression type {}", other >> 8))),
    }
}

/// Decompresses `body`, of which only its own first bytes say how (gzip, LZ4 frame, zstd; else zlib), to at most `limit`
/// bytes.
pub fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    match body {
        [0x1F, 0x8B, ..] => read_limited(GzDecoder::new(body), limit),
        [0x04, 0x22, 0x4D, 0x18, ..] => decompress(body, sys_flag::LZ4, limit),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => decompress(body, sys_flag::ZSTD, limit),
        _ => decompress(body, sys_flag::ZLIB, limit),
    }
}

fn read_limited(input: impl Read, limit: usize) -> Result<Vec<u8>, DecompressError> {
    let mut body = Vec::new();
    let read = input.take(limit as u64 + 1).read_to_end(&mut body);
    let size = read.map_err(|e| DecompressError::Damaged(e.to_string()))?;
    if size > limit { Err(DecompressError::TooLarge(limit)) } else { Ok(body) }
}
