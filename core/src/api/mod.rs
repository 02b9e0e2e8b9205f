//! What a person calls.

mod http_client;
mod producer;
mod push_consumer;
mod simple_consumer;
mod transaction;

pub use http_client::{ConsumeMode, Consumed, HttpClient, HttpConsume};
pub use producer::{Producer, SendReceipt, SendStatus};
pub use push_consumer::{Deliveries, Delivery, PushConsumer, Settlement};
pub use simple_consumer::{ReceiptHandle, Received, SimpleConsumer};
pub use transaction::{
    Transaction, TransactionAnswer, TransactionCheck, TransactionChecks, TransactionResolution,
};
