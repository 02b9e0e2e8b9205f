//! Connections: dial, TLS, one pipelined connection an address.

mod fault;
#[allow(dead_code, unused_imports, reason = "the consumers to come use the rest")]
pub(crate) mod grpc;
mod pool;
pub(crate) mod remoting;
mod tls;

pub(crate) use fault::Fault;
pub(crate) use pool::{Connection, Pool};
