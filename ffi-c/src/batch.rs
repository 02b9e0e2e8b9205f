//! Received messages, and what is owed for them.

use std::sync::Mutex;

use tminus_core::{
    ConsumeResult, Consumed, Delivery, ReceiptHandle, Received, Result, Settlement, TransactionAnswer,
    TransactionCheck, TransactionResolution,
};

use crate::boundary::{Handle, borrow, call, lock, quietly, take};
use crate::data::{invalid, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::message_view::{Circumstances, Lent, lend, tminus_message_view_t};
use crate::receipt_handle::tminus_receipt_handle_t;

/// Done.
pub const TMINUS_CONSUME_SUCCESS: i32 = 0;
/// Deliver it again later; the broker's schedule decides when.
pub const TMINUS_CONSUME_RETRY_LATER: i32 = 1;
/// Deliver it again after delay level `level`, 1..=18.
pub const TMINUS_CONSUME_RETRY_AFTER_LEVEL: i32 = 2;
/// Give it up: move it to the group's dead letter queue.
pub const TMINUS_CONSUME_DEAD_LETTER: i32 = 3;

/// It is not known yet how the transaction ends: the server asks again later.
pub const TMINUS_TRANSACTION_UNKNOWN: i32 = 0;
/// Consumers get the message.
pub const TMINUS_TRANSACTION_COMMIT: i32 = 1;
/// The message is dropped.
pub const TMINUS_TRANSACTION_ROLLBACK: i32 = 2;

/// Received messages: of a push consumer, to be settled; of a simple consumer or HTTP client, to be acknowledged; or half
/// messages whose transactions a server asks about, to be answered. Made by the library, freed by `tminus_batch_free`
/// (or `tminus_completions_free`); fields may be added at the end.
#[repr(C)]
pub struct tminus_batch_t {
    /// `size` pointers.
    pub messages: *const *const tminus_message_view_t,
    pub size: usize,
    /// `size` handles that acknowledge the messages of a simple consumer or HTTP client; NULL for others.
    pub handles: *const tminus_receipt_handle_t,
    /// Id of the request of an HTTP client, for the service's support; else none.
    pub request_id: tminus_str_t,
}

/// Messages on their way to the host.
pub(crate) enum Batch {
    /// Of a push consumer.
    Delivered(Vec<Delivery>),
    /// Of a simple consumer.
    Received(Vec<Received>),
    /// Of an HTTP client.
    Consumed(Consumed),
    /// Half messages that a server asks about.
    Asked(Vec<TransactionCheck>),
}

/// What the host owes for the messages, until it is done.
enum Duties {
    Settle(Mutex<Vec<Option<Settlement>>>),
    /// The receipts do it, whether the batch lives or not.
    Acknowledge,
    Answer(Mutex<Vec<Option<TransactionAnswer>>>),
}

/// The batch, its messages and its duties; the host sees a pointer to the first field.
#[repr(C)]
pub(crate) struct Owned {
    view: tminus_batch_t,
    process: u32,
    pointers: Vec<*const tminus_message_view_t>,
    handles: Vec<tminus_receipt_handle_t>,
    messages: Vec<Lent>,
    receipts: Vec<ReceiptHandle>,
    request_id: String,
    duties: Duties,
}

impl Handle for Owned {
    const NOUN: &'static str = "batch";

    fn process(&self) -> u32 {
        self.process
    }
}

/// Hands messages to the host.
pub(crate) fn give(batch: Batch) -> *mut tminus_batch_t {
    let (mut messages, mut receipts) = (Vec::new(), Vec::new());
    let mut request_id = String::new();
    let mut receive = |received: Vec<Received>| {
        for Received { message, receipt, corrupted, invisible_until_ms, first_delivered_ms } in received {
            let circumstances =
                Circumstances { is_corrupted: corrupted, invisible_until_ms, first_delivered_ms };
            messages.push(lend(message, circumstances));
            receipts.push(receipt);
        }
        Duties::Acknowledge
    };
    let duties = match batch {
        Batch::Delivered(deliveries) => Duties::Settle(Mutex::new(
            deliveries
                .into_iter()
                .map(|Delivery { message, settlement }| {
                    messages.push(lend(message, Circumstances::NONE));
                    Some(settlement)
                })
                .collect(),
        )),
        Batch::Received(received) => receive(received),
        Batch::Consumed(consumed) => {
            request_id = consumed.request_id;
            receive(consumed.messages)
        }
        Batch::Asked(checks) => Duties::Answer(Mutex::new(
            checks
                .into_iter()
                .map(|TransactionCheck { message, answer }| {
                    messages.push(lend(message, Circumstances::NONE));
                    Some(answer)
                })
                .collect(),
        )),
    };
    // The messages and receipts stay where they are from here on.
    let pointers: Vec<_> = messages.iter().map(|lent| &raw const lent.view).collect();
    let handles: Vec<_> = receipts.iter().map(tminus_receipt_handle_t::lend).collect();
    let view = tminus_batch_t {
        messages: pointers.as_ptr(),
        size: pointers.len(),
        handles: if handles.is_empty() { std::ptr::null() } else { handles.as_ptr() },
        request_id: tminus_str_t::lend_option(Some(request_id.as_str()).filter(|id| !id.is_empty())),
    };
    let process = std::process::id();
    Box::into_raw(Box::new(Owned {
        view,
        process,
        pointers,
        handles,
        messages,
        receipts,
        request_id,
        duties,
    }))
    .cast()
}

/// Takes what is owed for message `index`, once.
fn take_one<T>(open: &Mutex<Vec<Option<T>>>, index: usize, operation: &'static str, done: &str) -> Result<T> {
    let mut open = lock(open);
    let size = open.len();
    let slot = open
        .get_mut(index)
        .ok_or_else(|| invalid(operation, format!("message {index} of a batch of {size}")))?;
    slot.take()
        .ok_or_else(|| invalid(operation, format!("message {index} was {done} before; once is enough")))
}

impl Owned {
    fn settlements(&self) -> Result<&Mutex<Vec<Option<Settlement>>>> {
        match &self.duties {
            Duties::Settle(open) => Ok(open),
            Duties::Acknowledge => Err(invalid("settle", "they are acknowledged by their handles")),
            Duties::Answer(_) => Err(invalid("settle", "questions about transactions are answered")),
        }
    }
}

/// Says what became of message `index`: `TMINUS_CONSUME_*`, with `level` for `RETRY_AFTER_LEVEL`, else 0. Returns at
/// once. Any thread may settle any message of a batch, each once; a second time is `TMINUS_INVALID_ARGUMENT`.
///
/// # Safety
/// `batch` is NULL or a live batch; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_batch_settle(
    batch: *const tminus_batch_t,
    index: usize,
    result: i32,
    level: i32,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "settle", || {
        let result = consume_result(result, level)?;
        // SAFETY: the host passes NULL or a live batch, which is an `Owned` from `give`.
        let batch = unsafe { borrow(batch.cast::<Owned>(), "settle")? };
        take_one(batch.settlements()?, index, "settle", "settled")?.settle(result);
        Ok(())
    })
}

