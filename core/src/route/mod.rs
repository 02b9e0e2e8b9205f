//! Where a topic lives: ask the name servers, remember, choose a queue, leave a failing broker alone for a while.

mod cache;
mod health;
mod name_servers;
mod proxy;
mod topic;

pub(crate) use cache::{DEFAULT_TOPIC, Routes};
pub(crate) use health::Health;
pub(crate) use proxy::{Gate, ProxyQueue, ProxyRoute};
pub(crate) use topic::{Route, WriteQueue};
