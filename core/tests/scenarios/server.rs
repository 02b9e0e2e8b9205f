//! The servers scenarios run on, and what has to exist there before the first step.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions, BrokerTls, GroupOptions, Persona, TopicType};
use tminus::{Clock, Credentials};

use super::data::*;

pub enum Server {
    Loopback,
    Apache5 { name_server: String, proxy: Option<String> },
}

impl Server {
    pub fn name(&self) -> &'static str {
        match self {
            Server::Loopback => "loopback",
            Server::Apache5 { .. } => "apache5",
        }
    }

    /// Scenarios that run side by side: they wait most of their time, each for its own broker or under names of its own.
    pub fn at_once(&self) -> usize {
        match self {
            Server::Loopback => 4,
            Server::Apache5 { .. } => 2,
        }
    }

    /// How late a scheduled message may be on the real clock.
    pub fn lateness_ms(&self) -> i64 {
        match self {
            Server::Loopback => 250,
            Server::Apache5 { .. } => 1500,
        }
    }

    /// Why nothing can be run over `protocol` here.
    pub fn lacks(&self, protocol: &str) -> Option<&'static str> {
        match (self, protocol) {
            (Server::Apache5 { proxy: None, .. }, "grpc") => Some("TMINUS_TEST_APACHE_PROXY is not set"),
            (Server::Apache5 { .. }, "http") => Some("Apache RocketMQ does not speak ApsaraMQ HTTP"),
            _ => None,
        }
    }

    /// Where clients find it; the scheme is the only difference between protocols.
    pub fn endpoint(&self, protocol: &str, broker: Option<&Broker>) -> String {
        let address = match self {
            Server::Loopback => broker.map(|broker| broker.address().to_string()),
            Server::Apache5 { proxy, .. } if protocol == "grpc" => proxy.clone(),
            Server::Apache5 { name_server, .. } => Some(name_server.clone()),
        };
        format!("{protocol}://{}", address.unwrap_or_default())
    }
}

pub async fn start_broker(spec: &BrokerSpec) -> tminus::Result<Broker> {
    let mut options = BrokerOptions::default();
    if spec.clock.as_deref() == Some("virtual") {
        options.clock = Clock::virtual_now();
    }
    options.tls = spec.tls.then_some(BrokerTls::SelfMade);
    options.credentials = spec.users.iter().map(|user| credentials(user)).collect();
    options.auto_create_topics = spec.auto_create_topics.unwrap_or(true);
    if let Some(ms) = spec.http_invisible_ms {
        options.http_invisible = Duration::from_millis(ms);
    }
    options.persona = match spec.persona.as_deref() {
        None | Some("loopback") => Persona::Loopback,
        Some("apache5") => Persona::Apache5,
        Some("apache4") => Persona::Apache4,
        Some("huawei") => Persona::Huawei,
        Some(other) => panic!("unknown persona {other}"),
    };
    Broker::start(options).await
}

pub fn credentials(user: &str) -> Credentials {
    let (access, secret) = user.split_once(':').unwrap();
    Credentials::new(access, secret)
}

/// Creates the topics and groups that `scenario` lists, under the names that `resource` makes of them. A real server needs
/// every topic to exist before it is used over gRPC.
pub fn prepare(
    scenario: &Scenario,
    protocol: &str,
    broker: Option<&Broker>,
    resource: impl Fn(&str) -> String,
) -> Result<(), String> {
    let mut topics = scenario.topics.clone();
    if broker.is_none() && protocol == "grpc" {
        for topic in named_topics(&scenario.steps) {
            topics.entry(topic).or_insert_with(|| "mixed".into());
        }
    }
    for (topic, kind) in &topics {
        let name = resource(topic);
        match broker {
            Some(broker) => {
                let kind = topic_type(kind)?;
                broker.create_topic_of(&name, QUEUES, kind).map_err(|e| e.to_string())?;
            }
            None => harness(&["topic", "--name", &name, "--type", &kind.to_uppercase()])?,
        }
    }
    for (group, spec) in &scenario.groups {
        let name = resource(group);
        match broker {
            Some(broker) => {
                let mut options = GroupOptions { fifo: spec.fifo, ..GroupOptions::default() };
                options.max_attempts = spec.max_attempts.unwrap_or(options.max_attempts);
                broker.create_group(&name, options).map_err(|e| e.to_string())?;
            }
            None => {
                let retries = (spec.max_attempts.unwrap_or(17) - 1).to_string();
                let mut arguments = vec!["group", "--name", &name, "--retries", &retries];
                arguments.extend(spec.fifo.then_some("--fifo"));
                harness(&arguments)?;
            }
        }
    }
    Ok(())
}

const QUEUES: i32 = 4;

fn topic_type(name: &str) -> Result<TopicType, String> {
    Ok(match name {
        "mixed" => TopicType::Mixed,
        "normal" => TopicType::Normal,
        "fifo" => TopicType::Fifo,
        "delay" => TopicType::Delay,
        "transaction" => TopicType::Transaction,
        "priority" => TopicType::Priority,
        other => return Err(format!("unknown type of topic {other}")),
    })
}

/// The logical topics that the steps name; not those that are refused, and not dead letter queues.
fn named_topics(steps: &[Step]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for step in steps {
        match step {
            Step::Producer { topics, .. } => names.extend(topics.iter().cloned()),
            Step::Consumer { topic, .. } | Step::SimpleConsumer { topic, .. } => {
                names.insert(topic.clone());
            }
            Step::Send { message, messages, .. } => {
                let topics = message.iter().chain(messages).map(|message| message.topic.as_deref());
                names.extend(topics.map(|topic| topic.unwrap_or("t").to_owned()));
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty() && !name.starts_with(['!', '%']));
    names
}

/// Runs a command of the harness against the server that the environment names.
fn harness(arguments: &[&str]) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apache/server.py");
    let output = Command::new("python3").arg(script).args(arguments).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(format!("server.py {arguments:?}: {}", String::from_utf8_lossy(&text)))
}
