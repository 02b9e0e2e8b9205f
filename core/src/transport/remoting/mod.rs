//! Remoting: one multiplexed connection an address.

mod calls;
mod connection;
mod driver;
mod outbox;
#[cfg(test)]
mod tests;

pub(crate) use connection::{Connection, RequestHandler, ServerRequest};
