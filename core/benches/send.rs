//! Sends 1 KiB messages for so many seconds, one at a time and 64 in flight, and prints one line of JSON a case:
//! messages/s, latency in µs, and CPU time of this process in µs per message.
//!
//! `cargo bench -p tminus --bench send -- ENDPOINT SECONDS`
#![allow(clippy::print_stdout)] // its result

use std::error::Error;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tminus::options::ProducerOptions;
use tminus::{Message, Producer, clock};
use tokio::task::JoinSet;

const BODY_BYTES: usize = 1024;
const TOPIC: &str = "bench";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(endpoint) = arguments.next() else {
        // `cargo test --benches` runs this too.
        return Ok(());
    };
    let seconds = arguments.next().ok_or("usage: send ENDPOINT SECONDS")?;
    let period = Duration::from_secs_f64(seconds.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let producer = Producer::start(ProducerOptions::new(&endpoint)?).await?;
        for in_flight in [1, 64] {
            run(&producer, in_flight, period / 10).await?; // to warm up
            println!("{}", run(&producer, in_flight, period).await?);
        }
        producer.shutdown().await;
        Ok(())
    })
}

async fn run(producer: &Producer, in_flight: usize, period: Duration) -> Result<String, Box<dyn Error>> {
    let body = bytes::Bytes::from(vec![b'x'; BODY_BYTES]);
    let (cpu, begun) = (cpu_time()?, clock::instant());
    let mut senders = JoinSet::new();
    for _ in 0..in_flight {
        let (producer, body) = (producer.clone(), body.clone());
        senders.spawn(async move {
            let mut latencies = Vec::new();
            let mut last = begun;
            while last - begun < period {
                producer.send(Message::new(TOPIC, body.clone())).await?;
                let now = clock::instant();
                latencies.push(now - last);
                last = now;
            }
            Ok::<_, tminus::Error>(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(sender) = senders.join_next().await {
        latencies.extend(sender??);
    }
    let (elapsed, cpu) = (clock::instant() - begun, cpu_time()? - cpu);
    latencies.sort_unstable();
    let sent = latencies.len();
    let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
    Ok(format!(
        "{{\"client\":\"tminus-rust\",\"in_flight\":{in_flight},\"messages_per_s\":{:.0},\
         \"p50_us\":{:.1},\"p99_us\":{:.1},\"cpu_us_per_message\":{:.2}}}",
        sent as f64 / elapsed.as_secs_f64(),
        micros(latencies[sent / 2]),
        micros(latencies[sent * 99 / 100]),
        micros(cpu) / sent as f64,
    ))
}

/// CPU time that this process has used.
fn cpu_time() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from)
}
