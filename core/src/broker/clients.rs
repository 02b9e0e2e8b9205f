//! The clients of the gRPC protocol: what each has agreed on with the broker, and how it can be asked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::ask::ClientReply;
use crate::codec::grpc::proto::telemetry_command::Command;
use crate::codec::grpc::proto::{RecoverOrphanedTransactionCommand, Settings, TelemetryCommand};

/// A client that is silent for this long is forgotten.
const EXPIRY: Duration = Duration::from_secs(120);

/// What a client is to be told.
type Commands = UnboundedSender<TelemetryCommand>;

/// An open telemetry stream.
#[derive(Debug)]
struct Stream {
    number: u64,
    commands: Commands,
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
    /// By the nonce that answers carry.
    questions: HashMap<String, Question>,
    asked: u64,
}

/// What a client was asked and has not answered yet.
#[derive(Debug)]
struct Question {
    client_id: String,
    reply: oneshot::Sender<ClientReply>,
}

impl Clients {
    /// Takes a client's settings; from now on it is asked on the telemetry stream `number` that they came on.
    pub(crate) fn agree(&mut self, client_id: &str, mut client: Client, number: u64, commands: Commands) {
        client.stream = Some(Stream { number, commands });
        self.by_id.insert(client_id.to_owned(), client);
    }

    /// The client with this id, if it has told its settings.
    pub(crate) fn get(&self, client_id: &str) -> Option<&Client> {
        self.by_id.get(client_id)
    }

    /// The consumers of a group.
    pub(crate) fn of_group<'a>(&'a mut self, group: &'a str) -> impl Iterator<Item = &'a mut Client> {
        self.by_id.values_mut().filter(move |client| client.group.as_deref() == Some(group))
    }

    /// This telemetry stream has ended; whether it was the client's last. The client stays, it may open another.
    pub(crate) fn disconnect(&mut self, client_id: &str, number: u64) -> bool {
        let client = self.by_id.get_mut(client_id);
        let last =
            client.is_some_and(|client| client.stream.take_if(|stream| stream.number == number).is_some());
        if last {
            self.questions.retain(|_, question| question.client_id != client_id);
        }
        last
    }

    /// Asks a producer that declared `topic` about the transaction of a half message, if one can be asked.
    pub(crate) fn ask_about(&self, topic: &str, question: RecoverOrphanedTransactionCommand) {
        let publishes = |client: &&Client| client.topics.iter().any(|declared| declared == topic);
        let mut producers = self.by_id.values().filter(publishes).filter(|client| client.stream.is_some());
        if let Some(producer) = producers.next() {
            let command = Some(Command::RecoverOrphanedTransactionCommand(question));
            producer.tell(TelemetryCommand { status: None, command });
        }
    }

    /// Asks a client; its answer comes on the channel, which closes when the client leaves before. `None`: no such
    /// client, or it has no telemetry stream open.
    pub(crate) fn ask(
        &mut self,
        client_id: &str,
        question: impl FnOnce(String) -> Command,
    ) -> Option<oneshot::Receiver<ClientReply>> {
        let client = self.by_id.get(client_id).filter(|client| client.stream.is_some())?;
        self.asked += 1;
        let nonce = format!("{}", self.asked);
        client.tell(TelemetryCommand { status: None, command: Some(question(nonce.clone())) });
        let (reply, answer) = oneshot::channel();
        // Whoever asked may have given up.
        self.questions.retain(|_, question| !question.reply.is_closed());
        self.questions.insert(nonce, Question { client_id: client_id.to_owned(), reply });
        Some(answer)
    }

    /// Takes a client's answer.
    pub(crate) fn answered(&mut self, client_id: &str, nonce: &str, answer: ClientReply) {
        match self.questions.remove(nonce) {
            Some(question) if question.client_id == client_id => _ = question.reply.send(answer),
            Some(question) => _ = self.questions.insert(nonce.to_owned(), question),
            None => tracing::debug!(client_id, nonce, "an answer nobody waits for"),
        }
    }

    /// Takes a heartbeat; whether the client is known.
    pub(crate) fn seen(&mut self, client_id: &str, now: Instant) -> bool {
        self.by_id.get_mut(client_id).map(|client| client.seen = now).is_some()
    }

    /// Forgets a client; whether it was known.
    pub(crate) fn leave(&mut self, client_id: &str) -> bool {
        self.questions.retain(|_, question| question.client_id != client_id);
        self.by_id.remove(client_id).is_some()
    }

    /// Forgets silent clients; who they were.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<String> {
        let silent = |_: &String, client: &mut Client| now.duration_since(client.seen) >= EXPIRY;
        self.by_id.extract_if(silent).map(|(client_id, _)| client_id).collect()
    }
}

impl Client {
    /// Tells the client, if it has a telemetry stream open.
    pub(crate) fn tell(&self, command: TelemetryCommand) {
        if let Some(stream) = &self.stream {
            // It may be about to end.
            let _ = stream.commands.send(command);
        }
    }

    /// A client that was seen at `now` with these settings.
    pub(crate) fn new(settings: Settings, group: Option<String>, topics: Vec<String>, now: Instant) -> Self {
        Self { settings, group, topics, stream: None, seen: now }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::clock;
    use crate::codec::grpc::proto::PrintThreadStackTraceCommand;

    fn client(group: &str, now: Instant) -> Client {
        Client::new(Settings::default(), Some(group.to_owned()), Vec::new(), now)
    }

    #[test]
    fn silent_clients_are_forgotten() {
        let start = clock::instant();
        let mut clients = Clients::default();
        for id in ["silent", "alive"] {
            clients.agree(id, client("G", start), 1, mpsc::unbounded_channel().0);
        }
        let later = start + EXPIRY - Duration::from_millis(1);
        assert!(clients.seen("alive", later));
        assert_eq!(clients.expire(later), Vec::<String>::new());
        assert_eq!(clients.expire(start + EXPIRY), ["silent"]);
        assert!(clients.get("silent").is_none() && clients.get("alive").is_some());
        assert!(!clients.seen("silent", later));
    }

    #[test]
    fn the_end_of_an_earlier_stream_is_not_that_of_a_later_one() {
        let now = clock::instant();
        let mut clients = Clients::default();
        let (commands, mut received) = mpsc::unbounded_channel();
        clients.agree("c", client("G", now), 1, mpsc::unbounded_channel().0);
        clients.agree("c", client("G", now), 2, commands);
        assert!(!clients.disconnect("c", 1));
        let trace = |nonce| Command::PrintThreadStackTraceCommand(PrintThreadStackTraceCommand { nonce });
        let mut answer = clients.ask("c", trace).unwrap();
        assert!(received.try_recv().is_ok());
        assert!(clients.disconnect("c", 2));
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert!(clients.ask("c", trace).is_none());
    }
}
