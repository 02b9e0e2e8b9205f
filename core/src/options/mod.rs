//! What a person can set: one struct a noun, each with its defaults.

mod client;
mod consumer;
mod endpoint;
mod producer;
mod secret;
mod simple_consumer;
mod tls;

pub use client::{ClientOptions, Credentials, HttpProxy, SharedCredentials};
pub use consumer::{ConsumeFrom, ConsumeResult, FilterExpression, MessageModel, PushConsumerOptions};
pub use endpoint::{Endpoint, Protocol};
pub use producer::{BodyEncoding, ProducerOptions};
pub use secret::Secret;
pub use simple_consumer::SimpleConsumerOptions;
pub use tls::TlsOptions;
