//! A received message, lent to the host.

use tminus_core::MessageView;
use tminus_core::message::properties;

use crate::data::{tminus_address_t, tminus_bytes_t, tminus_property_t, tminus_str_t};

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
    /// Message group, of messages that keep their order.
    pub message_group: tminus_str_t,
    /// Which delivery this is, from 1.
    pub delivery_attempt: i32,
    /// 1: the body is not what the producer sent. Do not process it; unacknowledged it comes again. Simple consumers and
    /// HTTP clients only.
    pub is_corrupted: i32,
    /// When the handle expires and the message comes again, Unix ms of the server; -1 where it does not say (it does over
    /// ApsaraMQ HTTP, where it chooses the time).
    pub invisible_until_ms: i64,
    /// When the message was first delivered, Unix ms of the server; -1 where it does not say. Without meaning for
    /// messages received in order.
    pub first_delivered_ms: i64,
}

/// What a delivery says beside its message.
pub(crate) struct Circumstances {
    pub(crate) is_corrupted: bool,
    pub(crate) invisible_until_ms: Option<i64>,
    pub(crate) first_delivered_ms: Option<i64>,
}

impl Circumstances {
    /// Of deliveries that say nothing.
    pub(crate) const NONE: Self =
        Self { is_corrupted: false, invisible_until_ms: None, first_delivered_ms: None };
}

/// A message with what its view lends.
pub(crate) struct Lent {
    pub(crate) view: tminus_message_view_t,
    _properties: Vec<tminus_property_t>,
    _message: MessageView,
}

/// Lends what a message says.
pub(crate) fn lend(message: MessageView, circumstances: Circumstances) -> Lent {
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
        message_group: tminus_str_t::lend_option(message.message_group()),
        delivery_attempt: message.delivery_attempt(),
        is_corrupted: circumstances.is_corrupted.into(),
        invisible_until_ms: circumstances.invisible_until_ms.unwrap_or(-1),
        first_delivered_ms: circumstances.first_delivered_ms.unwrap_or(-1),
    };
    // Moving the message moves the headers of its texts, not what they point to.
    Lent { view, _properties: lent, _message: message }
}
