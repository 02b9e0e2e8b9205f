//! The calls of an HTTP client, blocking or submitted.

use crate::batch::{self, tminus_batch_t};
use crate::boundary::{Out, call};
use crate::cancel::tminus_cancel_t;
use crate::completion::tminus_op_t;
use crate::data::tminus_str_t;
use crate::driver::Payload;
use crate::error::{tminus_error_t, tminus_status_t};
use crate::http_client::tminus_http_client_t;
use crate::http_consume::tminus_http_consume_t;
use crate::http_request::Request;
use crate::message::tminus_message_t;
use crate::queue::tminus_queue_t;
use crate::receipt::{self, tminus_receipt_t};
use crate::receipt_handle::{self, tminus_receipt_handles_t};
use crate::request::{block, submit};

/// Publishes a message once. `timeout_ms` negative: `request_timeout_ms` of the options. With the property `__TransCheckT`
/// (10 to 300 s) it is the half message of a transaction, whose handle is `(*receipt)->transaction_id`. `receipt` may be NULL.
/// Whatever fails, `error->outcome` says what became of the message.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `receipt` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_publish(
    client: *const tminus_http_client_t,
    message: *const tminus_message_t,
    timeout_ms: i64,
    cancel: *const tminus_cancel_t,
    receipt: *mut *mut tminus_receipt_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "send", || {
        // SAFETY: the host passes a live client, a readable message, and NULL or a live token.
        let sent = unsafe { block(client, Request::publish(message, timeout_ms)?, cancel)? };
        if let (Payload::Sent(sent), false) = (sent, receipt.is_null()) {
            // SAFETY: the host passes NULL or a place for one pointer.
            unsafe { receipt.write(receipt::give(sent)) };
        }
        Ok(())
    })
}

/// Submits a publish: when this is `TMINUS_OK`, exactly one completion with `user_data` comes to `queue`, else none. `op`
/// may be NULL; `tminus_op_cancel` takes it. The message is copied before this returns.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `op` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_submit_publish(
    client: *const tminus_http_client_t,
    message: *const tminus_message_t,
    timeout_ms: i64,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "send", || {
        // SAFETY: the host passes a readable message and what `submit` asks for.
        unsafe { submit(client, Request::publish(message, timeout_ms)?, queue, user_data, op) }
    })
}

/// Takes messages, hidden from the group until their `invisible_until_ms`; acknowledge them by the `handle` texts of
/// `(*batch)->handles`. `TMINUS_MESSAGE_NOT_FOUND` if none came. It is never repeated: an answer that gets lost, or comes after
/// a cancel, leaves its messages hidden until then. Free the batch with `tminus_batch_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `batch` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_consume(
    client: *const tminus_http_client_t,
    wanted: *const tminus_http_consume_t,
    cancel: *const tminus_cancel_t,
    batch: *mut *mut tminus_batch_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "receive", || {
        let out = Out::new(batch, "batch", "receive")?;
        // SAFETY: the host passes a live client, a readable request, and NULL or a live token.
        if let Payload::Batch(batch) = unsafe { block(client, Request::consume(wanted)?, cancel)? } {
            out.set(batch::give(batch));
        }
        Ok(())
    })
}

/// Submits a consume; see `tminus_http_client_submit_publish`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `op` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_submit_consume(
    client: *const tminus_http_client_t,
    wanted: *const tminus_http_consume_t,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "receive", || {
        // SAFETY: the host passes a readable request and what `submit` asks for.
        unsafe { submit(client, Request::consume(wanted)?, queue, user_data, op) }
    })
}

/// Acknowledges 1 to 16 messages with one request. `TMINUS_OK` says that the server answered: `*results` tells for each
/// handle, in their order, whether it succeeded, and with the server's own code if not (`TMINUS_INVALID_RECEIPT`:
/// it is none, expired, or was replaced; `TMINUS_MESSAGE_NOT_FOUND`: the message is gone). Free it with
/// `tminus_receipt_handles_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `handles` is NULL or an array of `count`; `results` and `error` are
/// places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_ack(
    client: *const tminus_http_client_t,
    topic: tminus_str_t,
    group: tminus_str_t,
    handles: *const tminus_str_t,
    count: usize,
    cancel: *const tminus_cancel_t,
    results: *mut *mut tminus_receipt_handles_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "ack", || {
        let out = Out::new(results, "results", "ack")?;
        // SAFETY: the host passes a live client, readable texts, and NULL or a live token.
        let acked = unsafe { block(client, Request::ack(topic, group, handles, count)?, cancel)? };
        if let Payload::Handles(receipts, results) = acked {
            out.set(receipt_handle::give(receipts, &results));
        }
        Ok(())
    })
}

/// Submits acknowledgements, whose completion has the results as its `handles`; see `tminus_http_client_submit_publish`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `handles` is NULL or an array of `count`; `op` and `error` are places
/// for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_submit_ack(
    client: *const tminus_http_client_t,
    topic: tminus_str_t,
    group: tminus_str_t,
    handles: *const tminus_str_t,
    count: usize,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "ack", || {
        // SAFETY: the host passes readable texts and what `submit` asks for.
        unsafe { submit(client, Request::ack(topic, group, handles, count)?, queue, user_data, op) }
    })
}

/// Ends the transaction of a half message by the handle of its publish, or of a consume of half messages:
/// `TMINUS_TRANSACTION_*`; `UNKNOWN` says nothing to the server, which shows the half message later. `TMINUS_INVALID_RECEIPT`:
/// the handle is none or expired.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_end_transaction(
    client: *const tminus_http_client_t,
    topic: tminus_str_t,
    group: tminus_str_t,
    handle: tminus_str_t,
    resolution: i32,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "end transaction", || {
        // SAFETY: the host passes a live client, readable texts, and NULL or a live token.
        unsafe { block(client, Request::end(topic, group, handle, resolution)?, cancel).map(drop) }
    })
}

/// Submits the end of a transaction, whose completion has the status; see `tminus_http_client_submit_publish`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `op` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_submit_end_transaction(
    client: *const tminus_http_client_t,
    topic: tminus_str_t,
    group: tminus_str_t,
    handle: tminus_str_t,
    resolution: i32,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "end transaction", || {
        // SAFETY: the host passes readable texts and what `submit` asks for.
        unsafe { submit(client, Request::end(topic, group, handle, resolution)?, queue, user_data, op) }
    })
}
