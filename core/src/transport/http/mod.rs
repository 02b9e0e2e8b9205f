//! ApsaraMQ HTTP: HTTP/1.1 requests over kept connections, signed, answered or lost.

mod answer;
mod client;
mod connector;
mod headers;
mod proxy;
mod refusal;
mod tasks;

pub(crate) use answer::Answer;
pub(crate) use client::{Call, Client};
pub(crate) use refusal::handle_error;
