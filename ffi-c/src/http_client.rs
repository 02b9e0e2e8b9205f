//! The HTTP client: its life.

use tminus_core::runtime::handle as runtime;
use tminus_core::{HttpClient, Outcome, SharedCredentials};

use crate::boundary::{Handle, Out, block_on, borrow, call, quietly, take};
use crate::cancel::tminus_cancel_t;
use crate::client::{self, tminus_client_options_t};
use crate::credentials::{self, tminus_credentials_t};
use crate::error::{tminus_error_t, tminus_status_t};

/// Does what the document of ApsaraMQ HTTP describes, call by call: publish, consume, acknowledge, and end transactions by
/// handle. Producers and consumers stand on the same calls and work over every protocol. Any thread may use it.
pub struct tminus_http_client_t {
    process: u32,
    credentials: Option<SharedCredentials>,
    pub(crate) client: HttpClient,
}

impl Handle for tminus_http_client_t {
    const NOUN: &'static str = "HTTP client";

    fn process(&self) -> u32 {
        self.process
    }
}

/// Makes a client of an `http://` or `https://` endpoint; `name_space` of the options is the instance id. Nothing is sent
/// before the first call. `TMINUS_UNSUPPORTED` for an endpoint of another protocol. Free it with `tminus_http_client_free`.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `out` and `error` are places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_new(
    client: *const tminus_client_options_t,
    out: *mut *mut tminus_http_client_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "start", || {
        let out = Out::new(out, "out", "start")?;
        // SAFETY: the host passes readable options.
        let options = unsafe { client::copy(client, "start")? };
        let credentials = options.credentials.clone();
        let client = HttpClient::new(options)?;
        out.give(tminus_http_client_t { process: std::process::id(), credentials, client });
        Ok(())
    })
}

/// Replaces the credentials: every request from now on is signed with these. For temporary ones, which expire. Refused for
/// a client that was made without.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_set_credentials(
    client: *const tminus_http_client_t,
    credentials: *const tminus_credentials_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "set credentials", || {
        // SAFETY: the host passes a live client and NULL or readable credentials.
        unsafe {
            let client = borrow(client, "set credentials")?;
            credentials::replace(client.credentials.as_ref(), credentials)
        }
    })
}

/// Closes the connections. Calls under way end with `TMINUS_CLOSED`; a second shutdown does nothing.
///
/// # Safety
/// Pointers are NULL or valid as their types say; `error` is a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_shutdown(
    client: *const tminus_http_client_t,
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "shutdown", || {
        // SAFETY: the host passes a live client, and NULL or a live token.
        unsafe {
            let client = borrow(client, "shutdown")?;
            block_on(cancel, "shutdown", Outcome::NotSent, async {
                client.client.shutdown().await;
                Ok(())
            })
        }
    })
}

/// Shuts the client down if need be, and frees it. Submitted operations may still be under way: they complete as
/// `TMINUS_CLOSED` at the latest. Batches taken from it stay readable. NULL is allowed.
///
/// # Safety
/// `client` is NULL or live, and no other call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_http_client_free(client: *mut tminus_http_client_t) {
    quietly((), || {
        // SAFETY: the host passes NULL or a client that nothing else uses.
        let Some(client) = (unsafe { take(client) }) else { return };
        if let Ok(runtime) = runtime("shutdown") {
            runtime.block_on(client.client.shutdown());
        }
    });
}
