//! Messages cross between the peers over ApsaraMQ HTTP and our clients over every protocol.

use std::collections::BTreeMap;
use std::time::Duration;

use tminus::clock::{Clock, from_ms};
use tminus::options::{ClientOptions, ConsumeFrom, ConsumeResult, FilterExpression, ProducerOptions};
use tminus::options::{PushConsumerOptions, SimpleConsumerOptions};
use tminus::{Message, MessageView, Producer, PushConsumer, SimpleConsumer};

use super::calls::{Caller, Consume, HttpMessage, Target};
use super::{call, handles, start, target, targets, user};
use crate::loopback::Loopback;
use crate::program::Program;

const SCHEMES: [&str; 3] = ["remoting", "grpc", "http"];
const DELAY_MS: i64 = 400;

/// One with all that a message without order may have, and one with a shard.
fn messages() -> [HttpMessage; 2] {
    let message = HttpMessage {
        tag: "TagA".into(),
        key: "k1 k2".into(),
        properties: BTreeMap::from([("größe".into(), "40 cm".into())]),
        ..HttpMessage::new("Grüße & <b>漢字</b>")
    };
    let due = Clock::real().now_ms() + DELAY_MS;
    let sharded = HttpMessage { sharding_key: "shard".into(), ..message.clone() };
    [HttpMessage { deliver_at_ms: due, ..message }, sharded]
}

pub(crate) fn what_our_producer_sends_is_consumed(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    for scheme in SCHEMES {
        for target in targets() {
            let messages = messages();
            let ids = loopback.run(send(client(&loopback, scheme, &target), &target, &messages));
            let mut came = consume(&mut caller, &target, messages.len());
            came.sort_by(|one, other| one.sharding_key.cmp(&other.sharding_key));
            for ((sent, id), came) in messages.iter().zip(ids).zip(&came) {
                assert_eq!(came.message_id, id, "{scheme} {target:?}");
                assert_eq!(came.content(), *sent, "{scheme} {target:?}");
            }
        }
    }
}

pub(crate) fn what_a_peer_publishes_is_received(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    for scheme in SCHEMES {
        for target in targets() {
            let target = Target { topic: format!("T-{scheme}"), ..target };
            let messages = messages();
            let sent: Vec<_> = messages.iter().map(|message| caller.publish(&target, message)).collect();
            let due = messages[0].deliver_at_ms;
            let client = client(&loopback, scheme, &target);
            let mut came = loopback.run(async {
                let simple = SimpleConsumerOptions::with_client(client.clone(), &target.group);
                let push = PushConsumerOptions::with_client(client, &target.group);
                if scheme == "remoting" {
                    pushed(push, &target).await
                } else {
                    received(simple, &target).await
                }
            });
            came.sort_by(|(one, _), (other, _)| one.message_group().cmp(&other.message_group()));
            assert!(came[0].1 >= due, "{scheme} {target:?}: {} ms early", due - came[0].1);
            for ((message, sent), (came, _)) in messages.iter().zip(sent).zip(came) {
                assert_eq!(came.message_id, sent.message_id, "{scheme} {target:?}");
                assert_eq!(as_http(&came), *message, "{scheme} {target:?}");
            }
        }
    }
}

/// What XML or the text of the properties cannot carry, but other protocols can, stops no consumer.
pub(crate) fn what_does_not_fit_does_no_harm(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    let target = target();
    let fits = "]]> \r\n <![CDATA[ &amp; \u{85}\u{2028}";
    let bodies = [fits.as_bytes(), b"a\0b\x01c\xffd\xef\xbf\xbe"];
    loopback.run(async {
        let client = client(&loopback, "remoting", &target);
        let producer = Producer::start(ProducerOptions::with_client(client)).await.unwrap();
        for body in bodies {
            let message = Message::new(&target.topic, body).tag("a&<b>]]>").property("fits", "yes");
            let message = message.property("url", "http://host/?a&b").property("bars", "a|b");
            let message = message.property("quoted", "'<&>\"]]>").property("lines", "a\r\nb");
            producer.send(message).await.unwrap();
        }
        producer.shutdown().await;
    });
    let mut came = consume(&mut caller, &target, 2);
    came.sort_by_key(|message| message.body != fits);
    assert_eq!(came[0].body, fits);
    assert_eq!(came[1].body, "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}");
    for message in &came {
        assert_eq!((message.tag.as_str(), message.properties["fits"].as_str()), ("a&<b>]]>", "yes"));
        assert_eq!(message.properties["quoted"], "'<&>\"]]>");
        assert!(!message.properties.contains_key("bars"), "{message:?}");
    }
}

