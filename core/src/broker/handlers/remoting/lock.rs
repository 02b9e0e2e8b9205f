//! Queue locks of orderly consumers (41, 42).

use super::super::{Answer, Request};
use crate::clock;
use crate::codec::remoting::body::{JsonBody, LockReply, LockRequest};

/// LOCK_BATCH_MQ.
pub(super) fn lock(request: &Request<'_>) -> Answer {
    let LockRequest { client_id, consumer_group, mq_set, .. } = LockRequest::decode(&request.frame.body)?;
    let now = clock::instant();
    let mut state = request.node.state();
    let mut locked = mq_set;
    locked.retain(|queue| state.locks.lock(&consumer_group, &queue.topic, queue.queue_id, &client_id, now));
    Ok(Some(request.success().with_body(LockReply { locked }.encode())))
}

/// UNLOCK_BATCH_MQ.
pub(super) fn unlock(request: &Request<'_>) -> Answer {
    let LockRequest { client_id, consumer_group, mq_set, .. } = LockRequest::decode(&request.frame.body)?;
    let mut state = request.node.state();
    for queue in mq_set {
        state.locks.unlock(&consumer_group, &queue.topic, queue.queue_id, &client_id);
    }
    Ok(Some(request.success()))
}
