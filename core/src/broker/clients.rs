//! The clients of the gRPC protocol: what each has agreed on with the broker, and how it can be asked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use crate::codec::grpc::proto::{Settings, TelemetryCommand};

/// A client that is silent for this long is forgotten.
const EXPIRY: Duration = Duration::from_secs(120);

/// An open telemetry stream.
#[derive(Debug)]
struct Stream {
    number: u64,
    commands: UnboundedSender<TelemetryCommand>,
}

/// A client that has told its settings.
#[derive(Debug)]
pub(crate) struct Client {
    /// As agreed on.
    pub(crate) settings: Settings,
    /// Its consumer group.
    pub(crate) group: Option<String>,
    /// The topics it said it publishes to.
    pub(crate) topics: Vec<String>,
    stream: Option<Stream>,
    seen: Instant,
}

/// The clients, by id.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    by_id: HashMap<String, Client>,
}

impl Clients {
    /// Takes a client's settings, that came at `now`.
    pub(crate) fn agree(&mut self, client_id: &str, client: Client) {
        let stream = self.by_id.remove(client_id).and_then(|before| before.stream);
        self.by_id.insert(client_id.to_owned(), Client { stream, ..client });
    }

    /// The client with this id, if it has told its settings.
    pub(crate) fn get(&self, client_id: &str) -> Option<&Client> {
        self.by_id.get(client_id)
    }

    /// From now on the client is asked on this telemetry stream.
    pub(crate) fn connect(
        &mut self,
        client_id: &str,
        number: u64,
        commands: UnboundedSender<TelemetryCommand>,
    ) {
        if let Some(client) = self.by_id.get_mut(client_id) {
            client.stream = Some(Stream { number, commands });
        }
    }

    /// This telemetry stream has ended; whether it was the client's last. The client stays, it may open another.
    pub(crate) fn disconnect(&mut self, client_id: &str, number: u64) -> bool {
        let client = self.by_id.get_mut(client_id);
        client.is_some_and(|client| client.stream.take_if(|stream| stream.number == number).is_some())
    }

    /// Takes a heartbeat; whether the client is known.
    pub(crate) fn seen(&mut self, client_id: &str, now: Instant) -> bool {
        self.by_id.get_mut(client_id).map(|client| client.seen = now).is_some()
    }

    /// Forgets a client; whether it was known.
    pub(crate) fn leave(&mut self, client_id: &str) -> bool {
        self.by_id.remove(client_id).is_some()
    }

    /// Forgets silent clients; who they were.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<String> {
        let silent = |_: &String, client: &mut Client| now.duration_since(client.seen) >= EXPIRY;
        self.by_id.extract_if(silent).map(|(client_id, _)| client_id).collect()
    }
}

impl Client {
    /// A client that was seen at `now` with these settings.
    pub(crate) fn new(settings: Settings, group: Option<String>, topics: Vec<String>, now: Instant) -> Self {
        Self { settings, group, topics, stream: None, seen: now }
    }
}
