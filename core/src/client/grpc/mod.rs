//! Clients over gRPC: sessions with the proxies, routes, and what stands on them.

mod agent;
mod session;
mod settings;

pub(crate) use agent::Agent;
pub(crate) use session::ServerCommand;
pub(crate) use settings::{Agreed, Role};
