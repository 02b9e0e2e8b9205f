//! What a producer or consumer stands on: connections, routes, heartbeat, and an orderly end.

use std::borrow::BorrowMut;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep_until, timeout};

use super::deadline_after;
use super::half::Questions;
use super::members::{GroupMember, Members};
use super::namespace::Namespace;
use crate::clock;
use crate::codec::remoting::Frame;
use crate::codec::remoting::body::{HeartbeatData, JsonBody};
use crate::codec::remoting::codes::{request, response};
use crate::error::{Error, ErrorKind, Result};
use crate::options::ClientOptions;
use crate::route::{Health, Route, Routes};
use crate::transport::remoting::{Connection, Dialer, refusal};
use crate::transport::{Connection as _, Pool};

/// Time that signing off at the brokers may take.
pub(super) const SIGN_OFF: Duration = Duration::from_secs(1);

/// One client of a cluster.
pub(crate) struct Instance {
    options: ClientOptions,
    client_id: String,
    namespace: Namespace,
    pool: Pool,
    routes: Routes,
    health: Health,
    members: Arc<Members>,
    closing: watch::Sender<bool>,
    background: Mutex<Option<JoinHandle<()>>>,
    /// Whether the shutdown is through; held while it goes on.
    ended: tokio::sync::Mutex<bool>,
}

impl Instance {
    /// Asks a name server once, to fail fast, and starts the heartbeat on the current tokio runtime.
    ///
    /// # Errors
    /// `InvalidArgument`; `NameServerUnreachable`, `WrongProtocol`, `Tls`, `Protocol` if no name server can be talked
    /// to; `PermissionDenied` if a broker refuses the credentials.
    pub(crate) async fn start(options: ClientOptions) -> Result<Arc<Self>> {
        check_runtime()?;
        let members = Arc::new(Members::default());
        let dispatcher = Arc::clone(&members);
        let handler = Arc::new(move |request| dispatcher.dispatch(request));
        let pool = Pool::new(&options, Dialer::new(options.credentials.clone(), handler))?;
        let instance = Arc::new(Self {
            client_id: options.client_id.clone().unwrap_or_else(new_client_id),
            namespace: Namespace::new(options.namespace.as_deref()),
            pool,
            routes: Routes::new(&options.endpoint.addresses),
            health: Health::default(),
            members,
            closing: watch::Sender::new(false),
            background: Mutex::default(),
            ended: tokio::sync::Mutex::default(),
            options,
        });
        let started = instance.probe().await;
        if let Err(error) = started {
            instance.shutdown().await;
            return Err(error);
        }
        let task = tokio::spawn(background(Arc::downgrade(&instance), instance.closing.subscribe()));
        *instance.background.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Ok(instance)
    }

    /// A name server has to answer; a broker that can be reached must not refuse the credentials.
    async fn probe(&self) -> Result<()> {
        let deadline = deadline_after(self.options.request_timeout);
        let default = self.routes.probe(&self.pool, "start", deadline).await?;
        let broker = default.as_ref().and_then(|route| route.writable().first());
        let (Some(queue), Some(_)) = (broker, &self.options.credentials) else { return Ok(()) };
        let asked = async {
            let data = HeartbeatData { client_id: self.client_id.clone(), ..HeartbeatData::default() };
            let request = Frame::request(request::HEART_BEAT).with_body(data.encode());
            let connection = self.pool.get("start", &queue.address, deadline).await?;
            connection.call("start", request, deadline).await
        };
        match asked.await.map(|answer| refusal("start", &answer, &queue.broker)) {
            Ok(refused) if refused.kind() == ErrorKind::PermissionDenied => Err(refused),
            // Whatever else is wrong with this broker, the first send will tell, or another broker will do.
            _ => Ok(()),
        }
    }

    /// `host@pid@random`, or what the options say.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The options it was started with.
    pub(crate) fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Names of topics and groups go through it.
    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// What is known of the brokers' state.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// The deadline of a request that starts now.
    pub(crate) fn request_deadline(&self) -> Instant {
        deadline_after(self.options.request_timeout)
    }

