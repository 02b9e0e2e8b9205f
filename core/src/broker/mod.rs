//! The loopback broker: name server, broker, gRPC proxy and ApsaraMQ's HTTP service on one port, for programs that learn,
//! develop or test.
//!
//! `socket → listener → session (codec) → handlers → store + timer → delivery → session`

mod acl;
mod ask;
mod clients;
mod control;
mod delivery;
mod filter;
mod groups;
mod handlers;
mod http;
mod join;
mod listener;
mod locks;
mod node;
mod options;
mod outbox;
mod persona;
mod polls;
mod pop;
mod registration;
mod registry;
mod relays;
mod retry;
mod scheduler;
mod session;
mod state;
mod store;
mod timer;
mod tls;
mod topic_type;
mod topics;
mod transactions;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

pub use ask::{ClientCommand, ClientReply};
pub use control::{Fault, TELEMETRY};
pub use groups::GroupOptions;
pub use options::{BrokerOptions, BrokerTls};
pub use persona::Persona;
pub use pop::MessageStage;
pub use topic_type::TopicType;

use listener::Door;
use node::Node;
use topics::TopicConfig;

/// A scheduled message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMessage {
    /// Its topic.
    pub topic: String,
    /// The producer's unique id.
    pub message_id: String,
    /// When it becomes visible, Unix ms.
    pub deliver_at_ms: i64,
}

/// A running loopback broker. Dropping it stops it.
#[derive(Debug)]
pub struct Broker {
    node: Arc<Node>,
    door: Door,
    ca_pem: Option<String>,
    join: Option<SocketAddr>,
    running: tokio::sync::Mutex<Option<Running>>,
}

