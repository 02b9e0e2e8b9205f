//! Transactions over remoting: half messages, their end, and the questions of brokers about those without one.

use async_channel::Sender as Channel;

use super::namespace::Namespace;
use super::sender::{Sender, Target};
use super::{Instance, SendReceipt, TransactionCheck, TransactionResolution, refusal};
use crate::codec::remoting::codes::{request, response};
use crate::codec::remoting::frame::FLAG_ONE_WAY;
use crate::codec::remoting::record::sys_flag;
use crate::codec::remoting::{Frame, decode_messages};
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Message, MessageView, OffsetMessageId, properties};
use crate::transport::remoting::ServerRequest;

const OPERATION: &str = "end transaction";

impl Sender {
    /// Sends the half message of a transaction.
    ///
    /// # Errors
    /// `InvalidMessage` if it is scheduled; those of [`Sender::send_message`].
    pub(super) async fn send_half(&self, mut message: Message) -> Result<SendReceipt> {
        let client = &self.options.client;
        let schedule =
            message.schedule(client.clock.now_ms(), &self.options.delay_limits, client.server_kind)?;
        if schedule.is_some() {
            let text = "a message of a transaction cannot be scheduled: brokers drop its delivery time";
            return Err(Error::new(ErrorKind::InvalidMessage, "send", text));
        }
        let properties = message.properties_mut();
        properties.set(properties::TRAN_MSG, "true");
        properties.set(properties::PGROUP, self.group.as_str());
        self.send_message(message, Target::Any, None).await
    }

    /// Ends the transaction of the half message with this receipt.
    ///
    /// # Errors
    /// `InvalidArgument` for a receipt of something else; `Server` if the broker does not know the transaction; those of
    /// the route and of the call: then the broker asks later.
    pub(super) async fn end_transaction(
        &self,
        half: &SendReceipt,
        resolution: TransactionResolution,
    ) -> Result<()> {
        self.instance.check_open(OPERATION)?;
        let Some(id) = OffsetMessageId::parse(&half.offset_message_id) else {
            let text = format!("{:?} is no receipt of a half message", half.message_id);
            return Err(Error::new(ErrorKind::InvalidArgument, OPERATION, text));
        };
        if resolution == TransactionResolution::Unknown {
            return Ok(());
        }
        let topic = self.instance.namespace().wrap(&half.queue.topic);
        let request = Frame::request(request::END_TRANSACTION)
            .with("producerGroup", &self.group)
            .with("topic", &topic)
            .with("tranStateTableOffset", half.queue_offset)
            .with("commitLogOffset", id.commit_log_offset)
            .with("commitOrRollback", wire_state(resolution))
            .with("fromTransactionCheck", false)
            .with("msgId", &half.message_id)
            .with("transactionId", half.transaction_id.as_ref().unwrap_or(&half.message_id))
            .with("bname", &half.queue.broker);
        let answer = self.call_broker(OPERATION, &topic, &half.queue.broker, request).await?;
        match answer.code {
            response::SUCCESS => Ok(()),
            _ => Err(refusal(OPERATION, &answer, &half.queue.topic)),
        }
    }
}

fn wire_state(resolution: TransactionResolution) -> i32 {
    match resolution {
        TransactionResolution::Unknown => 0,
        TransactionResolution::Commit => sys_flag::TRANSACTION_COMMIT,
        TransactionResolution::Rollback => sys_flag::TRANSACTION_ROLLBACK,
    }
}

/// Where brokers' questions (39) about the transactions of one producer group go.
#[derive(Clone)]
pub(super) struct Questions {
    /// As the server knows it.
    group: String,
    namespace: Namespace,
    checks: Channel<TransactionCheck>,
}

impl Questions {
    pub(super) fn new(instance: &Instance, group: &str, checks: Channel<TransactionCheck>) -> Self {
        Self { group: group.to_owned(), namespace: instance.namespace().clone(), checks }
    }

    /// Passes a question on. Where nobody takes questions, or too many wait, the answer is `Unknown`.
    pub(super) fn ask(&self, question: ServerRequest) {
        let broker = question.frame.ext.get("bname").unwrap_or_default();
        let message = match decode_messages(question.frame.body.clone(), broker).pop() {
            Some(Ok(mut message)) => {
                message.topic = self.namespace.strip(&message.topic).into_owned();
                message
            }
            Some(Err(error)) => return tracing::error!(%error, "a half message could not be read"),
            None => return tracing::error!("a question about a transaction carries no message"),
        };
        let end = self.end_asked_for(&question.frame, &message);
        let check = TransactionCheck::new(message, move |resolution| {
            // The broker asks again if the connection is gone.
            let _ = question.connection().cast(end.with("commitOrRollback", wire_state(resolution)));
        });
        if let Err(async_channel::TrySendError::Full(check)) = self.checks.try_send(check) {
            tracing::warn!(topic = check.message.topic, "too many questions about transactions wait");
        }
    }

    /// No more questions are taken.
    pub(super) fn close(&self) {
        self.checks.close();
    }

    /// The end (37) that a question asks for, but for how it is. The offsets are those of the question: they change with
    /// every one.
    fn end_asked_for(&self, question: &Frame, message: &MessageView) -> Frame {
        let end = Frame { flag: FLAG_ONE_WAY, ..Frame::request(request::END_TRANSACTION) }
            .with("producerGroup", &self.group)
            .with("topic", self.namespace.wrap(&message.topic))
            .with("fromTransactionCheck", true)
            .with("msgId", &message.message_id);
        let same = ["tranStateTableOffset", "commitLogOffset", "transactionId", "bname"];
        same.into_iter().fold(end, |end, name| match question.ext.get(name) {
            Some(value) => end.with(name, value),
            None => end,
        })
    }
}
