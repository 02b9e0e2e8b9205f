//! The end of a transaction.

use super::super::Refusal;
use super::call::Call;
use super::status;
use crate::codec::grpc::proto::{Code, EndTransactionRequest, EndTransactionResponse, TransactionResolution};

/// EndTransaction.
pub(super) fn end(
    call: &Call<'_>,
    request: EndTransactionRequest,
) -> Result<EndTransactionResponse, Refusal> {
    let topic = call.topic(request.topic.as_ref())?;
    let id = &request.transaction_id;
    if id.is_empty() {
        return Err(status::refusal(Code::InvalidTransactionId, "the transaction id is empty"));
    }
    let resolution = request.resolution();
    // A producer that does not know will be asked again.
    if resolution != TransactionResolution::Unspecified {
        let mut state = call.node.state();
        let message = state
            .transactions
            .end_by_id(&topic, id)
            .map_err(|remark| status::refusal(Code::InternalServerError, remark))?;
        if resolution == TransactionResolution::Commit {
            state.publish(message, call.node.clock.now_ms())?;
        }
    }
    Ok(EndTransactionResponse { status: status::ok() })
}
