//! `tminus broker`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;
use tminus::Clock;
use tminus::broker::{Broker, BrokerOptions, BrokerTls, GroupOptions, Persona, TopicType};
use tminus::options::{Credentials, Secret};
use tokio::signal::unix::{SignalKind, signal};

use crate::control;

/// Why a command ends; the kind decides about the exit code.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Address to listen on; a loopback address, port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:9876", value_name = "HOST:PORT")]
    listen: SocketAddr,

    /// TLS beside plain TCP on the same port, with a certificate made for this run.
    #[arg(long)]
    tls: bool,

    /// TLS with this certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls")]
    tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Refuse plain connections.
    #[arg(long)]
    tls_only: bool,

    /// Ask clients for a certificate of this authority (PEM).
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,

    /// Take only requests signed by this access key (repeatable).
    #[arg(long = "user", value_name = "ACCESS_KEY:SECRET_KEY", value_parser = user)]
    users: Vec<Credentials>,

    /// Which server to behave like.
    #[arg(long, value_enum, default_value_t = PersonaName::Loopback)]
    persona: PersonaName,

    /// A clock that stands still until it is advanced; see --control.
    #[arg(long)]
    virtual_clock: bool,

    /// Create this topic at the start (repeatable), for messages of this type: mixed, normal, fifo, delay, transaction or
    /// priority.
    #[arg(long = "topic", value_name = "NAME:QUEUES[:TYPE]", value_parser = topic)]
    topics: Vec<(String, i32, Option<TopicType>)>,

    /// Create this consumer group, whose consumers over gRPC get each message group in order (repeatable).
    #[arg(long = "fifo-group", value_name = "NAME")]
    fifo_groups: Vec<String>,

    /// Do not create topics with the first send to them.
    #[arg(long)]
    no_auto_create_topics: bool,

    /// Queues of a topic that is created with the first send.
    #[arg(long, default_value_t = 4, value_name = "NUMBER")]
    queues: i32,

    /// How long a message received over HTTP is hidden, in milliseconds.
    #[arg(long, default_value_t = 300_000, value_name = "MS")]
    http_invisible_ms: u64,

    /// Broker name.
    #[arg(long, default_value = "broker-a")]
    name: String,

    /// Join the name server of the loopback broker at this address.
    #[arg(long, value_name = "HOST:PORT")]
    join: Option<SocketAddr>,

    /// Take commands on standard input, one JSON object a line, each answered by one line; the end of the input stops
    /// the broker. {"advance_ms":n} {"restart_ms":n} {"pending":true} {"stop":true} {"request_count":code}
    /// {"create_topic":{"name":"t","queues":4,"type":"delay"}}
    /// {"create_group":{"name":"g","fifo":true,"max_attempts":17,"backoff_ms":[1000,5000]}}
    /// {"message_stage":{"topic":"t","group":"g","message_id":"…"}}
    /// {"inject":{"code":310,"times":1,"fault":"refuse|swallow|close_before|close_after|corrupt|gateway","response_code":2,"remark":"…"}}
    #[arg(long, verbatim_doc_comment)]
    control: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum PersonaName {
    Loopback,
    Apache5,
    Apache4,
    Huawei,
}

fn user(text: &str) -> Result<Credentials, String> {
    match text.split_once(':') {
        Some((access, secret)) if !access.is_empty() && !secret.is_empty() => {
            Ok(Credentials::new(access, secret))
        }
        _ => Err("expected ACCESS_KEY:SECRET_KEY".into()),
    }
}

fn topic(text: &str) -> Result<(String, i32, Option<TopicType>), String> {
    let (name, rest) = text.split_once(':').ok_or("expected NAME:QUEUES or NAME:QUEUES:TYPE")?;
    let (queues, kind) = rest.split_once(':').map_or((rest, None), |(queues, kind)| (queues, Some(kind)));
    let queues = queues.parse().map_err(|_| format!("{queues:?} is not a number of queues"))?;
    Ok((name.to_owned(), queues, kind.map(topic_type).transpose()?))
}

/// The type of topics with this name.
pub(crate) fn topic_type(name: &str) -> Result<TopicType, String> {
    TopicType::from_name(name).ok_or_else(|| {
        format!("{name:?} is no type of topics: mixed, normal, fifo, delay, transaction, priority")
    })
}

/// Creates a topic, of a type if one is given.
pub(crate) fn create_topic(
    broker: &Broker,
    name: &str,
    queues: i32,
    kind: Option<TopicType>,
) -> tminus::Result<()> {
    match kind {
        Some(kind) => broker.create_topic_of(name, queues, kind),
        None => broker.create_topic(name, queues),
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|e| format!("cannot read {}: {e}", file.display()).into())
}

impl Arguments {
    fn options(&self) -> Result<BrokerOptions, Failure> {
        let mut options = BrokerOptions::default();
        options.listen = self.listen;
        options.clock = if self.virtual_clock { Clock::virtual_now() } else { Clock::real() };
        options.tls = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                Some(BrokerTls::Given { cert_pem: read(cert)?, key_pem: Secret::new(read(key)?) })
            }
            _ => self.tls.then_some(BrokerTls::SelfMade),
        };
        options.tls_only = self.tls_only;
        options.client_ca_pem = self.client_ca.as_deref().map(read).transpose()?;
        options.credentials = self.users.clone();
        options.persona = match self.persona {
            PersonaName::Loopback => Persona::Loopback,
            PersonaName::Apache5 => Persona::Apache5,
            PersonaName::Apache4 => Persona::Apache4,
            PersonaName::Huawei => Persona::Huawei,
        };
        options.auto_create_topics = !self.no_auto_create_topics;
        options.queues = self.queues;
        options.http_invisible = Duration::from_millis(self.http_invisible_ms);
        options.name = self.name.clone();
        options.join = self.join;
        Ok(options)
    }
}

/// Runs a broker until a signal, or the control input, ends it.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let broker = Broker::start(arguments.options()?).await?;
    for (name, queues, kind) in &arguments.topics {
        create_topic(&broker, name, *queues, *kind)?;
    }
    for name in &arguments.fifo_groups {
        broker.create_group(name, GroupOptions { fifo: true, ..GroupOptions::default() })?;
    }
    let mut ready = json!({ "address": broker.address().to_string(), "pid": std::process::id() });
    if let Some(ca_pem) = broker.ca_pem() {
        ready["ca_pem"] = ca_pem.into();
    }
    print_line(&ready)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        ended = control::serve(&broker), if arguments.control => ended?,
    }
    broker.stop().await;
    Ok(())
}

/// Prints one line of JSON at once.
pub(crate) fn print_line(line: &serde_json::Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
