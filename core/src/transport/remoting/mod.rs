//! Remoting: one multiplexed connection an address.

mod calls;
mod connection;
mod driver;
mod outbox;
mod refusal;
#[cfg(test)]
mod tests;

pub(crate) use connection::{Connection, Dialer, ServerRequest};
pub(crate) use refusal::refusal;
