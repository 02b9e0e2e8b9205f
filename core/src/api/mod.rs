//! What a person calls.

mod producer;
mod push_consumer;
mod simple_consumer;
mod transaction;

pub use producer::{Producer, SendReceipt, SendStatus};
pub use push_consumer::{Deliveries, Delivery, PushConsumer, Settlement};
pub use simple_consumer::{ReceiptHandle, Received, SimpleConsumer};
pub use transaction::{
    Transaction, TransactionAnswer, TransactionCheck, TransactionChecks, TransactionResolution,
};
