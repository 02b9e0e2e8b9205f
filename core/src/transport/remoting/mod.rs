//! Remoting: one multiplexed connection an address.

mod calls;
mod connection;
mod driver;
mod outbox;

pub(crate) use connection::{Connection, RequestHandler, ServerRequest};
