//! Consuming (200050).

use super::call::Call;
use super::query::Query;
use super::refusal::Refusal;
use super::reply::Reply;
use crate::codec::http::code;
use crate::codec::http::request::{COUNT, TAG};

/// Consume.
pub(super) async fn consume(call: &Call<'_>, query: &Query) -> Result<Reply, Refusal> {
    call.topic()?;
    call.group(query)?;
    query.number::<usize>(COUNT)?;
    query.text(TAG)?;
    Err(Refusal::new(code::MESSAGE_NOT_EXIST, "no message within the time of the consume"))
}
