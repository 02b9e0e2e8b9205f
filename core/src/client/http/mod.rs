//! Clients over ApsaraMQ HTTP: the calls of the protocol, and what stands on them.

mod halves;
mod names;
mod parcel;
mod push;
mod receiver;
mod sender;
mod service;
mod simple;
mod source;

pub(super) use push::Push;
pub(super) use sender::Sender;
pub(crate) use service::Service;
pub use service::{ConsumeMode, Consumed, HttpConsume};
pub(super) use simple::Simple;
