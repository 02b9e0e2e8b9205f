//! What acknowledges messages of a simple consumer.

use tminus_core::{ReceiptHandle, Result};

use crate::data::{invalid, slice, tminus_str_t};
use crate::error::{self, tminus_error_free, tminus_error_t};

/// What acknowledges a received message. Plain text, so that it may be kept, or handed to another consumer of the group.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_receipt_handle_t {
    /// Topic the message was received from.
    pub topic: tminus_str_t,
    /// Broker that hid it.
    pub broker: tminus_str_t,
    /// The message's unique id.
    pub message_id: tminus_str_t,
    /// The server's handle, opaque. It ends with the invisible duration, and is replaced when that is changed.
    pub handle: tminus_str_t,
}

/// Handles, and what became of each. Made by the library, freed by `tminus_receipt_handles_free` (or
/// `tminus_completions_free`).
#[repr(C)]
pub struct tminus_receipt_handles_t {
    /// `size` handles.
    pub handles: *const tminus_receipt_handle_t,
    /// `size` pointers: NULL where it succeeded, else why not. They belong to this list.
    pub errors: *const *const tminus_error_t,
    pub size: usize,
    /// How many have an error.
    pub failed: usize,
}

/// The list and what it lends; the host sees a pointer to the first field.
#[repr(C)]
struct Owned {
    view: tminus_receipt_handles_t,
    lent: Vec<tminus_receipt_handle_t>,
    errors: Vec<*const tminus_error_t>,
    receipts: Vec<ReceiptHandle>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        for error in self.errors.drain(..) {
            // SAFETY: NULL, or given by this library to this list alone.
            unsafe { tminus_error_free(error.cast_mut()) };
        }
    }
}

impl tminus_receipt_handle_t {
    pub(crate) fn lend(receipt: &ReceiptHandle) -> Self {
        Self {
            topic: tminus_str_t::lend(&receipt.topic),
            broker: tminus_str_t::lend(&receipt.broker),
            message_id: tminus_str_t::lend(&receipt.message_id),
            handle: tminus_str_t::lend(&receipt.handle),
        }
    }
}

/// Copies one handle of the host.
///
/// # Safety
/// `given` is NULL or readable, and so are its texts.
pub(crate) unsafe fn copy(
    given: *const tminus_receipt_handle_t,
    operation: &'static str,
) -> Result<ReceiptHandle> {
    // SAFETY: the caller's promise.
    unsafe {
        let given = given.as_ref().ok_or_else(|| invalid(operation, "the receipt handle is NULL"))?;
        Ok(ReceiptHandle {
            topic: given.topic.read("handle.topic", operation)?.to_owned(),
            broker: given.broker.read("handle.broker", operation)?.to_owned(),
            message_id: given.message_id.read("handle.message_id", operation)?.to_owned(),
            handle: given.handle.read("handle.handle", operation)?.to_owned(),
        })
    }
}

/// Copies an array of handles.
///
/// # Safety
/// `given` is NULL or an array of `count` readable handles, and so are their texts.
pub(crate) unsafe fn copy_all(
    given: *const tminus_receipt_handle_t,
    count: usize,
    operation: &'static str,
) -> Result<Vec<ReceiptHandle>> {
    // SAFETY: the caller's promise.
    unsafe {
        slice(given, count, "handles", operation)?.iter().map(|handle| copy(handle, operation)).collect()
    }
}

/// Hands handles to the host, with one result each.
pub(crate) fn give(receipts: Vec<ReceiptHandle>, results: &[Result<()>]) -> *mut tminus_receipt_handles_t {
    let lent: Vec<_> = receipts.iter().map(tminus_receipt_handle_t::lend).collect();
    let error =
        |result: &Result<()>| result.as_ref().err().map_or(std::ptr::null(), |e| error::give(e).cast_const());
    let errors: Vec<_> = results.iter().map(error).collect();
    let view = tminus_receipt_handles_t {
        handles: lent.as_ptr(),
        errors: errors.as_ptr(),
        size: lent.len(),
        failed: results.iter().filter(|result| result.is_err()).count(),
    };
    Box::into_raw(Box::new(Owned { view, lent, errors, receipts })).cast()
}

/// Frees a list of handles. NULL is allowed.
///
/// # Safety
/// `handles` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_receipt_handles_free(handles: *mut tminus_receipt_handles_t) {
    if !handles.is_null() {
        // SAFETY: every list the library gives out is an `Owned` from `give`.
        drop(unsafe { Box::from_raw(handles.cast::<Owned>()) });
    }
}
