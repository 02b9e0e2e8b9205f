//! Scheduled messages arrive on time: none early, none lost, and how late.

use tminus::clock;

use super::*;

const COUNT: i64 = 2_000;
const SPAN_MS: i64 = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_scheduled_messages_arrive_on_time() {
    let broker = broker().await;
    let producer = producer(&broker).await;
    let (consumer, deliveries) = PushConsumer::start_stream(options(&broker, "g")).await.unwrap();
    let begin = clock::to_ms(tminus::Clock::real().now()) + 2_000;
    let sending = async {
        for at in 0..COUNT {
            let due = clock::from_ms(begin + at * SPAN_MS / COUNT);
            producer.send(Message::new("T", at.to_string()).deliver_at(due)).await.unwrap();
        }
    };
    let receiving = async {
        let mut seen = BTreeSet::new();
        let mut lateness = Vec::new();
        while seen.len() < COUNT as usize {
            for delivery in timeout(PATIENCE, deliveries.next(64)).await.expect("lost messages") {
                let now = tminus::Clock::real().now_ms();
                let at = body(&delivery.message);
                if seen.insert(at) {
                    lateness.push(now - (begin + at as i64 * SPAN_MS / COUNT));
                }
                delivery.settle(ConsumeResult::Success);
            }
        }
        lateness
    };
    let ((), mut lateness) = tokio::join!(sending, receiving);
    lateness.sort_unstable();
    let early = lateness.iter().filter(|ms| **ms < 0).count();
    let at = |share: f64| lateness[((lateness.len() - 1) as f64 * share) as usize];
    println!(
        "{} received, {early} early, lateness p50 {} ms, p99 {} ms, max {} ms",
        lateness.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    assert_eq!(early, 0);
    assert!(at(0.99) < 20, "p99 {} ms", at(0.99));
    consumer.shutdown().await;
    producer.shutdown().await;
}
