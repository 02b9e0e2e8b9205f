//! The tasks of one client's connections: they end with the client.

use std::pin::pin;
use std::sync::Arc;

use hyper::rt::Executor;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Runs connections on the runtime of the call that needs them; clones share them.
#[derive(Clone)]
pub(super) struct Tasks(Arc<watch::Sender<bool>>);

impl Tasks {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Ends all of them, and what begins later; waits until their sockets are closed.
    pub(super) async fn end(&self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

impl<T: Future<Output = ()> + Send + 'static> Executor<T> for Tasks {
    fn execute(&self, task: T) {
        // A call may be dropped where no runtime is; its connection is then, too.
        let Ok(runtime) = Handle::try_current() else { return };
        let end = self.0.subscribe();
        runtime.spawn(async move {
            // Dropped last: the socket is closed by then.
            let mut end = end;
            let task = pin!(task);
            tokio::select! {
                biased;
                _ = end.wait_for(|end| *end) => {}
                () = task => {}
            }
        });
    }
}
