//! The producer against the loopback broker, and against servers that misbehave.
#![cfg(feature = "broker")]

mod life;
mod messages;
mod retry;
mod secured;
mod sends;
mod support;
