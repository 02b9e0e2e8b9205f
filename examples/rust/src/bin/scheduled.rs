//! Schedules messages ahead and receives them: `scheduled ENDPOINT COUNT AHEAD_MS`. Part of `make demo`.
//!
//! Message i of n is due AHEAD_MS plus i/n of a second after the start. Prints one JSON line with what arrived when;
//! ends with status 1 if a message is missing.

use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use tminus::{
    Clock, ConsumeFrom, ConsumeResult, Deliveries, FilterExpression, Message, Producer, ProducerOptions,
    PushConsumer, PushConsumerOptions,
};

const TOPIC: &str = "demo-rust";
const GROUP: &str = "demo-rust";

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, count, ahead] = arguments.as_slice() else {
        eprintln!("usage: scheduled ENDPOINT COUNT AHEAD_MS");
        return Ok(ExitCode::from(2));
    };
    let (count, ahead): (u64, u64) = (count.parse()?, ahead.parse()?);

    let mut options = PushConsumerOptions::new(endpoint, GROUP)?.subscribe(TOPIC, FilterExpression::all());
    options.consume_from = ConsumeFrom::FirstOffset;
    let (consumer, deliveries) = PushConsumer::start_stream(options).await?;
    let producer = Producer::start(ProducerOptions::new(endpoint)?).await?;

    let start = Clock::real().now() + Duration::from_millis(ahead);
    let mut awaited = HashSet::new();
    for i in 0..count {
        let due = start + Duration::from_micros(1_000_000 * i / count);
        let receipt = producer.send(Message::new(TOPIC, format!("message {i}")).deliver_at(due)).await?;
        awaited.insert(receipt.message_id);
    }

    let mut lateness = Vec::with_capacity(awaited.len());
    let limit = Duration::from_millis(ahead + 10_000);
    // Giving up is no error here: the line below says what is missing.
    let _ = tokio::time::timeout(limit, receive(&deliveries, awaited, &mut lateness)).await;
    consumer.shutdown().await;
    producer.shutdown().await;

    lateness.sort_unstable();
    println!(
        "{}",
        serde_json::json!({
            "language": "rust", "sent": count, "received": lateness.len(),
            "early": lateness.iter().filter(|ms| **ms < 0).count(),
            "lateness_ms_p50": lateness.get(lateness.len() / 2), "lateness_ms_max": lateness.last(),
        })
    );
    Ok(if lateness.len() as u64 == count { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Collects received minus requested time, in ms, of every awaited message.
async fn receive(deliveries: &Deliveries, mut awaited: HashSet<String>, lateness: &mut Vec<i64>) {
    let total = awaited.len();
    while !awaited.is_empty() {
        for delivery in deliveries.next(64).await {
            let now = Clock::real().now_ms();
            if awaited.remove(&delivery.message.message_id) {
                lateness.push(now - delivery.message.deliver_at_ms().unwrap_or(now));
            }
            delivery.settle(ConsumeResult::Success);
        }
        if std::io::stderr().is_terminal() {
            eprint!("\rrust: {} of {total}", lateness.len());
            let _ = std::io::stderr().flush();
        }
    }
}
