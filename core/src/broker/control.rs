//! What tests ask of a broker: faults on purpose, and how many requests came.

use std::collections::{HashMap, VecDeque};

/// The telemetry stream of the gRPC protocol, for [`Broker::inject`](super::Broker::inject) and
/// [`Broker::request_count`](super::Broker::request_count): it has no counterpart
/// among the remoting request codes. The other calls go by the code of the same meaning: 105 QueryRoute, 34 Heartbeat,
/// 310 SendMessage, 200050 ReceiveMessage, 200051 AckMessage, 200053 ChangeInvisibleDuration, 36
/// ForwardMessageToDeadLetterQueue, 37 EndTransaction, 370 RecallMessage, 400 QueryAssignment, 35
/// NotifyClientTermination; and over HTTP 310 publish, 200050 consume, 200051 acknowledge, 37 commit and roll back.
pub const TELEMETRY: i32 = 900_001;

/// What a fault does to a matching request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answer with this response code and remark; the request has no effect.
    Refuse {
        /// Response code of the remoting protocol, which gRPC and HTTP clients get as their protocols have it; or, from
        /// 20000 on, a status code of the gRPC protocol.
        code: i32,
        /// Remark.
        remark: String,
    },
    /// Read the request, do nothing, never answer.
    Swallow,
    /// Close the connection without handling the request.
    CloseBefore,
    /// Handle the request, then close the connection instead of answering.
    CloseAfter,
    /// Answer a receive over gRPC or HTTP (code 200050) and a publish over HTTP (310) with a wrong digest for every body;
    /// has no effect on other requests.
    Corrupt,
    /// Answer as a middle box does that cannot reach its server: over HTTP with status 502 and a page of HTML, elsewhere
    /// with the end of the connection. The request has no effect.
    Gateway,
}

#[derive(Debug)]
struct Injected {
    times: usize,
    fault: Fault,
}

/// Requests by code: how many came, and what shall happen to the next ones.
#[derive(Debug, Default)]
pub(crate) struct Control {
    received: HashMap<i32, u64>,
    faults: HashMap<i32, VecDeque<Injected>>,
}

impl Control {
    /// Counts a request and says which fault it meets.
    pub(crate) fn receive(&mut self, code: i32) -> Option<Fault> {
        *self.received.entry(code).or_default() += 1;
        if self.faults.is_empty() {
            return None;
        }
        let queue = self.faults.get_mut(&code)?;
        let first = queue.front_mut()?;
        let fault = first.fault.clone();
        first.times -= 1;
        if first.times == 0 {
            queue.pop_front();
        }
        if queue.is_empty() {
            self.faults.remove(&code);
        }
        Some(fault)
    }

    pub(crate) fn inject(&mut self, code: i32, times: usize, fault: Fault) {
        if times > 0 {
            self.faults.entry(code).or_default().push_back(Injected { times, fault });
        }
    }

    pub(crate) fn received(&self, code: i32) -> u64 {
        self.received.get(&code).copied().unwrap_or(0)
    }
}
