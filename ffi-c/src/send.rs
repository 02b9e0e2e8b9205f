//! Sending: one message or a batch, blocking or submitted.

use std::time::Duration;

use tminus_core::{Message, MessageQueue, Outcome, Producer, Result, SendReceipt};

use crate::boundary::{block_on, borrow, call, wait_ms};
use crate::cancel::tminus_cancel_t;
use crate::completion::tminus_op_t;
use crate::data::{invalid, tminus_str_t};
use crate::driver::{Kind, Payload};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::message::{self, tminus_message_t};
use crate::message_queue::tminus_message_queue_t;
use crate::producer::tminus_producer_t;
use crate::queue::tminus_queue_t;
use crate::receipt::{self, tminus_receipt_t};
use crate::settings::{Growing, read};

/// How one message or batch is sent; NULL for the defaults. Start with `TMINUS_SEND_OPTIONS_INIT`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_send_options_t {
    pub struct_size: u32,
    pub reserved: u32,
    /// Deadline of this send; negative: the producer's.
    pub timeout_ms: i64,
    /// Messages of equal key go to the same queue; none: round robin.
    pub sharding_key: tminus_str_t,
    /// Send to this queue and no other; NULL: the producer picks.
    pub queue: *const tminus_message_queue_t,
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Growing for tminus_send_options_t {
    const NAME: &'static str = "tminus_send_options_t";
    const FIRST_SIZE: usize = size_of::<Self>();

    fn defaults() -> Result<Self> {
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            reserved: 0,
            timeout_ms: -1,
            sharding_key: tminus_str_t::NONE,
            queue: std::ptr::null(),
        })
    }
}

/// Where a send goes.
enum Target {
    Any,
    Key(String),
    Queue(MessageQueue),
}

/// What is sent.
enum Cargo {
    One(Message),
    Batch(Vec<Message>),
}

/// A send, copied from the host.
struct Request {
    cargo: Cargo,
    target: Target,
    timeout: Option<Duration>,
}

impl Request {
    /// # Safety
    /// `options` is NULL or readable, and so is all it points to.
    unsafe fn new(cargo: Cargo, options: *const tminus_send_options_t) -> Result<Self> {
        // SAFETY: the caller's promise.
        let (timeout_ms, key, queue) = unsafe {
            let options = read(options, "send")?;
            let queue = options.queue.as_ref().map(|queue| queue.copy("send")).transpose()?;
            (options.timeout_ms, options.sharding_key.read_option("sharding_key", "send")?, queue)
        };
        let target = match (key, queue) {
            (None, None) => Target::Any,
            (Some(key), None) => Target::Key(key.to_owned()),
            (None, Some(queue)) => Target::Queue(queue),
            (Some(_), Some(_)) => {
                return Err(invalid("send", "both sharding_key and queue are set; set one of them"));
            }
        };
        if matches!((&cargo, &target), (Cargo::Batch(_), Target::Key(_) | Target::Queue(_))) {
            return Err(invalid(
                "send",
                "a batch goes to a queue of the producer's choice; set neither key nor queue",
            ));
        }
        Ok(Self { cargo, target, timeout: wait_ms(timeout_ms) })
    }

    async fn run(self, producer: Producer) -> Result<SendReceipt> {
        match (self.cargo, self.target, self.timeout) {
            (Cargo::Batch(messages), _, timeout) => producer.send_batch(messages, timeout).await,
            (Cargo::One(message), Target::Key(key), timeout) => {
                producer.send_by_key(message, &key, timeout).await
            }
            (Cargo::One(message), Target::Queue(queue), timeout) => {
                producer.send_to_queue(message, &queue, timeout).await
            }
            (Cargo::One(message), Target::Any, Some(timeout)) => {
                producer.send_timeout(message, timeout).await
            }
            (Cargo::One(message), Target::Any, None) => producer.send(message).await,
        }
    }
}

/// # Safety
/// `message` is NULL or readable.
unsafe fn one(message: *const tminus_message_t) -> Result<Cargo> {
    // SAFETY: the caller's promise.
    Ok(Cargo::One(unsafe { message::copy(message)? }))
}

