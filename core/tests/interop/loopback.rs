//! The loopback broker that a check has for itself.

use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tminus::broker::{Broker, BrokerOptions};
use tokio::runtime::Runtime;

/// A message may be so late on a machine that is busy with other tests.
pub(crate) const LATE_MS: i64 = 200;

/// Held for writing by a check that looks at the time: beside it no other peer starts and none competes for the CPU.
static MACHINE: RwLock<()> = RwLock::new(());

/// A loopback broker on threads of its own.
pub(crate) struct Loopback {
    pub(crate) broker: Broker,
    runtime: Runtime,
    turn: Option<Turn>,
}

/// What a running check holds of the machine.
enum Turn {
    Shared(#[expect(dead_code, reason = "held")] RwLockReadGuard<'static, ()>),
    Alone(#[expect(dead_code, reason = "held")] RwLockWriteGuard<'static, ()>),
}

impl Loopback {
    pub(crate) fn start(change: impl FnOnce(&mut BrokerOptions)) -> Self {
        Self::with(Turn::Shared(MACHINE.read().unwrap_or_else(PoisonError::into_inner)), change)
    }

    /// For a check that looks at the time.
    pub(crate) fn start_alone(change: impl FnOnce(&mut BrokerOptions)) -> Self {
        Self::with(Turn::Alone(MACHINE.write().unwrap_or_else(PoisonError::into_inner)), change)
    }

    fn with(turn: Turn, change: impl FnOnce(&mut BrokerOptions)) -> Self {
        let mut options = BrokerOptions::default();
        change(&mut options);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let broker = runtime.block_on(Broker::start(options)).unwrap();
        Self { broker, runtime, turn: Some(turn) }
    }

    /// Runs `work` where the broker runs.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn address(&self) -> String {
        let address: SocketAddr = self.broker.address();
        address.to_string()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.runtime.block_on(self.broker.stop());
        drop(self.turn.take());
    }
}
