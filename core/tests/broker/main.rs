//! The loopback broker over real sockets, frame by frame.

mod hostile;
mod messages;
mod peer;
mod schedule;
