//! What a failed call reports.

use std::ffi::{CString, c_char};

use tminus_core::{Error, ErrorKind};

/// `TMINUS_OK`, or the number of the error's kind (`TMINUS_INVALID_ARGUMENT`, …). Numbers are never reused.
pub type tminus_status_t = i32;

/// The message was not stored: sending it again makes no duplicate.
pub const TMINUS_OUTCOME_NOT_SENT: i32 = 0;
/// The message left this process and the answer is missing: it may be stored.
pub const TMINUS_OUTCOME_MAYBE_SENT: i32 = 1;
/// The server has stored the message.
pub const TMINUS_OUTCOME_DONE: i32 = 2;

/// `response_code` of an error that no server answered with.
pub const TMINUS_NO_RESPONSE_CODE: i32 = i32::MIN;

/// Why a call failed. Made by the library, freed by `tminus_error_free`; fields may be added at the end.
/// Texts are NUL-terminated and live as long as the error.
#[repr(C)]
pub struct tminus_error_t {
    /// `TMINUS_INVALID_ARGUMENT`, …: the same as the returned status.
    pub status: tminus_status_t,
    /// RocketMQ response code of the server, over ApsaraMQ HTTP the status; or `TMINUS_NO_RESPONSE_CODE`.
    pub response_code: i32,
    /// `TMINUS_OUTCOME_*`: what became of the message.
    pub outcome: i32,
    /// 1: the same call can succeed later.
    pub is_retryable: i32,
    /// Stable name of the kind, as in every language: "invalid_argument", …
    pub name: *const c_char,
    /// The call that failed: "send", "start", …
    pub operation: *const c_char,
    /// What happened and what to do next.
    pub message: *const c_char,
    /// What an ApsaraMQ HTTP server answered, in its own words: `TopicNotExist`, `SignatureDoesNotMatch`, … Empty, as the
    /// following are, where no server answered or it did not say.
    pub server_code: *const c_char,
    /// The server's explanation, or the beginning of a page that a middle box answered with.
    pub server_message: *const c_char,
    /// Id of the request, for the service's support.
    pub request_id: *const c_char,
    /// URL of the server.
    pub host_id: *const c_char,
}

/// The error and the texts it lends; the host sees a pointer to the first field.
#[repr(C)]
struct Owned {
    view: tminus_error_t,
    _texts: [CString; 3],
    _refusal: Option<[CString; 4]>,
}

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// Hands an error to the host.
pub(crate) fn give(error: &Error) -> *mut tminus_error_t {
    let texts = [c_string(error.kind().name()), c_string(error.operation()), c_string(&error.to_string())];
    let refusal = error.refusal().map(|refusal| {
        [&refusal.code, &refusal.message, &refusal.request_id, &refusal.host_id].map(|text| c_string(text))
    });
    let [server_code, server_message, request_id, host_id] =
        refusal.as_ref().map_or([c"".as_ptr(); 4], |texts| texts.each_ref().map(|text| text.as_ptr()));
    let view = tminus_error_t {
        status: error.kind() as tminus_status_t,
        response_code: error.response_code().unwrap_or(TMINUS_NO_RESPONSE_CODE),
        outcome: error.outcome() as i32,
        is_retryable: i32::from(error.is_retryable()),
        name: texts[0].as_ptr(),
        operation: texts[1].as_ptr(),
        message: texts[2].as_ptr(),
        server_code,
        server_message,
        request_id,
        host_id,
    };
    Box::into_raw(Box::new(Owned { view, _texts: texts, _refusal: refusal })).cast()
}

/// The name of a status ("ok", "invalid_argument", …), static; "unknown" for a number this library does not know.
#[unsafe(no_mangle)]
pub extern "C" fn tminus_status_name(status: tminus_status_t) -> *const c_char {
    static NAMES: std::sync::OnceLock<Vec<(i32, CString)>> = std::sync::OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let kinds = ErrorKind::ALL.iter().map(|kind| (*kind as i32, c_string(kind.name())));
        std::iter::once((0, c_string("ok"))).chain(kinds).collect()
    });
    names.iter().find(|(number, _)| *number == status).map_or(c"unknown".as_ptr(), |(_, name)| name.as_ptr())
}

/// Frees an error. NULL is allowed.
///
/// # Safety
/// `error` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_error_free(error: *mut tminus_error_t) {
    if !error.is_null() {
        // SAFETY: every error the library gives out is an `Owned` from `give`.
        drop(unsafe { Box::from_raw(error.cast::<Owned>()) });
    }
}
