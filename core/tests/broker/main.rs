//! The loopback broker over real sockets, frame by frame.
#![cfg(feature = "broker")]
#![allow(clippy::unwrap_used)]

#[cfg(feature = "cli")]
mod command;
mod control;
mod filters;
mod groups;
mod grpc_commands;
mod grpc_conformance;
mod grpc_consumer;
mod grpc_crossing;
mod grpc_door;
mod grpc_fifo;
mod grpc_handshake;
mod grpc_peer;
mod grpc_receive;
mod grpc_send;
mod grpc_transactions;
mod grpc_values;
mod hostile;
mod http_consume;
mod http_crossing;
mod http_door;
mod http_order;
mod http_peer;
mod http_publish;
mod http_settle;
mod http_transactions;
mod lookup;
mod messages;
mod peer;
mod retry;
mod schedule;
mod transactions;