fn client(loopback: &Loopback, scheme: &str, target: &Target) -> ClientOptions {
    let mut client = ClientOptions::new(&format!("{scheme}://{}", loopback.address())).unwrap();
    client.credentials = Some(user().into());
    client.namespace = Some(target.instance.clone()).filter(|instance| !instance.is_empty());
    client
}

/// Sends with our producer; returns the ids.
async fn send(client: ClientOptions, target: &Target, messages: &[HttpMessage]) -> Vec<String> {
    let producer = Producer::start(ProducerOptions::with_client(client)).await.unwrap();
    let mut ids = Vec::new();
    for wanted in messages {
        let mut message = Message::new(&target.topic, wanted.body.clone()).tag(&wanted.tag);
        message = message.keys(wanted.key.split(' '));
        for (name, value) in &wanted.properties {
            message = message.property(name, value);
        }
        if wanted.deliver_at_ms > 0 {
            message = message.deliver_at(from_ms(wanted.deliver_at_ms));
        }
        if !wanted.sharding_key.is_empty() {
            message = message.message_group(&wanted.sharding_key);
        }
        ids.push(producer.send(message).await.unwrap().message_id);
    }
    producer.shutdown().await;
    ids
}

/// Consumes `wanted` messages with a peer.
fn consume(caller: &mut Caller, target: &Target, wanted: usize) -> Vec<HttpMessage> {
    let mut came = Vec::new();
    while came.len() < wanted {
        let batch = caller.consume(target, &Consume::WAIT);
        caller.ack(target, &handles(&batch)).unwrap();
        came.extend(batch);
    }
    came
}

/// Receives two messages with our simple consumer, with the time of each.
async fn received(options: SimpleConsumerOptions, target: &Target) -> Vec<(MessageView, i64)> {
    let options = options.subscribe(&target.topic, FilterExpression::all());
    let consumer = SimpleConsumer::start(options).await.unwrap();
    let mut came = Vec::new();
    while came.len() < 2 {
        let batch = consumer.receive(16, Duration::from_secs(60), None).await.unwrap();
        let at_ms = Clock::real().now_ms();
        for received in batch {
            consumer.ack(&received.receipt).await.unwrap();
            came.push((received.message, at_ms));
        }
    }
    consumer.shutdown().await;
    came
}

/// The same with our push consumer.
async fn pushed(mut options: PushConsumerOptions, target: &Target) -> Vec<(MessageView, i64)> {
    options.consume_from = ConsumeFrom::FirstOffset;
    let options = options.subscribe(&target.topic, FilterExpression::all());
    let (consumer, deliveries) = PushConsumer::start_stream(options).await.unwrap();
    let mut came = Vec::new();
    while came.len() < 2 {
        for delivery in deliveries.next(2).await {
            came.push((delivery.message.clone(), Clock::real().now_ms()));
            delivery.settle(ConsumeResult::Success);
        }
    }
    consumer.shutdown().await;
    came
}

fn as_http(message: &MessageView) -> HttpMessage {
    let name = "größe";
    HttpMessage {
        body: String::from_utf8(message.body.to_vec()).unwrap(),
        tag: message.tag().unwrap_or_default().into(),
        key: message.keys().collect::<Vec<_>>().join(" "),
        properties: message.property(name).map(|value| (name.into(), value.into())).into_iter().collect(),
        deliver_at_ms: message.deliver_at_ms().unwrap_or_default(),
        sharding_key: message.message_group().unwrap_or_default().into(),
        ..HttpMessage::default()
    }
}
