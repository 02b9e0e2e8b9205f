//! Connections: dial, TLS, one pipelined connection an address.

mod fault;
pub(crate) mod grpc;
mod pool;
pub(crate) mod remoting;
mod tls;

pub(crate) use fault::Fault;
pub(crate) use pool::{Connection, Pool};
