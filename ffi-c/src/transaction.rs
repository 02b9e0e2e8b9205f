//! Transactions: half messages, how they end, and the questions of servers about those that did not.

use std::time::Duration;

use tminus_core::{
    Error, ErrorKind, Producer, Result, SendReceipt, TransactionChecks, TransactionResolution,
};

use crate::batch::{self, Batch, tminus_batch_t, transaction_resolution};
use crate::boundary::{Out, block_on, borrow, call, wait_ms};
use crate::cancel::tminus_cancel_t;
use crate::completion::tminus_op_t;
use crate::data::invalid;
use crate::driver::{Kind, Payload};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::message::{self, tminus_message_t};
use crate::producer::tminus_producer_t;
use crate::queue::tminus_queue_t;
use crate::receipt::{self, tminus_receipt_t};

/// Sends the half message of a transaction: consumers get it once `tminus_producer_end_transaction` commits it. Without an
/// end the server asks a producer of the group (remoting) or topic (gRPC); see `take_checks` of the options.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `receipt` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_send_transaction(
    producer: *const tminus_producer_t,
    message: *const tminus_message_t,
    cancel: *const tminus_cancel_t,
    receipt: *mut *mut tminus_receipt_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "send", || {
        let out = Out::new(receipt, "receipt", "send")?;
        // SAFETY: the host passes a live producer, a readable message, and NULL or a live token.
        let sent = unsafe {
            let producer = borrow(producer, "send")?.producer.clone();
            block_on(cancel, "send", Kind::Send.interrupted(), send_half(producer, message::copy(message)?))?
        };
        out.set(receipt::give(sent));
        Ok(())
    })
}

/// Submits the half message of a transaction; see `tminus_producer_send_transaction` and `tminus_producer_submit_send`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `op` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_submit_send_transaction(
    producer: *const tminus_producer_t,
    message: *const tminus_message_t,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "send", || {
        // SAFETY: the host passes a live producer, a readable message and a live queue.
        unsafe {
            let producer = borrow(producer, "send")?.producer.clone();
            let (queue, message) = (borrow(queue, "send")?, message::copy(message)?);
            let work = async { send_half(producer, message).await.map(Payload::Sent) };
            queue.submit(Kind::Send, user_data, op, work)
        }
    })
}

async fn send_half(producer: Producer, message: tminus_core::Message) -> Result<SendReceipt> {
    Ok(producer.send_transaction(message).await?.receipt().clone())
}

/// The end of a transaction, copied from the host.
struct End {
    producer: Producer,
    half: SendReceipt,
    resolution: TransactionResolution,
}

impl End {
    /// # Safety
    /// All pointers are NULL or valid.
    unsafe fn copy(
        producer: *const tminus_producer_t,
        half: *const tminus_receipt_t,
        resolution: i32,
    ) -> Result<Self> {
        let operation = Kind::EndTransaction.operation();
        // SAFETY: the caller's promise.
        unsafe {
            Ok(Self {
                producer: borrow(producer, operation)?.producer.clone(),
                half: receipt::copy(half, operation)?,
                resolution: transaction_resolution(resolution, operation)?,
            })
        }
    }

    async fn run(self) -> Result<()> {
        self.producer.end_transaction(&self.half, self.resolution).await
    }
}

/// Ends the transaction of the half message with receipt `half`: `TMINUS_TRANSACTION_*`. `UNKNOWN` says nothing to the
/// server, which asks later. `half` must be the receipt itself: it knows more than it shows.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_end_transaction(
    producer: *const tminus_producer_t,
    half: *const tminus_receipt_t,
    resolution: i32,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    let kind = Kind::EndTransaction;
    call(error, kind.operation(), || {
        // SAFETY: the host passes a live producer, a readable receipt, and NULL or a live token.
        unsafe {
            let end = End::copy(producer, half, resolution)?;
            block_on(cancel, kind.operation(), kind.interrupted(), end.run())
        }
    })
}

/// Submits the end of a transaction, whose completion has the status. The receipt is copied before this returns.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `op` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_submit_end_transaction(
    producer: *const tminus_producer_t,
    half: *const tminus_receipt_t,
    resolution: i32,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    let kind = Kind::EndTransaction;
    call(error, kind.operation(), || {
        // SAFETY: the host passes a live producer, a readable receipt and a live queue.
        unsafe {
            let end = End::copy(producer, half, resolution)?;
            let work = async { end.run().await.map(|()| Payload::Nothing) };
            borrow(queue, kind.operation())?.submit(kind, user_data, op, work)
        }
    })
}

/// # Safety
/// `producer` is NULL or live.
unsafe fn checks(
    producer: *const tminus_producer_t,
    max: usize,
) -> Result<impl Future<Output = Result<Batch>> + Send + 'static> {
    let operation = Kind::Checks.operation();
    if max == 0 {
        return Err(invalid(operation, "max is 0; ask for at least one question"));
    }
    // SAFETY: the caller's promise.
    let checks: TransactionChecks = unsafe { borrow(producer, operation)? }
        .checks
        .clone()
        .ok_or_else(|| invalid(operation, "the producer was started without take_checks; set it to 1"))?;
    Ok(async move {
        let asked = checks.next(max).await;
        if asked.is_empty() {
            return Err(Error::new(ErrorKind::Closed, operation, "the producer was shut down"));
        }
        Ok(Batch::Asked(asked))
    })
}

/// Waits for at least one question about a transaction and takes up to `max`, to be answered with `tminus_batch_answer`.
/// `timeout_ms`: 0 does not wait, negative waits without limit; a wait that timed out is `TMINUS_OK` with `*batch` NULL.
/// `TMINUS_CLOSED`: the producer was shut down. Free the batch with `tminus_batch_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `batch` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_receive_checks(
    producer: *const tminus_producer_t,
    max: usize,
    timeout_ms: i64,
    cancel: *const tminus_cancel_t,
    batch: *mut *mut tminus_batch_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    let kind = Kind::Checks;
    call(error, kind.operation(), || {
        let out = Out::new(batch, "batch", kind.operation())?;
        // SAFETY: the host passes a live producer, and NULL or a live token.
        let asked = unsafe {
            let checks = checks(producer, max)?;
            block_on(cancel, kind.operation(), kind.interrupted(), async {
                // Without a limit: longer than any process runs.
                let limit = wait_ms(timeout_ms).unwrap_or(Duration::from_secs(u32::MAX.into()));
                tokio::time::timeout(limit, checks).await.ok().transpose()
            })?
        };
        out.set(asked.map_or(std::ptr::null_mut(), batch::give));
        Ok(())
    })
}

/// Submits a wait for questions; see `tminus_producer_receive_checks` and `tminus_push_consumer_submit_receive`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `op` and `error` are places for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_submit_receive_checks(
    producer: *const tminus_producer_t,
    max: usize,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    let kind = Kind::Checks;
    call(error, kind.operation(), || {
        // SAFETY: the host passes a live producer and a live queue.
        unsafe {
            let checks = checks(producer, max)?;
            let work = async { checks.await.map(Payload::Batch) };
            borrow(queue, kind.operation())?.submit(kind, user_data, op, work)
        }
    })
}