    /// `Closed` after the shutdown began.
    pub(crate) fn check_open(&self, operation: &'static str) -> Result<()> {
        if !*self.closing.borrow() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Closed, operation, "the client was shut down; start a new one"))
    }

    /// The route of `topic` (as the server knows it). With `default_queues` a topic that does not exist may be created
    /// by the first send.
    ///
    /// # Errors
    /// `TopicNotFound`, or why no name server can be asked.
    pub(crate) async fn route(
        &self,
        operation: &'static str,
        topic: &str,
        default_queues: Option<i32>,
        deadline: Instant,
    ) -> Result<Arc<Route>> {
        self.routes.get(&self.pool, operation, topic, default_queues, deadline).await
    }

    /// The same, always asked for anew.
    pub(crate) async fn refresh_route(
        &self,
        operation: &'static str,
        topic: &str,
        default_queues: Option<i32>,
        deadline: Instant,
    ) -> Result<Arc<Route>> {
        self.routes.fetch(&self.pool, operation, topic, default_queues, deadline).await
    }

    /// Sends `request` to the broker at `address` and waits for its answer, whatever its code. A new connection signs
    /// on first.
    ///
    /// # Errors
    /// Those of dialling and of the connection; `Closed` after the shutdown.
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        request: impl BorrowMut<Frame>,
        deadline: Instant,
    ) -> Result<Frame> {
        let connection = self.broker(operation, address, deadline).await?;
        let answer = connection.call(operation, request, deadline).await?;
        if answer.code == response::GO_AWAY {
            self.pool.retire(&connection);
        }
        Ok(answer)
    }

    /// Sends `request` to the broker at `address` and wants no answer.
    ///
    /// # Errors
    /// As [`Instance::call`].
    pub(crate) async fn one_way(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        request: impl BorrowMut<Frame>,
        deadline: Instant,
    ) -> Result<()> {
        self.broker(operation, address, deadline).await?.one_way(operation, request, deadline).await
    }

    async fn broker(
        &self,
        operation: &'static str,
        address: &Arc<str>,
        deadline: Instant,
    ) -> Result<Connection> {
        let connection = self.pool.get(operation, address, deadline).await?;
        if !connection.is_greeted()
            && let Some(heartbeat) = self.members.heartbeat(&self.client_id)
            && connection.greet()
        {
            // It goes ahead of the request on the same connection; the answer brings nothing that is waited for.
            connection.cast(heartbeat).map_err(|fault| fault.error(operation, Default::default()))?;
        }
        Ok(connection)
    }

    /// Makes this client a member of a producer group, from the next connection or heartbeat on. Brokers may ask any of
    /// its members about transactions.
    pub(super) fn register_producer(&self, group: &str, questions: Questions) {
        self.members.add_producer(group, questions);
    }

    /// Makes this client a member of a consumer group; follow with [`Instance::heartbeat`].
    pub(crate) fn register_consumer(&self, group: &str, member: Arc<dyn GroupMember>) {
        self.members.add_consumer(group, member);
    }

    /// Ends the membership without telling the brokers; [`Instance::shutdown`] does tell them.
    pub(crate) fn forget_consumer(&self, group: &str) {
        self.members.remove_consumer(group);
    }

    /// Signs on at the brokers now: with consumers at every broker of the known routes, else where it is connected.
    ///
    /// # Errors
    /// The first fault, if no broker took it.
    pub(crate) async fn heartbeat(&self) -> Result<()> {
        let Some(heartbeat) = self.members.heartbeat(&self.client_id) else { return Ok(()) };
        let addresses: Vec<Arc<str>> = if self.members.has_consumers() {
            self.routes.brokers().iter().flat_map(|broker| broker.addresses().cloned()).collect()
        } else {
            self.pool.open().iter().filter(|c| c.is_greeted()).map(|c| Arc::clone(c.address())).collect()
        };
        self.each(addresses, vec![heartbeat], self.request_deadline()).await
    }

    /// Sends `requests` to every address, all at the same time. An error if none of the addresses took them all.
    async fn each(&self, addresses: Vec<Arc<str>>, requests: Vec<Frame>, deadline: Instant) -> Result<()> {
        let mut brokers = JoinSet::new();
        for address in addresses {
            let pool = self.pool.clone();
            let requests = requests.clone();
            brokers.spawn(async move {
                let connection = pool.get("heartbeat", &address, deadline).await?;
                connection.greet();
                for request in requests {
                    let answer = connection.call("heartbeat", request, deadline).await?;
                    if answer.code != response::SUCCESS {
                        return Err(refusal("heartbeat", &answer, &address));
                    }
                }
                Ok(())
            });
        }
        let mut fault = None;
        let mut taken = false;
        while let Some(broker) = brokers.join_next().await {
            match broker {
                Ok(Ok(())) => taken = true,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a broker did not take the heartbeat");
                    fault.get_or_insert(error);
                }
                Err(_) => {}
            }
        }
        fault.filter(|_| !taken).map_or(Ok(()), Err)
    }

    /// Asks for every known route anew; faults leave the known ones in place.
    async fn refresh_routes(&self) {
        for topic in self.routes.topics() {
            let deadline = self.request_deadline();
            if let Err(error) = self.routes.refresh(&self.pool, &topic, deadline).await {
                tracing::debug!(%error, topic, "the route could not be refreshed");
            }
        }
    }

    /// Signs off at the brokers, ends every call under way with `Closed`, and leaves no task and no socket. Idempotent;
    /// bounded by about a second.
    pub(crate) async fn shutdown(&self) {
        let mut ended = self.ended.lock().await;
        if std::mem::replace(&mut *ended, true) {
            return;
        }
        self.closing.send_replace(true);
        let background = self.background.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(background) = background {
            let _ = background.await;
        }
        let greeted = self.pool.open().into_iter().filter(Connection::is_greeted);
        let addresses = greeted.map(|c| Arc::clone(c.address())).collect();
        let requests = self.members.sign_off(&self.client_id);
        let _ = timeout(SIGN_OFF, self.each(addresses, requests, deadline_after(SIGN_OFF))).await;
        self.pool.close().await;
    }
}

