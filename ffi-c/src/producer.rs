//! The producer.

use tminus_core::message::{BeyondPolicy, DelayLimits, PastPolicy};
use tminus_core::{Message, MessageQueue, Outcome, Producer, ProducerOptions, Result, SendReceipt};

use crate::boundary::{Handle, Out, block_on, borrow, call, quietly, take, wait_ms};
use crate::cancel::tminus_cancel_t;
use crate::client::{self, tminus_client_options_t};
use crate::data::{invalid, tminus_str_t};
use crate::driver::{Kind, Payload};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::message::{self, tminus_message_t};
use crate::message_queue::{self, tminus_message_queue_t, tminus_message_queues_t};
use crate::queue::{tminus_op_t, tminus_queue_t};
use crate::receipt::{self, tminus_receipt_t};
use crate::settings::{Sized32, count, duration, init, ms, read};

/// How a producer sends. `tminus_producer_options_init` fills in the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_producer_options_t {
    pub struct_size: u32,
    /// Further attempts, each on another broker if there is one. Default 2.
    pub retries: i32,
    /// Default "DEFAULT_PRODUCER".
    pub group: tminus_str_t,
    /// Deadline of a send when the call gives none; all attempts share it. Default 3000.
    pub send_timeout_ms: i64,
    /// Largest body. Default 4 MiB.
    pub max_body_bytes: i64,
    /// Bodies of at least this size are compressed; -1: never. Default 4096.
    pub compress_above_bytes: i64,
    /// Farthest delivery time from now. Default 365 days.
    pub delay_max_ahead_ms: i64,
    /// zlib level 1..=9. Default 5.
    pub compress_level: i32,
    /// 1: a delivery time already past is refused. Default 0: delivered at once.
    pub delay_refuse_past: i32,
    /// 1: a delivery time beyond the limit is sent all the same. Default 0: refused.
    pub delay_allow_beyond: i32,
    /// Queue count of a topic that the first send creates. Default 4.
    pub default_topic_queues: i32,
}

/// How one message or batch is sent. All zero but `struct_size`, and -1 in `timeout_ms`, is the same as NULL.
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
unsafe impl Sized32 for tminus_producer_options_t {
    const NAME: &'static str = "tminus_producer_options_t";
    const FIRST_SIZE: usize = size_of::<Self>();

    fn defaults() -> Result<Self> {
        let core = ProducerOptions::new("localhost:9876")?;
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            retries: i32::try_from(core.retries).unwrap_or(i32::MAX),
            group: tminus_str_t::NONE,
            send_timeout_ms: ms(core.send_timeout),
            max_body_bytes: core.max_body_bytes as i64,
            compress_above_bytes: core.compress_above_bytes.map_or(-1, |bytes| bytes as i64),
            delay_max_ahead_ms: ms(core.delay_limits.max_ahead),
            compress_level: core.compress_level as i32,
            delay_refuse_past: i32::from(core.delay_limits.past == PastPolicy::Refuse),
            delay_allow_beyond: i32::from(core.delay_limits.beyond == BeyondPolicy::LetServerDecide),
            default_topic_queues: core.default_topic_queues,
        })
    }
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Sized32 for tminus_send_options_t {
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

/// Sends messages. Any thread may use it.
pub struct tminus_producer_t {
    process: u32,
    producer: Producer,
}

impl Handle for tminus_producer_t {
    const NOUN: &'static str = "producer";

    fn process(&self) -> u32 {
        self.process
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
    One(Box<Message>),
    Batch(Vec<Message>),
}

/// A send, copied from the host.
struct Request {
    cargo: Cargo,
    target: Target,
    timeout: Option<std::time::Duration>,
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
                producer.send_by_key(*message, &key, timeout).await
            }
            (Cargo::One(message), Target::Queue(queue), timeout) => {
                producer.send_to_queue(*message, &queue, timeout).await
            }
            (Cargo::One(message), Target::Any, Some(timeout)) => {
                producer.send_timeout(*message, timeout).await
            }
            (Cargo::One(message), Target::Any, None) => producer.send(*message).await,
        }
    }
}

