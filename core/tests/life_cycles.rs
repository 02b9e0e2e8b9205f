//! A thousand starts and stops leave nothing behind: no task, no thread, no socket, no growing memory. Alone in its
//! program, so that no other test opens sockets or tasks beside it.
#![cfg(all(feature = "broker", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::time::Duration;

use tminus::broker::{Broker, BrokerOptions};
use tminus::{
    ConsumeResult, ErrorKind, FilterExpression, Message, Producer, ProducerOptions, PushConsumer,
    PushConsumerOptions, SimpleConsumer, SimpleConsumerOptions, clock,
};
use tokio::runtime::Handle;

const CYCLES: usize = 1000;
const DROPS: usize = 100;
/// Allocators and tables find their size first.
const WARM_UP: usize = 200;
/// What a thousand cycles may add to the memory: a KiB a cycle would be a leak.
const GROWTH_KIB: i64 = 1024;
/// Nothing takes longer to go away.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    tasks: usize,
    threads: usize,
    files: usize,
}

impl Held {
    fn now() -> Self {
        let entries = |folder| fs::read_dir(folder).unwrap().count();
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            threads: entries("/proc/self/task"),
            files: entries("/proc/self/fd"),
        }
    }

    /// What is held once the broker has noticed that its clients are gone; at least as much as `at_least` if it stays more.
    async fn settled(at_least: Option<Self>) -> Self {
        let deadline = clock::instant() + PATIENCE;
        let mut now = Self::now();
        while at_least.map_or(now.tasks > IDLE_TASKS, |wanted| now != wanted) && clock::instant() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
            now = Self::now();
        }
        now
    }
}

/// Those of the broker without clients: its port and its timer.
const IDLE_TASKS: usize = 2;

fn memory_kib() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cycles_leave_nothing() {
    let broker = Broker::start(BrokerOptions::default()).await.unwrap();
    broker.create_topic("T", 4).unwrap();
    for protocol in ["remoting", "grpc", "http"] {
        let endpoint = &format!("{protocol}://{}", broker.address());
        measure(protocol, "producer", async |cycle, end| produce(endpoint, cycle, end).await).await;
        measure(protocol, "push consumer", async |_, end| push(endpoint, end).await).await;
        measure(protocol, "failed start", async |_, _| fail(protocol).await).await;
        if protocol != "remoting" {
            measure(protocol, "simple consumer", async |cycle, end| simple(endpoint, cycle, end).await).await;
        }
    }
    broker.stop().await;
}

/// How a client ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Shutdown,
    /// Without a word to the server, which remembers the client for a while.
    Dropped,
}

async fn measure(protocol: &str, what: &str, cycle: impl AsyncFn(usize, End)) {
    for number in 0..WARM_UP {
        cycle(number, End::Shutdown).await;
    }
    let before = Held::settled(None).await;
    let memory = memory_kib();
    let begun = clock::instant();
    for number in 0..CYCLES {
        cycle(number, End::Shutdown).await;
    }
    let took = begun.elapsed() / CYCLES as u32;
    let after = Held::settled(Some(before)).await;
    let growth = memory_kib() - memory;
    println!("{protocol}, {what}: {CYCLES} cycles of {took:.1?}, {after:?}, {growth} KiB more memory");
    assert_eq!(after, before, "{protocol}, {what}");
    assert!(growth < GROWTH_KIB, "{protocol}, {what}: {growth} KiB more memory");
    for number in 0..DROPS {
        cycle(number, End::Dropped).await;
    }
    assert_eq!(Held::settled(Some(before)).await, before, "{protocol}, {what}, dropped");
}

async fn produce(endpoint: &str, cycle: usize, end: End) {
    let producer = Producer::start(ProducerOptions::new(endpoint).unwrap()).await.unwrap();
    if cycle.is_multiple_of(10) {
        producer.send(Message::new("T", "a").tag("nobody")).await.unwrap();
    }
    if end == End::Shutdown {
        producer.shutdown().await;
    }
}

async fn push(endpoint: &str, end: End) {
    let options = PushConsumerOptions::new(endpoint, "push").unwrap();
    let options = options.subscribe("T", FilterExpression::Tag("somebody".into()));
    let consumer = PushConsumer::start(options, async |_| ConsumeResult::Success).await.unwrap();
    if end == End::Shutdown {
        consumer.shutdown().await;
    }
}

async fn simple(endpoint: &str, cycle: usize, end: End) {
    let options = SimpleConsumerOptions::new(endpoint, "simple").unwrap();
    let options = options.subscribe("T", FilterExpression::Tag("somebody".into()));
    let consumer = SimpleConsumer::start(options).await.unwrap();
    if cycle.is_multiple_of(10) {
        let wait = Duration::from_millis(1);
        let received = consumer.receive(1, Duration::from_secs(30), Some(wait)).await.unwrap();
        assert!(received.is_empty());
    }
    if end == End::Shutdown {
        consumer.shutdown().await;
    }
}

async fn fail(protocol: &str) {
    let endpoint = format!("{protocol}://127.0.0.1:1");
    let error = Producer::start(ProducerOptions::new(&endpoint).unwrap()).await.unwrap_err();
    let kinds = [ErrorKind::NameServerUnreachable, ErrorKind::BrokerUnreachable];
    assert!(kinds.contains(&error.kind()), "{error}");
}
