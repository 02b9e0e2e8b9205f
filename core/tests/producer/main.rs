//! The producer against the loopback broker, and against servers that misbehave.
#![cfg(feature = "broker")]
#![allow(clippy::unwrap_used, unreachable_pub)]

mod groups;
mod grpc_apache;
mod grpc_commands;
mod grpc_life;
mod grpc_retry;
mod grpc_sends;
mod http_broker;
mod http_clock;
mod http_faults;
mod http_life;
mod http_proxy;
mod http_raw;
mod http_requests;
mod http_transactions;
mod life;
mod messages;
mod recall;
mod retry;
mod secured;
mod sends;
mod support;
mod transactions;
