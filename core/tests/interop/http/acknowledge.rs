//! Handles, redelivery, and the order that both keep.

use std::time::Duration;

use tminus::clock::Clock;

use super::calls::{Caller, Consume, HttpMessage};
use super::{HIDDEN, bodies, call, handles, start, start_virtual, target, text};
use crate::program::Program;

const ORDER: Consume = Consume { mode: "order", ..Consume::NOW };

pub(crate) fn a_bad_handle_among_good_ones_is_told_apart(peer: &Program) {
    let loopback = start_virtual();
    let mut caller = call(peer, &loopback);
    let come = |caller: &mut Caller, wanted: usize| {
        let mut came = Vec::new();
        while came.len() < wanted {
            came.extend(caller.consume(&target(), &Consume::WAIT));
        }
        came
    };
    for n in 0..3 {
        caller.publish(&target(), &text(n));
    }
    let came = come(&mut caller, 3);
    let failure = caller.ack(&target(), &[&came[0].handle, "garbage", &came[2].handle]).unwrap_err();
    assert_eq!(failure.refused, [("garbage".to_owned(), "ReceiptHandleError".to_owned())]);
    assert!(failure.text.contains("ReceiptHandleError"), "{failure:?}");
    // The good ones were acknowledged.
    loopback.broker.advance(HIDDEN).unwrap();
    assert_eq!(bodies(&come(&mut caller, 1)), bodies(&came[1..2]));
    caller.assert_empty(&target(), &Consume::NOW);
}

pub(crate) fn what_is_not_acknowledged_comes_again(peer: &Program) {
    let loopback = start_virtual();
    let mut caller = call(peer, &loopback);
    caller.publish(&target(), &text(0));
    let first = caller.consume(&target(), &Consume::WAIT).remove(0);
    assert_eq!(first.next_consume_ms, loopback.broker.clock().now_ms() + 300_000);
    loopback.broker.advance(HIDDEN - Duration::from_millis(1)).unwrap();
    caller.assert_empty(&target(), &Consume::NOW);
    caller.begin_consume(&target(), &Consume::WAIT);
    loopback.broker.advance(Duration::from_millis(1)).unwrap();
    let again = caller.consumed().remove(0);
    assert_eq!((&again.message_id, &again.body), (&first.message_id, &first.body));
    assert_eq!((first.consumed_times, again.consumed_times), (1, 2));
    assert_eq!(again.first_consume_ms, first.first_consume_ms);
    assert_eq!(again.next_consume_ms, first.next_consume_ms + 300_000);
    let failure = caller.ack(&target(), &[&first.handle]).unwrap_err();
    assert_eq!(failure.refused, [(first.handle, "ReceiptHandleError".to_owned())]);
    caller.ack(&target(), &[&again.handle]).unwrap();
    let failure = caller.ack(&target(), &[&again.handle]).unwrap_err();
    assert_eq!(failure.refused, [(again.handle, "MessageNotExist".to_owned())]);
    loopback.broker.advance(HIDDEN).unwrap();
    caller.assert_empty(&target(), &Consume::NOW);
}

pub(crate) fn it_comes_again_in_real_time_as_well(peer: &Program) {
    let loopback = start(|options| options.http_invisible = Duration::from_millis(700));
    let mut caller = call(peer, &loopback);
    caller.publish(&target(), &text(0));
    let first = caller.consume(&target(), &Consume::WAIT).remove(0);
    let again = caller.consume(&target(), &Consume::WAIT).remove(0);
    let at_ms = Clock::real().now_ms();
    assert_eq!((&again.message_id, again.consumed_times), (&first.message_id, 2));
    assert!(at_ms >= first.next_consume_ms, "{} ms early", first.next_consume_ms - at_ms);
    assert!(again.next_consume_ms - first.next_consume_ms >= 700, "{again:?}");
}

pub(crate) fn seventeen_handles_are_too_many(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    for n in 0..17 {
        caller.publish(&target(), &text(n));
    }
    let mut came = Vec::new();
    while came.len() < 17 {
        came.extend(caller.consume(&target(), &Consume::WAIT));
    }
    let failure = caller.ack(&target(), &handles(&came)).unwrap_err();
    assert!(failure.text.contains("InvalidArgument"), "{failure:?}");
    // None of them was taken.
    caller.ack(&target(), &handles(&came[..16])).unwrap();
    caller.ack(&target(), &handles(&came[16..])).unwrap();
}

pub(crate) fn a_shard_waits_until_all_is_acknowledged(peer: &Program) {
    let loopback = start_virtual();
    let mut caller = call(peer, &loopback);
    let publish = |caller: &mut Caller, shard: &str, n: usize| {
        let message = HttpMessage { sharding_key: shard.into(), ..HttpMessage::new(&format!("{shard} {n}")) };
        caller.publish(&target(), &message);
    };
    (0..4).for_each(|n| publish(&mut caller, "one", n));
    let two = Consume { max: 2, ..ORDER };
    let first = caller.consume(&target(), &two);
    assert_eq!(bodies(&first), ["one 0", "one 1"]);
    caller.assert_empty(&target(), &ORDER);
    // Another shard, on another queue, does not wait.
    publish(&mut caller, "two", 0);
    let other = caller.consume(&target(), &ORDER);
    assert_eq!(bodies(&other), ["two 0"]);
    caller.ack(&target(), &handles(&other)).unwrap();
    // One of two is not enough, and the other comes again.
    caller.ack(&target(), &[&first[0].handle]).unwrap();
    caller.assert_empty(&target(), &ORDER);
    loopback.broker.advance(HIDDEN).unwrap();
    let again = caller.consume(&target(), &two);
    assert_eq!(again[0].body, "one 1", "the first that was not acknowledged");
    assert_eq!(again[0].consumed_times, 2);
    caller.ack(&target(), &handles(&again)).unwrap();
    let mut rest: Vec<_> = again[1..].to_vec();
    while rest.len() < 2 {
        let came = caller.consume(&target(), &ORDER);
        caller.ack(&target(), &handles(&came)).unwrap();
        rest.extend(came);
    }
    assert_eq!(bodies(&rest), ["one 2", "one 3"]);
    caller.assert_empty(&target(), &ORDER);
}
