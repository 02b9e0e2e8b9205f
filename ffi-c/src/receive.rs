//! Receiving and acknowledging with a simple consumer, blocking or submitted.

use std::time::Duration;

use tminus_core::{ReceiptHandle, Result};

use crate::batch::{self, Batch, tminus_batch_t};
use crate::boundary::{Out, call, wait_ms};
use crate::cancel::tminus_cancel_t;
use crate::completion::tminus_op_t;
use crate::driver::{Kind, Payload};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::queue::tminus_queue_t;
use crate::receipt_handle::{self, tminus_receipt_handle_t, tminus_receipt_handles_t};
use crate::request::{self, block, submit};
use crate::settings::duration;
use crate::simple_consumer::tminus_simple_consumer_t;

/// What is asked of a simple consumer, copied from the host.
enum Request {
    Receive { max: usize, invisible: Duration, wait: Option<Duration> },
    Ack(ReceiptHandle),
    AckAll(Vec<ReceiptHandle>),
    ChangeInvisible(ReceiptHandle, Duration),
}

impl Request {
    fn receive(max: usize, invisible_ms: i64, wait_for_ms: i64) -> Result<Self> {
        let invisible = duration(invisible_ms, "invisible_ms", "receive")?;
        Ok(Self::Receive { max, invisible, wait: wait_ms(wait_for_ms) })
    }

    /// # Safety
    /// `handle` is NULL or readable.
    unsafe fn ack(handle: *const tminus_receipt_handle_t) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe { receipt_handle::copy(handle, "ack") }.map(Self::Ack)
    }

    /// # Safety
    /// `handles` is NULL or an array of `count` readable handles.
    unsafe fn ack_all(handles: *const tminus_receipt_handle_t, count: usize) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe { receipt_handle::copy_all(handles, count, "ack") }.map(Self::AckAll)
    }

    /// # Safety
    /// `handle` is NULL or readable.
    unsafe fn change_invisible(handle: *const tminus_receipt_handle_t, invisible_ms: i64) -> Result<Self> {
        let invisible = duration(invisible_ms, "invisible_ms", "change invisible")?;
        // SAFETY: the caller's promise.
        let receipt = unsafe { receipt_handle::copy(handle, "change invisible")? };
        Ok(Self::ChangeInvisible(receipt, invisible))
    }
}

impl request::Request for Request {
    type Owner = tminus_simple_consumer_t;

    fn kind(&self) -> Kind {
        match self {
            Self::Receive { .. } => Kind::Receive,
            Self::Ack(_) | Self::AckAll(_) => Kind::Ack,
            Self::ChangeInvisible(..) => Kind::ChangeInvisible,
        }
    }

    fn run(self, owner: &Self::Owner) -> impl Future<Output = Result<Payload>> + Send + 'static {
        let consumer = owner.consumer.clone();
        async move {
            Ok(match self {
                Self::Receive { max, invisible, wait } => {
                    let received = consumer.receive(max, invisible, wait).await?;
                    if received.is_empty() {
                        Payload::Nothing
                    } else {
                        Payload::Batch(Batch::Received(received))
                    }
                }
                Self::Ack(receipt) => {
                    consumer.ack(&receipt).await?;
                    Payload::Nothing
                }
                Self::AckAll(receipts) => {
                    let results = consumer.ack_all(&receipts).await;
                    Payload::Handles(receipts, results)
                }
                Self::ChangeInvisible(mut receipt, invisible) => {
                    consumer.change_invisible(&mut receipt, invisible).await?;
                    Payload::Handles(vec![receipt], vec![Ok(())])
                }
            })
        }
    }
}

/// Takes up to `max` (1..=32) messages and hides them from the group for `invisible_ms` (10 s to 12 h); acknowledge them by
/// `(*batch)->handles`. Waits at most `wait_ms` for the first one, negative: as the options say; if none came it is
/// `TMINUS_OK` with `*batch` NULL. Free the batch with `tminus_batch_free`. What was on its way to a cancelled receive goes
/// to the next one.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `batch` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_receive(
    consumer: *const tminus_simple_consumer_t,
    max: usize,
    invisible_ms: i64,
    wait_ms: i64,
    cancel: *const tminus_cancel_t,
    batch: *mut *mut tminus_batch_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "receive", || {
        let out = Out::new(batch, "batch", "receive")?;
        // SAFETY: the host passes a live consumer, and NULL or a live token.
        let received = unsafe { block(consumer, Request::receive(max, invisible_ms, wait_ms)?, cancel)? };
        out.set(match received {
            Payload::Batch(received) => batch::give(received),
            _ => std::ptr::null_mut(),
        });
        Ok(())
    })
}