/// The tasks of a broker whose port is open. Dropping it ends them.
#[derive(Debug)]
struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Broker {
    /// Starts on the current tokio runtime; it accepts connections when this returns.
    ///
    /// # Errors
    /// `InvalidArgument`: not a loopback address, unusable certificates, no queues, no invisible time over HTTP. `Io`: the address is taken.
    /// `BrokerUnreachable`: the broker to join does not answer.
    pub async fn start(options: BrokerOptions) -> Result<Self> {
        if options.queues < 1 {
            return Err(invalid(format!("a topic needs at least one queue, not {}", options.queues)));
        }
        if options.http_invisible.as_millis() == 0 {
            return Err(invalid("a message received over HTTP must be hidden for at least 1 ms"));
        }
        let tls = tls::server(&options)?;
        let (acceptor, ca_pem) = tls.map_or((None, None), |tls| (Some(tls.acceptor), tls.ca_pem));
        let listener = listener::bind(options.listen)?;
        let address = listener.local_addr().map_err(|e| {
            Error::new(ErrorKind::Io, START, "cannot read the address of the port").with_source(e)
        })?;
        let broker = Self {
            node: Arc::new(Node::new(&options, address)),
            door: Door { tls: acceptor, tls_only: options.tls_only },
            ca_pem,
            join: options.join,
            running: tokio::sync::Mutex::default(),
        };
        *broker.running.lock().await = Some(broker.run(listener).await?);
        Ok(broker)
    }

    async fn run(&self, listener: TcpListener) -> Result<Running> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(listener::run(self.node.clone(), listener, self.door.clone(), stopped.clone()));
        tasks.spawn(scheduler::run(self.node.clone(), stopped.clone()));
        if let Some(name_server) = self.join {
            let joined = join::join(&self.node, name_server).await?;
            tasks.spawn(join::stay(self.node.clone(), name_server, joined, stopped));
        }
        Ok(Running { stop, tasks })
    }

    /// The address it listens on: name server and broker.
    pub fn address(&self) -> SocketAddr {
        self.node.address
    }

    /// The clock it runs by.
    pub fn clock(&self) -> &Clock {
        &self.node.clock
    }

    /// PEM text of the authority that signed the self-made certificate.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Creates a topic, or changes its number of queues. Its type is that of topics which the persona creates.
    ///
    /// # Errors
    /// `InvalidArgument`: unusable name, or no queues.
    pub fn create_topic(&self, topic: &str, queues: i32) -> Result<()> {
        self.put_topic(topic, TopicConfig::new(queues))
    }

    /// Creates a topic of a type, or changes its number of queues and its type.
    ///
    /// # Errors
    /// As [`Broker::create_topic`].
    pub fn create_topic_of(&self, topic: &str, queues: i32, kind: TopicType) -> Result<()> {
        self.put_topic(topic, TopicConfig { topic_type: Some(kind), ..TopicConfig::new(queues) })
    }

    fn put_topic(&self, topic: &str, config: TopicConfig) -> Result<()> {
        let queues = config.write_queues;
        if queues < 1 {
            return Err(invalid(format!("a topic needs at least one queue, not {queues}")));
        }
        if let Some(fault) = topics::name_fault(topic) {
            return Err(invalid(fault));
        }
        self.node.state().store.topics.put(topic, config);
        Ok(())
    }

    /// Creates a consumer group, or changes how it is served; its consumers over gRPC are told.
    ///
    /// # Errors
    /// `InvalidArgument`: unusable name, or less than one attempt.
    pub fn create_group(&self, group: &str, options: GroupOptions) -> Result<()> {
        if options.max_attempts < 1 {
            return Err(invalid(format!(
                "a message needs at least one attempt, not {}",
                options.max_attempts
            )));
        }
        if let Some(fault) = handlers::group_fault(group) {
            return Err(invalid(fault));
        }
        let mut state = self.node.state();
        state.groups.configure(group, options);
        handlers::push_settings(&mut state, group);
        Ok(())
    }

    /// Moves a virtual clock forward by `by`, in deadline order; returns how many messages became visible, when they
    /// are. `InvalidArgument` with a real clock.
    pub fn advance(&self, by: Duration) -> Result<usize> {
        let clock = &self.node.clock;
        if !clock.is_virtual() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "advance",
                "only a virtual clock can be moved",
            ));
        }
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let mut state = self.node.state();
        let target = clock.now_ms().saturating_add(by);
        let mut visible = 0;
        while let Some(next) = state.timer.next_deadline().filter(|next| *next <= target) {
            clock.move_to_ms(next);
            visible += state.fire(clock.now_ms());
        }
        clock.move_to_ms(target);
        Ok(visible)
    }

    /// Scheduled messages (and delayed retries) that wait, in deadline order.
    pub fn pending(&self) -> Vec<PendingMessage> {
        self.node.state().pending()
    }

    /// Where the message with this id (the producer's unique id) is in its life, as far as `group` is concerned. Computed
    /// now; [`MessageStage::Deleted`] is told apart from [`MessageStage::Initialized`] only for a message that an earlier
    /// question found.
    pub fn message_stage(&self, topic: &str, group: &str, message_id: &str) -> MessageStage {
        self.node.state().stage(topic, group, message_id)
    }

    /// Lets the next `times` requests with this remoting request code meet `fault`; returns once set.
    pub fn inject(&self, request_code: i32, times: usize, fault: Fault) {
        self.node.control().inject(request_code, times, fault);
    }

    /// Number of requests with this remoting request code received so far.
    pub fn request_count(&self, request_code: i32) -> u64 {
        self.node.control().received(request_code)
    }

    /// Closes the port and every connection, waits `down`, and opens the same port again; messages and offsets stay.
    ///
    /// # Errors
    /// `Closed` after [`Broker::stop`]; `Io` if the port was taken meanwhile.
    pub async fn restart(&self, down: Duration) -> Result<()> {
        let mut running = self.running.lock().await;
        let Some(was_running) = running.take() else {
            return Err(Error::new(
                ErrorKind::Closed,
                "restart broker",
                "the broker was stopped; start a new one",
            ));
        };
        was_running.stop().await;
        tokio::time::sleep(down).await;
        *running = Some(self.run(listener::bind(self.node.address)?).await?);
        Ok(())
    }

    /// Closes the port and every connection. Idempotent.
    pub async fn stop(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.stop().await;
        }
    }
}

const START: &str = "start broker";

fn invalid(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, START, text)
}
