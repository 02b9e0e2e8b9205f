//! Which queues a push consumer receives from (400).

use super::super::Refusal;
use super::call::Call;
use super::{route, status};
use crate::codec::grpc::proto::{
    Assignment, Code, MessageQueue, Permission, QueryAssignmentRequest, QueryAssignmentResponse,
    QueryRouteRequest,
};

/// QueryAssignment: all readable queues, one by one for a FIFO group, those of a broker together for others.
pub(super) fn query(
    call: &Call<'_>,
    request: QueryAssignmentRequest,
) -> Result<QueryAssignmentResponse, Refusal> {
    let group = call.group(request.group.as_ref())?;
    let QueryAssignmentRequest { topic, endpoints, .. } = request;
    let mut queues = route::query(call, QueryRouteRequest { topic, endpoints })?.message_queues;
    queues.retain(|queue| matches!(queue.permission(), Permission::Read | Permission::ReadWrite));
    if queues.is_empty() {
        return Err(status::refusal(Code::Forbidden, "no queue of the topic may be read"));
    }
    if !call.node.state().groups.options(&group).fifo {
        queues.dedup_by(|next, queue| next.broker == queue.broker);
        queues.iter_mut().for_each(|queue| queue.id = -1);
    }
    let assignments = queues.into_iter().map(|queue| Assignment {
        message_queue: Some(MessageQueue { accept_message_types: Vec::new(), ..queue }),
    });
    Ok(QueryAssignmentResponse { status: status::ok(), assignments: assignments.collect() })
}
