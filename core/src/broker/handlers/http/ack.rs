//! Acknowledging (200051), and ending transactions (37).

use http::StatusCode;

use super::call::Call;
use super::query::Query;
use super::refusal::Refusal;
use super::reply::{self, Reply};
use crate::broker::pop::Receipt;
use crate::codec::http::request::MAX_COUNT;
use crate::codec::http::{HandleError, HandleErrors, Handles, code};

/// Acknowledge: each handle has its own result, and the answer tells those that were refused.
pub(super) fn acknowledge(call: &Call<'_>, query: &Query) -> Result<Reply, Refusal> {
    let (topic, group) = (call.topic()?, call.group(query)?);
    let handles = handles(call)?;
    if handles.len() > MAX_COUNT {
        let text = format!("there are {} handles; allowed are {MAX_COUNT}", handles.len());
        return Err(Refusal::new(code::INVALID_ARGUMENT, text));
    }
    let now_ms = call.node.clock.now_ms();
    let mut state = call.node.state();
    let results = handles.into_iter().map(|handle| {
        let result = Receipt::parse(&handle)
            .ok_or_else(|| "the receipt handle cannot be read".to_owned())
            .and_then(|(receipt, _)| {
                state.acknowledge(&group, topic, &receipt, now_ms).map_err(|expired| expired.to_string())
            });
        (handle, result.map_err(|text| Refusal::new(code::RECEIPT_HANDLE_ERROR, text)))
    });
    Ok(answer(results.collect()))
}

/// Commit or roll back: the request has one handle.
pub(super) fn end_transaction(call: &Call<'_>, _: &Query, _commit: bool) -> Result<Reply, Refusal> {
    call.topic()?;
    let handles = handles(call)?;
    let refusal = Refusal::new(code::RECEIPT_HANDLE_ERROR, "no open transaction has this handle");
    Ok(answer(handles.into_iter().map(|handle| (handle, Err(refusal.clone()))).collect()))
}

/// The handles of the request, of which there is at least one.
fn handles(call: &Call<'_>) -> Result<Vec<String>, Refusal> {
    let Handles(handles) = Handles::decode(&call.body)?;
    if handles.is_empty() {
        return Err(Refusal::new(code::MISSING_RECEIPT_HANDLE, "the request has no receipt handle"));
    }
    Ok(handles)
}

/// Success if every handle was taken, else those that were not.
fn answer(results: Vec<(String, Result<(), Refusal>)>) -> Reply {
    let errors = results.into_iter().filter_map(|(handle, result)| {
        let Refusal { code, message } = result.err()?;
        Some(HandleError { handle, code: code.to_owned(), message })
    });
    let errors: Vec<_> = errors.collect();
    if errors.is_empty() {
        return reply::nothing();
    }
    reply::document(StatusCode::NOT_FOUND, HandleErrors(errors).encode())
}
