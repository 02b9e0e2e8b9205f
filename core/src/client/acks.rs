//! Acknowledging many messages: those that go together travel in one request.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;

use super::simple::ReceiptHandle;
use crate::error::{Error, Result};

/// Requests under way; each may take a connection.
const AT_ONCE: usize = 8;

/// Hands `receipts` to `ask`, at most `most` of one topic and broker at a time, which has one result for each; the results
/// are in the order of `receipts`.
pub(super) async fn together<'a, F>(
    receipts: &'a [ReceiptHandle],
    most: usize,
    ask: impl Fn(Vec<&'a ReceiptHandle>) -> F,
) -> Vec<Result<()>>
where
    F: Future<Output = Vec<Result<()>>>,
{
    let mut groups: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (at, receipt) in receipts.iter().enumerate() {
        groups.entry((&receipt.topic, &receipt.broker)).or_default().push(at);
    }
    let mut results: Vec<Result<()>> = Vec::new();
    results.resize_with(receipts.len(), || Ok(()));
    let mut requests = Vec::new();
    for group in groups.into_values() {
        for places in group.chunks(most) {
            let answers = ask(places.iter().map(|at| &receipts[*at]).collect());
            let places = places.to_vec();
            requests.push(async move { places.into_iter().zip(answers.await) });
        }
    }
    let mut answered = stream::iter(requests).buffer_unordered(AT_ONCE);
    while let Some(answers) = answered.next().await {
        answers.for_each(|(at, result)| results[at] = result);
    }
    results
}

/// Acknowledges with `ask` those of `receipts` that pass `check`; one result each, in their order.
pub(super) async fn checked<F>(
    receipts: &[ReceiptHandle],
    check: impl Fn(&ReceiptHandle) -> Result<()>,
    ask: impl FnOnce(Vec<ReceiptHandle>) -> F,
) -> Vec<Result<()>>
where
    F: Future<Output = Vec<Result<()>>>,
{
    let mut results: Vec<_> = receipts.iter().map(check).collect();
    let passed = receipts.iter().zip(&results).filter(|(_, checked)| checked.is_ok());
    let mut answers = ask(passed.map(|(receipt, _)| receipt.clone()).collect()).await.into_iter();
    for result in results.iter_mut().filter(|result| result.is_ok()) {
        *result = answers.next().unwrap_or(Ok(()));
    }
    results
}

/// The error of one request, for another message that was in it.
pub(super) fn same(error: &Error) -> Error {
    let mut same = Error::new(error.kind(), error.operation(), error.text())
        .with_outcome(error.outcome())
        .with_retryable(error.is_retryable());
    if let Some(code) = error.response_code() {
        same = same.with_response_code(code);
    }
    match error.refusal() {
        Some(refusal) => same.with_refusal(refusal.clone()),
        None => same,
    }
}
