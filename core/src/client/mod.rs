//! The life of a client: signing on, heartbeat, retry, the answers of servers as errors, and an orderly end.

mod acks;
mod attempts;
mod consume;
mod delivery;
pub(crate) mod grpc;
mod half;
pub(crate) mod http;
mod instance;
mod members;
mod namespace;
mod parcel;
mod polls;
mod producer;
mod push;
mod recall;
mod receipt;
mod receive;
mod sender;
mod simple;
mod transaction;
mod troubles;

pub use delivery::{Deliveries, Delivery, Settlement};
pub(crate) use instance::Instance;
pub(crate) use members::GroupMember;
pub(crate) use producer::ProducerClient;
pub(crate) use push::PushClient;
pub use receipt::{SendReceipt, SendStatus};
pub(crate) use sender::{Sender, Target};
pub(crate) use simple::SimpleClient;
pub use simple::{ReceiptHandle, Received};
pub use transaction::{TransactionAnswer, TransactionCheck, TransactionChecks, TransactionResolution};

use std::time::{Duration, Instant};

use crate::clock;
pub(crate) use crate::transport::remoting::refusal;

/// Far enough for "no deadline" where a time-out is too long to be added to a time.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The instant `timeout` from now.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    clock::instant() + timeout.min(FAR)
}
