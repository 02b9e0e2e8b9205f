//! What must hold for every peer over ApsaraMQ HTTP, with signatures checked.

mod access;
mod acknowledge;
mod calls;
mod consume;
mod crossing;
mod transactions;

use std::time::Duration;

use tminus::broker::BrokerOptions;
use tminus::clock::Clock;
use tminus::options::Credentials;

use crate::loopback::Loopback;
use crate::program::Program;
use calls::{Caller, HttpMessage, Target};

pub(crate) use access::*;
pub(crate) use acknowledge::*;
pub(crate) use consume::*;
pub(crate) use crossing::*;
pub(crate) use transactions::*;

/// A message stays hidden so long, and its handle is good.
const HIDDEN: Duration = Duration::from_secs(300);

/// The user that the brokers of these checks know.
fn user() -> Credentials {
    Credentials::new("someone", "a secret")
}

fn start(change: impl FnOnce(&mut BrokerOptions)) -> Loopback {
    Loopback::start(|options| {
        options.credentials = vec![user()];
        change(options);
    })
}

fn start_virtual() -> Loopback {
    start(|options| options.clock = Clock::virtual_now())
}

/// For a check that looks at the time.
fn start_alone() -> Loopback {
    Loopback::start_alone(|options| options.credentials = vec![user()])
}

fn call(peer: &Program, loopback: &Loopback) -> Caller {
    Caller::start(peer, &format!("http://{}", loopback.address()), &user(), None)
}

fn target() -> Target {
    Target::new("T", "GID_peer")
}

/// In an instance with a namespace of its own, and without.
fn targets() -> [Target; 2] {
    [Target { instance: "MQ_INST_1".into(), ..target() }, target()]
}

fn text(n: usize) -> HttpMessage {
    HttpMessage::new(&format!("message {n}"))
}

fn bodies(messages: &[HttpMessage]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

fn handles(messages: &[HttpMessage]) -> Vec<&str> {
    messages.iter().map(|message| message.handle.as_str()).collect()
}
