//! What producers and consumers over gRPC stand on: connections, sessions, routes, heartbeat, and an orderly end.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use futures_util::future::{join_all, select_all};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout, timeout_at};

use super::session::{ServerCommand, Session, State};
use super::settings::{Agreed, Role, Subscriptions};
use crate::client::deadline_after;
use crate::client::instance::{SIGN_OFF, check_runtime, new_client_id};
use crate::client::namespace::Namespace;
use crate::clock;
use crate::codec::grpc::endpoints_of;
use crate::codec::grpc::proto::telemetry_command::Command;
use crate::codec::grpc::proto::{
    Code, Endpoints, HeartbeatRequest, Language, NotifyClientTerminationRequest, QueryRouteRequest,
    ReceiveMessageRequest, ReceiveMessageResponse, Resource, Settings, TelemetryCommand, Ua,
};
use crate::codec::grpc::time::duration;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::message::ServerKind;
use crate::options::ClientOptions;
use crate::route::{Health, ProxyRoute};
use crate::transport::grpc::{Answer, Answers, Connection, Dialer, Metadata, Refused, Rpc, VERSION, refusal};
use crate::transport::{Fault, Pool};

/// Proxies forget a client that is silent for two minutes, and look for it more often.
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(10);
/// Commands of servers that may wait for somebody who takes them.
const WAITING_COMMANDS: usize = 1024;

/// What the sessions of a client share.
pub(super) struct Core {
    pub(super) options: ClientOptions,
    client_id: String,
    namespace: Namespace,
    pub(super) metadata: Metadata,
    pub(super) pool: Pool<Dialer>,
    /// Every address of the endpoint, as servers are told.
    access_point: Endpoints,
    role: Mutex<Role>,
    /// Topics that are sent to, by their own names.
    topics: Mutex<BTreeSet<String>>,
    agreed: watch::Sender<Agreed>,
    pub(super) commands: async_channel::Sender<ServerCommand>,
}

impl Core {
    pub(super) fn role(&self) -> MutexGuard<'_, Role> {
        lock(&self.role)
    }

    /// The consumer group.
    pub(super) fn group(&self) -> Option<String> {
        self.role().group().map(str::to_owned)
    }

    /// What the client says of itself.
    pub(super) fn settings(&self) -> TelemetryCommand {
        let mut settings = Settings {
            access_point: Some(self.access_point.clone()),
            request_timeout: Some(duration(self.options.request_timeout)),
            user_agent: Some(Ua {
                language: Language::Rust.into(),
                version: VERSION.to_owned(),
                platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
                hostname: gethostname::gethostname().to_string_lossy().into_owned(),
            }),
            ..Settings::default()
        };
        let topics: Vec<String> = lock(&self.topics).iter().cloned().collect();
        let topics = topics.iter().map(|topic| self.resource(topic));
        self.role().describe(&mut settings, topics, |name| self.resource(name));
        TelemetryCommand { status: None, command: Some(Command::Settings(settings)) }
    }

    /// Takes over what a server says.
    pub(super) fn merge(&self, settings: &Settings) {
        self.agreed.send_if_modified(|agreed| agreed.merge(settings));
    }

    /// A topic or group as servers know it. The open-source proxy looks at the name only, so the namespace is part of
    /// it, as over remoting; Alibaba's service has a field for it.
    fn resource(&self, name: &str) -> Resource {
        let resource_namespace = self.namespace.name().unwrap_or_default().to_owned();
        let name = match self.options.server_kind {
            ServerKind::Alibaba => self.namespace.strip(name),
            _ => self.namespace.wrap(name),
        };
        Resource { resource_namespace, name: name.into_owned() }
    }

    /// What an operator gets who asks for the stacks of our threads: no threads of ours wait anywhere.
    pub(super) fn portrait(&self) -> String {
        let open: Vec<String> =
            self.pool.open().iter().map(|c| crate::transport::Connection::address(c).to_string()).collect();
        format!(
            "tminus {VERSION}, client {}\nrole: {:?}\nconnections: {}\ntasks of the runtime: {}\n",
            self.client_id,
            *self.role(),
            open.join(", "),
            tokio::runtime::Handle::current().metrics().num_alive_tasks()
        )
    }
}

/// One client of a RocketMQ 5 proxy.
pub(crate) struct Agent {
    core: Arc<Core>,
    access: Vec<Arc<str>>,
    /// The address of the access point that answered last.
    current: AtomicUsize,
    sessions: Mutex<HashMap<Arc<str>, Session>>,
    routes: RwLock<HashMap<String, Arc<ProxyRoute>>>,
    /// Held while a route is fetched, so that a hundred first sends ask once.
    fetching: tokio::sync::Mutex<()>,
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

