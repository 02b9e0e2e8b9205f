//! Bytes in, values out, and the reverse. Sans-IO: no sockets, no tokio, no clock.

pub mod grpc;
pub mod remoting;
