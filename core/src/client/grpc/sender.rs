//! Sending: choose a proxy, send, and on failure go on with another within the caller's deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use super::agent::Agent;
use super::answered::{can_retry, refused, some, status_of};
use super::parcel::Parcel;
use super::settings::{Agreed, Role};
use super::transaction::take_questions;
use crate::client::attempts::{pause, with_doubt};
use crate::client::receipt::SendReceipt;
use crate::client::{SendStatus, Target, TransactionCheck, deadline_after};
use crate::clock;
use crate::codec::grpc::proto::{Code, MessageType, SendMessageResponse};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::message::{Message, MessageQueue, UniqueIdGenerator};
use crate::options::ProducerOptions;
use crate::route::{Gate, ProxyRoute};
use crate::transport::grpc::{Connection, refusal};

/// Sends for one producer.
pub(crate) struct Sender {
    pub(super) agent: Arc<Agent>,
    pub(super) options: ProducerOptions,
    pub(super) ids: UniqueIdGenerator,
    pub(super) agreed: watch::Receiver<Agreed>,
    /// Where messages say they were made.
    pub(super) host: String,
}

impl Sender {
    /// Connects, and looks the topics of the options up. Questions about transactions go to `questions`.
    ///
    /// # Errors
    /// Those of [`Agent::start`].
    pub(crate) async fn start(
        options: ProducerOptions,
        questions: async_channel::Sender<TransactionCheck>,
    ) -> Result<Self> {
        let role = Role::Producer { max_attempts: options.retries.saturating_add(1) as i32 };
        let agent = Agent::start(&options.client, role, options.topics.clone()).await?;
        // Ends with the agent.
        tokio::spawn(take_questions(Arc::downgrade(&agent), agent.commands(), questions));
        Ok(Self {
            ids: UniqueIdGenerator::new(options.client.clock.now_ms(), fastrand::u64(..)),
            agreed: agent.settings(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            agent,
            options,
        })
    }

    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The deadline of a send that starts now; `None`: by the options.
    pub(super) fn deadline(&self, timeout: Option<Duration>) -> Instant {
        deadline_after(timeout.unwrap_or(self.options.send_timeout))
    }

    /// Packs and sends one message; `timeout`: that of the options when absent.
    ///
    /// # Errors
    /// Those of [`Sender::pack`] and [`Sender::send`].
    pub(crate) async fn send_message(
        &self,
        message: Message,
        target: Target<'_>,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        let deadline = self.deadline(timeout);
        self.agent.check_open("send")?;
        self.send(self.pack(message, target, false)?, deadline).await
    }

    /// Packs and sends messages of one topic as one batch.
    ///
    /// # Errors
    /// Those of [`Sender::pack_batch`] and [`Sender::send`].
    pub(crate) async fn send_batch(
        &self,
        messages: Vec<Message>,
        timeout: Option<Duration>,
    ) -> Result<SendReceipt> {
        let deadline = self.deadline(timeout);
        self.agent.check_open("send")?;
        self.send(self.pack_batch(messages)?, deadline).await
    }

    /// Packs one message and puts it on its way once; the answer is taken in the background, and nobody hears of it.
    ///
    /// # Errors
    /// Those of [`Sender::pack`], of the route and of dialling; the message was not sent.
    pub(crate) async fn send_one_way(&self, message: Message) -> Result<()> {
        let deadline = self.deadline(None);
        self.agent.check_open("send")?;
        let parcel = self.pack(message, Target::Any, false)?;
        let route = self.route_for(&parcel, deadline).await?;
        let gate = self.choose(&route, &parcel, None)?;
        let metadata = self.agent.metadata();
        let begin = |connection: &Connection| connection.begin("send", &parcel.request, metadata, deadline);
        let (connection, answers) = self.agent.begin("send", &gate.address, deadline, begin).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.finish("send", answers, deadline).await {
                tracing::debug!(%error, "a one-way send came to nothing");
            }
        });
        Ok(())
    }

    /// The queues that messages for `topic` can go to.
    ///
    /// # Errors
    /// `TopicNotFound`, `Closed`, or why no proxy can be asked.
    pub(crate) async fn queues(&self, topic: &str) -> Result<Vec<MessageQueue>> {
        self.agent.check_open("queues")?;
        let route = self.agent.route("queues", topic, self.agent.request_deadline()).await?;
        let queues = route.writable().map(|queue| MessageQueue {
            topic: topic.to_owned(),
            broker: queue.broker.as_ref().to_owned(),
            id: queue.described.id,
        });
        Ok(queues.collect())
    }

    /// Sends until a broker has stored `parcel`, the attempts are used up or the deadline passes.
    ///
    /// # Errors
    /// The last attempt's. Its outcome is `MaybeSent` if any of the attempts may have been stored.
    pub(super) async fn send(&self, parcel: Parcel, deadline: Instant) -> Result<SendReceipt> {
        let mut route = self.route_for(&parcel, deadline).await?;
        let health = self.agent.health();
        let mut may_be_stored = false;
        let mut avoid: Option<Gate> = None;
        let mut attempt = 1;
        loop {
            let gate = self
                .choose(&route, &parcel, avoid.as_ref())
                .map_err(|error| with_doubt(error, may_be_stored))?;
            let others = parcel.group.is_none() && route.has_other(health, &gate);
            let left = (self.options.retries + 2).saturating_sub(attempt);
            let begun = clock::instant();
            // A proxy that hangs must not take the time that another one could use.
            let share = deadline.saturating_duration_since(begun) / if others { left.max(1) } else { 1 };
            let error = match self.attempt(&parcel, &gate, begun, begun + share).await {
                Ok(answer) => return Ok(self.receipt(parcel, answer, gate, &route)),
                Err(error) => error,
            };
            may_be_stored |= error.outcome() == Outcome::MaybeSent;
            let again = match parcel.group {
                None => can_retry(&error, others),
                Some(_) => !may_be_stored && can_retry(&error, false),
            };
            let time_left = deadline.saturating_duration_since(clock::instant());
            if attempt > self.options.retries || !again || time_left.is_zero() {
                return Err(with_doubt(error, may_be_stored));
            }
            tracing::debug!(%error, topic = parcel.topic, "a send failed and is tried again");
            match error.kind() {
                ErrorKind::Busy => {
                    let pause = self.agreed.borrow().backoff.after(attempt as i32 + 1);
                    sleep(pause.min(time_left / 2)).await;
                }
                ErrorKind::BrokerUnreachable | ErrorKind::TopicNotFound if !others => {
                    // It may have moved; if nobody can say, the known address is as good as any.
                    let soon = clock::instant() + time_left / 4;
                    let fresh = self.agent.refresh_route("send", &parcel.topic, soon).await;
                    route = fresh.unwrap_or(route);
                }
                _ if !others => {
                    sleep(pause(attempt).min(time_left / 2)).await;
                }
                _ => {}
            }
            avoid = Some(gate);
            attempt += 1;
        }
    }

    /// The route of the topic, once that takes messages of this type. It is asked for again before a message is
    /// refused: the topic may have been changed.
    async fn route_for(&self, parcel: &Parcel, deadline: Instant) -> Result<Arc<ProxyRoute>> {
        let route = self.find_route(&parcel.topic, deadline).await?;
        let fits = |route: &ProxyRoute| {
            let accepted = route.accepted();
            accepted.is_empty() || accepted.contains(&parcel.kind)
        };
        if !self.agreed.borrow().validate_types || fits(&route) {
            return Ok(route);
        }
        let route = self.agent.refresh_route("send", &parcel.topic, deadline).await?;
        if fits(&route) { Ok(route) } else { Err(self.mismatch(parcel, &route.accepted())) }
    }

    /// The route of `topic`; a proxy that is not there for a moment is asked again, as a send is tried again.
    async fn find_route(&self, topic: &str, deadline: Instant) -> Result<Arc<ProxyRoute>> {
        let mut attempt = 1;
        loop {
            let error = match self.agent.route("send", topic, deadline).await {
                Ok(route) => return Ok(route),
                Err(error) => error,
            };
            let time_left = deadline.saturating_duration_since(clock::instant());
            let passing = error.response_code().is_none() && can_retry(&error, false);
            if attempt > self.options.retries || !passing || time_left.is_zero() {
                return Err(error);
            }
            sleep(pause(attempt).min(time_left / 2)).await;
            attempt += 1;
        }
    }

    fn mismatch(&self, parcel: &Parcel, accepted: &[MessageType]) -> Error {
        let takes: Vec<&str> = accepted.iter().map(|kind| kind.as_str_name()).collect();
        let takes = if takes.is_empty() { "other".to_owned() } else { takes.join(", ") };
        let kind = parcel.kind.as_str_name();
        let text = format!(
            "topic {:?} takes {takes} messages and this is a {kind} message; use a topic of that type, or change \
             this one: mqadmin updateTopic -n <name server> -c <cluster> -t {} -a +message.type={kind}",
            parcel.topic,
            self.agent.resource(&parcel.topic).name
        );
        Error::new(ErrorKind::TopicTypeMismatch, "send", text)
    }

    fn choose(&self, route: &ProxyRoute, parcel: &Parcel, avoid: Option<&Gate>) -> Result<Gate> {
        let health = self.agent.health();
        let chosen = match &parcel.group {
            Some(group) => route.of_group(group, health),
            None => route.select(health, avoid).cloned(),
        };
        chosen.ok_or_else(|| {
            let text = format!(
                "topic {:?} has no queue that can be written: no broker with a master allows it",
                parcel.topic
            );
            Error::new(ErrorKind::BrokerUnreachable, "send", text)
        })
    }

    async fn attempt(
        &self,
        parcel: &Parcel,
        gate: &Gate,
        begun: Instant,
        deadline: Instant,
    ) -> Result<SendMessageResponse> {
        let health = self.agent.health();
        let asked = self.agent.ask("send", &gate.address, &parcel.request, deadline).await;
        let answer = asked.inspect_err(|_| health.failed(&gate.address))?;
        match refused(&answer) {
            None => {
                health.answered(&gate.address, clock::instant().duration_since(begun));
                Ok(answer)
            }
            Some(status) if status.code == Code::MessagePropertyConflictWithType as i32 => {
                Err(self.mismatch(parcel, &[]).with_response_code(status.code))
            }
            Some(status) => {
                let error = refusal("send", status, &parcel.topic);
                if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Timeout) {
                    health.failed(&gate.address);
                }
                let some_stored = answer.entries.iter().any(|entry| status_of(&entry.status).is_some());
                Err(with_doubt(error, some_stored))
            }
        }
    }

    fn receipt(
        &self,
        parcel: Parcel,
        answer: SendMessageResponse,
        gate: Gate,
        route: &ProxyRoute,
    ) -> SendReceipt {
        let entry = answer.entries.into_iter().next().unwrap_or_default();
        let status = status_of(&entry.status).or_else(|| status_of(&answer.status));
        SendReceipt {
            status: status.unwrap_or(SendStatus::Ok),
            message_id: parcel.ids,
            offset_message_id: String::new(),
            queue: MessageQueue {
                topic: parcel.topic,
                broker: route.sole_broker(&gate).map_or_else(String::new, |broker| broker.to_string()),
                id: -1,
            },
            queue_offset: entry.offset,
            transaction_id: some(entry.transaction_id),
            recall_handle: some(entry.recall_handle),
            region: None,
            request_id: None,
            taken_by: (parcel.kind == MessageType::Transaction).then_some(gate.address),
        }
    }
}
