//! The end of a transaction (37).

use super::super::{Answer, Refusal, Request};
use crate::codec::remoting::codes::response;
use crate::codec::remoting::record::sys_flag;

/// END_TRANSACTION.
pub(super) fn end(request: &Request<'_>) -> Answer {
    let group = request.text("producerGroup")?;
    let (queue_offset, offset) =
        (request.number("tranStateTableOffset")?, request.number("commitLogOffset")?);
    let ending: i32 = request.number("commitOrRollback")?;
    let commits = ending == sys_flag::TRANSACTION_COMMIT;
    if !commits && ending != sys_flag::TRANSACTION_ROLLBACK {
        // The producer does not know yet; it will be asked again. The real server does not answer this.
        return Ok(None);
    }
    let mut state = request.node.state();
    let message = state
        .transactions
        .end(group, queue_offset, offset)
        .map_err(|remark| Refusal::new(response::SYSTEM_ERROR, remark))?;
    if commits {
        state.publish(message, request.node.clock.now_ms())?;
    }
    Ok(Some(request.success()))
}
