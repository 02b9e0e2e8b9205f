//! Prints delayed messages as they come, until Ctrl-C: `push_consumer grpc://127.0.0.1:8081 delay my-group`.

use tminus::{Clock, ConsumeResult, FilterExpression, PushConsumer, PushConsumerOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().unwrap_or_else(|| "grpc://127.0.0.1:8081".into());
    let topic = arguments.next().unwrap_or_else(|| "delay".into());
    let group = arguments.next().unwrap_or_else(|| "delay-push-rust".into());

    let options = PushConsumerOptions::new(&endpoint, group)?.subscribe(topic, FilterExpression::all());
    let consumer = PushConsumer::start(options, |message| async move {
        let due = message.deliver_at_ms().unwrap_or(message.store_timestamp);
        let late = Clock::real().now_ms() - due;
        println!("{} {} {late} ms late", message.message_id, String::from_utf8_lossy(&message.body));
        ConsumeResult::Success
    })
    .await?;
    tokio::signal::ctrl_c().await?;
    consumer.shutdown().await;
    Ok(())
}
