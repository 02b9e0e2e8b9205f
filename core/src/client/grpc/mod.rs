//! Clients over gRPC: sessions with the proxies, routes, and what stands on them.

mod agent;
mod parcel;
mod sender;
mod session;
mod settings;
mod transaction;

pub(crate) use agent::Agent;
pub(super) use sender::Sender;
pub(crate) use session::ServerCommand;
pub(crate) use settings::{Agreed, Role};
