//! MD5 digests, in the two forms of this protocol.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use super::super::hex;

/// `MessageBodyMD5`: upper-case hex of the MD5 of a message body.
pub fn body_md5(body: &[u8]) -> String {
    hex::upper(&Md5::digest(body))
}

/// Whether `digest` is the MD5 of `body`, in hex of either case.
pub fn fits(body: &[u8], digest: &str) -> bool {
    body_md5(body).eq_ignore_ascii_case(digest.trim())
}

/// `Content-MD5` as the service's clients send it: base64 of the lower-case hex text of the MD5 of what travels.
pub fn content_md5(content: &[u8]) -> String {
    STANDARD.encode(body_md5(content).to_ascii_lowercase())
}

/// Whether a `Content-MD5` header is that of `content`: in the form of [`content_md5`], or that of RFC 1864 (base64 of
/// the 16 bytes).
pub fn content_md5_fits(header: &str, content: &[u8]) -> bool {
    let header = header.trim();
    header == content_md5(content) || header == STANDARD.encode(Md5::digest(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_have_the_forms_of_the_clients() {
        assert_eq!(content_md5(b""), "ZDQxZDhjZDk4ZjAwYjIwNGU5ODAwOTk4ZWNmODQyN2U=");
        assert_eq!(content_md5(b"<x/>"), "YThiNTk0YmY4ZGNjYTY1NmZiMWViMWI2NjM0NDk0MGE=");
        assert_eq!(body_md5(b"hello"), "5D41402ABC4B2A76B9719D911017C592");
        assert!(fits(b"hello", "5d41402abc4b2a76b9719d911017c592") && !fits(b"hellp", &body_md5(b"hello")));
        assert!(
            content_md5_fits("1B2M2Y8AsgTpgAmY7PhCfg==", b"") && content_md5_fits(&content_md5(b"a"), b"a")
        );
        assert!(!content_md5_fits("1B2M2Y8AsgTpgAmY7PhCfg==", b"a") && !content_md5_fits("", b""));
    }
}
