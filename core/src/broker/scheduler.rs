//! The one task that waits for the next instant: a delivery time, or the end of a pull's hold.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::delivery;
use super::node::Node;
use crate::clock;

/// Longest sleep: a step of the machine's clock is noticed after this, and silent clients are found.
const LONGEST: Duration = Duration::from_secs(1);

/// Runs until `stop` changes.
pub(super) async fn run(node: Arc<Node>, mut stop: watch::Receiver<bool>) {
    let sooner = node.state().sooner.clone();
    loop {
        let wait = act(&node);
        tokio::select! {
            _ = stop.changed() => return,
            () = sooner.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Does what is due and says how long to wait. Who moves a virtual clock fires what becomes due on the way; here that
/// happens only when another broker moved a clock that both run by.
fn act(node: &Node) -> Duration {
    let now = clock::instant();
    let mut state = node.state();
    delivery::expire(&mut state, now);
    state.groups.expire(now);
    for client_id in state.clients.expire(now) {
        state.release(&client_id, node.clock.now_ms());
    }
    let hold_ends = state.polls.next_expiry().map(|expiry| expiry.saturating_duration_since(now));
    let now_ms = node.clock.now_ms();
    state.fire(now_ms);
    let ahead = |next: i64| Duration::from_millis(u64::try_from(next - now_ms).unwrap_or(0));
    let due = state.timer.next_deadline().filter(|_| !node.clock.is_virtual()).map(ahead);
    [hold_ends, due].into_iter().flatten().fold(LONGEST, Duration::min)
}
