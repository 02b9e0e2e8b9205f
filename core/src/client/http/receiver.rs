//! Receiving for a member of a group, and acknowledging: what simple and push consumers have in common.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::{ConsumeMode, HttpConsume, Service};
use crate::client::acks::{checked, same, together};
use crate::client::polls::GiveBack;
use crate::client::simple::{ReceiptHandle, Received};
use crate::codec::http::request::{MAX_COUNT, MAX_WAIT_SECONDS};
use crate::codec::http::unfit;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{ClientOptions, FilterExpression, Protocol};

/// Servers hand out no more at a time.
pub(super) const LARGEST_BATCH: usize = MAX_COUNT;
/// Servers hold a receive for no longer.
pub(super) const LONGEST_POLL: Duration = Duration::from_secs(MAX_WAIT_SECONDS);
/// How long the service hides a message, by its documents.
pub(super) const HIDDEN: Duration = Duration::from_secs(300);
/// Nobody hides a message for less.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// The receiving side of a member of a group.
pub(super) struct Receiver {
    service: Service,
    group: String,
    mode: ConsumeMode,
    /// How long a handle lives, as the last message showed that says it; ms.
    life: AtomicU64,
    closed: AtomicBool,
}

impl Receiver {
    /// # Errors
    /// Those of [`Service::new`].
    pub(super) fn new(client: ClientOptions, group: String, orderly: bool) -> Result<Self> {
        let mode = if orderly { ConsumeMode::Orderly } else { ConsumeMode::Concurrent };
        let life = AtomicU64::new(HIDDEN.as_millis() as u64);
        Ok(Self { service: Service::new(client)?, group, mode, life, closed: AtomicBool::new(false) })
    }

    /// # Errors
    /// Those of [`Service::probe`].
    pub(super) async fn probe(&self) -> Result<()> {
        self.service.probe().await
    }

    pub(super) fn client_id(&self) -> &str {
        self.service.client_id()
    }

