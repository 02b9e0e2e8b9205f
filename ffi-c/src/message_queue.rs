//! Queues of a topic.

use tminus_core::{MessageQueue, Result};

use crate::data::tminus_str_t;

/// One queue of a topic on one broker.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_message_queue_t {
    pub topic: tminus_str_t,
    /// Broker name (not its address).
    pub broker: tminus_str_t,
    /// Queue number within topic and broker, from 0.
    pub id: i32,
    pub reserved: i32,
}

/// A list of queues. Made by the library, freed by `tminus_message_queues_free`.
#[repr(C)]
pub struct tminus_message_queues_t {
    pub queues: *const tminus_message_queue_t,
    pub size: usize,
}

/// The list and what it lends; the host sees a pointer to the first field.
#[repr(C)]
struct Owned {
    view: tminus_message_queues_t,
    lent: Vec<tminus_message_queue_t>,
    queues: Vec<MessageQueue>,
}

impl tminus_message_queue_t {
    pub(crate) fn lend(queue: &MessageQueue) -> Self {
        Self {
            topic: tminus_str_t::lend(&queue.topic),
            broker: tminus_str_t::lend(&queue.broker),
            id: queue.id,
            reserved: 0,
        }
    }

    /// Copies the input.
    ///
    /// # Safety
    /// The texts are readable.
    pub(crate) unsafe fn copy(&self, operation: &'static str) -> Result<MessageQueue> {
        // SAFETY: the caller's promise is the same.
        let (topic, broker) = unsafe {
            (self.topic.read("queue.topic", operation)?, self.broker.read("queue.broker", operation)?)
        };
        Ok(MessageQueue { topic: topic.to_owned(), broker: broker.to_owned(), id: self.id })
    }
}

/// Hands a list to the host.
pub(crate) fn give(queues: Vec<MessageQueue>) -> *mut tminus_message_queues_t {
    let lent: Vec<_> = queues.iter().map(tminus_message_queue_t::lend).collect();
    let view = tminus_message_queues_t { queues: lent.as_ptr(), size: lent.len() };
    Box::into_raw(Box::new(Owned { view, lent, queues })).cast()
}

/// Frees a list. NULL is allowed.
///
/// # Safety
/// `queues` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_message_queues_free(queues: *mut tminus_message_queues_t) {
    if !queues.is_null() {
        // SAFETY: every list the library gives out is an `Owned` from `give`.
        drop(unsafe { Box::from_raw(queues.cast::<Owned>()) });
    }
}
