//! Taking back a scheduled message.

use super::super::Refusal;
use super::call::Call;
use super::status;
use crate::codec::grpc::proto::{RecallMessageRequest, RecallMessageResponse};

/// RecallMessage.
pub(super) fn recall(
    call: &Call<'_>,
    request: RecallMessageRequest,
) -> Result<RecallMessageResponse, Refusal> {
    let topic = call.topic(request.topic.as_ref())?;
    let message_id = call.node.state().recall_by(&topic, &request.recall_handle)?;
    Ok(RecallMessageResponse { status: status::ok(), message_id })
}
