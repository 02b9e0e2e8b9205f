//! Routes of a client, and sessions with the addresses they lead to.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use futures_util::future::select_all;
use tokio::sync::watch;
use tokio::time::timeout_at;

use super::agent::Agent;
use super::core::lock;
use super::session::{Session, State};
use super::settings::Role;
use crate::codec::grpc::proto::QueryRouteRequest;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::route::ProxyRoute;
use crate::transport::Fault;

impl Agent {
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
    pub(super) async fn agree(
        &self,
        operation: &'static str,
        addresses: &[Arc<str>],
        deadline: Instant,
    ) -> Result<()> {
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

    /// Asks for every known route anew, and ends the sessions with addresses that are no longer in any of them.
    pub(super) async fn refresh_routes(&self) {
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
