//! Settings of a simple consumer.

use tminus_core::{Result, SimpleConsumerOptions};

use crate::boundary::call;
use crate::client::{self, tminus_client_options_t};
use crate::data::{slice, tminus_str_t};
use crate::error::{tminus_error_t, tminus_status_t};
use crate::settings::{Growing, duration, init, ms, read};
use crate::subscription::tminus_subscription_t;

/// How a simple consumer receives. `tminus_simple_consumer_options_init` fills in the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_simple_consumer_options_t {
    pub struct_size: u32,
    /// 1: over ApsaraMQ HTTP, receive in order: the next messages of a message group come when all that were delivered of
    /// it are acknowledged. Default 0. Over gRPC it is a property of the consumer group at the server.
    pub orderly: i32,
    /// Consumer group. Required.
    pub group: tminus_str_t,
    /// How long a receive waits for a message when the call does not say. Default 15000.
    pub await_ms: i64,
}

// SAFETY: repr(C), size first, integers and pointers only.
unsafe impl Growing for tminus_simple_consumer_options_t {
    const NAME: &'static str = "tminus_simple_consumer_options_t";
    const FIRST_SIZE: usize = size_of::<Self>();

    fn defaults() -> Result<Self> {
        let core = SimpleConsumerOptions::new("localhost:8081", "")?;
        Ok(Self {
            struct_size: size_of::<Self>() as u32,
            orderly: core.orderly.into(),
            group: tminus_str_t::NONE,
            await_ms: ms(core.await_duration),
        })
    }
}

/// Copies the settings of the host.
///
/// # Safety
/// All are NULL or readable options, and so is all they point to.
pub(crate) unsafe fn copy(
    client: *const tminus_client_options_t,
    given: *const tminus_simple_consumer_options_t,
    subscriptions: *const tminus_subscription_t,
    subscription_count: usize,
) -> Result<SimpleConsumerOptions> {
    // SAFETY: the caller's promise.
    unsafe {
        let given = read(given, "start")?;
        let group = given.group.read("group", "start")?;
        let mut options = SimpleConsumerOptions::with_client(client::copy(client, "start")?, group);
        options.orderly = given.orderly != 0;
        options.await_duration = duration(given.await_ms, "await_ms", "start")?;
        for subscription in slice(subscriptions, subscription_count, "subscriptions", "start")? {
            options.subscriptions.push(subscription.copy("start")?);
        }
        Ok(options)
    }
}

/// Fills simple consumer options of `size` bytes with the defaults.
///
/// # Safety
/// `options` is NULL or points to `size` writable bytes; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_simple_consumer_options_init(
    options: *mut tminus_simple_consumer_options_t,
    size: usize,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    // SAFETY: the host passes NULL or `size` writable bytes.
    call(error, "options", || unsafe { init(options, size, "options") })
}
