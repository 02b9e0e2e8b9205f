//! Signing calls with an access key: HMAC-SHA1 over the text of the date, nothing else.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::super::hex;
use crate::options::Credentials;

/// The value of `authorization` for a call of `date` (see [`date_text`]).
pub fn authorization(credentials: &Credentials, date: &str) -> String {
    format!(
        "MQv2-HMAC-SHA1 Credential={}, SignedHeaders=x-mq-date-time, Signature={}",
        credentials.access_key,
        signature(credentials.secret_key.expose(), date)
    )
}

/// HMAC-SHA1 of `date` in upper-case hex.
fn signature(secret_key: &str, date: &str) -> String {
    mac(secret_key, date).map(|mac| hex::upper(&mac.finalize().into_bytes())).unwrap_or_default()
}

/// `None` cannot happen: HMAC takes keys of every length.
fn mac(secret_key: &str, date: &str) -> Option<Hmac<Sha1>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret_key.as_bytes()).ok()?;
    mac.update(date.as_bytes());
    Some(mac)
}

/// An authorization as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Who signed.
    pub access_key: &'a str,
    signature: Vec<u8>,
}

impl<'a> Authorization<'a> {
    /// Reads the text; the name of the algorithm is not looked at, as on the real server, and clients may say more
    /// behind the access key (`key/region/service`).
    pub fn parse(text: &'a str) -> Option<Self> {
        let (_algorithm, pairs) = text.split_once(' ')?;
        let value = |wanted: &str| {
            let mut pairs = pairs.split(',').filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
        };
        let access_key = value("Credential")?.split('/').next()?;
        Some(Self { access_key, signature: from_hex(value("Signature")?)? })
    }

    /// Whether it was made with `secret_key` for `date`; takes the same time for every wrong one.
    pub fn verify(&self, secret_key: &str, date: &str) -> bool {
        mac(secret_key, date).is_some_and(|mac| mac.verify_slice(&self.signature).is_ok())
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| match *pair {
        [high, low] => Some((digit(high)? << 4 | digit(low)?) as u8),
        _ => None,
    };
    digits.chunks(2).map(byte).collect()
}

/// `yyyyMMddTHHmmssZ` in UTC, of seconds since the Unix epoch.
pub fn date_text(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, in eras of 400 years.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + next;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_other_clients() {
        let text = authorization(&Credentials::new("ak", "secret"), "20240101T000000Z");
        assert_eq!(
            text,
            "MQv2-HMAC-SHA1 Credential=ak, SignedHeaders=x-mq-date-time, \
             Signature=2E5621239CBFDCCC449DBD2E028CF60E7C6A592D"
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (1_704_067_200, "20240101T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (1_709_251_200, "20240301T000000Z"),
            (4_107_542_400, "21000301T000000Z"),
            (-1, "19691231T235959Z"),
        ] {
            assert_eq!(date_text(seconds), text);
        }
    }

    #[test]
    fn every_clients_spelling_is_read() {
        for credential in ["ak", "ak//Rocketmq", "ak/region/Rocketmq"] {
            let text = format!(
                "MQv2-HMAC-SHA1 Credential={credential}, SignedHeaders=x-mq-date-time, Signature=2e5621239cbfdccc449dbd2e028cf60e7c6a592d"
            );
            let read = Authorization::parse(&text).unwrap();
            assert_eq!(read.access_key, "ak");
            assert!(read.verify("secret", "20240101T000000Z"));
            assert!(!read.verify("Secret", "20240101T000000Z"));
            assert!(!read.verify("secret", "20240101T000001Z"));
        }
        for bad in [
            "",
            "MQv2-HMAC-SHA1",
            "x Credential=ak",
            "x Credential=ak, Signature=0",
            "x Signature=zz, Credential=a",
        ] {
            assert_eq!(Authorization::parse(bad), None, "{bad}");
        }
    }
}
