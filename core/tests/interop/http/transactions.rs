//! Half messages.

use std::time::Duration;

use tminus::options::ClientOptions;
use tminus::{ConsumeMode, HttpClient, HttpConsume, Message, TransactionResolution};

use super::calls::{Consume, HttpMessage, Target};
use super::{bodies, call, handles, start_virtual, target, targets, text, user};
use crate::program::Program;

const POP: Consume = Consume { mode: "pop", ..Consume::NOW };

pub(crate) fn half_messages_end_as_their_producer_says(peer: &Program) {
    for target in targets() {
        let loopback = start_virtual();
        let (mut producer, mut consumer) = (call(peer, &loopback), call(peer, &loopback));
        let checked = Target { group: "GID_producer".into(), ..target.clone() };
        let half = |n: usize| HttpMessage { check_after_s: 10, ..text(n) };
        // By the handle of the publish.
        let published: Vec<_> = (0..2).map(|n| producer.publish(&checked, &half(n))).collect();
        consumer.assert_empty(&target, &Consume::NOW);
        producer.commit(&checked, &published[0].handle).unwrap();
        producer.rollback(&checked, &published[1].handle).unwrap();
        let came = consumer.consume(&target, &Consume::WAIT);
        assert_eq!(bodies(&came), ["message 0"]);
        consumer.ack(&target, &handles(&came)).unwrap();

        // By that of a check, once its time has come.
        let first = producer.publish(&checked, &half(2));
        producer.publish(&checked, &half(3));
        producer.assert_empty(&checked, &POP);
        producer.begin_consume(&checked, &Consume { wait_s: 20, ..POP });
        loopback.broker.advance(Duration::from_secs(10)).unwrap();
        let mut asked = producer.consumed();
        while asked.len() < 2 {
            asked.extend(producer.consume(&checked, &POP));
        }
        asked.sort_by(|one, other| one.body.cmp(&other.body));
        assert_eq!(bodies(&asked), ["message 2", "message 3"]);
        assert_eq!((asked[0].consumed_times, asked[0].check_after_s), (1, 10));
        let failure = producer.commit(&checked, &first.handle).unwrap_err();
        assert!(failure.text.contains("ReceiptHandleError"), "the publish's handle: {failure:?}");
        producer.commit(&checked, &asked[0].handle).unwrap();
        let came = consumer.consume(&target, &Consume::WAIT);
        assert_eq!(bodies(&came), ["message 2"]);
        consumer.ack(&target, &handles(&came)).unwrap();

        // Nobody said anything: it is asked again, and the older handle is void.
        let now = loopback.broker.clock().now_ms();
        let wait = u64::try_from(asked[1].next_consume_ms - now).unwrap();
        loopback.broker.advance(Duration::from_millis(wait)).unwrap();
        let again = producer.consume(&checked, &POP);
        assert_eq!((bodies(&again), again[0].consumed_times), (vec!["message 3"], 2));
        assert!(producer.commit(&checked, &asked[1].handle).is_err());
        producer.rollback(&checked, &again[0].handle).unwrap();
        producer.assert_empty(&checked, &POP);
        consumer.assert_empty(&target, &Consume::NOW);
    }
}

pub(crate) fn half_messages_cross(peer: &Program) {
    let loopback = start_virtual();
    let mut caller = call(peer, &loopback);
    let Target { topic, group, .. } = target();
    let mut options = ClientOptions::new(&format!("http://{}", loopback.address())).unwrap();
    options.credentials = Some(user().into());
    let ours = loopback.run(async { HttpClient::new(options).unwrap() });

    // Published by us, ended by the peer.
    let half = Message::new(&topic, "message 0").property("__TransCheckT", "10");
    let sent = loopback.run(ours.publish(half, None)).unwrap();
    loopback.broker.advance(Duration::from_secs(10)).unwrap();
    let asked = caller.consume(&target(), &Consume { wait_s: 20, ..POP }).remove(0);
    assert_eq!((&asked.message_id, asked.check_after_s), (&sent.message_id, 10));
    caller.commit(&target(), &asked.handle).unwrap();

    // Published by the peer, ended by us.
    let sent = caller.publish(&target(), &HttpMessage { check_after_s: 10, ..text(1) });
    loopback.broker.advance(Duration::from_secs(10)).unwrap();
    let wanted = HttpConsume {
        topic: topic.clone(),
        group: group.clone(),
        tag: String::new(),
        mode: ConsumeMode::Half,
        max: 16,
        wait: Duration::from_secs(20),
    };
    let asked = loopback.run(ours.consume(&wanted)).unwrap().messages.remove(0);
    assert_eq!(asked.message.message_id, sent.message_id);
    let handle = &asked.receipt.handle;
    loopback.run(ours.end_transaction(&topic, &group, handle, TransactionResolution::Commit)).unwrap();

    let mut came = caller.consume(&target(), &Consume::WAIT);
    while came.len() < 2 {
        came.extend(caller.consume(&target(), &Consume::WAIT));
    }
    came.sort_by(|one, other| one.body.cmp(&other.body));
    assert_eq!(bodies(&came), ["message 0", "message 1"]);
    loopback.run(ours.shutdown());
}
