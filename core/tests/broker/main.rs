//! The loopback broker over real sockets, frame by frame.
#![cfg(feature = "broker")]
#![allow(clippy::unwrap_used)]

#[cfg(feature = "cli")]
mod command;
mod control;
mod filters;
mod groups;
mod grpc_handshake;
mod grpc_peer;
mod hostile;
mod lookup;
mod messages;
mod peer;
mod retry;
mod schedule;
mod transactions;
