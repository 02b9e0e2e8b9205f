//! What the sessions of a client share: who it is, what it says of itself, and what the servers made of that.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::session::ServerCommand;
use super::settings::{Agreed, Role};
use crate::client::namespace::Namespace;
use crate::codec::grpc::proto::telemetry_command::Command;
use crate::codec::grpc::proto::{Endpoints, Language, Resource, Settings, TelemetryCommand, Ua};
use crate::codec::grpc::time::duration;
use crate::message::ServerKind;
use crate::options::ClientOptions;
use crate::transport::Pool;
use crate::transport::grpc::{Dialer, Metadata, VERSION};

/// What the sessions of a client share.
pub(super) struct Core {
    pub(super) options: ClientOptions,
    pub(super) client_id: String,
    pub(super) namespace: Namespace,
    pub(super) metadata: Metadata,
    pub(super) pool: Pool<Dialer>,
    /// Every address of the endpoint, as servers are told.
    pub(super) access_point: Endpoints,
    pub(super) role: Mutex<Role>,
    /// Topics that are sent to, by their own names.
    pub(super) topics: Mutex<BTreeSet<String>>,
    pub(super) agreed: watch::Sender<Agreed>,
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
    pub(super) fn resource(&self, name: &str) -> Resource {
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
