//! Connections: dial, TLS, one pipelined connection an address; for ApsaraMQ HTTP as many as there are requests at a time.

mod fault;
pub(crate) mod grpc;
pub(crate) mod http;
mod pool;
pub(crate) mod remoting;
mod socket;
mod tls;

pub(crate) use fault::Fault;
pub(crate) use pool::{Connection, Pool};
