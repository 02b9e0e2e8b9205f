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
mod broker_options;
mod broker_resources;
mod cancel;
mod client;
mod completion;
mod credentials;
mod data;
mod driver;
mod error;
mod http_calls;
mod http_client;
mod http_consume;
mod http_request;
mod log;
mod message;
mod message_queue;
mod message_view;
mod producer;
mod producer_options;
mod push_consumer;
mod push_consumer_options;
mod queue;
mod receipt;
mod receipt_handle;
mod receive;
mod request;
mod send;
mod settings;
mod simple_consumer;
mod simple_consumer_options;
mod subscription;
mod text;
mod transaction;
mod version;

pub use batch::*;
pub use broker::*;
pub use broker_options::*;
pub use broker_resources::*;
pub use cancel::*;
pub use client::*;
pub use completion::*;
pub use credentials::*;
pub use data::*;
pub use error::*;
pub use http_calls::*;
pub use http_client::*;
pub use http_consume::*;
pub use log::*;
pub use message::*;
pub use message_queue::*;
pub use message_view::*;
pub use producer::*;
pub use producer_options::*;
pub use push_consumer::*;
pub use push_consumer_options::*;
pub use queue::*;
pub use receipt::*;
pub use receipt_handle::*;
pub use receive::*;
pub use send::*;
pub use simple_consumer::*;
pub use simple_consumer_options::*;
pub use subscription::*;
pub use text::*;
pub use transaction::*;
pub use version::*;
