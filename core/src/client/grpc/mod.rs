//! Clients over gRPC: sessions with the proxies, routes, and what stands on them.

mod agent;
mod answered;
mod assignment;
mod calls;
mod core;
mod parcel;
mod push;
mod receiver;
mod replaced;
mod routes;
mod sender;
mod session;
mod settings;
mod simple;
mod source;
mod transaction;

pub(super) use push::Push;
pub(super) use sender::Sender;
pub(super) use simple::Simple;
