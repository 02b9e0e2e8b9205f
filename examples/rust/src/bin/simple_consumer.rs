//! Receives delayed messages, prints and acknowledges them, until Ctrl-C:
//! `simple_consumer grpc://127.0.0.1:8081 delay my-group`.

use std::time::Duration;

use tminus::{Clock, FilterExpression, SimpleConsumer, SimpleConsumerOptions};

const INVISIBLE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().unwrap_or_else(|| "grpc://127.0.0.1:8081".into());
    let topic = arguments.next().unwrap_or_else(|| "delay".into());
    let group = arguments.next().unwrap_or_else(|| "delay-simple-rust".into());

    let options = SimpleConsumerOptions::new(&endpoint, group)?.subscribe(topic, FilterExpression::all());
    let consumer = SimpleConsumer::start(options).await?;
    tokio::select! {
        ended = consume(&consumer) => ended?,
        pressed = tokio::signal::ctrl_c() => pressed?,
    }
    consumer.shutdown().await;
    Ok(())
}

async fn consume(consumer: &SimpleConsumer) -> tminus::Result<()> {
    loop {
        let batch = match consumer.receive(10, INVISIBLE, None).await {
            Err(error) if error.is_retryable() => {
                // The server limits the flow, or is away.
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            batch => batch?,
        };
        for received in batch {
            let message = received.message;
            let late = Clock::real().now_ms() - message.deliver_at_ms().unwrap_or(message.store_timestamp);
            println!("{} {} {late} ms late", message.message_id, String::from_utf8_lossy(&message.body));
            consumer.ack(&received.receipt).await?;
        }
    }
}
