//! Versions, and the handshake between a header and the library it meets at run time.

use std::ffi::{CStr, c_char};

use crate::boundary::call;
use crate::data::invalid;
use crate::error::{tminus_error_t, tminus_status_t};

/// Version of the ABI described by this header: major in the upper 16 bits, minor in the lower.
/// A minor step only adds; a major step may change anything.
pub const TMINUS_ABI_VERSION: u32 = 0x0001_0002;

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(text) => text,
    Err(_) => c"",
};

/// ABI version of the library.
#[unsafe(no_mangle)]
pub extern "C" fn tminus_abi_version() -> u32 {
    TMINUS_ABI_VERSION
}

/// Version of the library, for example "0.1.0"; static.
#[unsafe(no_mangle)]
pub extern "C" fn tminus_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Refuses a header whose ABI this library does not speak. Call it once with `TMINUS_ABI_VERSION` before anything else.
///
/// # Safety
/// `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_abi_check(
    header_version: u32,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    let parts = |version: u32| (version >> 16, version & 0xFFFF);
    call(error, "abi check", || {
        let ((major, minor), (ours, newest)) = (parts(header_version), parts(TMINUS_ABI_VERSION));
        if major == ours && minor <= newest {
            return Ok(());
        }
        Err(invalid(
            "abi check",
            format!(
                "the program was compiled for ABI {major}.{minor} and met a library of ABI {ours}.{newest}; \
                 rebuild it with the header of this library"
            ),
        ))
    })
}
