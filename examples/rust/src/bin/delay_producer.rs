//! Sends one message that is delivered later: `delay_producer grpc://127.0.0.1:8081 delay 10`.
//!
//! On a real server the topic must take delay messages: `mqadmin updateTopic -t delay -a +message.type=DELAY ...`

use std::time::Duration;

use tminus::{Clock, Message, Producer, ProducerOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().unwrap_or_else(|| "grpc://127.0.0.1:8081".into());
    let topic = arguments.next().unwrap_or_else(|| "delay".into());
    let seconds = arguments.next().unwrap_or_else(|| "10".into()).parse()?;

    let mut options = ProducerOptions::new(&endpoint)?;
    options.topics.push(topic.clone());
    let producer = Producer::start(options).await?;
    let deliver_at = Clock::real().now() + Duration::try_from_secs_f64(seconds)?;
    let message =
        Message::new(topic, "Hello from Rust").tag("greeting").keys(["order-42"]).deliver_at(deliver_at);
    println!("{}", producer.send(message).await?.message_id);
    producer.shutdown().await;
    Ok(())
}
