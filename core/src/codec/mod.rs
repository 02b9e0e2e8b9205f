//! Bytes in, values out, and the reverse. Sans-IO: no sockets, no tokio, no clock.

pub mod grpc;
mod hex;
pub mod http;
pub mod remoting;
