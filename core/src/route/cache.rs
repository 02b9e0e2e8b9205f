//! The routes in use.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use tokio::time::timeout_at;

use super::name_servers::NameServers;
use super::topic::{Broker, Route};
use crate::codec::remoting::Frame;
use crate::codec::remoting::body::{JsonBody, TopicRoute};
use crate::codec::remoting::codes::{request, response};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Pool;
use crate::transport::remoting::refusal;

/// The topic whose settings a created topic inherits.
pub(crate) const DEFAULT_TOPIC: &str = "TBW102";

type Map = HashMap<String, Arc<Route>>;

/// Asks for routes and remembers them.
pub(crate) struct Routes {
    name_servers: NameServers,
    known: RwLock<Map>,
    /// Held while a route is fetched, so that a hundred first sends ask once.
    fetching: tokio::sync::Mutex<()>,
}

impl Routes {
    pub(crate) fn new(name_servers: &[String]) -> Self {
        Self {
            name_servers: NameServers::new(name_servers),
            known: RwLock::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// The route of `topic`, fetched if it is not known. With `default_queues` a topic that does not exist takes the
    /// brokers of the default topic, with at most that many queues: the first send creates it there.
    ///
    /// # Errors
    /// `TopicNotFound`; or those of asking the name servers.
    pub(crate) async fn get(
        &self,
        pool: &Pool,
        operation: &'static str,
        topic: &str,
        default_queues: Option<i32>,
        deadline: Instant,
    ) -> Result<Arc<Route>> {
        if let Some(route) = self.known(topic) {
            return Ok(route);
        }
        let Ok(_fetching) = timeout_at(deadline.into(), self.fetching.lock()).await else {
            let text = format!("the route of topic {topic} was not there before the deadline");
            return Err(Error::new(ErrorKind::Timeout, operation, text));
        };
        match self.known(topic) {
            Some(route) => Ok(route),
            None => self.fetch(pool, operation, topic, default_queues, deadline).await,
        }
    }

    /// Asks for the route of `topic` anew. The known one stays in any case: a restarted broker answers some time before
    /// the name servers know its topics again.
    ///
    /// # Errors
    /// As [`Routes::get`].
    pub(crate) async fn fetch(
        &self,
        pool: &Pool,
        operation: &'static str,
        topic: &str,
        default_queues: Option<i32>,
        deadline: Instant,
    ) -> Result<Arc<Route>> {
        if let Some(data) = self.ask(pool, operation, topic, deadline).await? {
            return Ok(self.remember(topic, data));
        }
        let default = match default_queues {
            Some(_) => self.ask(pool, operation, DEFAULT_TOPIC, deadline).await?,
            None => None,
        };
        if let (Some(mut data), Some(queues)) = (default, default_queues) {
            for queue in &mut data.queue_datas {
                let queues = queues.min(queue.read_queue_nums);
                (queue.read_queue_nums, queue.write_queue_nums) = (queues, queues);
            }
            return Ok(self.remember(topic, data));
        }
        Err(self.not_found(operation, topic))
    }

    /// Asks for a known route anew. One that is not found stays: the topic may be about to be created.
    ///
    /// # Errors
    /// Why no name server can be asked.
    pub(crate) async fn refresh(&self, pool: &Pool, topic: &str, deadline: Instant) -> Result<()> {
        if let Some(data) = self.ask(pool, "refresh", topic, deadline).await? {
            self.remember(topic, data);
        }
        Ok(())
    }

    /// `TopicNotFound` with the command that creates `topic`.
    pub(crate) fn not_found(&self, operation: &'static str, topic: &str) -> Error {
        let text = format!(
            "topic {topic:?} does not exist and is not created by itself; create it: \
             mqadmin updateTopic -n \"{}\" -c DefaultCluster -t {topic}",
            self.name_servers.list()
        );
        Error::new(ErrorKind::TopicNotFound, operation, text)
    }

    /// Asks a name server anything, to know that one is there.
    ///
    /// # Errors
    /// Why none is.
    pub(crate) async fn probe(
        &self,
        pool: &Pool,
        operation: &'static str,
        deadline: Instant,
    ) -> Result<Option<Route>> {
        let data = self.ask(pool, operation, DEFAULT_TOPIC, deadline).await?;
        Ok(data.map(|data| Route::new(DEFAULT_TOPIC, data)))
    }

    async fn ask(
        &self,
        pool: &Pool,
        operation: &'static str,
        topic: &str,
        deadline: Instant,
    ) -> Result<Option<TopicRoute>> {
        let request = Frame::request(request::GET_ROUTEINFO_BY_TOPIC)
            .with("topic", topic)
            .with("acceptStandardJsonOnly", true);
        let answer = self.name_servers.ask(pool, operation, request, deadline).await?;
        match answer.code {
            response::SUCCESS => TopicRoute::decode(&answer.body).map(Some).map_err(|e| {
                Error::new(ErrorKind::Protocol, operation, format!("the route of topic {topic}: {e}"))
            }),
            response::TOPIC_NOT_EXIST => Ok(None),
            _ => Err(refusal(operation, &answer, topic)),
        }
    }

    /// The route of `topic`, if it was asked for before.
    pub(crate) fn known(&self, topic: &str) -> Option<Arc<Route>> {
        self.read().get(topic).cloned()
    }

    /// Every topic whose route is known.
    pub(crate) fn topics(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    /// Every broker of the known routes, once.
    pub(crate) fn brokers(&self) -> Vec<Broker> {
        let mut brokers: Vec<Broker> = Vec::new();
        for broker in self.read().values().flat_map(|route| route.brokers()) {
            if !brokers.contains(broker) {
                brokers.push(broker.clone());
            }
        }
        brokers
    }

    /// An unchanged route stays the same object, and its queues keep their turn.
    fn remember(&self, topic: &str, data: TopicRoute) -> Arc<Route> {
        let mut known = self.write();
        match known.get(topic) {
            Some(route) if route.data == data => Arc::clone(route),
            _ => {
                let route = Arc::new(Route::new(topic, data));
                known.insert(topic.to_owned(), Arc::clone(&route));
                route
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Map> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Map> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}
