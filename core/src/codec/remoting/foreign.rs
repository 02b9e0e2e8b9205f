//! Recognises peers that speak another protocol by their first bytes.

use std::fmt;

/// A protocol that is not remoting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// HTTP/1 text.
    Http,
    /// HTTP/2 (gRPC speaks it).
    Http2,
    /// A TLS record.
    Tls,
}

impl Foreign {
    /// What `start`, the first 8 bytes of a frame, looks like; `None` if it may be remoting.
    ///
    /// Remoting starts with a length of at most a few MiB, so its first byte is 0 or 1, and its header is never empty.
    pub(super) fn recognise(start: &[u8; 8]) -> Option<Self> {
        match start {
            [b'P', b'R', b'I', b' ', ..] => Some(Foreign::Http2),
            [b'H', b'T', b'T', b'P', ..]
            | [b'G', b'E', b'T', b' ', ..]
            | [b'P', b'O', b'S', b'T', ..]
            | [b'P', b'U', b'T', b' ', ..]
            | [b'H', b'E', b'A', b'D', ..]
            | [b'D', b'E', b'L', b'E', ..]
            | [b'O', b'P', b'T', b'I', ..]
            | [b'P', b'A', b'T', b'C', ..]
            | [b'C', b'O', b'N', b'N', ..]
            | [b'T', b'R', b'A', b'C', ..] => Some(Foreign::Http),
            // Record types alert and handshake, version SSL 3 to TLS 1.3.
            [0x15 | 0x16, 3, 0..=4, ..] => Some(Foreign::Tls),
            // SETTINGS or GOAWAY on stream 0; read as remoting it would be a frame with an empty header.
            [0, _, _, 4 | 7, 0 | 1, 0, 0, 0] => Some(Foreign::Http2),
            _ => None,
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Foreign::Http => "HTTP",
            Foreign::Http2 => "HTTP/2 (gRPC)",
            Foreign::Tls => "TLS",
        })
    }
}
