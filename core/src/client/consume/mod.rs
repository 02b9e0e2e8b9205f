//! The consuming engine: shares queues out, pulls, delivers, settles and keeps the offsets.
//!
//! `rebalance → pull → process queue → deliveries → handler → settlement → process queue → commit`

mod assignment;
mod commit;
mod consumer;
mod filter_check;
mod orderly;
mod process_queue;
mod pull;
mod rebalance;
mod requests;
mod server_requests;
mod settle;
mod subscriptions;

pub(super) use consumer::check_options;
pub(crate) use consumer::{Consumer, Membership};
pub(super) use process_queue::ProcessQueue;
pub(super) use subscriptions::check as check_subscription;
