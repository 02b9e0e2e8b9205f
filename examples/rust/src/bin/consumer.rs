//! Prints messages of topic `test` until Enter is pressed: `consumer 127.0.0.1:9876`.

use tminus::{ConsumeResult, FilterExpression, PushConsumer, PushConsumerOptions};

#[tokio::main]
async fn main() -> tminus::Result<()> {
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9876".into());
    let options =
        PushConsumerOptions::new(&endpoint, "rust-example")?.subscribe("test", FilterExpression::all());
    let consumer = PushConsumer::start(options, |message| async move {
        println!("{} {:?} due at {:?}", message.message_id, message.body, message.deliver_at_ms());
        ConsumeResult::Success
    })
    .await?;
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
    consumer.shutdown().await;
    Ok(())
}
