//! Who produces and consumes: the members of groups and their subscriptions, as heartbeats tell.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::filter::{Filter, FilterFault};
use super::outbox::Outbox;
use crate::codec::remoting::body::{ConsumerData, SubscriptionData};
use crate::codec::remoting::codes::request;
use crate::codec::remoting::frame::FLAG_ONE_WAY;
use crate::codec::remoting::{Frame, Language};
use crate::message::DELAY_LEVELS;

/// A client that is silent for this long is no member any more.
const EXPIRY: Duration = Duration::from_secs(120);

/// How a consumer group is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOptions {
    /// Keep the order of each message group, for consumers over gRPC: the next message of one comes when the one before
    /// is settled. Default false.
    pub fifo: bool,
    /// Deliveries of a message before it becomes a dead letter, the first included. Default 17.
    pub max_attempts: i32,
    /// Time until a message comes again after its first, second, … failed delivery over gRPC; the last step repeats.
    /// Default the 18 delay levels, from 1 s to 2 h.
    pub backoff: Vec<Duration>,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self { fifo: false, max_attempts: 17, backoff: DELAY_LEVELS.map(Duration::from_secs).into() }
    }
}

impl GroupOptions {
    /// Time until the message of delivery `attempt` (from 1) comes again.
    pub(crate) fn backoff(&self, attempt: i32) -> Duration {
        let step = usize::try_from(attempt.saturating_sub(1)).unwrap_or(0);
        self.backoff.get(step).or(self.backoff.last()).copied().unwrap_or_default()
    }
}

/// A client in a group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) language: Language,
    pub(crate) version: i32,
    pub(crate) seen: Instant,
}

/// A consumer group with members.
#[derive(Debug, Default)]
pub(crate) struct ConsumerGroup {
    /// What the last heartbeat said.
    pub(crate) data: ConsumerData,
    /// By client id.
    pub(crate) members: BTreeMap<String, Member>,
    /// The filters of its subscriptions, by topic, read once.
    filters: HashMap<String, Result<Arc<Filter>, FilterFault>>,
}

impl ConsumerGroup {
    /// The group's subscription to `topic`.
    pub(crate) fn subscription(&self, topic: &str) -> Option<&SubscriptionData> {
        self.data.subscription_data_set.iter().find(|subscription| subscription.topic == topic)
    }

    /// The filter of the group's subscription to `topic`.
    pub(crate) fn filter(&self, topic: &str) -> Option<Result<Arc<Filter>, FilterFault>> {
        self.filters.get(topic).cloned()
    }

    fn notify(&self, group: &str) {
        let notice = Frame { flag: FLAG_ONE_WAY, ..Frame::request(request::NOTIFY_CONSUMER_IDS_CHANGED) }
            .with("consumerGroup", group);
        self.members.values().for_each(|member| member.outbox.push(notice.clone()));
    }
}

/// The groups that have members.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    pub(crate) consumers: HashMap<String, ConsumerGroup>,
    pub(crate) producers: HashMap<String, BTreeMap<String, Member>>,
    options: HashMap<String, Arc<GroupOptions>>,
    /// Of a group that nobody configured.
    default_options: Arc<GroupOptions>,
}

impl Groups {
    /// How this group is served.
    pub(crate) fn options(&self, group: &str) -> &Arc<GroupOptions> {
        self.options.get(group).unwrap_or(&self.default_options)
    }

    /// Whether somebody has said how this group is served.
    pub(crate) fn is_configured(&self, group: &str) -> bool {
        self.options.contains_key(group)
    }

    /// Sets how a group is served.
    pub(crate) fn configure(&mut self, group: &str, options: GroupOptions) {
        self.options.insert(group.to_owned(), Arc::new(options));
    }

    /// Retries of a message before it becomes a dead letter, where the client does not say.
    pub(crate) fn max_reconsume_times(&self, group: &str) -> i32 {
        self.options(group).max_attempts.saturating_sub(1)
    }

    /// Forgets how a group is to be served.
    pub(crate) fn forget_config(&mut self, group: &str) {
        self.options.remove(group);
    }

    /// The connection of a client, whichever group it is in.
    pub(crate) fn client(&self, client_id: &str) -> Option<&Arc<Outbox>> {
        let consumers = self.consumers.values().map(|group| &group.members);
        let member = consumers.chain(self.producers.values()).find_map(|members| members.get(client_id));
        member.map(|member| &member.outbox)
    }

    /// Takes every client out of its groups, whose connections are closed.
    pub(crate) fn all_sessions_closed(&mut self) {
        self.consumers.clear();
        self.producers.clear();
    }

    /// Takes a producer's heartbeat.
    pub(crate) fn produce(&mut self, group: &str, client_id: &str, member: Member) {
        self.producers.entry(group.to_owned()).or_default().insert(client_id.to_owned(), member);
    }

    /// Takes a consumer's heartbeat, and tells the group when its members or topics changed. Without subscriptions
    /// (`keep`) the earlier ones stay.
    pub(crate) fn consume(&mut self, mut data: ConsumerData, keep: bool, client_id: &str, member: Member) {
        let name = data.group_name.clone();
        let group = self.consumers.entry(name.clone()).or_default();
        if keep && data.subscription_data_set.is_empty() {
            data.subscription_data_set = std::mem::take(&mut group.data.subscription_data_set);
        }
        let topics = |data: &ConsumerData| {
            let mut topics: Vec<_> = data.subscription_data_set.iter().map(|s| s.topic.clone()).collect();
            topics.sort();
            topics
        };
        let topics_changed = topics(&group.data) != topics(&data);
        let filter = |s: &SubscriptionData| Filter::parse(&s.expression_type, &s.sub_string).map(Arc::new);
        group.filters = data.subscription_data_set.iter().map(|s| (s.topic.clone(), filter(s))).collect();
        group.data = data;
        let session = member.outbox.session;
        let before = group.members.insert(client_id.to_owned(), member);
        if topics_changed || before.is_none_or(|before| before.outbox.session != session) {
            group.notify(&name);
        }
    }

    /// Takes a client out of a consumer group and tells the others.
    pub(crate) fn leave_consumers(&mut self, group: &str, client_id: &str) {
        self.retain_consumers(|name, id, _| name != group || id != client_id);
    }

    /// Takes a client out of a producer group.
    pub(crate) fn leave_producers(&mut self, group: &str, client_id: &str) {
        self.retain_producers(|name, id, _| name != group || id != client_id);
    }

    /// Takes the clients of a closed connection out of their groups.
    pub(crate) fn session_closed(&mut self, session: u64) {
        self.retain_consumers(|_, _, member| member.outbox.session != session);
        self.retain_producers(|_, _, member| member.outbox.session != session);
    }

    /// Takes silent clients out of their groups.
    pub(crate) fn expire(&mut self, now: Instant) {
        let is_alive = |member: &Member| now.duration_since(member.seen) < EXPIRY;
        self.retain_consumers(|_, _, member| is_alive(member));
        self.retain_producers(|_, _, member| is_alive(member));
    }

    fn retain_consumers(&mut self, stays: impl Fn(&str, &str, &Member) -> bool) {
        self.consumers.retain(|name, group| {
            let before = group.members.len();
            group.members.retain(|id, member| stays(name, id, member));
            if group.members.len() < before {
                group.notify(name);
            }
            !group.members.is_empty()
        });
    }

    fn retain_producers(&mut self, stays: impl Fn(&str, &str, &Member) -> bool) {
        self.producers.retain(|name, members| {
            members.retain(|id, member| stays(name, id, member));
            !members.is_empty()
        });
    }
}
