//! tminus: scheduled messages for RocketMQ that leave on time.
//!
//! Two lines say how data flows, and the folders stand in that order:
//!
//! - client: `api → client → route → transport::{remoting|grpc|http} → codec → socket`
//! - broker: `socket → listener → session (codec) → handlers → store + timer → delivery → session`
//!
//! Start with [`Producer`], [`PushConsumer`] and [`Message`]; with the feature `broker`, [`broker::Broker`] is a
//! RocketMQ server on a loopback port for programs and tests. `ARCHITECTURE.md` beside this crate is the map.
#![forbid(unsafe_code)]

pub mod api;
#[cfg(feature = "broker")]
pub mod broker;
mod client;
pub mod clock;
pub mod codec;
pub mod error;
pub mod message;
pub mod options;
mod route;
pub mod runtime;
mod transport;

pub use api::{
    ConsumeMode, Consumed, Deliveries, Delivery, HttpClient, HttpConsume, Producer, PushConsumer,
    ReceiptHandle, Received, SendReceipt, SendStatus, Settlement, SimpleConsumer, Transaction,
    TransactionAnswer, TransactionCheck, TransactionChecks, TransactionResolution,
};
pub use clock::Clock;
pub use error::{Error, ErrorKind, Outcome, Refusal, Result};
pub use message::{DeliveryTime, Message, MessageQueue, MessageView};
pub use options::{
    BodyEncoding, ClientOptions, ConsumeFrom, ConsumeResult, Credentials, Endpoint, FilterExpression,
    HttpProxy, MessageModel, ProducerOptions, PushConsumerOptions, SharedCredentials, SimpleConsumerOptions,
    TlsOptions,
};