/// Submits a receive: when this is `TMINUS_OK`, exactly one completion with `user_data` comes to `queue`, else none. `op`
/// may be NULL; `tminus_op_cancel` takes it.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `op` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_submit_receive(
    consumer: *const tminus_simple_consumer_t,
    max: usize,
    invisible_ms: i64,
    wait_ms: i64,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "receive", || {
        let request = Request::receive(max, invisible_ms, wait_ms)?;
        // SAFETY: the host passes what `submit` asks for.
        unsafe { submit(consumer, request, queue, user_data, op) }
    })
}

/// Tells the server that a message was consumed. `TMINUS_INVALID_RECEIPT`: the handle is expired, was replaced, or is none;
/// the message comes again unless it was acknowledged before.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_ack(
    consumer: *const tminus_simple_consumer_t,
    handle: *const tminus_receipt_handle_t,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes a live consumer, a readable handle, and NULL or a live token.
    call(error, "ack", || unsafe { block(consumer, Request::ack(handle)?, cancel).map(drop) })
}

/// Submits an acknowledgement, whose completion has the status; see `tminus_simple_consumer_submit_receive`. The handle is
/// copied before this returns.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `op` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_submit_ack(
    consumer: *const tminus_simple_consumer_t,
    handle: *const tminus_receipt_handle_t,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes a readable handle and what `submit` asks for.
    call(error, "ack", || unsafe { submit(consumer, Request::ack(handle)?, queue, user_data, op) })
}

/// Acknowledges `count` messages with one request a broker. `TMINUS_OK` says that all were tried: `*results` tells for each
/// handle, in their order, whether it succeeded. Free it with `tminus_receipt_handles_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `handles` is NULL or an array of `count`; `results` and `error` are
/// places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_ack_all(
    consumer: *const tminus_simple_consumer_t,
    handles: *const tminus_receipt_handle_t,
    count: usize,
    cancel: *const tminus_cancel_t,
    results: *mut *mut tminus_receipt_handles_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "ack", || {
        let out = Out::new(results, "results", "ack")?;
        // SAFETY: the host passes a live consumer, readable handles, and NULL or a live token.
        give(unsafe { block(consumer, Request::ack_all(handles, count)?, cancel)? }, out);
        Ok(())
    })
}

/// Submits acknowledgements, whose completion has the results as its `handles`; see `tminus_simple_consumer_submit_ack`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `handles` is NULL or an array of `count`; `op` and `error` are places
/// for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_submit_ack_all(
    consumer: *const tminus_simple_consumer_t,
    handles: *const tminus_receipt_handle_t,
    count: usize,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes readable handles and what `submit` asks for.
    call(error, "ack", || unsafe {
        submit(consumer, Request::ack_all(handles, count)?, queue, user_data, op)
    })
}

/// Hides a received message until `invisible_ms` from now (0: it comes again at once; at most 12 h). `handle` ends;
/// `(*renewed)->handles[0]` takes its place. Free it with `tminus_receipt_handles_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `renewed` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_change_invisible(
    consumer: *const tminus_simple_consumer_t,
    handle: *const tminus_receipt_handle_t,
    invisible_ms: i64,
    cancel: *const tminus_cancel_t,
    renewed: *mut *mut tminus_receipt_handles_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "change invisible", || {
        let out = Out::new(renewed, "renewed", "change invisible")?;
        // SAFETY: the host passes a live consumer, a readable handle, and NULL or a live token.
        give(unsafe { block(consumer, Request::change_invisible(handle, invisible_ms)?, cancel)? }, out);
        Ok(())
    })
}

/// Submits a change, whose completion has the new handle in its `handles`; see `tminus_simple_consumer_submit_ack`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `op` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_submit_change_invisible(
    consumer: *const tminus_simple_consumer_t,
    handle: *const tminus_receipt_handle_t,
    invisible_ms: i64,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes a readable handle and what `submit` asks for.
    call(error, "change invisible", || unsafe {
        submit(consumer, Request::change_invisible(handle, invisible_ms)?, queue, user_data, op)
    })
}

fn give(payload: Payload, out: Out<*mut tminus_receipt_handles_t>) {
    if let Payload::Handles(receipts, results) = payload {
        out.set(receipt_handle::give(receipts, &results));
    }
}
