//! The engine of push consumers over protocols that hand a message out for a while and want it acknowledged.
//!
//! `source → intake → shelf → deliveries → handler → settlement → shelf → settler → source`

mod engine;
mod held;
mod intake;
mod pause;
mod settler;
mod shelf;
mod source;
mod stock;

pub(crate) use engine::{Engine, Running, Tuning};
pub(crate) use shelf::Shelf;
pub(crate) use source::Source;
pub(crate) use stock::Limits;
