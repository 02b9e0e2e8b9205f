//! A session with one address: a telemetry stream that is kept open, over which both sides agree on settings and the
//! server gives commands.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until, timeout};

use super::core::Core;
use super::settings::Role;
use crate::client::deadline_after;
use crate::codec::grpc::proto::telemetry_command::Command;
use crate::codec::grpc::proto::{
    Code, Message, Status, TelemetryCommand, ThreadStackTrace, VerifyMessageCommand, VerifyMessageResult,
};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::transport::Fault;
use crate::transport::grpc::{Refused, Telemetry, refusal};

/// Settings are said again this often, changed or not.
const RESYNC: Duration = Duration::from_secs(300);
/// The first pause after a broken stream is random up to this; every further one in a row doubles it.
const PAUSE_BASE: Duration = Duration::from_millis(100);
/// Longest pause.
const PAUSE_CAP: Duration = Duration::from_secs(5);

const OPERATION: &str = "telemetry";

/// How far a session is.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// There is no connection yet.
    Connecting,
    /// The settings are said, and not answered.
    Asking,
    /// Both sides agree.
    Agreed,
    /// It ended for this reason and will be begun again.
    Broken(Fault),
}

/// What a session shall do.
enum Order {
    /// Say the settings again.
    Resync,
    /// Say this.
    Say(Box<TelemetryCommand>),
}

/// A session; dropping it ends it.
pub(super) struct Session {
    pub(super) state: watch::Receiver<State>,
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<()>,
}

impl Session {
    /// Begins a session with `address`.
    pub(super) fn begin(core: Arc<Core>, address: Arc<str>) -> Self {
        let (said, state) = watch::channel(State::Connecting);
        let (orders, taken) = mpsc::unbounded_channel();
        let keeper = Keeper { core, address, state: said, own: orders.downgrade(), orders: taken };
        Self { state, orders, task: tokio::spawn(keeper.keep()) }
    }

    pub(super) fn is_agreed(&self) -> bool {
        matches!(*self.state.borrow(), State::Agreed)
    }

    /// Says the settings again, if the session is open; a new one says them anyway.
    pub(super) fn resync(&self) {
        // A task that has ended is being dropped.
        let _ = self.orders.send(Order::Resync);
    }

