//! Receives that wait for a message, over gRPC and HTTP.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::broker::node::Node;
use crate::broker::pop::{Delivery, Receive};

/// What there is now or comes within `poll`. Whoever stops waiting loses nothing.
pub(super) async fn wait(node: &Node, wanted: Receive, poll: Duration) -> Vec<Delivery> {
    let mut parked = {
        let mut state = node.state();
        let deliveries = state.receive(&wanted, node.clock.now_ms());
        if !deliveries.is_empty() || poll.is_zero() {
            return deliveries;
        }
        Parked { node, answered: state.pop.waiting.park(wanted) }
    };
    match tokio::time::timeout(poll, &mut parked.answered).await {
        Ok(answer) => answer.unwrap_or_default(),
        // What was sent at the last moment is not lost.
        Err(_) => parked.close(),
    }
}

/// A receive that waits. Dropped, it gives back what it was sent.
struct Parked<'a> {
    node: &'a Node,
    answered: oneshot::Receiver<Vec<Delivery>>,
}

impl Parked<'_> {
    /// Ends the wait: nothing more is sent, and this was.
    fn close(&mut self) -> Vec<Delivery> {
        self.answered.close();
        self.answered.try_recv().unwrap_or_default()
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        let sent = self.close();
        if !sent.is_empty() {
            self.node.state().take_back(&sent, self.node.clock.now_ms());
        }
    }
}
