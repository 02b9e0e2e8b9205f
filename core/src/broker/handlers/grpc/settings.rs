//! What broker and client agree on: the client's settings, with what the broker decides.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::Refusal;
use super::call::Call;
use super::status;
use crate::broker::clients::Client;
use crate::broker::filter::Filter;
use crate::broker::groups::{GroupOptions, Groups};
use crate::broker::state::State;
use crate::broker::topics::{TopicConfig, retry_topic};
use crate::clock;
use crate::codec::grpc::proto::retry_policy::Strategy;
use crate::codec::grpc::proto::settings::PubSub;
use crate::codec::grpc::proto::telemetry_command::Command;
use crate::codec::grpc::proto::{
    Code, CustomizedBackoff, ExponentialBackoff, FilterExpression, FilterType, Metric, Publishing,
    RetryPolicy, Settings, Subscription, TelemetryCommand,
};
use crate::codec::grpc::time;
use crate::message::MAX_BODY_BYTES;

const RECEIVE_BATCH: i32 = 32;
const LONG_POLL: Duration = Duration::from_secs(20);
const FIRST_BACKOFF: Duration = Duration::from_millis(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);
const LITE_SUBSCRIPTIONS: i32 = 2000;
const LITE_TOPIC_BYTES: i32 = 64;
const PRODUCER_ATTEMPTS: i32 = 3;

/// Checks the settings of a client and completes them. A group that does not exist yet comes to be, in the order that
/// its consumer wants if the persona takes a client's word for it.
///
/// # Errors
/// `BAD_REQUEST`, `ILLEGAL_TOPIC`, `ILLEGAL_CONSUMER_GROUP`, `ILLEGAL_FILTER_EXPRESSION`, `INVALID_CLIENT_PROPERTIES`.
pub(super) fn agree(call: &Call<'_>, mut settings: Settings) -> Result<Client, Refusal> {
    check_client_properties(&settings.client_properties)?;
    let mut group = None;
    let mut topics = Vec::new();
    match &settings.pub_sub {
        None => {
            let remark = "the settings say neither what is published nor what is subscribed to";
            return Err(status::refusal(Code::BadRequest, remark));
        }
        Some(PubSub::Publishing(publishing)) => {
            topics =
                publishing.topics.iter().map(|topic| call.topic(Some(topic))).collect::<Result<_, _>>()?;
        }
        Some(PubSub::Subscription(subscription)) => {
            for entry in &subscription.subscriptions {
                call.topic(entry.topic.as_ref())?;
                filter(entry.expression.as_ref())?;
            }
            group = Some(call.group(subscription.group.as_ref())?);
        }
    }
    let mut state = call.node.state();
    if let (Some(group), Some(PubSub::Subscription(subscription))) = (&group, &settings.pub_sub) {
        state.store.topics.ensure(&retry_topic(group), TopicConfig::new(1));
        if !state.groups.is_configured(group) && call.node.persona.creates_fifo_groups() {
            let options =
                GroupOptions { fifo: subscription.fifo.unwrap_or(false), ..GroupOptions::default() };
            state.groups.configure(group, options);
        }
    }
    complete(&mut settings, group.as_deref(), &state.groups);
    Ok(Client::new(settings, group, topics, clock::instant()))
}

fn check_client_properties(all: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let is_name = |name: &str| {
        let tail = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(tail)
    };
    let bytes: usize = all.iter().map(|(name, value)| name.len() + value.len()).sum();
    let fault = if all.len() > 32 {
        format!("there are {} client properties; allowed are 32", all.len())
    } else if bytes > 4096 {
        format!("the client properties have {bytes} bytes; allowed are 4096")
    } else if let Some((name, _)) = all.iter().find(|(name, value)| !is_name(name) || value.len() > 256) {
        format!("the client property {name:?} has an unusable name, or a value of more than 256 bytes")
    } else {
        return Ok(());
    };
    Err(status::refusal(Code::InvalidClientProperties, fault))
}

/// The filter that an expression says; none says everything.
///
/// # Errors
/// `ILLEGAL_FILTER_EXPRESSION`.
pub(super) fn filter(expression: Option<&FilterExpression>) -> Result<Filter, Refusal> {
    let parsed = match expression {
        None => Filter::parse("TAG", "*"),
        Some(expression) => match expression.r#type() {
            FilterType::Sql => Filter::parse("SQL92", &expression.expression),
            FilterType::Tag | FilterType::Unspecified => Filter::parse("TAG", &expression.expression),
        },
    };
    parsed.map_err(|fault| status::refusal(Code::IllegalFilterExpression, fault.to_string()))
}

/// Tells the consumers of a group how it is served from now on.
pub(crate) fn push(state: &mut State, group: &str) {
    let State { clients, groups, .. } = state;
    for client in clients.of_group(group) {
        complete(&mut client.settings, Some(group), groups);
        let command = Some(Command::Settings(client.settings.clone()));
        client.tell(TelemetryCommand { status: status::ok(), command });
    }
}

/// Fills in what the broker decides.
fn complete(settings: &mut Settings, group: Option<&str>, groups: &Groups) {
    settings.metric = Some(Metric::default());
    match &mut settings.pub_sub {
        None => {}
        Some(PubSub::Publishing(publishing)) => {
            settings.backoff_policy = Some(producer_policy());
            *publishing = Publishing {
                topics: std::mem::take(&mut publishing.topics),
                max_body_size: MAX_BODY_BYTES as i32,
                validate_message_type: true,
            };
        }
        Some(PubSub::Subscription(subscription)) => {
            let options = groups.options(group.unwrap_or_default());
            settings.backoff_policy = Some(consumer_policy(options));
            *subscription = Subscription {
                fifo: Some(options.fifo),
                receive_batch_size: Some(RECEIVE_BATCH),
                long_polling_timeout: Some(time::duration(LONG_POLL)),
                lite_subscription_quota: Some(LITE_SUBSCRIPTIONS),
                max_lite_topic_size: Some(LITE_TOPIC_BYTES),
                ..std::mem::take(subscription)
            };
        }
    }
}

fn producer_policy() -> RetryPolicy {
    let backoff = ExponentialBackoff {
        initial: Some(time::duration(FIRST_BACKOFF)),
        max: Some(time::duration(LONGEST_BACKOFF)),
        multiplier: 2.0,
    };
    RetryPolicy { max_attempts: PRODUCER_ATTEMPTS, strategy: Some(Strategy::ExponentialBackoff(backoff)) }
}

fn consumer_policy(options: &GroupOptions) -> RetryPolicy {
    let next = options.backoff.iter().map(|step| time::duration(*step)).collect();
    RetryPolicy {
        max_attempts: options.max_attempts,
        strategy: Some(Strategy::CustomizedBackoff(CustomizedBackoff { next })),
    }
}
