//! A call of a client, copied from the host: done while the host thread waits, or while it goes on.

use tminus_core::Result;

use crate::boundary::{Handle, block_on, borrow};
use crate::cancel::tminus_cancel_t;
use crate::completion::tminus_op_t;
use crate::driver::{Kind, Payload};
use crate::queue::tminus_queue_t;

/// What is asked of a client.
pub(crate) trait Request: Sized {
    /// Whom the host names.
    type Owner: Handle;

    fn kind(&self) -> Kind;

    /// The call; it shares what it needs of `owner`, and outlives it.
    fn run(self, owner: &Self::Owner) -> impl Future<Output = Result<Payload>> + Send + 'static;
}

/// Does it while the host thread waits.
///
/// # Safety
/// All pointers are NULL or valid.
pub(crate) unsafe fn block<R: Request>(
    owner: *const R::Owner,
    request: R,
    cancel: *const tminus_cancel_t,
) -> Result<Payload> {
    let kind = request.kind();
    // SAFETY: the caller's promise.
    unsafe {
        let call = request.run(borrow(owner, kind.operation())?);
        block_on(cancel, kind.operation(), kind.interrupted(), call)
    }
}

/// Does it while the host goes on.
///
/// # Safety
/// All pointers are NULL or valid.
pub(crate) unsafe fn submit<R: Request>(
    owner: *const R::Owner,
    request: R,
    queue: *const tminus_queue_t,
    user_data: u64,
    op: *mut tminus_op_t,
) -> Result<()> {
    let kind = request.kind();
    // SAFETY: the caller's promise.
    unsafe {
        let call = request.run(borrow(owner, kind.operation())?);
        borrow(queue, kind.operation())?.submit(kind, user_data, op, call)
    }
}
