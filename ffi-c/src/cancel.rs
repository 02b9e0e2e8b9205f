//! A token that ends blocking calls early.

use tminus_core::Result;
use tokio::sync::watch;

use crate::boundary::{Handle, Out, borrow, call, quietly, take};
use crate::error::{tminus_error_t, tminus_status_t};

/// Ends blocking calls from another thread. One token may be passed to many calls; once fired it stays fired.
pub struct tminus_cancel_t {
    process: u32,
    fired: watch::Sender<bool>,
}

impl Handle for tminus_cancel_t {
    const NOUN: &'static str = "cancel token";

    fn process(&self) -> u32 {
        self.process
    }
}

impl tminus_cancel_t {
    pub(crate) fn is_fired(&self) -> bool {
        *self.fired.borrow()
    }

    pub(crate) async fn fired(&self) {
        // The sender is `self`, so this ends by firing only.
        let _ = self.fired.subscribe().wait_for(|fired| *fired).await;
    }
}

/// Makes a cancel token; free it with `tminus_cancel_free`.
///
/// # Safety
/// `out` and `error` are NULL or places for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_cancel_new(
    out: *mut *mut tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "cancel", || {
        let out = Out::new(out, "out", "cancel")?;
        out.give(tminus_cancel_t { process: std::process::id(), fired: watch::Sender::new(false) });
        Ok(())
    })
}

/// Ends every call that waits with this token, and every later one, with `TMINUS_CANCELLED`.
///
/// # Safety
/// `cancel` is NULL or a live token; `error` is NULL or a place for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_cancel_fire(
    cancel: *const tminus_cancel_t,
    error: *mut *mut tminus_error_t,
) -> tminus_status_t {
    call(error, "cancel", || fire(cancel))
}

fn fire(cancel: *const tminus_cancel_t) -> Result<()> {
    // SAFETY: the host passes NULL or a live token.
    unsafe { borrow(cancel, "cancel")? }.fired.send_replace(true);
    Ok(())
}

/// Frees a token that no call uses any more. NULL is allowed.
///
/// # Safety
/// `cancel` is NULL or a live token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tminus_cancel_free(cancel: *mut tminus_cancel_t) {
    // SAFETY: the host passes NULL or a token that nothing else uses.
    quietly((), || drop(unsafe { take(cancel) }));
}
