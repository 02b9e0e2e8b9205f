//! The C ABI of tminus. Nothing but translation: every rule about RocketMQ lives in the core.
//!
//! `ABI.md` beside this crate is the contract; `include/tminus.h` is generated from these files. A file holds one noun.
//! Types and constants carry their C names, because they are read beside the header.
#![allow(non_camel_case_types)]
// Fields that their name explains carry no comment.
#![allow(missing_docs)]

mod batch;
mod boundary;
mod broker;
mod cancel;
mod client;
mod data;
mod driver;
mod error;
mod log;
mod message;
mod message_queue;
mod producer;
mod push_consumer;
mod queue;
mod receipt;
mod settings;
mod version;

pub use batch::*;
pub use broker::*;
pub use cancel::*;
pub use client::*;
pub use data::*;
pub use error::*;
pub use log::*;
pub use message::*;
pub use message_queue::*;
pub use producer::*;
pub use push_consumer::*;
pub use queue::*;
pub use receipt::*;
pub use version::*;
