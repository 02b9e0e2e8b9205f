//! The name servers: tried in turn, and the one that answered stays the first choice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::clock;
use crate::codec::remoting::Frame;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Pool;

pub(super) struct NameServers {
    addresses: Vec<Arc<str>>,
    current: AtomicUsize,
}

impl NameServers {
    pub(super) fn new(addresses: &[String]) -> Self {
        let addresses: Vec<Arc<str>> = addresses.iter().map(|a| Arc::from(a.as_str())).collect();
        let current = AtomicUsize::new(fastrand::usize(..addresses.len().max(1)));
        Self { addresses, current }
    }

    /// The addresses, as the admin tool takes them.
    pub(super) fn list(&self) -> String {
        self.addresses.join(";")
    }

    /// Asks one after the other until one answers, whatever its answer is.
    ///
    /// # Errors
    /// `WrongProtocol`, `Tls` or `Protocol` if that is what keeps a server from answering, else
    /// `NameServerUnreachable`; the text names every address and its fault.
    pub(super) async fn ask(
        &self,
        pool: &Pool,
        operation: &'static str,
        request: Frame,
        deadline: Instant,
    ) -> Result<Frame> {
        let count = self.addresses.len();
        let first = self.current.load(Ordering::Relaxed);
        let mut faults: Vec<Error> = Vec::new();
        for turn in 0..count {
            let at = (first + turn) % count;
            let now = clock::instant();
            let share = deadline.saturating_duration_since(now) / (count - turn) as u32;
            let asked = async {
                let connection = pool.get(operation, &self.addresses[at], now + share).await?;
                connection.call(operation, request.clone(), now + share).await
            };
            match asked.await {
                Ok(answer) => {
                    self.current.store(at, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(fault) if fault.kind() == ErrorKind::Closed => return Err(fault),
                Err(fault) => faults.push(fault),
            }
        }
        let telling =
            |e: &&Error| matches!(e.kind(), ErrorKind::WrongProtocol | ErrorKind::Tls | ErrorKind::Protocol);
        let kind = faults.iter().find(telling).map_or(ErrorKind::NameServerUnreachable, Error::kind);
        let reasons: Vec<&str> = faults.iter().map(Error::text).collect();
        Err(Error::new(kind, operation, format!("no name server answered: {}", reasons.join("; "))))
    }
}
