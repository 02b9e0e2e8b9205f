//! A message on its way out.

use std::mem::offset_of;

use tminus_core::{DeliveryTime, Error, ErrorKind, Message, Result, clock};

use crate::boundary::wait_ms;
use crate::data::{invalid, slice, tminus_bytes_t, tminus_property_t, tminus_str_t};
use crate::settings::{Growing, count, read};

/// Not scheduled (or scheduled by a raw property such as `__STARTDELIVERTIME`).
pub const TMINUS_DELIVERY_NONE: i32 = 0;
/// `delivery_value` is a time, Unix ms; a past one means at once.
pub const TMINUS_DELIVERY_AT_MS: i32 = 1;
/// `delivery_value` is a delay in ms from the send call.
pub const TMINUS_DELIVERY_AFTER_MS: i32 = 2;
/// `delivery_value` is the server's delay level, 1..=18; 0: no delay.
pub const TMINUS_DELIVERY_LEVEL: i32 = 3;

/// A message to send. Borrowed for the call and copied once. Everything but `struct_size`, `topic` and `body` may stay
/// zero; start with `TMINUS_MESSAGE_INIT`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_message_t {
    /// `sizeof(tminus_message_t)`.
    pub struct_size: u32,
    /// User flag of the record.
    pub flag: i32,
    pub topic: tminus_str_t,
    /// 1 byte to 4 MiB.
    pub body: tminus_bytes_t,
    /// Consumers filter by it.
    pub tag: tminus_str_t,
    /// Index keys, separated by spaces.
    pub keys: tminus_str_t,
    pub properties: *const tminus_property_t,
    pub property_count: usize,
    /// `TMINUS_DELIVERY_*`: how to read `delivery_value`.
    pub delivery: i32,
    pub reserved: i32,
    pub delivery_value: i64,
    /// Messages of one group keep their order on a FIFO topic (over remoting: go to one queue).
    pub message_group: tminus_str_t,
    /// 1: `priority` counts. Default 0: none.
    pub has_priority: i32,
    /// 0 and up, for topics that keep priorities.
    pub priority: i32,
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Growing for tminus_message_t {
    const NAME: &'static str = "tminus_message_t";
    const FIRST_SIZE: usize = offset_of!(Self, message_group);

    fn defaults() -> Result<Self> {
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            flag: 0,
            topic: tminus_str_t::NONE,
            body: tminus_bytes_t::NONE,
            tag: tminus_str_t::NONE,
            keys: tminus_str_t::NONE,
            properties: std::ptr::null(),
            property_count: 0,
            delivery: TMINUS_DELIVERY_NONE,
            reserved: 0,
            delivery_value: 0,
            message_group: tminus_str_t::NONE,
            has_priority: 0,
            priority: 0,
        })
    }
}

/// Copies a message of the host.
///
/// # Safety
/// `given` is NULL or a readable message, and so is all it points to.
pub(crate) unsafe fn copy(given: *const tminus_message_t) -> Result<Message> {
    if given.is_null() {
        return Err(invalid("send", "the message is NULL"));
    }
    // SAFETY: all reads rest on the caller's promise.
    unsafe {
        let given = read(given, "send")?;
        let mut message = Message::new(given.topic.read("topic", "send")?, given.body.copy("body", "send")?)
            .flag(given.flag)
            .tag(given.tag.read("tag", "send")?)
            .keys(given.keys.read_option("keys", "send")?);
        if let Some(group) = given.message_group.read_option("message_group", "send")? {
            message = message.message_group(group);
        }
        if given.has_priority != 0 {
            message = message.priority(count(given.priority.into(), "priority", "send")?);
        }
        for property in slice(given.properties, given.property_count, "properties", "send")? {
            let (name, value) = (
                property.name.read("property name", "send")?,
                property.value.read("property value", "send")?,
            );
            message = message.property(name, value);
        }
        message.set_delivery_time(delivery_time(given.delivery, given.delivery_value)?);
        Ok(message)
    }
}

/// Copies an array of messages, whose stride is the `struct_size` of the first.
///
/// # Safety
/// `given` is NULL or an array of `count` readable messages of one size, and so is all they point to.
pub(crate) unsafe fn copy_all(given: *const tminus_message_t, count: usize) -> Result<Vec<Message>> {
    if given.is_null() || count == 0 {
        return Err(invalid("send", "the batch is empty; pass at least one message"));
    }
    // SAFETY: the caller's promise; each message is checked for the size of the first before it is read.
    unsafe {
        let stride = (*given).struct_size as usize;
        (0..count)
            .map(|i| {
                let message = given.cast::<u8>().add(i * stride).cast::<tminus_message_t>();
                if (*message).struct_size as usize != stride {
                    return Err(invalid(
                        "send",
                        format!("message {i} of the batch has another struct_size than the first"),
                    ));
                }
                copy(message)
            })
            .collect()
    }
}

fn delivery_time(kind: i32, value: i64) -> Result<Option<DeliveryTime>> {
    Ok(Some(match kind {
        TMINUS_DELIVERY_NONE => return Ok(None),
        TMINUS_DELIVERY_AT_MS => DeliveryTime::At(clock::from_ms(value)),
        TMINUS_DELIVERY_AFTER_MS => DeliveryTime::After(
            wait_ms(value).ok_or_else(|| unusable_time(format!("the delay is negative ({value} ms)")))?,
        ),
        TMINUS_DELIVERY_LEVEL => DeliveryTime::Level(
            u8::try_from(value)
                .map_err(|_| unusable_time(format!("{value} is no delay level; give 0 to 18")))?,
        ),
        other => return Err(invalid("send", format!("delivery is {other}; use one of TMINUS_DELIVERY_*"))),
    }))
}

fn unusable_time(text: String) -> Error {
    Error::new(ErrorKind::InvalidDeliveryTime, "send", text)
}
