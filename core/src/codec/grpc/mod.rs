//! The gRPC protocol: its messages, and what is the same for clients and servers about them.

pub mod digest;
mod endpoints;
mod message;
pub mod metadata;
#[rustfmt::skip]
#[allow(missing_docs, clippy::all)]
pub mod proto;
pub mod reserved;
pub mod signature;
pub mod time;
mod view;

pub use endpoints::{addresses_of, endpoints_of};
pub use message::{encode_message, type_of};
pub use view::{Incoming, decode_message};
