//! The gRPC protocol: its messages, and what is the same for clients and servers about them.

pub mod digest;
#[rustfmt::skip]
#[allow(missing_docs, clippy::all)]
pub mod proto;
pub mod time;
mod view;

pub use view::{Incoming, decode_message};
