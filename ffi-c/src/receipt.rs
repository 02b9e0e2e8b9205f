//! What the server said about a stored message.

use tminus_core::{Result, SendReceipt};

use crate::data::{invalid, tminus_str_t};

/// Stored as configured.
pub const TMINUS_SEND_OK: i32 = 0;
/// Stored; flushing to disk timed out.
pub const TMINUS_SEND_FLUSH_DISK_TIMEOUT: i32 = 1;
/// Stored; copying to the replica timed out.
pub const TMINUS_SEND_FLUSH_SLAVE_TIMEOUT: i32 = 2;
/// Stored; no replica was there.
pub const TMINUS_SEND_SLAVE_NOT_AVAILABLE: i32 = 3;

/// A send receipt. Made by the library, freed by `tminus_receipt_free` (or `tminus_completions_free`); fields may be
/// added at the end. Texts live as long as the receipt.
#[repr(C)]
pub struct tminus_receipt_t {
    /// `TMINUS_SEND_*`: how durable the stored message is.
    pub send_status: i32,
    /// Queue it went to.
    pub queue_id: i32,
    /// Position in that queue (in the timer's queue for a scheduled message).
    pub queue_offset: i64,
    /// The unique id the client made (comma-joined for a batch).
    pub message_id: tminus_str_t,
    /// The server's id (comma-joined for a batch).
    pub offset_message_id: tminus_str_t,
    pub topic: tminus_str_t,
    /// Broker name.
    pub broker: tminus_str_t,
    /// None where the server gave none; over ApsaraMQ HTTP the handle that ends the transaction of a half message.
    pub transaction_id: tminus_str_t,
    /// For recalling a scheduled message; none where the server offers none.
    pub recall_handle: tminus_str_t,
    /// Region of the server; none where it names none.
    pub region: tminus_str_t,
    /// Id of the request, for the support of a cloud service (ApsaraMQ HTTP); else none.
    pub request_id: tminus_str_t,
}

/// The receipt and the texts it lends; the host sees a pointer to the first field.
#[repr(C)]
struct Owned {
    view: tminus_receipt_t,
    receipt: SendReceipt,
}

/// Hands a receipt to the host.
pub(crate) fn give(receipt: SendReceipt) -> *mut tminus_receipt_t {
    let view = tminus_receipt_t {
        send_status: receipt.status as i32,
        queue_id: receipt.queue.id,
        queue_offset: receipt.queue_offset,
        message_id: tminus_str_t::lend(&receipt.message_id),
        offset_message_id: tminus_str_t::lend(&receipt.offset_message_id),
        topic: tminus_str_t::lend(&receipt.queue.topic),
        broker: tminus_str_t::lend(&receipt.queue.broker),
        transaction_id: tminus_str_t::lend_option(receipt.transaction_id.as_deref()),
        recall_handle: tminus_str_t::lend_option(receipt.recall_handle.as_deref()),
        region: tminus_str_t::lend_option(receipt.region.as_deref()),
        request_id: tminus_str_t::lend_option(receipt.request_id.as_deref()),
    };
    // Moving the receipt moves the strings' headers, not the text they point to.
    Box::into_raw(Box::new(Owned { view, receipt })).cast()
}

/// Copies a receipt that the host passes back.
///
/// # Safety
/// `given` is NULL or came from this library and was not freed.
pub(crate) unsafe fn copy(given: *const tminus_receipt_t, operation: &'static str) -> Result<SendReceipt> {
    // SAFETY: every receipt the library gives out is an `Owned` from `give`.
    let given = unsafe { given.cast::<Owned>().as_ref() };
    given.map(|owned| owned.receipt.clone()).ok_or_else(|| invalid(operation, "the receipt is NULL"))
}

/// Frees a receipt. NULL is allowed.
///
/// # Safety
/// `receipt` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_receipt_free(receipt: *mut tminus_receipt_t) {
    if !receipt.is_null() {
        // SAFETY: every receipt the library gives out is an `Owned` from `give`.
        drop(unsafe { Box::from_raw(receipt.cast::<Owned>()) });
    }
}
