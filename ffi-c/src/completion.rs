//! How a submitted operation ended.

use crate::batch::{self, tminus_batch_free, tminus_batch_t};
use crate::driver::{Finished, Kind, Payload};
use crate::error::{self, tminus_error_free, tminus_error_t, tminus_status_t};
use crate::receipt::{self, tminus_receipt_free, tminus_receipt_t};
use crate::receipt_handle::{self, tminus_receipt_handles_free, tminus_receipt_handles_t};

/// Names a submitted operation within its queue, to cancel it. Never 0, never used again, nothing to free.
pub type tminus_op_t = u64;

/// A send: `receipt` is set when it succeeded.
pub const TMINUS_COMPLETION_SEND: i32 = 1;
/// A receive: `batch` is set when it succeeded (of a simple consumer: NULL if no message came).
pub const TMINUS_COMPLETION_RECEIVE: i32 = 2;
/// Questions about transactions: `batch` is set when it succeeded.
pub const TMINUS_COMPLETION_CHECKS: i32 = 3;
/// The end of a transaction.
pub const TMINUS_COMPLETION_END_TRANSACTION: i32 = 4;
/// An acknowledgement: of one, `status` says it all; of many, `handles` says it for each.
pub const TMINUS_COMPLETION_ACK: i32 = 5;
/// A change of an invisible duration: `handles` has the new handle when it succeeded.
pub const TMINUS_COMPLETION_CHANGE_INVISIBLE: i32 = 6;

/// An ended operation. The host owns `error`, `receipt`, `batch` and `handles`; `tminus_completions_free` frees what is
/// still there, so set a pointer to NULL to keep what it points to. This struct never grows.
#[repr(C)]
#[derive(Debug)]
pub struct tminus_completion_t {
    /// As given to the submit.
    pub user_data: u64,
    pub op: tminus_op_t,
    /// `TMINUS_COMPLETION_*`.
    pub kind: i32,
    pub status: tminus_status_t,
    pub error: *mut tminus_error_t,
    pub receipt: *mut tminus_receipt_t,
    pub batch: *mut tminus_batch_t,
    pub handles: *mut tminus_receipt_handles_t,
}

// SAFETY: the pointers are owned, and what they own may be used from any thread.
unsafe impl Send for tminus_completion_t {}

impl From<Finished> for tminus_completion_t {
    fn from(finished: Finished) -> Self {
        let mut completion = Self {
            user_data: finished.user_data,
            op: finished.id,
            kind: match finished.kind {
                Kind::Send => TMINUS_COMPLETION_SEND,
                Kind::Receive => TMINUS_COMPLETION_RECEIVE,
                Kind::Checks => TMINUS_COMPLETION_CHECKS,
                Kind::EndTransaction => TMINUS_COMPLETION_END_TRANSACTION,
                Kind::Ack => TMINUS_COMPLETION_ACK,
                Kind::ChangeInvisible => TMINUS_COMPLETION_CHANGE_INVISIBLE,
            },
            status: 0,
            error: std::ptr::null_mut(),
            receipt: std::ptr::null_mut(),
            batch: std::ptr::null_mut(),
            handles: std::ptr::null_mut(),
        };
        match finished.result {
            Ok(Payload::Sent(receipt)) => completion.receipt = receipt::give(receipt),
            Ok(Payload::Batch(batch)) => completion.batch = batch::give(batch),
            Ok(Payload::Handles(receipts, results)) => {
                completion.handles = receipt_handle::give(receipts, &results);
            }
            Ok(Payload::Nothing) => {}
            Err(e) => {
                completion.status = e.kind() as tminus_status_t;
                completion.error = error::give(&e);
            }
        }
        completion
    }
}

/// Frees what `count` completions still own and sets it to NULL; the array itself is the host's. NULL is allowed.
///
/// # Safety
/// `completions` is NULL or an array of `count` completions as `tminus_queue_wait` wrote them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_completions_free(completions: *mut tminus_completion_t, count: usize) {
    if completions.is_null() {
        return;
    }
    for i in 0..count {
        // SAFETY: the host passes `count` completions, whose pointers are NULL or owned by it.
        unsafe {
            let completion = &mut *completions.add(i);
            tminus_error_free(std::mem::replace(&mut completion.error, std::ptr::null_mut()));
            tminus_receipt_free(std::mem::replace(&mut completion.receipt, std::ptr::null_mut()));
            tminus_batch_free(std::mem::replace(&mut completion.batch, std::ptr::null_mut()));
            tminus_receipt_handles_free(std::mem::replace(&mut completion.handles, std::ptr::null_mut()));
        }
    }
}
