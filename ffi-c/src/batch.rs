//! Received messages that want to be settled.

use std::sync::Mutex;

use tminus_core::{ConsumeResult, Delivery, MessageView, Settlement, message::properties};

use crate::boundary::{Handle, borrow, call, lock, quietly, take};
use crate::data::{invalid, tminus_address_t, tminus_bytes_t, tminus_property_t, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};

/// Done.
pub const TMINUS_CONSUME_SUCCESS: i32 = 0;
/// Deliver it again later; the broker's schedule decides when.
pub const TMINUS_CONSUME_RETRY_LATER: i32 = 1;
/// Deliver it again after delay level `level`, 1..=18.
pub const TMINUS_CONSUME_RETRY_AFTER_LEVEL: i32 = 2;
/// Give it up: move it to the group's dead letter queue.
pub const TMINUS_CONSUME_DEAD_LETTER: i32 = 3;

/// A received message. Everything in it lives as long as its batch; fields may be added at the end. Times are Unix ms.
#[repr(C)]
pub struct tminus_message_view_t {
    /// Topic subscribed to (the original one for a retried message).
    pub topic: tminus_str_t,
    /// Content, decompressed.
    pub body: tminus_bytes_t,
    /// The producer's unique id, or the offset id where there is none.
    pub message_id: tminus_str_t,
    /// The server's id.
    pub offset_message_id: tminus_str_t,
    pub tag: tminus_str_t,
    /// Index keys, separated by spaces.
    pub keys: tminus_str_t,
    /// Broker name, empty where unknown.
    pub broker: tminus_str_t,
    /// Everything set by producer, server and client.
    pub properties: *const tminus_property_t,
    pub property_count: usize,
    /// Requested delivery time; -1 if the message was not scheduled to an absolute time.
    pub deliver_at_ms: i64,
    /// When the producer made it.
    pub born_ms: i64,
    /// When the broker stored it (for a scheduled message: when it became visible).
    pub store_ms: i64,
    /// Position in the queue.
    pub queue_offset: i64,
    /// Position in the broker's commit log.
    pub commit_log_offset: i64,
    /// Commit-log offset of the half message of a transaction.
    pub prepared_transaction_offset: i64,
    pub queue_id: i32,
    /// How many times it was retried before this delivery.
    pub reconsume_times: i32,
    /// User flag.
    pub flag: i32,
    /// System flag bits.
    pub sys_flag: i32,
    /// CRC-32 of the stored body, masked to 31 bits.
    pub body_crc: i32,
    /// Record size in bytes on the broker.
    pub store_size: i32,
    /// The producer's address.
    pub born_host: tminus_address_t,
    /// The broker's address.
    pub store_host: tminus_address_t,
}

/// Received messages. Made by the library, freed by `tminus_batch_free` (or `tminus_completions_free`).
#[repr(C)]
pub struct tminus_batch_t {
    /// `size` pointers.
    pub messages: *const *const tminus_message_view_t,
    pub size: usize,
}

/// A message with what its view lends.
struct Lent {
    view: tminus_message_view_t,
    _properties: Vec<tminus_property_t>,
    _message: MessageView,
}

/// The batch, its messages and its duties; the host sees a pointer to the first field.
#[repr(C)]
pub(crate) struct Owned {
    view: tminus_batch_t,
    process: u32,
    pointers: Vec<*const tminus_message_view_t>,
    messages: Vec<Lent>,
    settlements: Mutex<Vec<Option<Settlement>>>,
}

impl Handle for Owned {
    const NOUN: &'static str = "batch";

    fn process(&self) -> u32 {
        self.process
    }
}

fn lend(message: MessageView) -> Lent {
    let lent: Vec<_> =
        message.properties.iter().map(|(name, value)| tminus_property_t::lend(name, value)).collect();
    let view = tminus_message_view_t {
        topic: tminus_str_t::lend(&message.topic),
        body: tminus_bytes_t::lend(&message.body),
        message_id: tminus_str_t::lend(&message.message_id),
        offset_message_id: tminus_str_t::lend(&message.offset_message_id),
        tag: tminus_str_t::lend_option(message.tag()),
        keys: tminus_str_t::lend_option(message.property(properties::KEYS)),
        broker: tminus_str_t::lend(&message.broker),
        properties: lent.as_ptr(),
        property_count: lent.len(),
        deliver_at_ms: message.deliver_at_ms().unwrap_or(-1),
        born_ms: message.born_timestamp,
        store_ms: message.store_timestamp,
        queue_offset: message.queue_offset,
        commit_log_offset: message.commit_log_offset,
        prepared_transaction_offset: message.prepared_transaction_offset,
        queue_id: message.queue_id,
        reconsume_times: message.reconsume_times,
        flag: message.flag,
        sys_flag: message.sys_flag,
        body_crc: message.body_crc,
        store_size: message.store_size,
        born_host: message.born_host.into(),
        store_host: message.store_host.into(),
    };
    // Moving the message moves the headers of its texts, not what they point to.
    Lent { view, _properties: lent, _message: message }
}

/// Hands deliveries to the host.
pub(crate) fn give(deliveries: Vec<Delivery>) -> *mut tminus_batch_t {
    let mut messages = Vec::with_capacity(deliveries.len());
    let mut settlements = Vec::with_capacity(deliveries.len());
    for Delivery { message, settlement } in deliveries {
        messages.push(lend(message));
        settlements.push(Some(settlement));
    }
    // The messages stay where they are from here on.
    let pointers: Vec<_> = messages.iter().map(|lent| &raw const lent.view).collect();
    let view = tminus_batch_t { messages: pointers.as_ptr(), size: pointers.len() };
    let settlements = Mutex::new(settlements);
    Box::into_raw(Box::new(Owned { view, process: std::process::id(), pointers, messages, settlements }))
        .cast()
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
        let settlement = match lock(&batch.settlements).get_mut(index) {
            None => Err(invalid("settle", format!("message {index} of a batch of {}", batch.view.size))),
            Some(slot) => slot
                .take()
                .ok_or_else(|| invalid("settle", format!("message {index} was settled before; settle once"))),
        }?;
        settlement.settle(result);
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
        let open: Vec<_> = lock(&batch.settlements).iter_mut().filter_map(Option::take).collect();
        open.into_iter().for_each(|settlement| settlement.settle(result));
        Ok(())
    })
}

fn consume_result(result: i32, level: i32) -> tminus_core::Result<ConsumeResult> {
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

/// Frees a batch and its views; messages not settled are retried later. NULL is allowed.
///
/// # Safety
/// `batch` is NULL or a live batch that no call uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_batch_free(batch: *mut tminus_batch_t) {
    // SAFETY: every batch the library gives out is an `Owned` from `give`.
    quietly((), || drop(unsafe { take(batch.cast::<Owned>()) }));
}