    fn resync(&self) {
        lock(&self.sessions).values().for_each(Session::resync);
    }

    /// The route of `topic` (by its own name), with at least one of its addresses agreed with. A producer declares the
    /// topic to the servers.
    ///
    /// # Errors
    /// `TopicNotFound`; or why no proxy can be asked or agreed with.
    pub(crate) async fn route(
        &self,
        operation: &'static str,
        topic: &str,
        deadline: Instant,
    ) -> Result<Arc<ProxyRoute>> {
        if let Some(route) = self.known_route(topic) {
            return Ok(route);
        }
        let Ok(_fetching) = timeout_at(deadline.into(), self.fetching.lock()).await else {
            let text = format!("the route of topic {topic} was not there before the deadline");
            return Err(Error::new(ErrorKind::Timeout, operation, text));
        };
        match self.known_route(topic) {
            Some(route) => Ok(route),
            None => self.refresh_route(operation, topic, deadline).await,
        }
    }

    /// The same, always asked for anew.
    pub(crate) async fn refresh_route(
        &self,
        operation: &'static str,
        topic: &str,
        deadline: Instant,
    ) -> Result<Arc<ProxyRoute>> {
        let request = QueryRouteRequest {
            topic: Some(self.resource(topic)),
            endpoints: Some(self.core.access_point.clone()),
        };
        // A message that waits for its route has not left.
        let asked = self.ask_any(operation, &request, deadline).await;
        let answer = asked.map_err(|error| error.with_outcome(Outcome::NotSent))?;
        let fresh = ProxyRoute::new(answer.message_queues);
        let addresses = fresh.addresses();
        if !addresses.is_empty() {
            self.agree(operation, &addresses, deadline).await?;
        }
        let declared = matches!(*self.core.role(), Role::Producer { .. })
            && lock(&self.core.topics).insert(topic.to_owned());
        if declared {
            self.resync();
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        Ok(match routes.get(topic) {
            Some(known) if known.is_same(&fresh) => Arc::clone(known),
            _ => {
                let fresh = Arc::new(fresh);
                routes.insert(topic.to_owned(), Arc::clone(&fresh));
                fresh
            }
        })
    }

    fn known_route(&self, topic: &str) -> Option<Arc<ProxyRoute>> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    /// Begins sessions with `addresses` where there are none, and waits until one of them agrees.
    ///
    /// # Errors
    /// Why none does; what tells most about the fault decides the kind.
    async fn agree(&self, operation: &'static str, addresses: &[Arc<str>], deadline: Instant) -> Result<()> {
        let mut states: Vec<watch::Receiver<State>> = {
            let mut sessions = lock(&self.sessions);
            self.check_open(operation)?;
            let begin = |address: &Arc<str>| Session::begin(Arc::clone(&self.core), Arc::clone(address));
            let mut state = |address: &Arc<str>| {
                sessions.entry(Arc::clone(address)).or_insert_with(|| begin(address)).state.clone()
            };
            addresses.iter().map(&mut state).collect()
        };
        loop {
            let now: Vec<State> = states.iter_mut().map(|state| state.borrow_and_update().clone()).collect();
            if now.iter().any(|state| matches!(state, State::Agreed)) {
                return Ok(());
            }
            let broken = now.iter().all(|state| matches!(state, State::Broken(_)));
            let changed = select_all(states.iter_mut().map(|state| Box::pin(state.changed())));
            let changed = !broken && matches!(timeout_at(deadline.into(), changed).await, Ok((Ok(()), ..)));
            self.check_open(operation)?;
            if !changed {
                return Err(disagreement(operation, addresses, &now));
            }
        }
    }

    /// Sends `request` to one of the addresses of the endpoint, in turn, until one answers.
    ///
    /// # Errors
    /// As [`Agent::call`]; if nobody answers, what tells most about the fault.
    pub(crate) async fn ask_any<R: Rpc>(
        &self,
        operation: &'static str,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Answer> {
        let count = self.access.len();
        let first = self.current.load(Ordering::Relaxed);
        let mut last = None;
        for turn in 0..count {
            let at = (first + turn) % count;
            let now = clock::instant();
            let share = deadline.saturating_duration_since(now) / (count - turn) as u32;
            match self.call(operation, &self.access[at], request, now + share).await {
                Err(error) if error.response_code().is_none() && error.kind() != ErrorKind::Closed => {
                    last = Some(error);
                }
                answered => {
                    self.current.store(at, Ordering::Relaxed);
                    return answered;
                }
            }
        }
        Err(last.unwrap_or_else(|| Error::new(ErrorKind::InvalidArgument, operation, "there is no address")))
    }

    /// Sends `request` to `address`; its answer has status OK, or several results.
    ///
    /// # Errors
    /// Those of [`Agent::ask`]; the server's refusal.
    pub(crate) async fn call<R: Rpc>(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Answer> {
        let answer = self.ask(operation, address, request, deadline).await?;
        match answer.status() {
            Some(status) if status.code == Code::Ok as i32 || status.code == Code::MultipleResults as i32 => {
                Ok(answer)
            }
            Some(status) => Err(refusal(operation, status, request.resource())),
            None => {
                let text = format!("{address} answered without a status");
                Err(Error::new(ErrorKind::Protocol, operation, text).with_outcome(Outcome::MaybeSent))
            }
        }
    }

    /// Sends `request` to `address` and waits for its answer, whatever its status. Dropping the future cancels the call.
    ///
    /// # Errors
    /// `Closed` after the shutdown; those of dialling and of the connection; `Timeout`.
    pub(crate) async fn ask<R: Rpc>(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Answer> {
        self.check_open(operation)?;
        self.ask_always(operation, address, request, deadline).await
    }

    /// The same, in the shutdown too.
    async fn ask_always<R: Rpc>(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Answer> {
        let metadata = &self.core.metadata;
        let begin = |connection: &Connection| connection.begin(operation, request, metadata, deadline);
        let (connection, answers) = self.begin(operation, address, deadline, begin).await?;
        connection.finish(operation, answers, deadline).await
    }

    /// Begins to receive from `address`, once it has agreed on settings. The answers end with an error after `deadline`
    /// at the latest, by the server; dropping them cancels the call at once.
    ///
    /// # Errors
    /// As [`Agent::ask`], as far as they are known before the first answer.
    pub(crate) async fn receive(
        &self,
        address: &Arc<str>,
        request: &ReceiveMessageRequest,
        deadline: Instant,
    ) -> Result<Answers<ReceiveMessageResponse>> {
        const OPERATION: &str = "receive";
        self.check_open(OPERATION)?;
        self.agree(OPERATION, std::slice::from_ref(address), deadline).await?;
        let metadata = &self.core.metadata;
        let begin = |connection: &Connection| connection.receive(OPERATION, request, metadata, deadline);
        Ok(self.begin(OPERATION, address, deadline, begin).await?.1)
    }

    /// Begins a call on the connection to `address`; on a new one, if that takes no more.
    pub(super) async fn begin<T>(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        deadline: Instant,
        begin: impl Fn(&Connection) -> Result<Answers<T>, Refused>,
    ) -> Result<(Connection, Answers<T>)> {
        let mut refused = None;
        for _ in 0..2 {
            let connection = self.core.pool.get(operation, address, deadline).await?;
            match begin(&connection) {
                Ok(answers) => return Ok((connection, answers)),
                Err(Refused(fault)) => {
                    self.core.pool.retire(&connection);
                    refused = Some(fault);
                }
            }
        }
        let fault = refused.unwrap_or_else(|| Fault::new(ErrorKind::ConnectionClosed, "no connection"));
        Err(fault.error(operation, Outcome::NotSent))
    }

    /// What calls travel with.
    pub(super) fn metadata(&self) -> &Metadata {
        &self.core.metadata
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

    /// Asks for every known route anew, and ends the sessions with addresses that are no longer in any of them.
    async fn refresh_routes(&self) {
        let known: Vec<String> =
            self.routes.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        for topic in known {
            if let Err(error) = self.refresh_route("refresh", &topic, self.request_deadline()).await {
                tracing::debug!(%error, topic, "the route could not be refreshed");
            }
        }
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let mut used: BTreeSet<Arc<str>> = routes.values().flat_map(|route| route.addresses()).collect();
        used.extend(self.access.iter().cloned());
        lock(&self.sessions).retain(|address, _| used.contains(address));
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

/// Why none of `addresses` agreed.
fn disagreement(operation: &'static str, addresses: &[Arc<str>], states: &[State]) -> Error {
    let fault = |(address, state): (&Arc<str>, &State)| match state {
        State::Broken(fault) => fault.clone(),
        State::Connecting => {
            Fault::new(ErrorKind::Timeout, format!("no connection to {address} before the deadline"))
        }
        State::Asking | State::Agreed => {
            let text =
                format!("{address} takes the telemetry stream and answers no settings before the deadline");
            Fault::new(ErrorKind::Timeout, text)
        }
    };
    let faults: Vec<Fault> = addresses.iter().zip(states).map(fault).collect();
    let unreachable = |fault: &&Fault| fault.kind != ErrorKind::BrokerUnreachable;
    let kind = faults.iter().find(unreachable).map_or(ErrorKind::BrokerUnreachable, |fault| fault.kind);
    let reasons: Vec<&str> = faults.iter().map(|fault| fault.text.as_str()).collect();
    Error::new(kind, operation, format!("no proxy agrees on settings: {}", reasons.join("; ")))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
