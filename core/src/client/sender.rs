//! The sending side of a client over remoting: what it sends, where, and what it asks of brokers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use async_channel::Sender as Channel;

use super::half::Questions;
use super::parcel::Parcel;
use super::receipt::SendReceipt;
use super::{Instance, TransactionCheck, deadline_after};
use crate::codec::remoting::Frame;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Message, MessageQueue, UniqueIdGenerator};
use crate::options::ProducerOptions;
use crate::route::{Route, WriteQueue};

/// Where a message may go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target<'a> {
    /// To any queue, in turn.
    Any,
    /// To the queue that the key stands for.
    Key(&'a str),
    /// To this queue.
    Queue(&'a MessageQueue),
}

impl<'a> Target<'a> {
    /// Messages of a group go to one queue, unless the caller chose it.
    pub(super) fn or_group(self, group: Option<&'a str>) -> Self {
        match (self, group) {
            (Target::Any, Some(group)) => Target::Key(group),
            _ => self,
        }
    }
}

/// Sends for one producer group.
pub(crate) struct Sender {
    pub(super) instance: Arc<Instance>,
    pub(super) options: ProducerOptions,
    /// The group as the server knows it.
    pub(super) group: String,
    pub(super) ids: UniqueIdGenerator,
    questions: Questions,
    /// Whether an old server was warned of.
    pub(super) warned: AtomicBool,
}

impl Sender {
    /// `checks` is where brokers' questions about transactions go.
    pub(super) fn new(
        instance: Arc<Instance>,
        options: ProducerOptions,
        checks: Channel<TransactionCheck>,
    ) -> Self {
        let group = instance.namespace().wrap(&options.group).into_owned();
        let questions = Questions::new(&instance, &group, checks);
        instance.register_producer(&group, questions.clone());
        let ids = UniqueIdGenerator::new(options.client.clock.now_ms(), fastrand::u64(..));
        Self { instance, options, group, ids, questions, warned: AtomicBool::new(false) }
    }

    pub(crate) fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Ends the questions, signs off and closes the connections. Idempotent.
    pub(super) async fn shutdown(&self) {
        self.questions.close();
        self.instance.shutdown().await;
    }

    /// The deadline of a send that starts now; `None`: by the options.
    fn deadline(&self, timeout: Option<Duration>) -> Instant {
        deadline_after(timeout.unwrap_or(self.options.send_timeout))
    }

    /// Packs and sends one message; `timeout`: that of the options when absent.
    ///
    /// # Errors
    /// Those of [`Sender::pack`] and [`Sender::send`].
    pub(super) async fn send_message(
        &self,
        message: Message,
        target: Target<'_>,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        let deadline = self.deadline(timeout);
        let parcel = self.pack(message).await?;
        self.send_parcel(parcel, target, deadline).await
    }

    /// Packs and sends messages of one topic as one batch.
    ///
    /// # Errors
    /// Those of [`Sender::pack_batch`] and [`Sender::send`].
    pub(super) async fn send_batch(
        &self,
        messages: Vec<Message>,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        let deadline = self.deadline(timeout);
        let parcel = self.pack_batch(messages)?;
        self.send_parcel(parcel, Target::Any, deadline).await
    }

    async fn send_parcel(
        &self,
        mut parcel: Parcel,
        target: Target<'_>,
        deadline: Instant,
    ) -> Result<SendReceipt> {
        let group = parcel.message_group.take();
        let sent = self.send(&mut parcel, target.or_group(group.as_deref()), deadline).await?;
        Ok(SendReceipt::of_remoting(parcel, sent, self.instance.namespace()))
    }

    /// Packs one message, hands it to a connection and does not wait for the broker.
    ///
    /// # Errors
    /// Those of [`Sender::pack`], of the route and of dialling; the message was not sent.
    pub(super) async fn send_message_one_way(&self, message: Message) -> Result<()> {
        let deadline = self.deadline(None);
        let mut parcel = self.pack(message).await?;
        self.send_one_way(&mut parcel, deadline).await
    }

    /// The queues that messages for `topic` can go to.
    ///
    /// # Errors
    /// `TopicNotFound`, `Closed`, or why no name server can be asked.
    pub(super) async fn queues(&self, topic: &str) -> Result<Vec<MessageQueue>> {
        self.instance.check_open("queues")?;
        let wrapped = self.instance.namespace().wrap(topic);
        let route = self.route("queues", &wrapped, self.instance.request_deadline()).await?;
        let queue = |q: &WriteQueue| MessageQueue {
            topic: topic.to_owned(),
            broker: q.broker.as_ref().to_owned(),
            id: q.id,
        };
        Ok(route.writable().iter().map(queue).collect())
    }

    /// Looks the topics of the options up, so that a start fails early.
    ///
    /// # Errors
    /// `TopicNotFound`, or why no name server can be asked.
    pub(super) async fn look_up_topics(&self) -> Result<()> {
        for topic in &self.options.topics {
            let wrapped = self.instance.namespace().wrap(topic);
            self.route("start", &wrapped, self.instance.request_deadline()).await?;
        }
        Ok(())
    }

    /// The route of `topic` for sending.
    ///
    /// # Errors
    /// `TopicNotFound`, or why no name server can be asked.
    pub(super) async fn route(
        &self,
        operation: &'static str,
        topic: &str,
        deadline: Instant,
    ) -> Result<Arc<Route>> {
        self.instance.route(operation, topic, Some(self.options.default_topic_queues), deadline).await
    }

    /// Asks the broker of that name, which has queues of `topic`, and waits for its answer, whatever its code.
    ///
    /// # Errors
    /// Those of the route and of the call; `BrokerUnreachable` if the broker is not in the route.
    pub(super) async fn call_broker(
        &self,
        operation: &'static str,
        topic: &str,
        broker: &str,
        request: Frame,
    ) -> Result<Frame> {
        let deadline = self.instance.request_deadline();
        let route = self.route(operation, topic, deadline).await?;
        let Some(address) = route.broker(broker).and_then(|broker| broker.master()) else {
            let text = format!("broker {broker:?} is not in the route of topic {topic:?}");
            return Err(Error::new(ErrorKind::BrokerUnreachable, operation, text));
        };
        self.instance.call(operation, address, request, deadline).await
    }
}
