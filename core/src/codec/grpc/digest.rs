//! Digests of message bodies: upper-case hex over the bytes as they travel, compressed or not.

use md5::Md5;
use sha1::{Digest as _, Sha1};

use super::super::hex;
use super::proto::{Digest, DigestType};

/// The MD5 digest of `body`, as servers send it.
pub fn md5(body: &[u8]) -> Digest {
    Digest { r#type: DigestType::Md5.into(), checksum: hex::upper(&Md5::digest(body)) }
}

/// Whether `body` is what `digest` was computed of. A digest of no or an unknown type says nothing and fits.
pub fn fits(body: &[u8], digest: Option<&Digest>) -> bool {
    let Some(digest) = digest else { return true };
    let computed = match digest.r#type() {
        // Without leading zeros; ours may be compared as a number.
        DigestType::Crc32 => {
            return u32::from_str_radix(&digest.checksum, 16) == Ok(crc32fast::hash(body));
        }
        DigestType::Md5 => hex::upper(&Md5::digest(body)),
        DigestType::Sha1 => hex::upper(&Sha1::digest(body)),
        DigestType::Unspecified => return true,
    };
    computed.eq_ignore_ascii_case(&digest.checksum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(kind: DigestType, checksum: &str) -> Digest {
        Digest { r#type: kind.into(), checksum: checksum.into() }
    }

    #[test]
    fn digests_of_every_type_fit_their_body_only() {
        let known = [
            digest(DigestType::Crc32, "3610A686"),
            digest(DigestType::Md5, "5D41402ABC4B2A76B9719D911017C592"),
            digest(DigestType::Md5, "5d41402abc4b2a76b9719d911017c592"),
            digest(DigestType::Sha1, "AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D"),
        ];
        for digest in &known {
            assert!(fits(b"hello", Some(digest)), "{digest:?}");
            assert!(!fits(b"hellp", Some(digest)), "{digest:?}");
        }
        assert!(!fits(b"hello", Some(&digest(DigestType::Md5, ""))));
        assert!(!fits(b"hello", Some(&digest(DigestType::Crc32, "no hex"))));
        assert_eq!(md5(b"hello"), known[1]);
    }

    #[test]
    fn a_crc_has_no_leading_zeros() {
        // Any body whose checksum begins with zeros will do.
        let body = (0u32..).map(|n| n.to_string()).find(|b| crc32fast::hash(b.as_bytes()) < 0x0100_0000);
        let body = body.unwrap_or_default();
        let short = format!("{:X}", crc32fast::hash(body.as_bytes()));
        assert!(short.len() < 8 && fits(body.as_bytes(), Some(&digest(DigestType::Crc32, &short))));
    }

    #[test]
    fn no_digest_and_an_unknown_type_say_nothing() {
        assert!(fits(b"hello", None));
        assert!(fits(b"hello", Some(&Digest { r#type: 99, checksum: "x".into() })));
    }
}
