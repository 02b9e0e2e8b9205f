//! Message ids: the client's unique id and the server's offset id.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes ids that do not repeat within or across processes.
///
/// Layout (32 upper-case hex digits, as the Java client's): 4 bytes where the IP stands, 2 of the process id, 4 random
/// per generator, 4 of time in ms and 2 of a counter. Time and counter move together as one 48-bit number, so a burst
/// above 65,536 ids in a millisecond borrows from the next one instead of repeating.
#[derive(Debug)]
pub struct UniqueIdGenerator {
    prefix: String,
    next: AtomicU64,
}

impl UniqueIdGenerator {
    /// A generator whose time part starts at `now_ms`; `random` tells it from others in this process.
    pub fn new(now_ms: i64, random: u64) -> Self {
        let pid = std::process::id() as u16;
        let host = (random >> 32) as u32;
        let tag = random as u32;
        Self { prefix: format!("{host:08X}{pid:04X}{tag:08X}"), next: AtomicU64::new((now_ms as u64) << 16) }
    }

    /// The next id; `now_ms` keeps the time part close to the clock.
    pub fn next(&self, now_ms: i64) -> String {
        let floor = (now_ms as u64) << 16;
        let bump = |last: u64| Some((last + 1).max(floor));
        let last = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, bump).unwrap_or(floor);
        let id = (last + 1).max(floor) & 0xFFFF_FFFF_FFFF;
        let mut text = String::with_capacity(self.prefix.len() + 12);
        text.push_str(&self.prefix);
        // Writing to a string cannot fail.
        let _ = write!(text, "{id:012X}");
        text
    }
}

/// The server's message id: where the record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetMessageId {
    /// Address of the broker that stores it.
    pub host: SocketAddr,
    /// Position in its commit log.
    pub commit_log_offset: i64,
}

impl OffsetMessageId {
    /// Reads 32 (IPv4) or 56 (IPv6) hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_ascii() {
            return None;
        }
        let (ip, rest): (IpAddr, &str) = match text.len() {
            32 => (Ipv4Addr::from(u32::from_str_radix(&text[..8], 16).ok()?).into(), &text[8..]),
            56 => (std::net::Ipv6Addr::from(u128::from_str_radix(&text[..32], 16).ok()?).into(), &text[32..]),
            _ => return None,
        };
        let port = u16::try_from(u32::from_str_radix(&rest[..8], 16).ok()?).ok()?;
        let offset = u64::from_str_radix(&rest[8..], 16).ok()? as i64;
        Some(Self { host: SocketAddr::new(ip, port), commit_log_offset: offset })
    }
}

impl std::fmt::Display for OffsetMessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.ip() {
            IpAddr::V4(ip) => write!(f, "{:08X}", u32::from(ip))?,
            IpAddr::V6(ip) => write!(f, "{:032X}", u128::from(ip))?,
        }
        write!(f, "{:08X}{:016X}", self.host.port(), self.commit_log_offset)
    }
}
