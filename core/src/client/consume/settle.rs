//! Carries out what handlers said of messages they did not consume with success. One task a consumer; requests to the
//! brokers are pipelined.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use super::consumer::{Consumer, Phase};
use crate::client::delivery::Unsuccessful;
use crate::codec::remoting::decode_messages;
use crate::codec::remoting::record::RecordError;
use crate::error::Result;
use crate::message::MessageView;

/// Messages given back at the same time.
const AT_ONCE: usize = 64;
/// A message that could not be given back is delivered again here after this.
const REDELIVERY: Duration = Duration::from_secs(5);

/// Works until the consumer drains, and then until everything is carried out.
pub(super) async fn run(consumer: Arc<Consumer>, mut unsuccessful: UnboundedReceiver<Unsuccessful>) {
    let permits = Semaphore::new(AT_ONCE);
    let mut under_way = FuturesUnordered::new();
    let mut open = true;
    while open || !under_way.is_empty() {
        tokio::select! {
            next = unsuccessful.recv(), if open => match next {
                Some(message) => under_way.push(settle(&consumer, &permits, message)),
                None => open = false,
            },
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            () = consumer.reaches(Phase::Draining), if !unsuccessful.is_closed() => unsuccessful.close(),
        }
    }
}

async fn settle(consumer: &Arc<Consumer>, permits: &Semaphore, unsuccessful: Unsuccessful) {
    let Unsuccessful { queue, offset, delay_level } = unsuccessful;
    // A dropped queue is another member's: it gets the message again from there.
    let Some(record) = queue.record(offset).filter(|_| !queue.is_dropped()) else { return };
    let name = queue.queue();
    if !consumer.is_clustering() {
        tracing::warn!(
            topic = name.topic,
            offset,
            "a message was not consumed; broadcasting delivers it once only"
        );
        queue.settle(offset);
        return;
    }
    let views = decode_messages(record, &name.broker);
    let damaged_at = |e: &RecordError| match e {
        RecordError::Damaged { commit_log_offset, .. } => Some(*commit_log_offset),
        _ => None,
    };
    let commit_log_offset = views.iter().find_map(|view| match view {
        Ok(message) => Some(message.commit_log_offset),
        Err(error) => damaged_at(error),
    });
    let message = views.into_iter().flatten().find(|message| message.queue_offset == offset);
    let Some(commit_log_offset) = commit_log_offset else { return };
    let given_back = {
        let _permit = permits.acquire().await;
        give_back(consumer, &queue, commit_log_offset, message.as_ref(), delay_level).await
    };
    let Err(error) = given_back else {
        queue.settle(offset);
        return;
    };
    // Unsettled, it keeps the offset from being stored: whatever happens to this process, the message is not lost.
    tracing::warn!(%error, topic = name.topic, offset, "a message could not be given back and is delivered again here");
    queue.returned(offset);
    tokio::select! {
        () = sleep(REDELIVERY) => match message {
            Some(message) => consumer.hand_over(&queue, message).await,
            None => drop(consumer.unsuccessful.send(Unsuccessful { queue, offset, delay_level })),
        },
        () = consumer.reaches(Phase::Closing) => {}
    }
}

/// To the broker it came from; failing that, as a new message to the retry topic on any broker.
async fn give_back(
    consumer: &Consumer,
    queue: &super::process_queue::ProcessQueue,
    commit_log_offset: i64,
    message: Option<&MessageView>,
    delay_level: i32,
) -> Result<()> {
    let id = message.map_or("", |message| message.message_id.as_str());
    let refused = match consumer.requests.give_back(queue.queue(), commit_log_offset, id, delay_level).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match message {
        Some(message) => {
            tracing::debug!(error = %refused, "a message could not be given back and is published to the retry topic");
            consumer.requests.republish(message, &message.topic, delay_level).await
        }
        None => Err(refused),
    }
}
