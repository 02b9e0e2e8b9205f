//! The attempts of a send: choose a queue, and on failure go on with another broker within the caller's deadline.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::parcel::Parcel;
use super::refusal;
use super::sender::{Sender, Target};
use crate::clock;
use crate::codec::remoting::Frame;
use crate::codec::remoting::codes::response;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::message::ServerKind;
use crate::route::{Route, WriteQueue};

/// The pause before the same broker is tried again is random up to this; every further attempt doubles it.
const PAUSE_BASE: Duration = Duration::from_millis(50);
/// V5_0_0: servers from here on know arbitrary delivery times.
const VERSION_5_0_0: i32 = 413;

/// The receipt of a send, as the server answered it.
pub(crate) struct Sent {
    pub(crate) answer: Frame,
    pub(crate) broker: Arc<str>,
    pub(crate) queue: i32,
}

impl Sender {
    /// Sends until a broker has stored `parcel`, the attempts are used up or the deadline passes.
    ///
    /// # Errors
    /// The last attempt's. Its outcome is `MaybeSent` if any of the attempts may have been stored.
    pub(super) async fn send(
        &self,
        parcel: &mut Parcel,
        target: Target<'_>,
        deadline: Instant,
    ) -> Result<Sent> {
        self.instance.check_open("send")?;
        let mut route = self.route("send", &parcel.topic, deadline).await?;
        let mut may_be_stored = false;
        let mut avoid: Option<Arc<str>> = None;
        let mut retries = self.options.retries;
        loop {
            let queue = self
                .choose(&route, target, avoid.as_deref(), &parcel.topic)
                .map_err(|error| with_doubt(error, may_be_stored))?;
            let others =
                matches!(target, Target::Any) && route.has_other(self.instance.health(), &queue.broker);
            let begun = clock::instant();
            // A broker that hangs must not take the time that another one could use.
            let share = deadline.saturating_duration_since(begun)
                / if others { retries.saturating_add(1) } else { 1 };
            let error = match self.attempt(parcel, &queue, begun, begun + share).await {
                Ok(sent) => return Ok(sent),
                Err(error) => error,
            };
            may_be_stored |= error.outcome() == Outcome::MaybeSent;
            let again = match target {
                Target::Any => can_retry(&error, others),
                Target::Key(_) | Target::Queue(_) => !may_be_stored && can_retry(&error, false),
            };
            let time_left = deadline.saturating_duration_since(clock::instant());
            if retries == 0 || !again || time_left.is_zero() || error.kind() == ErrorKind::Closed {
                return Err(with_doubt(error, may_be_stored));
            }
            tracing::debug!(%error, topic = parcel.topic, "a send failed and is tried again");
            match error.kind() {
                ErrorKind::TopicNotFound => {
                    let fresh = self.refresh(&parcel.topic, deadline).await;
                    route = fresh.map_err(|error| with_doubt(error, may_be_stored))?;
                }
                // It may have moved; if nobody can say, the known address is as good as any.
                ErrorKind::BrokerUnreachable if !others => {
                    let soon = clock::instant() + time_left / 4;
                    route = self.refresh(&parcel.topic, soon).await.unwrap_or(route);
                }
                _ => {}
            }
            if !others {
                sleep(pause(self.options.retries - retries).min(time_left / 2)).await;
            }
            avoid = Some(queue.broker);
            retries -= 1;
        }
    }

    async fn refresh(&self, topic: &str, deadline: Instant) -> Result<Arc<Route>> {
        let queues = Some(self.options.default_topic_queues);
        self.instance.refresh_route("send", topic, queues, deadline).await
    }

    /// Hands `parcel` to a connection once, and does not wait for the broker.
    ///
    /// # Errors
    /// Those of the route and of dialling; the message was not sent.
    pub(super) async fn send_one_way(&self, parcel: &mut Parcel, deadline: Instant) -> Result<()> {
        self.instance.check_open("send")?;
        let route = self.route("send", &parcel.topic, deadline).await?;
        let target = Target::Any.or_group(parcel.message_group.as_deref());
        let queue = self.choose(&route, target, None, &parcel.topic)?;
        let request = parcel.request_to(&queue);
        let sent = self.instance.one_way("send", &queue.address, request, deadline).await;
        sent.inspect_err(|_| self.instance.health().failed(&queue.broker))
    }

