//! Who is there, and who leaves.

use super::super::Refusal;
use super::call::Call;
use super::status;
use crate::clock;
use crate::codec::grpc::proto::{
    ClientType, Code, HeartbeatRequest, HeartbeatResponse, NotifyClientTerminationRequest,
    NotifyClientTerminationResponse,
};

/// Heartbeat.
pub(super) fn heartbeat(call: &Call<'_>, request: HeartbeatRequest) -> Result<HeartbeatResponse, Refusal> {
    if matches!(request.client_type(), ClientType::Unspecified) {
        let remark = format!("a client of type {} cannot be served", request.client_type);
        return Err(status::refusal(Code::UnrecognizedClientType, remark));
    }
    if request.group.is_some() {
        call.group(request.group.as_ref())?;
    }
    if !call.node.state().clients.seen(call.client_id, clock::instant()) {
        return Err(unknown(call));
    }
    Ok(HeartbeatResponse { status: status::ok() })
}

/// NotifyClientTermination.
pub(super) fn terminate(
    call: &Call<'_>,
    _: NotifyClientTerminationRequest,
) -> Result<NotifyClientTerminationResponse, Refusal> {
    let mut state = call.node.state();
    if !state.clients.leave(call.client_id) {
        return Err(unknown(call));
    }
    state.release(call.client_id, call.node.clock.now_ms());
    Ok(NotifyClientTerminationResponse { status: status::ok() })
}

/// The client has not told its settings, or the broker has forgotten them.
fn unknown(call: &Call<'_>) -> Refusal {
    let remark =
        format!("client {} has no settings here: send them on the telemetry stream first", call.client_id);
    status::refusal(Code::UnrecognizedClientType, remark)
}