/// Settles every message of the batch that is not settled yet.
///
/// # Safety
/// As `tminus_batch_settle`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_batch_settle_all(
    batch: *const tminus_batch_t,
    result: i32,
    level: i32,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "settle", || {
        let result = consume_result(result, level)?;
        // SAFETY: the host passes NULL or a live batch, which is an `Owned` from `give`.
        let batch = unsafe { borrow(batch.cast::<Owned>(), "settle")? };
        let open: Vec<_> = lock(batch.settlements()?).iter_mut().filter_map(Option::take).collect();
        open.into_iter().for_each(|settlement| settlement.settle(result));
        Ok(())
    })
}

/// Answers how the transaction of half message `index` ends: `TMINUS_TRANSACTION_*`. Returns at once. Any thread may
/// answer, each question once; one that is freed unanswered counts as unknown.
///
/// # Safety
/// As `tminus_batch_settle`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_batch_answer(
    batch: *const tminus_batch_t,
    index: usize,
    resolution: i32,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "answer", || {
        let resolution = transaction_resolution(resolution, "answer")?;
        // SAFETY: the host passes NULL or a live batch, which is an `Owned` from `give`.
        match &unsafe { borrow(batch.cast::<Owned>(), "answer")? }.duties {
            Duties::Answer(open) => take_one(open, index, "answer", "answered")?.resolve(resolution),
            Duties::Settle(_) | Duties::Acknowledge => {
                return Err(invalid("answer", "this batch holds no questions about transactions"));
            }
        }
        Ok(())
    })
}

pub(crate) fn transaction_resolution(
    resolution: i32,
    operation: &'static str,
) -> Result<TransactionResolution> {
    Ok(match resolution {
        TMINUS_TRANSACTION_UNKNOWN => TransactionResolution::Unknown,
        TMINUS_TRANSACTION_COMMIT => TransactionResolution::Commit,
        TMINUS_TRANSACTION_ROLLBACK => TransactionResolution::Rollback,
        other => {
            let text = format!("the resolution is {other}; use one of TMINUS_TRANSACTION_*");
            return Err(invalid(operation, text));
        }
    })
}

fn consume_result(result: i32, level: i32) -> Result<ConsumeResult> {
    Ok(match result {
        TMINUS_CONSUME_SUCCESS => ConsumeResult::Success,
        TMINUS_CONSUME_RETRY_LATER => ConsumeResult::RetryLater,
        TMINUS_CONSUME_RETRY_AFTER_LEVEL => match u8::try_from(level) {
            Ok(level @ 1..=18) => ConsumeResult::RetryAfterLevel(level),
            _ => return Err(invalid("settle", format!("{level} is no delay level; give 1 to 18"))),
        },
        TMINUS_CONSUME_DEAD_LETTER => ConsumeResult::DeadLetter,
        other => {
            return Err(invalid("settle", format!("the result is {other}; use one of TMINUS_CONSUME_*")));
        }
    })
}

/// Frees a batch and its views; messages not settled are retried later, questions not answered count as unknown. NULL is
/// allowed.
///
/// # Safety
/// `batch` is NULL or a live batch that no call uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_batch_free(batch: *mut tminus_batch_t) {
    // SAFETY: every batch the library gives out is an `Owned` from `give`.
    quietly((), || drop(unsafe { take(batch.cast::<Owned>()) }));
}
