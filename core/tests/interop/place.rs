//! Where a peer over gRPC is tested: a loopback broker or, inside of `server.py run`, the real server.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tminus::broker::{GroupOptions, TopicType};

use crate::loopback::{LATE_MS, Loopback};

/// The server of one check.
pub(crate) enum Place {
    Loopback(Box<Loopback>),
    /// The address of its proxy.
    Apache(String),
}

impl Place {
    pub(crate) fn start() -> Self {
        Self::apache().unwrap_or_else(|| Self::Loopback(Box::new(Loopback::start(no_auto_create))))
    }

    /// For a check that looks at the time.
    pub(crate) fn start_alone() -> Self {
        Self::apache().unwrap_or_else(|| Self::Loopback(Box::new(Loopback::start_alone(no_auto_create))))
    }

    fn apache() -> Option<Self> {
        std::env::var("TMINUS_TEST_APACHE_PROXY").ok().map(Self::Apache)
    }

    pub(crate) fn address(&self) -> String {
        match self {
            Self::Loopback(loopback) => loopback.address(),
            Self::Apache(address) => address.clone(),
        }
    }

    /// A message may be so late.
    pub(crate) fn late_ms(&self) -> i64 {
        match self {
            Self::Loopback(_) => LATE_MS,
            Self::Apache(_) => 1500,
        }
    }

    /// A new topic of four queues.
    pub(crate) fn topic(&self, kind: TopicType) -> String {
        let name = unique("topic");
        match self {
            Self::Loopback(loopback) => loopback.broker.create_topic_of(&name, 4, kind).unwrap(),
            Self::Apache(_) => server(&["topic", "--name", &name, "--type", kind.name()]),
        }
        name
    }

    /// A new consumer group.
    pub(crate) fn group(&self, fifo: bool) -> String {
        let name = unique("group");
        match self {
            Self::Loopback(loopback) => {
                let options = GroupOptions { fifo, ..GroupOptions::default() };
                loopback.broker.create_group(&name, options).unwrap();
            }
            Self::Apache(_) if fifo => server(&["group", "--name", &name, "--fifo"]),
            Self::Apache(_) => server(&["group", "--name", &name]),
        }
        name
    }
}

fn no_auto_create(options: &mut tminus::broker::BrokerOptions) {
    options.auto_create_topics = false;
}

/// A name that no other check of this run, nor of an earlier one, uses.
fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn server(arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apache/server.py");
    let output = Command::new("python3").arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
