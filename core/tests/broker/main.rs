//! The loopback broker over real sockets, frame by frame.

mod control;
mod groups;
mod hostile;
mod lookup;
mod messages;
mod peer;
mod retry;
mod schedule;
mod transactions;