    /// # Errors
    /// `Closed` after [`Receiver::close`].
    pub(super) fn check_open(&self, operation: &'static str) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, operation, "the consumer was shut down"));
        }
        Ok(())
    }

    /// Refuses what is asked of the consumer from now on; it can still acknowledge.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// One consume, held for `wait`: whole seconds. No message is no error.
    pub(super) async fn receive(
        &self,
        topic: &str,
        tag: &str,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Received>> {
        let wanted = HttpConsume {
            topic: topic.to_owned(),
            group: self.group.clone(),
            tag: tag.to_owned(),
            mode: self.mode,
            max: max.clamp(1, LARGEST_BATCH),
            wait,
        };
        match self.service.consume(&wanted).await {
            Ok(consumed) => Ok(consumed.messages),
            Err(error) if error.kind() == ErrorKind::MessageNotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Acknowledges messages, as many of a topic with one request as it takes; one result each, in their order.
    pub(super) async fn ack(&self, receipts: &[ReceiptHandle]) -> Vec<Result<()>> {
        let all = |receipts: Vec<ReceiptHandle>| async move {
            together(&receipts, LARGEST_BATCH, |receipts| self.ack_together(receipts)).await
        };
        checked(receipts, check_handle, all).await
    }

    /// Receipts of one topic.
    async fn ack_together(&self, receipts: Vec<&ReceiptHandle>) -> Vec<Result<()>> {
        let Some(first) = receipts.first() else { return Vec::new() };
        let handles: Vec<_> = receipts.iter().map(|receipt| receipt.handle.clone()).collect();
        match self.service.ack(&first.topic, &self.group, &handles).await {
            Ok(results) => results.into_iter().map(gone_is_done).collect(),
            Err(error) => receipts.iter().map(|_| gone_is_done(Err(same(&error)))).collect(),
        }
    }

    /// How long the handle of a message lives that came now. Only a first delivery says it, by two times of the server; the
    /// clocks of both sides are never compared.
    pub(super) fn life_of(&self, received: &Received) -> Duration {
        let said = match (received.invisible_until_ms, received.first_delivered_ms) {
            (Some(until), Some(now)) if received.message.delivery_attempt() == 1 => until.checked_sub(now),
            _ => None,
        };
        let said = said.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        match said.filter(|life| (SHORTEST_LIFE..=HIDDEN).contains(life)) {
            Some(life) => {
                self.life.store(life.as_millis() as u64, Ordering::Relaxed);
                life
            }
            None => Duration::from_millis(self.life.load(Ordering::Relaxed)),
        }
    }

    /// Ends what is under way. Idempotent.
    pub(super) async fn shutdown(&self) {
        self.close();
        self.service.shutdown().await;
    }
}

impl GiveBack for Receiver {
    /// What a call takes over stays hidden for three quarters of its time at least.
    fn patience(&self, _: Duration, messages: &[Received]) -> Duration {
        messages.iter().map(|received| self.life_of(received)).min().unwrap_or_default() / 4
    }

    async fn give_back(&self, _: &ReceiptHandle) -> Result<()> {
        Err(comes_again_by_itself("give back"))
    }
}

/// The protocol has no words for it.
pub(super) fn comes_again_by_itself(operation: &'static str) -> Error {
    Protocol::Http.lacks(operation, "way to say what becomes of a message but to acknowledge it")
}

/// One that cannot travel would have the whole request refused.
fn check_handle(receipt: &ReceiptHandle) -> Result<()> {
    if !receipt.handle.is_empty() && unfit(&receipt.handle).is_none() {
        return Ok(());
    }
    let text = "this is no receipt handle of the server; give the one that came with the message";
    Err(Error::new(ErrorKind::InvalidReceipt, "ack", text))
}

/// A message that is gone was acknowledged before: by a request whose answer got lost, for instance.
fn gone_is_done(result: Result<()>) -> Result<()> {
    result.or_else(|error| match error.kind() {
        ErrorKind::MessageNotFound => Ok(()),
        _ => Err(error),
    })
}

/// The tags of a filter as servers read them: without spaces.
///
/// # Errors
/// `Unsupported` for an SQL92 expression.
pub(super) fn tag_of(operation: &'static str, filter: &FilterExpression) -> Result<String> {
    match filter {
        FilterExpression::Tag(tags) => Ok(tags.split("||").map(str::trim).collect::<Vec<_>>().join("||")),
        FilterExpression::Sql92(_) => Err(Protocol::Http.lacks(operation, "SQL92 expressions")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::http::{Delivered, decode_message};

    fn received(first_ms: i64, until_ms: i64, attempt: i32) -> Received {
        let delivered = Delivered { consumed_times: attempt, ..Delivered::default() };
        let receipt = ReceiptHandle {
            topic: "T".into(),
            broker: String::new(),
            message_id: "m".into(),
            handle: "h".into(),
        };
        Received {
            message: decode_message(delivered, "T").view,
            receipt,
            corrupted: false,
            invisible_until_ms: Some(until_ms),
            first_delivered_ms: Some(first_ms),
        }
    }

    #[test]
    fn the_life_of_a_handle_is_that_of_the_last_first_delivery() -> Result<()> {
        let receiver = Receiver::new(ClientOptions::new("http://localhost")?, "g".into(), true)?;
        let life =
            |first_ms, until_ms, attempt| receiver.life_of(&received(first_ms, until_ms, attempt)).as_secs();
        assert_eq!(life(0, 1_700_000_000_000, 1), 300, "a time without meaning");
        assert_eq!(life(5_000, 65_000, 1), 60);
        assert_eq!(life(5_000, 365_000, 2), 60, "delivered again, it says nothing");
        for (first_ms, until_ms) in [(65_000, 5_000), (5_000, 5_000), (i64::MAX, i64::MIN), (0, 301_000)] {
            assert_eq!(life(first_ms, until_ms, 1), 60, "{first_ms} {until_ms}");
        }
        Ok(())
    }

    #[test]
    fn tags_travel_without_the_spaces_between_them() -> Result<()> {
        let tag = |tags: &str| tag_of("subscribe", &FilterExpression::Tag(tags.into()));
        assert_eq!((tag(" A || B c ")?, tag("*")?, tag("")?), ("A||B c".into(), "*".into(), String::new()));
        Ok(())
    }
}
