//! The boundary itself: panics are caught, pointers checked, process ids compared, host threads parked.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tminus_core::runtime::{check_process, handle};
use tminus_core::{Error, ErrorKind, Outcome, Result};

use crate::cancel::tminus_cancel_t;
use crate::data::invalid;
use crate::error::{give, tminus_error_t, tminus_status_t};

/// `TMINUS_OK`.
const OK: tminus_status_t = 0;

/// Runs the body of an exported function: a panic becomes an `internal` error, an error is given to the host.
pub(crate) fn call(
    error: *mut *mut tminus_error_t,
    operation: &'static str,
    body: impl FnOnce() -> Result<()>,
) -> tminus_status_t {
    let result =
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(panicked(operation, &*panic)));
    let (status, given) = match &result {
        Ok(()) => (OK, std::ptr::null_mut()),
        Err(e) if error.is_null() => (e.kind() as tminus_status_t, std::ptr::null_mut()),
        Err(e) => (e.kind() as tminus_status_t, give(e)),
    };
    if !error.is_null() {
        // SAFETY: the host passes NULL or a place for one pointer.
        unsafe { error.write(given) };
    }
    status
}

/// Runs the body of an exported function that cannot report an error.
pub(crate) fn quietly<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

/// The error that a caught panic becomes.
pub(crate) fn panicked(operation: &'static str, panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text");
    let outcome = if operation == "send" { Outcome::MaybeSent } else { Outcome::NotSent };
    Error::new(ErrorKind::Internal, operation, format!("a defect of tminus, please report it: panic: {text}"))
        .with_outcome(outcome)
}

/// Locks; a lock that a panic poisoned is used on, its data being valid at every step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An opaque object owned by the host, that remembers the process it was made in.
pub(crate) trait Handle: Sized {
    /// Its name in error texts.
    const NOUN: &'static str;

    /// The process it was made in.
    fn process(&self) -> u32;
}

/// Borrows an object the host passed in.
///
/// # Safety
/// `object` is NULL or was made by this library, is not freed, and stays so for `'a`.
pub(crate) unsafe fn borrow<'a, T: Handle>(object: *const T, operation: &'static str) -> Result<&'a T> {
    // SAFETY: the caller's promise.
    let object =
        unsafe { object.as_ref() }.ok_or_else(|| invalid(operation, format!("the {} is NULL", T::NOUN)))?;
    check_process(object.process(), operation)?;
    Ok(object)
}

/// Takes an object back from the host to free it; `None` for NULL, and in a forked child, where its threads do not
/// exist and it is left alone.
///
/// # Safety
/// `object` is NULL or was made by this library and is not freed; no other call uses it.
pub(crate) unsafe fn take<T: Handle>(object: *mut T) -> Option<Box<T>> {
    // SAFETY: the caller's promise.
    let process = unsafe { object.as_ref() }?.process();
    // SAFETY: every object the library gives out is a `Box`.
    (process == std::process::id()).then(|| unsafe { Box::from_raw(object) })
}

/// A place for a result, which must be there before any work is done.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    pub(crate) fn new(place: *mut T, what: &str, operation: &'static str) -> Result<Self> {
        if place.is_null() {
            return Err(invalid(operation, format!("{what} is NULL; pass a place for the result")));
        }
        Ok(Self(place))
    }

    pub(crate) fn set(self, value: T) {
        // SAFETY: not NULL, and the host passes a place for one value.
        unsafe { self.0.write(value) };
    }
}

impl<T> Out<*mut T> {
    /// Moves an object to the host.
    pub(crate) fn give(self, value: T) {
        self.set(Box::into_raw(Box::new(value)));
    }
}

/// Milliseconds of the host as a duration; negative: none.
pub(crate) fn wait_ms(ms: i64) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// Runs a future on the calling host thread, which sleeps meanwhile. `cancel` ends the wait early; `interrupted` is what
/// is then known about the message.
///
/// # Safety
/// `cancel` is NULL or a live token.
pub(crate) unsafe fn block_on<T>(
    cancel: *const tminus_cancel_t,
    operation: &'static str,
    interrupted: Outcome,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let runtime = handle(operation)?;
    if cancel.is_null() {
        return runtime.block_on(work);
    }
    // SAFETY: the caller's promise.
    let token = unsafe { borrow(cancel, operation)? };
    if token.is_fired() {
        return Err(cancelled(operation, Outcome::NotSent));
    }
    runtime.block_on(async {
        tokio::select! {
            biased;
            result = work => result,
            () = token.fired() => Err(cancelled(operation, interrupted)),
        }
    })
}

/// The error of a call that the host cancelled.
pub(crate) fn cancelled(operation: &'static str, outcome: Outcome) -> Error {
    Error::new(ErrorKind::Cancelled, operation, "cancelled by the caller").with_outcome(outcome)
}
