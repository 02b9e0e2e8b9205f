//! What producers and consumers over gRPC stand on: connections, sessions, routes, heartbeat, and an orderly end.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};

use super::core::{Core, lock};
use super::session::{ServerCommand, Session};
use super::settings::{Agreed, Role, Subscriptions};
use crate::client::deadline_after;
use crate::client::instance::{SIGN_OFF, check_runtime, new_client_id};
use crate::client::namespace::Namespace;
use crate::clock;
use crate::codec::grpc::endpoints_of;
use crate::codec::grpc::proto::{
    Code, Endpoints, HeartbeatRequest, NotifyClientTerminationRequest, Resource,
};
use crate::error::{Error, ErrorKind, Result};
use crate::options::ClientOptions;
use crate::route::{Health, ProxyRoute};
use crate::transport::Pool;
use crate::transport::grpc::{Dialer, Metadata};

/// Proxies forget a client that is silent for two minutes, and look for it more often.
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(10);
/// Commands of servers that may wait for somebody who takes them.
const WAITING_COMMANDS: usize = 1024;

/// One client of a RocketMQ 5 proxy.
pub(crate) struct Agent {
    pub(super) core: Arc<Core>,
    pub(super) access: Vec<Arc<str>>,
    /// The address of the access point that answered last.
    pub(super) current: AtomicUsize,
    pub(super) sessions: Mutex<HashMap<Arc<str>, Session>>,
    pub(super) routes: RwLock<HashMap<String, Arc<ProxyRoute>>>,
    /// Held while a route is fetched, so that a hundred first sends ask once.
    pub(super) fetching: tokio::sync::Mutex<()>,
    health: Health,
    commands: async_channel::Receiver<ServerCommand>,
    closing: watch::Sender<bool>,
    background: Mutex<Option<JoinHandle<()>>>,
    /// Whether the shutdown is through; held while it goes on.
    ended: tokio::sync::Mutex<bool>,
}

impl Agent {
    /// Agrees on settings with a proxy of the endpoint, looks `topics` up and agrees with the proxies that lead to them,
    /// all before the request timeout.
    ///
    /// # Errors
    /// `InvalidArgument`; `BrokerUnreachable`, `WrongProtocol`, `Tls`, `PermissionDenied`, `Timeout`, … if no proxy can
    /// be agreed with; `TopicNotFound`.
    pub(crate) async fn start(options: &ClientOptions, role: Role, topics: Vec<String>) -> Result<Arc<Self>> {
        check_runtime()?;
        let client_id = options.client_id.clone().unwrap_or_else(new_client_id);
        let (commands, taken) = async_channel::bounded(WAITING_COMMANDS);
        let addresses = &options.endpoint.addresses;
        let core = Arc::new(Core {
            metadata: Metadata::new(options, &client_id)?,
            namespace: Namespace::new(options.namespace.as_deref()),
            pool: Pool::new(options, Dialer)?,
            access_point: endpoints_of(addresses.iter().map(String::as_str)),
            topics: Mutex::new(topics.iter().cloned().collect()),
            role: Mutex::new(role),
            agreed: watch::Sender::new(Agreed::default()),
            commands,
            client_id,
            options: options.clone(),
        });
        let agent = Arc::new(Self {
            access: addresses.iter().map(|address| Arc::from(address.as_str())).collect(),
            current: AtomicUsize::new(fastrand::usize(..addresses.len().max(1))),
            sessions: Mutex::default(),
            routes: RwLock::default(),
            fetching: tokio::sync::Mutex::default(),
            health: Health::default(),
            commands: taken,
            closing: watch::Sender::new(false),
            background: Mutex::default(),
            ended: tokio::sync::Mutex::default(),
            core,
        });
        if let Err(error) = agent.sign_on(&topics).await {
            agent.shutdown().await;
            return Err(error);
        }
        let task = tokio::spawn(background(Arc::downgrade(&agent), agent.closing.subscribe()));
        *lock(&agent.background) = Some(task);
        Ok(agent)
    }

    async fn sign_on(&self, topics: &[String]) -> Result<()> {
        let deadline = self.request_deadline();
        self.agree("start", &self.access, deadline).await?;
        for topic in topics {
            self.route("start", topic, deadline).await?;
        }
        Ok(())
    }