/// # Safety
/// Both are NULL or readable options, and so is all they point to.
unsafe fn options(
    client: *const tminus_client_options_t,
    given: *const tminus_producer_options_t,
) -> Result<ProducerOptions> {
    // SAFETY: the caller's promise.
    let (client, given, group) = unsafe {
        let given = read(given, "start")?;
        (client::copy(client, "start")?, given, given.group.read_option("group", "start")?)
    };
    let mut options = ProducerOptions::with_client(client);
    if let Some(group) = group {
        options.group = group.to_owned();
    }
    options.retries = count(given.retries.into(), "retries", "start")?;
    options.send_timeout = duration(given.send_timeout_ms, "send_timeout_ms", "start")?;
    options.max_body_bytes = count(given.max_body_bytes, "max_body_bytes", "start")?;
    options.compress_above_bytes = usize::try_from(given.compress_above_bytes).ok();
    options.compress_level = count(given.compress_level.into(), "compress_level", "start")?;
    options.default_topic_queues = given.default_topic_queues;
    options.delay_limits = DelayLimits {
        max_ahead: duration(given.delay_max_ahead_ms, "delay_max_ahead_ms", "start")?,
        past: if given.delay_refuse_past != 0 { PastPolicy::Refuse } else { PastPolicy::DeliverNow },
        beyond: if given.delay_allow_beyond != 0 {
            BeyondPolicy::LetServerDecide
        } else {
            BeyondPolicy::Refuse
        },
    };
    Ok(options)
}

/// Fills producer options of `size` bytes with the defaults.
///
/// # Safety
/// `options` is NULL or points to `size` writable bytes; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_options_init(
    options: *mut tminus_producer_options_t,
    size: usize,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes NULL or `size` writable bytes.
    call(error, "options", || unsafe { init(options, size, "options") })
}

/// Starts a producer: checks the options and connects to a name server. `options` NULL: all defaults. Free it with
/// `tminus_producer_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `out` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_start(
    client: *const tminus_client_options_t,
    options: *const tminus_producer_options_t,
    cancel: *const tminus_cancel_t,
    out: *mut *mut tminus_producer_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "start", || {
        let out = Out::new(out, "out", "start")?;
        // SAFETY: the host passes readable options and NULL or a live token.
        let producer = unsafe {
            let options = self::options(client, options)?;
            block_on(cancel, "start", Outcome::NotSent, Producer::start(options))?
        };
        out.give(tminus_producer_t { process: std::process::id(), producer });
        Ok(())
    })
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

/// # Safety
/// `message` is NULL or readable.
unsafe fn one(message: *const tminus_message_t) -> Result<Cargo> {
    // SAFETY: the caller's promise.
    Ok(Cargo::One(Box::new(unsafe { message::copy(message)? })))
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
    let work = Box::pin(async move { request.run(producer).await.map(Payload::Sent) });
    let id = queue.submit(Kind::Send, user_data, work)?;
    if !op.is_null() {
        // SAFETY: the host passes NULL or a place for one value.
        unsafe { op.write(id) };
    }
    Ok(())
}

/// The queues that messages for `topic` can go to. Free the list with `tminus_message_queues_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `out` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_queues(
    producer: *const tminus_producer_t,
    topic: tminus_str_t,
    cancel: *const tminus_cancel_t,
    out: *mut *mut tminus_message_queues_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "queues", || {
        let out = Out::new(out, "out", "queues")?;
        // SAFETY: the host passes a live producer, readable text, and NULL or a live token.
        let queues = unsafe {
            let producer = borrow(producer, "queues")?;
            let topic = topic.read("topic", "queues")?;
            block_on(cancel, "queues", Outcome::NotSent, producer.producer.queues(topic))?
        };
        out.set(message_queue::give(queues));
        Ok(())
    })
}

/// The client id in use; it lives as long as the producer. None if the producer is unusable.
///
/// # Safety
/// `producer` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_client_id(producer: *const tminus_producer_t) -> tminus_str_t {
    quietly(tminus_str_t::NONE, || {
        // SAFETY: the host passes NULL or a live producer.
        unsafe { borrow(producer, "client id") }
            .map_or(tminus_str_t::NONE, |producer| tminus_str_t::lend(producer.producer.client_id()))
    })
}

/// Signs off at the brokers and closes the connections, in at most 3 s. Later sends are `TMINUS_CLOSED`; a second
/// shutdown does nothing.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_shutdown(
    producer: *const tminus_producer_t,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "shutdown", || {
        // SAFETY: the host passes a live producer, and NULL or a live token.
        unsafe {
            let producer = borrow(producer, "shutdown")?;
            block_on(cancel, "shutdown", Outcome::NotSent, async {
                producer.producer.shutdown().await;
                Ok(())
            })
        }
    })
}

/// Shuts the producer down if need be, and frees it. Submitted sends may still be under way: they complete as
/// `TMINUS_CLOSED` at the latest. NULL is allowed.
///
/// # Safety
/// `producer` is NULL or live, and no other call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_producer_free(producer: *mut tminus_producer_t) {
    quietly((), || {
        // SAFETY: the host passes NULL or a producer that nothing else uses.
        let Some(producer) = (unsafe { take(producer) }) else { return };
        if let Ok(runtime) = tminus_core::runtime::handle("shutdown") {
            runtime.block_on(producer.producer.shutdown());
        }
    });
}
