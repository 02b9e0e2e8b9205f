//! A text that the library made.

use crate::data::tminus_str_t;

/// A text. Made by the library, freed by `tminus_text_free`.
#[repr(C)]
pub struct tminus_text_t {
    pub text: tminus_str_t,
}

/// The text and what it lends; the host sees a pointer to the first field.
#[repr(C)]
struct Owned {
    view: tminus_text_t,
    text: String,
}

/// Hands a text to the host.
pub(crate) fn give(text: String) -> *mut tminus_text_t {
    let view = tminus_text_t { text: tminus_str_t::lend(&text) };
    Box::into_raw(Box::new(Owned { view, text })).cast()
}

/// Frees a text. NULL is allowed.
///
/// # Safety
/// `text` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_text_free(text: *mut tminus_text_t) {
    if !text.is_null() {
        // SAFETY: every text the library gives out is an `Owned` from `give`.
        drop(unsafe { Box::from_raw(text.cast::<Owned>()) });
    }
}
