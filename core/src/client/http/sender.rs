//! The sending side: send, and on failure send again within the caller's deadline, where that makes no duplicate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_channel::Sender as Questions;
use tokio::sync::watch;
use tokio::time::sleep;

use super::Service;
use super::halves::Halves;
use super::parcel::{CHECK_SECONDS, Parcel, Rules};
use crate::client::attempts::{pause, with_doubt};
use crate::client::transaction::{TransactionCheck, TransactionResolution};
use crate::client::{SendReceipt, Target, deadline_after};
use crate::clock;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::message::{Message, properties};
use crate::options::{ProducerOptions, Protocol};

/// Added to the pause after a server that was asked too often.
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// Sends for one producer.
pub(crate) struct Sender {
    service: Arc<Service>,
    options: ProducerOptions,
    rules: Rules,
    halves: Halves,
}

impl Sender {
    /// Checks the options and whether the service can be connected to. Questions about transactions go to `questions` once
    /// they are `wanted`.
    ///
    /// # Errors
    /// `InvalidArgument`; those of [`Service::probe`].
    pub(crate) async fn start(
        options: ProducerOptions,
        questions: Questions<TransactionCheck>,
        wanted: watch::Receiver<bool>,
    ) -> Result<Self> {
        let seconds = options.transaction_check_after.as_secs();
        if !CHECK_SECONDS.contains(&seconds) {
            let (least, most) = (CHECK_SECONDS.start(), CHECK_SECONDS.end());
            let text = format!("transaction_check_after has to be {least} s to {most} s");
            return Err(Error::new(ErrorKind::InvalidArgument, "start", text));
        }
        let service = Arc::new(Service::new(options.client.clone())?);
        service.probe().await?;
        let halves = Halves::new(&options.topics);
        halves.ask(&service, options.group.clone(), questions, wanted);
        Ok(Self { service, rules: Rules::from(&options), options, halves })
    }

    /// Sends one message; `timeout`: that of the options when absent. A key to choose the queue by is the sharding key of
    /// a message that has none.
    pub(crate) async fn send_message(
        &self,
        mut message: Message,
        target: Target<'_>,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        let deadline = deadline_after(timeout.unwrap_or(self.options.send_timeout));
        match target {
            Target::Queue(_) => return Err(Protocol::Http.lacks("send", "choice of a queue")),
            Target::Key(key) if message.properties().get(properties::SHARDING_KEY).is_none() => {
                message = message.message_group(key);
            }
            Target::Any | Target::Key(_) => {}
        }
        self.send(&self.pack(message)?, deadline).await
    }

    /// Sends the half message of a transaction.
    pub(crate) async fn send_half(&self, mut message: Message) -> Result<SendReceipt> {
        let deadline = deadline_after(self.options.send_timeout);
        let carried = message.properties_mut();
        if carried.get(properties::TRANSACTION_CHECK_SECONDS).is_none() {
            let seconds = self.options.transaction_check_after.as_secs();
            carried.set(properties::TRANSACTION_CHECK_SECONDS, seconds.to_string());
        }
        let parcel = self.pack(message)?;
        self.halves.of(&parcel.topic);
        let receipt = self.send(&parcel, deadline).await?;
        if receipt.transaction_id.is_none() {
            let text = format!(
                "the server gave no receipt handle for the half message {}: it took it as a plain one, or the topic \
                 is none for transactions",
                receipt.message_id
            );
            return Err(Error::new(ErrorKind::Server, "send", text).with_outcome(Outcome::Done));
        }
        Ok(receipt)
    }

    /// Ends the transaction of the half message with this receipt.
    ///
    /// # Errors
    /// `InvalidArgument` for a receipt of something else; those of [`Service::end_transaction`].
    pub(crate) async fn end_transaction(&self, half: &SendReceipt, to: TransactionResolution) -> Result<()> {
        let Some(handle) = &half.transaction_id else {
            let text = format!("{:?} is no receipt of a half message", half.message_id);
            return Err(Error::new(ErrorKind::InvalidArgument, "end transaction", text));
        };
        self.service.end_transaction(&half.queue.topic, &self.options.group, handle, to).await
    }

    pub(crate) fn client_id(&self) -> &str {
        self.service.client_id()
    }

    pub(crate) async fn shutdown(&self) {
        self.halves.told().await;
        self.service.shutdown().await;
    }

    fn pack(&self, message: Message) -> Result<Parcel> {
        Parcel::pack(message, &self.rules, &self.options.client)
    }

    /// Sends until the service has stored `parcel`, the attempts are used up or the deadline passes. What may be stored
    /// is sent again only if duplicates are allowed.
    ///
    /// # Errors
    /// The last attempt's. Its outcome is `MaybeSent` if any of the attempts may have been stored.
    async fn send(&self, parcel: &Parcel, deadline: Instant) -> Result<SendReceipt> {
        let mut may_be_stored = false;
        let mut attempts = 0;
        loop {
            let error = match self.service.post(parcel, deadline).await {
                Ok(receipt) => return Ok(receipt),
                Err(error) => error,
            };
            may_be_stored |= error.outcome() == Outcome::MaybeSent;
            let allowed = match error.outcome() {
                Outcome::NotSent => true,
                Outcome::MaybeSent => self.options.allow_duplicates,
                Outcome::Done => false,
            };
            let time_left = deadline.saturating_duration_since(clock::instant());
            if attempts >= self.options.retries || !allowed || !error.is_retryable() || time_left.is_zero() {
                return Err(with_doubt(error, may_be_stored));
            }
            attempts += 1;
            tracing::debug!(%error, topic = parcel.topic, "a send failed and is tried again");
            let busy = if error.kind() == ErrorKind::Busy { BUSY_PAUSE } else { Duration::ZERO };
            sleep((busy + pause(attempts)).min(time_left / 2)).await;
        }
    }
}