    fn choose(
        &self,
        route: &Route,
        target: Target<'_>,
        avoid: Option<&str>,
        topic: &str,
    ) -> Result<WriteQueue> {
        let queues = route.writable();
        let chosen = match target {
            Target::Any => route.select(self.instance.health(), avoid),
            Target::Key(key) => queues.get(spread(key, queues.len())),
            Target::Queue(wanted) => {
                let found = queues.iter().find(|q| *q.broker == *wanted.broker && q.id == wanted.id);
                if found.is_none() {
                    let text = format!(
                        "topic {topic:?} has no writable queue {} on broker {:?}; see Producer::queues",
                        wanted.id, wanted.broker
                    );
                    return Err(Error::new(ErrorKind::InvalidArgument, "send", text));
                }
                found
            }
        };
        chosen.cloned().ok_or_else(|| {
            let text = format!(
                "topic {topic:?} has no queue that can be written: no broker with a master allows it"
            );
            Error::new(ErrorKind::BrokerUnreachable, "send", text)
        })
    }

    async fn attempt(
        &self,
        parcel: &mut Parcel,
        queue: &WriteQueue,
        begun: Instant,
        deadline: Instant,
    ) -> Result<Sent> {
        let request = parcel.request_to(queue);
        let health = self.instance.health();
        let answer = match self.instance.call("send", &queue.address, request, deadline).await {
            Ok(answer) => answer,
            Err(error) => {
                health.failed(&queue.broker);
                return Err(error);
            }
        };
        match answer.code {
            response::SUCCESS
            | response::FLUSH_DISK_TIMEOUT
            | response::SLAVE_NOT_AVAILABLE
            | response::FLUSH_SLAVE_TIMEOUT => {
                health.answered(&queue.broker, clock::instant().duration_since(begun));
                if parcel.timed {
                    self.check_version(&answer, &queue.broker);
                }
                Ok(Sent {
                    queue: answer.ext.parse("queueId").unwrap_or(queue.id),
                    answer,
                    broker: queue.broker.clone(),
                })
            }
            code => {
                if matches!(code, response::SYSTEM_BUSY | response::SERVICE_NOT_AVAILABLE | response::GO_AWAY)
                {
                    health.failed(&queue.broker);
                }
                Err(refusal("send", &answer, &parcel.topic))
            }
        }
    }

    /// Servers before 5.0 of the open source deliver at once what has an arbitrary time; cloud services of that age do
    /// not, so this is a warning only.
    fn check_version(&self, answer: &Frame, broker: &str) {
        let old = (1..VERSION_5_0_0).contains(&answer.version);
        if old
            && self.options.client.server_kind == ServerKind::Auto
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                broker,
                version = answer.version,
                "this server is older than 5.0: if it is Apache RocketMQ it ignores arbitrary delivery times and \
                 knows delay levels only; set server_kind to have that checked"
            );
        }
    }
}

/// The pause before the same server is tried again, after this many attempts.
pub(super) fn pause(attempts: u32) -> Duration {
    PAUSE_BASE.saturating_mul(1 << attempts.min(6)).mul_f64(fastrand::f64())
}

/// Marks `error` if an earlier attempt may have been stored.
pub(super) fn with_doubt(error: Error, may_be_stored: bool) -> Error {
    if may_be_stored { error.with_outcome(Outcome::MaybeSent) } else { error }
}

/// Whether another attempt can help; `others`: on another broker.
fn can_retry(error: &Error, others: bool) -> bool {
    match (error.response_code(), error.kind()) {
        (_, ErrorKind::PermissionDenied)
        | (None, ErrorKind::Tls | ErrorKind::WrongProtocol | ErrorKind::Protocol) => others,
        (Some(code), _) => matches!(
            code,
            response::TOPIC_NOT_EXIST
                | response::SERVICE_NOT_AVAILABLE
                | response::SYSTEM_ERROR
                | response::SYSTEM_BUSY
                | response::FLOW_CONTROL
                | response::NOT_IN_CURRENT_UNIT
                | NO_BUYER_ID
                | response::GO_AWAY
        ),
        (None, kind) => {
            matches!(kind, ErrorKind::Timeout | ErrorKind::BrokerUnreachable | ErrorKind::ConnectionClosed)
        }
    }
}

/// A legacy unit check, like `NOT_IN_CURRENT_UNIT`.
const NO_BUYER_ID: i32 = 204;

/// The position of `key` among `count` queues (FNV-1a, as the Go client's hash selector).
fn spread(key: &str, count: usize) -> usize {
    let hash =
        key.bytes().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash as usize % count.max(1)
}