    /// For one that asks for the order of messages: signs off again if the servers say that `group` does not keep it.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub(crate) async fn require_order(&self, group: &str) -> Result<()> {
        if self.core.agreed.borrow().fifo {
            return Ok(());
        }
        self.shutdown().await;
        let text = format!(
            "consumer group {group} does not keep the order of messages, and over gRPC that is set at the server: \
             mqadmin updateSubGroup -n NAMESRV -c CLUSTER -g {group} -o true"
        );
        Err(Error::new(ErrorKind::InvalidArgument, "start", text))
    }

    /// `host@pid@random`, or what the options say.
    pub(crate) fn client_id(&self) -> &str {
        &self.core.client_id
    }

    /// The options it was started with.
    pub(crate) fn options(&self) -> &ClientOptions {
        &self.core.options
    }

    /// Names of topics and groups go through it.
    pub(crate) fn namespace(&self) -> &Namespace {
        &self.core.namespace
    }

    /// What is known of the addresses' state.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// What the servers' settings say; changes show.
    pub(crate) fn settings(&self) -> watch::Receiver<Agreed> {
        self.core.agreed.subscribe()
    }

    /// The commands of servers that sessions do not answer themselves. Ends with the client.
    pub(crate) fn commands(&self) -> async_channel::Receiver<ServerCommand> {
        self.commands.clone()
    }

    /// A topic or group as servers know it.
    pub(crate) fn resource(&self, name: &str) -> Resource {
        self.core.resource(name)
    }

    /// The addresses of the endpoint, as servers are told.
    pub(crate) fn access_point(&self) -> &Endpoints {
        &self.core.access_point
    }

    /// The deadline of a request that starts now.
    pub(crate) fn request_deadline(&self) -> Instant {
        deadline_after(self.core.options.request_timeout)
    }

    /// `Closed` after the shutdown began.
    pub(crate) fn check_open(&self, operation: &'static str) -> Result<()> {
        if !*self.closing.borrow() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Closed, operation, "the client was shut down; start a new one"))
    }

    /// Replaces the subscriptions of a consumer, and tells the servers.
    pub(crate) fn set_subscriptions(&self, subscriptions: Subscriptions) {
        if let Some(current) = self.core.role().subscriptions_mut() {
            *current = subscriptions;
        }
        self.resync();
    }

    pub(super) fn resync(&self) {
        lock(&self.sessions).values().for_each(Session::resync);
    }

    /// Signs on at every address there is a session with; who does not know the client is told the settings again.
    async fn heartbeat(&self) {
        let (client_type, group) = {
            let role = self.core.role();
            (role.client_type().into(), role.group().map(|group| self.resource(group)))
        };
        let request = HeartbeatRequest { group, client_type };
        let deadline = self.request_deadline();
        let beats = self.session_addresses(|_| true).into_iter().map(|address| {
            let request = &request;
            async move {
                let begun = clock::instant();
                match self.call("heartbeat", &address, request, deadline).await {
                    Ok(_) => self.health.answered(&address, clock::instant().duration_since(begun)),
                    Err(error) if error.response_code() == Some(Code::UnrecognizedClientType as i32) => {
                        lock(&self.sessions).get(&address).into_iter().for_each(Session::resync);
                    }
                    Err(error) => tracing::debug!(%error, address = &*address, "no heartbeat"),
                }
            }
        });
        join_all(beats).await;
    }

    fn session_addresses(&self, which: impl Fn(&Session) -> bool) -> Vec<Arc<str>> {
        let sessions = lock(&self.sessions);
        sessions
            .iter()
            .filter(|(_, session)| which(session))
            .map(|(address, _)| Arc::clone(address))
            .collect()
    }

    /// Signs off at the proxies, ends every call under way with `Closed`, and leaves no task and no socket. Idempotent;
    /// bounded by about a second.
    pub(crate) async fn shutdown(&self) {
        let mut ended = self.ended.lock().await;
        if std::mem::replace(&mut *ended, true) {
            return;
        }
        self.closing.send_replace(true);
        let background = lock(&self.background).take();
        if let Some(background) = background {
            let _ = background.await;
        }
        self.commands.close();
        let group = self.core.role().group().map(|group| self.resource(group));
        let request = NotifyClientTerminationRequest { group };
        let deadline = deadline_after(SIGN_OFF);
        let addresses = self.session_addresses(Session::is_agreed);
        let told = addresses.iter().map(|address| self.ask_always("shutdown", address, &request, deadline));
        let _ = timeout(SIGN_OFF, join_all(told)).await;
        let sessions = std::mem::take(&mut *lock(&self.sessions));
        join_all(sessions.into_values().map(Session::end)).await;
        self.core.pool.close().await;
    }
}

impl Drop for Agent {
    /// A client that is dropped without a shutdown leaves no socket and no task either, but does not sign off.
    fn drop(&mut self) {
        self.core.pool.abort();
        let background = self.background.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        background.inspect(JoinHandle::abort);
    }
}

/// Heartbeats and route refreshes until the agent closes.
async fn background(agent: Weak<Agent>, mut closing: watch::Receiver<bool>) {
    let Some((beat, refresh)) = agent.upgrade().map(|agent| {
        let options = agent.options();
        (options.heartbeat_interval.min(LONGEST_HEARTBEAT), options.route_refresh_interval)
    }) else {
        return;
    };
    let work = async {
        let mut next_beat = deadline_after(beat);
        let mut next_refresh = deadline_after(refresh);
        loop {
            sleep_until(next_beat.min(next_refresh).into()).await;
            let Some(agent) = agent.upgrade() else { return };
            if next_refresh <= clock::instant() {
                agent.refresh_routes().await;
                next_refresh = deadline_after(refresh);
            }
            if next_beat <= clock::instant() {
                agent.heartbeat().await;
                next_beat = deadline_after(beat);
            }
        }
    };
    tokio::select! {
        () = work => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
}
