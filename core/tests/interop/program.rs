//! A peer's program: built once, run with a time limit, ended with the test.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde::Deserialize;

/// No answer takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a peer is started.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) command: Vec<OsString>,
    /// Variables of its environment.
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

/// What a sender prints of a message.
#[derive(Debug, Deserialize)]
pub(crate) struct Sent {
    pub(crate) message_id: String,
    pub(crate) status: i32,
    /// The delivery time asked for or, without one, a time before it was sent.
    pub(crate) due_ms: i64,
    /// When the server's answer was there.
    pub(crate) answered_ms: i64,
    /// The message that was recalled, where that was asked for; over gRPC only.
    #[serde(default)]
    pub(crate) recalled: String,
}

/// What a receiver prints of a message.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Received {
    pub(crate) consumer: usize,
    pub(crate) message_id: String,
    pub(crate) topic: String,
    pub(crate) body: String,
    pub(crate) tag: String,
    pub(crate) reconsumed: i32,
    pub(crate) at_ms: i64,
}

impl Program {
    /// Sends to `topic`, with these flags, and returns what was printed. Panics when the program fails.
    pub(crate) fn send(&self, address: &str, topic: &str, flags: &[&str]) -> Vec<Sent> {
        self.try_send(address, topic, flags).unwrap_or_else(|error| panic!("send {flags:?}: {error}"))
    }

    /// As [`Program::send`], with the program's error text when it fails.
    pub(crate) fn try_send(&self, address: &str, topic: &str, flags: &[&str]) -> Result<Vec<Sent>, String> {
        let mut sender = Running::start(self, "send", address, topic, flags);
        let mut sent = Vec::new();
        while let Some(line) = sender.line() {
            sent.push(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}")));
        }
        if sender.child.wait().unwrap().success() { Ok(sent) } else { Err(sender.complaint()) }
    }

    /// Sends one message and stays, to be asked about its transaction.
    pub(crate) fn send_and_stay(&self, address: &str, topic: &str, flags: &[&str]) -> (Sent, Running) {
        let mut sender = Running::start(self, "send", address, topic, flags);
        let line = sender.line().unwrap_or_else(|| panic!("the sender ended: {}", sender.complaint()));
        (serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}")), sender)
    }

    /// Receives from `topic`; returns once the consumers are started.
    pub(crate) fn receive(&self, address: &str, topic: &str, flags: &[&str]) -> Receiving {
        let running = Running::start(self, "receive", address, topic, flags);
        let mut receiving = Receiving { running };
        let started = receiving.line();
        assert!(started.contains("started"), "{started}");
        receiving
    }
}

/// A consumer's process. Dropping it shuts the consumer down.
#[derive(Debug)]
pub(crate) struct Receiving {
    running: Running,
}

impl Receiving {
    /// The next message.
    pub(crate) fn next(&mut self) -> Received {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"))
    }

    /// Messages until all of `awaited` (their ids) have come, in the order they came.
    pub(crate) fn all(&mut self, awaited: &[Sent]) -> Vec<Received> {
        let mut missing: HashSet<&str> = awaited.iter().map(|sent| sent.message_id.as_str()).collect();
        let mut received = Vec::new();
        while !missing.is_empty() {
            let message = self.next();
            missing.remove(message.message_id.as_str());
            received.push(message);
        }
        received
    }

    fn line(&mut self) -> String {
        self.running.line().unwrap_or_else(|| panic!("the receiver ended: {}", self.running.complaint()))
    }
}

/// A peer's process. Dropping it ends its input and waits for it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    output: Receiver<String>,
    errors: Receiver<String>,
}

impl Running {
    fn start(program: &Program, what: &str, address: &str, topic: &str, flags: &[&str]) -> Self {
        Self::spawn(program, &[&[what], flags, &[address, topic]].concat(), &[])
    }

    pub(crate) fn spawn(program: &Program, arguments: &[&str], environment: &[(&str, &OsStr)]) -> Self {
        let mut child = Command::new(&program.command[0])
            .args(&program.command[1..])
            .args(arguments)
            .envs(program.environment.iter().cloned())
            .envs(environment.iter().copied())
            .current_dir(out())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = lines(child.stdout.take().unwrap());
        let errors = lines(child.stderr.take().unwrap());
        Self { child, output, errors }
    }

    /// Writes a line to its input.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line, or `None` when the program closed its output.
    pub(crate) fn line(&mut self) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        match self.output.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(Disconnected) => None,
            Err(Timeout) => panic!("nothing was printed for {PATIENCE:?}"),
        }
    }

    pub(crate) fn complaint(&self) -> String {
        let mut text = Vec::new();
        while let Ok(line) = self.errors.recv_timeout(Duration::from_secs(1)) {
            text.push(line);
        }
        text.join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The end of its input asks a receiver to shut down; its closed output says that it did.
        drop(self.child.stdin.take());
        while self.output.recv_timeout(Duration::from_secs(10)).is_ok() {}
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Forwards the lines of `pipe` from a thread of their own, so that a test can wait for one with a time limit.
fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Where what is built lies.
pub(crate) fn out() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}