/// # Safety
/// `messages` is NULL or an array of `count` readable messages.
unsafe fn batch(messages: *const tminus_message_t, count: usize) -> Result<Cargo> {
    // SAFETY: the caller's promise.
    Ok(Cargo::Batch(unsafe { message::copy_all(messages, count)? }))
}

/// # Safety
/// All pointers are NULL or valid.
unsafe fn send(
    producer: *const tminus_producer_t,
    cargo: impl FnOnce() -> Result<Cargo>,
    options: *const tminus_send_options_t,
    cancel: *const tminus_cancel_t,
    receipt: *mut *mut tminus_receipt_t,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let sent = unsafe {
        let producer = borrow(producer, "send")?;
        let request = Request::new(cargo()?, options)?;
        block_on(cancel, "send", Outcome::MaybeSent, request.run(producer.producer.clone()))?
    };
    if !receipt.is_null() {
        // SAFETY: the host passes NULL or a place for one pointer.
        unsafe { receipt.write(receipt::give(sent)) };
    }
    Ok(())
}

/// # Safety
/// All pointers are NULL or valid.
unsafe fn submit(
    producer: *const tminus_producer_t,
    cargo: impl FnOnce() -> Result<Cargo>,
    options: *const tminus_send_options_t,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (producer, queue, request) =
        unsafe { (borrow(producer, "send")?, borrow(queue, "send")?, Request::new(cargo()?, options)?) };
    let producer = producer.producer.clone();
    let work = async move { request.run(producer).await.map(Payload::Sent) };
    // SAFETY: the caller's promise.
    unsafe { queue.submit(Kind::Send, user_data, op, work) }
}

/// Sends a message and waits for the receipt. `options` NULL: the producer's deadline, any queue. `receipt` may be NULL.
/// Whatever fails, `error->outcome` says what became of the message.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `receipt` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_send(
    producer: *const tminus_producer_t,
    message: *const tminus_message_t,
    options: *const tminus_send_options_t,
    cancel: *const tminus_cancel_t,
    receipt: *mut *mut tminus_receipt_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes what `send` asks for.
    call(error, "send", || unsafe { send(producer, || one(message), options, cancel, receipt) })
}

/// Sends `count` messages of one topic as one batch (not scheduled); as `tminus_producer_send` otherwise.
///
/// # Safety
/// As `tminus_producer_send`; `messages` is NULL or an array of `count` messages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_send_batch(
    producer: *const tminus_producer_t,
    messages: *const tminus_message_t,
    count: usize,
    options: *const tminus_send_options_t,
    cancel: *const tminus_cancel_t,
    receipt: *mut *mut tminus_receipt_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes what `send` asks for.
    call(error, "send", || unsafe { send(producer, || batch(messages, count), options, cancel, receipt) })
}

/// Hands a message to the connection and does not wait for the server.
///
/// # Safety
/// As `tminus_producer_send`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_send_one_way(
    producer: *const tminus_producer_t,
    message: *const tminus_message_t,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "send", || {
        // SAFETY: the host passes a live producer, a readable message, and NULL or a live token.
        unsafe {
            let producer = borrow(producer, "send")?;
            let message = message::copy(message)?;
            block_on(cancel, "send", Outcome::MaybeSent, producer.producer.send_one_way(message))
        }
    })
}

/// Submits a send: when this is `TMINUS_OK`, exactly one completion with `user_data` comes to `queue`, else none. `op`
/// may be NULL; `tminus_op_cancel` takes it. The message is copied before this returns.
///
/// # Safety
/// As `tminus_producer_send`; `queue` is NULL or live; `op` is NULL or a place for one value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_submit_send(
    producer: *const tminus_producer_t,
    message: *const tminus_message_t,
    options: *const tminus_send_options_t,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes what `submit` asks for.
    call(error, "send", || unsafe { submit(producer, || one(message), options, queue, user_data, op) })
}

/// Submits a batch; see `tminus_producer_submit_send` and `tminus_producer_send_batch`.
///
/// # Safety
/// As `tminus_producer_submit_send`; `messages` is NULL or an array of `count` messages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_submit_send_batch(
    producer: *const tminus_producer_t,
    messages: *const tminus_message_t,
    count: usize,
    options: *const tminus_send_options_t,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes what `submit` asks for.
    call(error, "send", || unsafe {
        submit(producer, || batch(messages, count), options, queue, user_data, op)
    })
}