impl Drop for Instance {
    /// A client that is dropped without a shutdown leaves no socket and no task either, but does not sign off.
    fn drop(&mut self) {
        self.pool.abort();
        let background = self.background.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        background.inspect(JoinHandle::abort);
    }
}

/// Heartbeats and route refreshes until the instance closes.
async fn background(instance: Weak<Instance>, mut closing: watch::Receiver<bool>) {
    let Some((beat, refresh)) =
        instance.upgrade().map(|i| (i.options.heartbeat_interval, i.options.route_refresh_interval))
    else {
        return;
    };
    let work = async {
        let mut next_beat = deadline_after(beat);
        let mut next_refresh = deadline_after(refresh);
        loop {
            sleep_until(next_beat.min(next_refresh).into()).await;
            let Some(instance) = instance.upgrade() else { return };
            if next_refresh <= clock::instant() {
                instance.refresh_routes().await;
                next_refresh = deadline_after(refresh);
            }
            if next_beat <= clock::instant() {
                if let Err(error) = instance.heartbeat().await {
                    tracing::warn!(%error, "no broker took the heartbeat");
                }
                next_beat = deadline_after(beat);
            }
        }
    };
    tokio::select! {
        () = work => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
}

/// # Errors
/// `InvalidArgument` outside of a tokio runtime.
pub(super) fn check_runtime() -> Result<()> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Ok(());
    }
    let text = "there is no tokio runtime here; start it inside one, with its I/O and time drivers enabled";
    Err(Error::new(ErrorKind::InvalidArgument, "start", text))
}

/// `host@pid@random`.
pub(super) fn new_client_id() -> String {
    let host = gethostname::gethostname();
    format!("{}@{}@{:016x}", host.to_string_lossy(), std::process::id(), fastrand::u64(..))
}
