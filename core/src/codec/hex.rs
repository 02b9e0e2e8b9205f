//! Bytes as hex text.

use std::fmt::Write;

/// Two upper-case digits a byte.
pub(super) fn upper(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}
