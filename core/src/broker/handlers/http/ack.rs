//! Acknowledging (200051), and ending transactions (37).

use http::StatusCode;

use super::call::Call;
use super::query::Query;
use super::refusal::Refusal;
use super::reply::{self, Reply};
use crate::broker::pop::{HandleFault, Receipt};
use crate::codec::http::request::MAX_COUNT;
use crate::codec::http::{HandleError, HandleErrors, Handles, code};

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolution {
    Commit,
    RollBack,
}

impl From<HandleFault> for Refusal {
    fn from(fault: HandleFault) -> Self {
        let code = match fault {
            HandleFault::Unknown | HandleFault::Expired | HandleFault::Replaced => code::RECEIPT_HANDLE_ERROR,
            HandleFault::Gone => code::MESSAGE_NOT_EXIST,
        };
        Self::new(code, fault.to_string())
    }
}

/// Acknowledge: each handle has its own result, and the answer tells those that were refused.
pub(super) fn acknowledge(call: &Call<'_>, query: &Query) -> Result<Reply, Refusal> {
    let group = call.group(query)?;
    let handles = handles(call)?;
    if handles.len() > MAX_COUNT {
        let text = format!("there are {} handles; allowed are {MAX_COUNT}", handles.len());
        return Err(Refusal::new(code::INVALID_ARGUMENT, text));
    }
    let topic = call.known_topic()?;
    let now_ms = call.node.clock.now_ms();
    let mut state = call.node.state();
    let results = handles.into_iter().map(|handle| {
        let taken = Receipt::of(&handle, &call.node.name)
            .and_then(|receipt| state.acknowledge_strictly(&group, topic, &receipt, now_ms));
        (handle, taken.map_err(Refusal::from))
    });
    Ok(answer(results.collect()))
}

/// Commit or roll back. The group is not looked at: the handle says enough, and one official client names none where there
/// is no instance.
pub(super) fn end_transaction(call: &Call<'_>, resolution: Resolution) -> Result<Reply, Refusal> {
    let [handle] = <[String; 1]>::try_from(handles(call)?).map_err(|several| {
        let text = format!("there are {} handles; a transaction is ended by one", several.len());
        Refusal::new(code::INVALID_ARGUMENT, text)
    })?;
    let topic = call.known_topic()?;
    let now_ms = call.node.clock.now_ms();
    let mut state = call.node.state();
    let ended = Receipt::of(&handle, &call.node.name)
        .and_then(|receipt| state.end_polled_transaction(topic, &receipt, now_ms));
    match ended {
        Ok(message) if resolution == Resolution::Commit => {
            state.publish(message, now_ms)?;
            Ok(reply::nothing())
        }
        Ok(_) => Ok(reply::nothing()),
        Err(fault) => Ok(answer(vec![(handle, Err(fault.into()))])),
    }
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
