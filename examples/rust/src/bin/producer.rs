//! Sends one message that is delivered in three seconds: `producer 127.0.0.1:9876`.

use std::time::Duration;

use tminus::{Message, Producer, ProducerOptions};

#[tokio::main]
async fn main() -> tminus::Result<()> {
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9876".into());
    let producer = Producer::start(ProducerOptions::new(&endpoint)?).await?;
    let message =
        Message::new("test", "Hello from Rust").tag("greeting").deliver_after(Duration::from_secs(3));
    let receipt = producer.send(message).await?;
    println!("{:?} {}", receipt.status, receipt.message_id);
    producer.shutdown().await;
    Ok(())
}