    /// Ends it and waits for the end.
    pub(super) async fn end(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A command of a server that the session does not answer itself.
#[derive(Debug)]
pub(crate) enum ServerCommand {
    /// Say how a transaction ended, to the address that asks.
    RecoverTransaction { address: Arc<str>, message: Message, transaction_id: String },
    /// Consume this message once.
    VerifyMessage { message: Message, answer: VerifyAnswer },
}

/// Where the result of a verification goes.
#[derive(Debug)]
pub(crate) struct VerifyAnswer {
    nonce: String,
    orders: mpsc::WeakUnboundedSender<Order>,
}

impl VerifyAnswer {
    /// Says whether the message was consumed.
    pub(crate) fn answer(self, consumed: bool) {
        let code = if consumed { Code::Ok } else { Code::FailedToConsumeMessage };
        if let Some(orders) = self.orders.upgrade() {
            // A server that is gone asks no more.
            let _ = orders.send(Order::Say(Box::new(verified(self.nonce, code))));
        }
    }
}

fn verified(nonce: String, code: Code) -> TelemetryCommand {
    answer(code, Command::VerifyMessageResult(VerifyMessageResult { nonce }))
}

fn answer(code: Code, command: Command) -> TelemetryCommand {
    let status = Status { code: code.into(), message: code.as_str_name().to_owned() };
    TelemetryCommand { status: Some(status), command: Some(command) }
}

/// The task of a session.
struct Keeper {
    core: Arc<Core>,
    address: Arc<str>,
    state: watch::Sender<State>,
    own: mpsc::WeakUnboundedSender<Order>,
    orders: mpsc::UnboundedReceiver<Order>,
}

/// How a session that both sides had agreed on ended.
enum End {
    /// The server wants a new connection.
    Reconnect,
    Broken(Error),
}

impl Keeper {
    async fn keep(mut self) {
        let mut failures = 0_u32;
        loop {
            let error = match self.open().await {
                Ok((mut stream, connection)) => {
                    failures = 0;
                    tracing::debug!(address = &*self.address, "the settings are agreed");
                    match self.talk(&mut stream).await {
                        End::Broken(error) => error,
                        End::Reconnect => {
                            self.core.pool.retire(&connection);
                            self.state.send_replace(State::Connecting);
                            continue;
                        }
                    }
                }
                Err(error) => error,
            };
            tracing::debug!(%error, address = &*self.address, "no telemetry; it is tried again");
            self.state.send_replace(State::Broken(Fault::new(error.kind(), error.text())));
            let longest = PAUSE_BASE.saturating_mul(1 << failures.min(16)).min(PAUSE_CAP);
            failures = failures.saturating_add(1);
            sleep(longest.mul_f64(fastrand::f64())).await;
        }
    }

    /// Opens the stream, says the settings and waits for the answer.
    async fn open(&mut self) -> Result<(Telemetry, crate::transport::grpc::Connection)> {
        let core = &self.core;
        let patience = core.options.request_timeout;
        let connection = core.pool.get(OPERATION, &self.address, deadline_after(patience)).await?;
        let opened = connection.telemetry(OPERATION, &core.metadata);
        let mut stream = opened.map_err(|Refused(fault)| {
            core.pool.retire(&connection);
            fault.error(OPERATION, Outcome::NotSent)
        })?;
        // Orders that came before are part of the settings.
        while self.orders.try_recv().is_ok() {}
        self.state.send_replace(State::Asking);
        stream.say(core.settings())?;
        match timeout(patience, self.first_settings(&mut stream)).await {
            Ok(agreed) => agreed?,
            Err(_) => return Err(no_settings(&self.address)),
        }
        self.state.send_replace(State::Agreed);
        Ok((stream, connection))
    }

    async fn first_settings(&self, stream: &mut Telemetry) -> Result<()> {
        loop {
            let Some(said) = stream.answers.next().await? else {
                let text =
                    format!("{} ended the telemetry stream instead of answering the settings", self.address);
                return Err(Error::new(ErrorKind::ConnectionClosed, OPERATION, text));
            };
            match (said.status, said.command) {
                (Some(status), _) if status.code != Code::Ok as i32 => {
                    let group = self.core.group();
                    return Err(refusal(OPERATION, &status, group.as_deref().unwrap_or(&self.address)));
                }
                (_, Some(Command::Settings(settings))) => {
                    self.core.merge(&settings);
                    return Ok(());
                }
                (_, command) => tracing::debug!(?command, "came before the settings and is left aside"),
            }
        }
    }

    /// Says and hears until the stream ends.
    async fn talk(&mut self, stream: &mut Telemetry) -> End {
        let mut next_sync = deadline_after(RESYNC);
        loop {
            let said = tokio::select! {
                said = stream.answers.next() => match said {
                    Ok(Some(said)) => said,
                    Ok(None) => {
                        let text = format!("{} ended the telemetry stream", self.address);
                        return End::Broken(Error::new(ErrorKind::ConnectionClosed, OPERATION, text));
                    }
                    Err(error) => return End::Broken(error),
                },
                order = self.orders.recv() => {
                    let words = match order {
                        Some(Order::Say(words)) => *words,
                        Some(Order::Resync) => self.core.settings(),
                        None => std::future::pending().await,
                    };
                    match stream.say(words) {
                        Ok(()) => continue,
                        Err(error) => return End::Broken(error),
                    }
                }
                () = sleep_until(next_sync.into()) => {
                    next_sync = deadline_after(RESYNC);
                    match stream.say(self.core.settings()) {
                        Ok(()) => continue,
                        Err(error) => return End::Broken(error),
                    }
                }
            };
            match said.command {
                Some(Command::ReconnectEndpointsCommand(_)) => return End::Reconnect,
                Some(command) => {
                    if let Some(words) = self.obey(command)
                        && let Err(error) = stream.say(words)
                    {
                        return End::Broken(error);
                    }
                }
                None => tracing::debug!(status = ?said.status, "a command that this version does not know"),
            }
        }
    }

    /// Does what the server wants; what to say to that at once.
    fn obey(&self, command: Command) -> Option<TelemetryCommand> {
        match command {
            Command::Settings(settings) => {
                self.core.merge(&settings);
                None
            }
            Command::RecoverOrphanedTransactionCommand(command) => {
                let message = command.message?;
                let (address, transaction_id) = (Arc::clone(&self.address), command.transaction_id);
                let question = ServerCommand::RecoverTransaction { address, message, transaction_id };
                // Nobody there to take it: the server asks again.
                let _ = self.core.commands.try_send(question);
                None
            }
            Command::VerifyMessageCommand(VerifyMessageCommand { nonce, message }) => {
                let consumes = matches!(*self.core.role(), Role::PushConsumer { .. });
                let Some(message) = message.filter(|_| consumes) else {
                    return Some(verified(nonce, Code::NotImplemented));
                };
                let answer = VerifyAnswer { nonce, orders: self.own.clone() };
                let verify = ServerCommand::VerifyMessage { message, answer };
                match self.core.commands.try_send(verify).map_err(|refused| refused.into_inner()) {
                    Err(ServerCommand::VerifyMessage { answer, .. }) => {
                        Some(verified(answer.nonce, Code::FailedToConsumeMessage))
                    }
                    _ => None,
                }
            }
            Command::PrintThreadStackTraceCommand(command) => {
                let text = Some(self.core.portrait());
                let trace = ThreadStackTrace { nonce: command.nonce, thread_stack_trace: text };
                Some(answer(Code::Ok, Command::ThreadStackTrace(trace)))
            }
            other => {
                tracing::debug!(command = ?other, "not for this client");
                None
            }
        }
    }
}

fn no_settings(address: &str) -> Error {
    let text = format!(
        "{address} takes the telemetry stream and answers no settings in time; check that it is a healthy RocketMQ \
         proxy, or give it more time (request_timeout)"
    );
    Error::new(ErrorKind::Timeout, OPERATION, text)
}
