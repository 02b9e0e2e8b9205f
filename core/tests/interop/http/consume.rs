//! Publishing and consuming.

use std::collections::{BTreeMap, BTreeSet};

use tminus::clock::Clock;

use super::calls::{Consume, HttpMessage, Target};
use super::{bodies, call, handles, start, start_alone, target, targets, text};
use crate::loopback::LATE_MS;
use crate::program::Program;

pub(crate) fn a_message_arrives_as_it_was_published(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    for target in targets() {
        let message = HttpMessage {
            tag: "TagA".into(),
            key: "order-1 order-2".into(),
            properties: BTreeMap::from([("größe".into(), "40 cm".into()), ("b".into(), "2/3?=ü".into())]),
            sharding_key: "shard".into(),
            ..HttpMessage::new("Grüße & <b>漢字</b> 'q' \"Q\" 🦀\n\tnext line")
        };
        let sent = caller.publish(&target, &message);
        let came = caller.consume(&target, &Consume::WAIT).remove(0);
        assert_eq!(came.message_id, sent.message_id);
        assert_eq!((came.body_md5.len(), &came.body_md5), (32, &sent.body_md5));
        assert_eq!(came.consumed_times, 1);
        assert!(came.published_ms <= came.first_consume_ms, "{came:?}");
        assert!(came.next_consume_ms - came.first_consume_ms >= 299_000, "{came:?}");
        caller.ack(&target, &[&came.handle]).unwrap();
        assert_eq!(came.content(), message);
        caller.assert_empty(&target, &Consume::NOW);
    }
}

pub(crate) fn large_bodies_arrive_whole(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    let message = HttpMessage::new(&"<ü&".repeat(250_000));
    let sent = caller.publish(&target(), &message);
    let came = caller.consume(&target(), &Consume::WAIT).remove(0);
    assert_eq!((&came.body_md5, came.body.len()), (&sent.body_md5, 1_000_000));
    assert!(came.body == message.body);
}

pub(crate) fn instances_are_apart(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    let targets = targets();
    let name = |target: &Target| format!("of {:?}", target.instance);
    for target in &targets {
        caller.publish(target, &HttpMessage::new(&name(target)));
    }
    for target in &targets {
        let came = caller.consume(target, &Consume::WAIT);
        assert_eq!(bodies(&came), [name(target)]);
        caller.ack(target, &handles(&came)).unwrap();
        caller.assert_empty(target, &Consume::NOW);
    }
}

pub(crate) fn delivery_times_are_kept(peer: &Program) {
    let loopback = start_alone();
    let (mut producer, mut consumer) = (call(peer, &loopback), call(peer, &loopback));
    // One that is not delayed, to have both at work.
    producer.publish(&target(), &text(0));
    assert_eq!(bodies(&consumer.consume(&target(), &Consume::WAIT)), ["message 0"]);
    for n in 1..=5 {
        consumer.begin_consume(&target(), &Consume::WAIT);
        let due = Clock::real().now_ms() + 400;
        producer.publish(&target(), &HttpMessage { deliver_at_ms: due, ..text(n) });
        let came = consumer.consumed();
        let late = Clock::real().now_ms() - due;
        assert_eq!((came[0].body.as_str(), came[0].deliver_at_ms), (format!("message {n}").as_str(), due));
        assert!((0..LATE_MS).contains(&late), "{late} ms late");
    }
}

pub(crate) fn a_long_poll_ends_with_the_first_message(peer: &Program) {
    let loopback = start_alone();
    let (mut producer, mut consumer) = (call(peer, &loopback), call(peer, &loopback));
    for n in 0..3 {
        // The first finds a message, the others wait for it.
        if n > 0 {
            consumer.begin_consume(&target(), &Consume::WAIT);
        }
        producer.publish(&target(), &text(n));
        let answered = Clock::real().now_ms();
        let came = if n > 0 { consumer.consumed() } else { consumer.consume(&target(), &Consume::WAIT) };
        let late = Clock::real().now_ms() - answered;
        assert_eq!(bodies(&came), [format!("message {n}")]);
        assert!(late < LATE_MS, "{late} ms after it was published");
    }
}

pub(crate) fn a_poll_without_message_says_so(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    loopback.broker.create_topic("T", 4).unwrap();
    caller.assert_empty(&target(), &Consume::NOW);
    let before = Clock::real().now_ms();
    caller.assert_empty(&target(), &Consume { wait_s: 1, ..Consume::NOW });
    let waited = Clock::real().now_ms() - before;
    assert!((1000..5000).contains(&waited), "{waited} ms instead of 1 s");
}

pub(crate) fn tags_are_filtered(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    for tag in ["a", "b", "ü 1", "c"] {
        caller.publish(&target(), &HttpMessage { tag: tag.into(), ..HttpMessage::new(tag) });
    }
    let mut consume = |group: &str, tag: &'static str| {
        let target = Target { group: group.into(), ..target() };
        let mut came = BTreeSet::new();
        loop {
            match caller.try_consume(&target, &Consume { tag, ..Consume::NOW }) {
                Ok(messages) => came.extend(messages.into_iter().map(|message| message.tag)),
                Err(_) => return came.into_iter().collect::<Vec<_>>(),
            }
        }
    };
    assert_eq!(consume("GID_some", "a || c"), ["a", "c"]);
    assert_eq!(consume("GID_other", "b||ü 1"), ["b", "ü 1"]);
    assert_eq!(consume("GID_star", "*"), ["a", "b", "c", "ü 1"]);
    assert_eq!(consume("GID_all", ""), ["a", "b", "c", "ü 1"]);
}

pub(crate) fn sixteen_messages_at_most_come_at_once(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    let sent: BTreeSet<_> = (0..20).map(|n| caller.publish(&target(), &text(n)).message_id).collect();
    let mut came = BTreeSet::new();
    while came.len() < 20 {
        let batch = caller.consume(&target(), &Consume::WAIT);
        assert!(batch.len() <= 16, "{}", batch.len());
        caller.ack(&target(), &handles(&batch)).unwrap();
        came.extend(batch.into_iter().map(|message| message.message_id));
    }
    assert_eq!(came, sent);
}
