//! Consuming (200050): messages of a group, in order on demand, or half messages.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::super::wait::wait;
use super::call::Call;
use super::deliver::delivered;
use super::query::Query;
use super::refusal::Refusal;
use super::reply::{self, Reply};
use crate::broker::filter::Filter;
use crate::broker::pop::{Mode, Receive};
use crate::codec::http::request::{COUNT, MAX_COUNT, MAX_WAIT_SECONDS, TAG, Trans, WAIT};
use crate::codec::http::{code, encode_messages};
use crate::codec::remoting::body::perm;

/// Consume: what is there, or a wait for it as long as the client allows. Real time, whatever clock the broker has.
pub(super) async fn consume(call: &Call<'_>, query: &Query) -> Result<Reply, Refusal> {
    let (wanted, poll) = understand(call, query)?;
    let deliveries = wait(call.node, wanted, poll).await;
    if deliveries.is_empty() {
        return Err(Refusal::new(code::MESSAGE_NOT_EXIST, "no message within the time of the consume"));
    }
    let messages: Vec<_> = deliveries.into_iter().map(|delivery| delivered(call, delivery)).collect();
    Ok(reply::document(StatusCode::OK, encode_messages(&messages)))
}

/// What the request wants, and how long it may wait.
fn understand(call: &Call<'_>, query: &Query) -> Result<(Receive, Duration), Refusal> {
    let (topic, group) = (call.topic()?, call.group(query)?);
    let mode = match query.trans()? {
        Some(Trans::Order) => Mode::InOrder,
        Some(Trans::Pop) => Mode::Halves,
        _ => Mode::AsGroup,
    };
    let count = query.number(COUNT)?.filter(|count| (1..=MAX_COUNT).contains(count));
    let Some(count) = count else {
        let text = format!("the parameter {COUNT} has to be a number from 1 to {MAX_COUNT}");
        return Err(Refusal::new(code::INVALID_ARGUMENT, text));
    };
    // Without it, or with 0, the answer comes at once.
    let wait = query.number(WAIT)?.unwrap_or(0);
    if wait > MAX_WAIT_SECONDS {
        let text = format!("the parameter {WAIT} is {wait}; allowed are 0 to {MAX_WAIT_SECONDS} seconds");
        return Err(Refusal::new(code::INVALID_ARGUMENT, text));
    }
    let expression = query.text(TAG)?.unwrap_or_default();
    let filter = Filter::parse("TAG", &expression)
        .map_err(|fault| Refusal::new(code::INVALID_ARGUMENT, fault.to_string()))?;
    check_topic(call, topic)?;
    let wanted = Receive {
        group: group.into(),
        topic: topic.into(),
        queue: None,
        filter: Arc::new(filter),
        count,
        invisible_ms: call.node.http_invisible_ms,
        renewed_for: None,
        attempt_id: None,
        mode,
    };
    Ok((wanted, Duration::from_secs(wait)))
}

/// Whether there is something to consume from.
fn check_topic(call: &Call<'_>, topic: &str) -> Result<(), Refusal> {
    let state = call.node.state();
    let Some(found) = state.store.topics.get(topic) else {
        return Err(Refusal::no_topic(topic));
    };
    if found.config.perm & perm::READ == 0 {
        return Err(Refusal::new(code::ACCESS_DENIED, format!("topic {topic} may not be read")));
    }
    Ok(())
}
