//! What a person calls.

mod producer;
mod push_consumer;

pub use producer::{Producer, SendReceipt, SendStatus};
pub use push_consumer::{Deliveries, Delivery, PushConsumer, Settlement};
