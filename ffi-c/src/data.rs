//! Plain data that crosses the boundary: text, bytes, pairs, addresses.

use std::net::{IpAddr, SocketAddr};
use std::slice;
use std::str;

use bytes::Bytes;
use tminus_core::{Error, ErrorKind, Result};

/// UTF-8 text of `len` bytes, not NUL-terminated. `data` NULL with `len` 0: none.
/// As input it is borrowed for the call; as output it lives as long as the object it was read from.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_str_t {
    pub data: *const std::ffi::c_char,
    pub len: usize,
}

/// Bytes; the same rules as `tminus_str_t`, without UTF-8.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_bytes_t {
    pub data: *const u8,
    pub len: usize,
}

/// A message property.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_property_t {
    pub name: tminus_str_t,
    pub value: tminus_str_t,
}

/// A socket address. The first `ip_len` bytes of `ip` count: 4 (IPv4) or 16 (IPv6), in network order.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_address_t {
    pub ip: [u8; 16],
    /// Host byte order.
    pub port: u16,
    pub ip_len: u8,
    pub reserved: u8,
}

pub(crate) fn invalid(operation: &'static str, text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, operation, text)
}

impl tminus_str_t {
    pub(crate) const NONE: Self = Self { data: std::ptr::null(), len: 0 };

    /// Lends `text`; the caller keeps it alive for as long as the result may be read.
    pub(crate) fn lend(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), len: text.len() }
    }

    pub(crate) fn lend_option(text: Option<&str>) -> Self {
        text.map_or(Self::NONE, Self::lend)
    }

    /// Reads an input text; none reads as empty.
    ///
    /// # Safety
    /// `data` is NULL or points to `len` readable bytes that stay unchanged for `'a`.
    pub(crate) unsafe fn read<'a>(self, what: &str, operation: &'static str) -> Result<&'a str> {
        // SAFETY: the caller's promise is the same.
        let bytes = unsafe { slice(self.data.cast::<u8>(), self.len, what, operation)? };
        str::from_utf8(bytes).map_err(|e| {
            invalid(operation, format!("{what} is not UTF-8 (byte {}); pass UTF-8 text", e.valid_up_to()))
        })
    }

    /// Reads an input text that may be left out: none and empty text are `None`.
    ///
    /// # Safety
    /// As [`Self::read`].
    pub(crate) unsafe fn read_option<'a>(
        self,
        what: &str,
        operation: &'static str,
    ) -> Result<Option<&'a str>> {
        // SAFETY: the caller's promise is the same.
        Ok(Some(unsafe { self.read(what, operation)? }).filter(|text| !text.is_empty()))
    }
}

impl tminus_bytes_t {
    pub(crate) const NONE: Self = Self { data: std::ptr::null(), len: 0 };

    pub(crate) fn lend(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), len: bytes.len() }
    }

    /// Copies the input once.
    ///
    /// # Safety
    /// `data` is NULL or points to `len` readable bytes.
    pub(crate) unsafe fn copy(self, what: &str, operation: &'static str) -> Result<Bytes> {
        // SAFETY: the caller's promise is the same.
        Ok(Bytes::copy_from_slice(unsafe { slice(self.data, self.len, what, operation)? }))
    }
}

impl tminus_property_t {
    pub(crate) fn lend(name: &str, value: &str) -> Self {
        Self { name: tminus_str_t::lend(name), value: tminus_str_t::lend(value) }
    }
}

impl From<SocketAddr> for tminus_address_t {
    fn from(address: SocketAddr) -> Self {
        let mut ip = [0; 16];
        let ip_len = match address.ip() {
            IpAddr::V4(v4) => {
                ip[..4].copy_from_slice(&v4.octets());
                4
            }
            IpAddr::V6(v6) => {
                ip = v6.octets();
                16
            }
        };
        Self { ip, port: address.port(), ip_len, reserved: 0 }
    }
}

/// An input array; NULL with length 0 is empty.
///
/// # Safety
/// `data` is NULL or points to `len` initialised items that stay unchanged for `'a`.
pub(crate) unsafe fn slice<'a, T>(
    data: *const T,
    len: usize,
    what: &str,
    operation: &'static str,
) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(invalid(operation, format!("{what} is NULL but has length {len}")));
    }
    if !data.is_aligned() || len > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(invalid(
            operation,
            format!("{what} is not a valid array: misaligned, or {len} items long"),
        ));
    }
    // SAFETY: not NULL, aligned, of a possible size; readable by the caller's promise.
    Ok(unsafe { slice::from_raw_parts(data, len) })
}
