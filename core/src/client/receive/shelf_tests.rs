use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::clock;
use crate::codec::grpc::decode_message;
use crate::codec::grpc::proto::{Message, Resource, SystemProperties};

struct Bench {
    shelf: Arc<Shelf>,
    handed_out: async_channel::Receiver<Pending>,
    work: UnboundedReceiver<Work>,
}

fn bench(messages: usize, bytes: usize, fifo: bool) -> Bench {
    let (pending, handed_out) = async_channel::unbounded();
    let (to_do, work) = unbounded_channel();
    Bench { shelf: Shelf::new(Limits { messages, bytes }, fifo, pending, to_do), handed_out, work }
}

fn received(group: Option<&str>, body: &'static str) -> Received {
    let system = SystemProperties {
        message_id: body.into(),
        message_group: group.map(str::to_owned),
        ..SystemProperties::default()
    };
    let topic = Resource { name: "T".into(), ..Resource::default() };
    let message = Message {
        topic: Some(topic),
        system_properties: Some(system),
        body: Bytes::from_static(body.as_bytes()),
        ..Message::default()
    };
    let incoming = decode_message(message, "b");
    let receipt =
        ReceiptHandle { topic: "T".into(), broker: "b".into(), message_id: body.into(), handle: body.into() };
    Received {
        message: incoming.view,
        receipt,
        corrupted: false,
        invisible_until_ms: None,
        first_delivered_ms: None,
    }
}

impl Bench {
    /// The same, with handles that expire at `until`.
    fn put_until(&self, until: Instant, messages: impl IntoIterator<Item = Received>) {
        let messages: Vec<_> = messages.into_iter().collect();
        let room = self.room(messages.len(), 1).expect("no room");
        self.shelf.put(room, messages, |_| Some(until));
    }

    fn room(&self, want: usize, sharers: usize) -> Option<Room<'_>> {
        self.shelf.room(want, sharers).now_or_never()
    }

    fn put(&self, messages: impl IntoIterator<Item = Received>) {
        let messages: Vec<_> = messages.into_iter().collect();
        let room = self.room(messages.len(), 1).expect("no room");
        self.shelf.put(room, messages, |_| None);
    }

    /// Takes everything that is handed out: bodies and keys.
    fn take_all(&self) -> Vec<(String, u64)> {
        std::iter::from_fn(|| self.handed_out.try_recv().ok())
            .filter_map(|pending| {
                let Ticket::Shelf { key, .. } = pending.ticket else { return None };
                self.shelf.take(key, clock::instant()).then_some((pending.message.message_id, key))
            })
            .collect()
    }

    fn bodies(&self) -> Vec<String> {
        self.take_all().into_iter().map(|(body, _)| body).collect()
    }

    fn settled(&mut self) -> Settled {
        match self.work.try_recv() {
            Ok(Work::Settled(settled)) => settled,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn no_more_is_asked_for_than_may_be_kept() {
    let bench = bench(10, 1 << 20, false);
    let first = bench.room(32, 1).unwrap();
    assert_eq!(first.messages, 10);
    assert!(bench.room(32, 1).is_none(), "all room is spoken for");
    bench.shelf.put(first, vec![received(None, "a"), received(None, "b")], |_| None);
    assert!(bench.room(32, 1).is_some_and(|room| room.messages == 8), "what did not come is free again");
    // Shared, nobody takes the room of the others.
    let shared: Vec<_> = (0..4).map(|_| bench.room(32, 4).map(|room| (room.messages, room))).collect();
    assert_eq!(shared.iter().flatten().map(|(n, _)| *n).sum::<usize>(), 8);
}

#[test]
fn bytes_count_by_the_largest_body_of_late() {
    let bench = bench(1000, 40, false);
    bench.put([received(None, "0123456789")]);
    assert_eq!(bench.room(32, 1).unwrap().messages, 3);
    bench.put([received(None, "abcdefghij"), received(None, "ABCDEFGHIJ")]);
    let taken = bench.take_all();
    bench.put([received(None, "0123456780")]);
    assert!(bench.room(32, 1).is_none(), "40 bytes are kept");
    taken.iter().for_each(|(_, key)| bench.shelf.settle(*key, ConsumeResult::Success));
    assert!(bench.room(32, 1).is_some());
}

#[test]
fn a_message_larger_than_the_limit_comes_through_alone() {
    let bench = bench(1000, 4, false);
    bench.put([received(None, "0123456789")]);
    assert!(bench.room(32, 1).is_none());
    let (_, key) = bench.take_all().remove(0);
    bench.shelf.settle(key, ConsumeResult::Success);
    assert_eq!(bench.room(32, 1).unwrap().messages, 1);
}

#[test]
fn a_full_shelf_waits_for_half_a_batch_unless_handlers_are_hungry() {
    let bench = bench(4, 1 << 20, false);
    bench.put(["a", "b", "c", "d"].map(|body| received(None, body)));
    let keys: Vec<_> = (0..2)
        .map(|_| bench.handed_out.try_recv().unwrap())
        .filter_map(|pending| match pending.ticket {
            Ticket::Shelf { key, .. } => bench.shelf.take(key, clock::instant()).then_some(key),
            _ => None,
        })
        .collect();
    bench.shelf.settle(keys[0], ConsumeResult::Success);
    assert!(bench.room(4, 1).is_none(), "no receive for one message while two are ready");
    bench.take_all();
    assert_eq!(bench.room(4, 1).unwrap().messages, 1, "nothing is left to take");
}

#[test]
fn groups_keep_their_order_and_do_not_wait_for_each_other() {
    let mut bench = bench(100, 1 << 20, true);
    bench.put([("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")].map(|(g, body)| received(Some(g), body)));
    let heads = bench.take_all();
    assert_eq!(heads.iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>(), ["a1", "b1"]);
    // The first of group a fails, that of b does not.
    bench.shelf.settle(heads[0].1, ConsumeResult::RetryLater);
    bench.shelf.settle(heads[1].1, ConsumeResult::Success);
    assert_eq!(bench.bodies(), ["b2"]);
    let failed = bench.settled();
    assert_eq!((failed.attempt, failed.result), (1, ConsumeResult::RetryLater));
    let key = failed.key.expect("it stays");
    bench.shelf.again(key);
    let pending = bench.handed_out.try_recv().unwrap();
    assert_eq!((pending.message.message_id.as_str(), pending.message.delivery_attempt()), ("a1", 2));
    let Ticket::Shelf { key: second, .. } = pending.ticket else { panic!("{:?}", pending.ticket) };
    // A late word about the first attempt says nothing about the second.
    bench.shelf.settle(key, ConsumeResult::Success);
    assert!(bench.shelf.take(second, clock::instant()));
    bench.shelf.settle(second, ConsumeResult::Success);
    assert_eq!(bench.bodies(), ["a2"]);
}

#[test]
fn behind_a_dead_letter_its_group_goes_on_once_it_has_left() {
    let mut bench = bench(100, 1 << 20, true);
    bench.put(["a1", "a2"].map(|body| received(Some("a"), body)));
    let (_, key) = bench.take_all().remove(0);
    bench.shelf.settle(key, ConsumeResult::DeadLetter);
    assert_eq!(bench.settled().key, Some(key));
    assert!(bench.shelf.leave(key));
    assert!(bench.bodies().is_empty());
    bench.shelf.left(key);
    assert_eq!(bench.bodies(), ["a2"]);
}

#[test]
fn without_a_group_the_queue_keeps_the_order() {
    let bench = bench(100, 1 << 20, true);
    let mut other_queue = received(None, "other");
    other_queue.message.queue_id = 1;
    bench.put([received(None, "first"), received(None, "second"), other_queue]);
    assert_eq!(bench.bodies(), ["first", "other"]);
}

#[test]
fn what_nobody_took_is_taken_back_at_the_end() {
    let mut bench = bench(100, 1 << 20, true);
    bench.put([("a", "a1"), ("a", "a2"), ("b", "b1")].map(|(g, body)| received(Some(g), body)));
    let pending = bench.handed_out.try_recv().unwrap();
    let Ticket::Shelf { key, .. } = pending.ticket else { panic!("{:?}", pending.ticket) };
    assert!(bench.shelf.take(key, clock::instant()));
    let mut back: Vec<_> = bench.shelf.seal().into_iter().map(|receipt| receipt.handle).collect();
    back.sort_unstable();
    assert_eq!(back, ["a2", "b1"]);
    assert!(bench.shelf.is_idle().now_or_never().is_none());
    assert!(bench.bodies().is_empty(), "sealed, nothing is handed out");
    bench.shelf.settle(key, ConsumeResult::Success);
    assert_eq!(bench.settled().result, ConsumeResult::Success);
    assert!(bench.shelf.is_idle().now_or_never().is_some());
}

#[test]
fn a_handler_that_says_nothing_is_counted_as_failed_once() {
    let mut bench = bench(100, 1 << 20, false);
    bench.put([received(None, "a")]);
    let (_, key) = bench.take_all().remove(0);
    let later = clock::instant() + Duration::from_secs(2);
    assert_eq!(bench.shelf.overdue(later, Duration::from_secs(3)), 0);
    assert_eq!(bench.shelf.overdue(later, Duration::from_secs(1)), 1);
    assert_eq!(bench.settled().result, ConsumeResult::RetryLater);
    assert_eq!(bench.shelf.overdue(later, Duration::from_secs(1)), 0);
    bench.shelf.settle(key, ConsumeResult::Success);
    assert!(bench.work.try_recv().is_err(), "the late word is not heard");
}

#[test]
fn what_comes_after_the_end_is_handed_to_nobody() {
    for fifo in [false, true] {
        let bench = bench(10, 1 << 20, fifo);
        let room = bench.room(2, 1).unwrap();
        assert_eq!(bench.shelf.seal(), []);
        bench.shelf.put(room, vec![received(None, "a"), received(None, "b")], |_| None);
        assert!(bench.bodies().is_empty());
        assert_eq!(bench.shelf.take_back(None).len(), 2);
    }
}

/// The same message, with the handle of a later delivery.
fn with_handle(received: Received, handle: &str) -> Received {
    let receipt = ReceiptHandle { handle: handle.into(), ..received.receipt };
    Received { receipt, ..received }
}

#[test]
fn what_nobody_took_before_its_handle_expires_is_handed_to_nobody() {
    for fifo in [false, true] {
        let bench = bench(2, 1 << 20, fifo);
        bench.put_until(clock::instant(), [received(Some("a"), "a1"), received(Some("a"), "a2")]);
        assert!(bench.bodies().is_empty());
        assert_eq!(bench.room(2, 1).unwrap().messages, 2, "and its room is free again");
        let later = clock::instant() + Duration::from_secs(60);
        bench.put_until(later, [received(Some("a"), "a1")]);
        assert_eq!(bench.bodies(), ["a1"], "it came again");
    }
}

#[test]
fn expired_messages_make_room_while_handlers_are_busy() {
    let bench = bench(3, 1 << 20, true);
    let now = clock::instant();
    let messages = [("a", "a1"), ("a", "a2"), ("b", "b1")].map(|(g, body)| received(Some(g), body));
    bench.put_until(now + Duration::from_secs(60), messages);
    let pending = bench.handed_out.try_recv().unwrap();
    let Ticket::Shelf { key, .. } = pending.ticket else { panic!("{:?}", pending.ticket) };
    assert!(bench.shelf.take(key, now));
    assert_eq!(bench.shelf.expire(now), 0);
    assert_eq!(bench.shelf.expire(now + Duration::from_secs(60)), 2, "not the one that a handler has");
    assert_eq!(bench.room(3, 1).unwrap().messages, 2);
    assert!(bench.bodies().is_empty());
}

#[test]
fn a_message_that_comes_again_while_a_handler_has_it_renews_its_handle() {
    for fifo in [false, true] {
        let mut bench = bench(10, 1 << 20, fifo);
        let until = clock::instant() + Duration::from_secs(60);
        bench.put_until(until, [received(Some("a"), "a1"), received(Some("a"), "a2")]);
        let taken = bench.take_all();
        let again =
            [("a1", "new1"), ("a2", "new2")].map(|(body, new)| with_handle(received(Some("a"), body), new));
        bench.put_until(until, again);
        assert!(bench.bodies().is_empty(), "nobody gets it a second time");
        bench.shelf.settle(taken[0].1, ConsumeResult::Success);
        assert_eq!(bench.settled().receipt.handle, "new1");
        let (_, second) = bench.take_all().pop().unwrap_or_else(|| taken[1].clone());
        bench.shelf.settle(second, ConsumeResult::Success);
        assert_eq!(bench.settled().receipt.handle, "new2");
        bench.put_until(until, [received(Some("a"), "a1")]);
        assert_eq!(bench.bodies(), ["a1"], "settled, it is another delivery");
    }
}

#[test]
fn a_message_that_rests_is_delivered_again_with_the_handle_that_came_meanwhile() {
    let mut bench = bench(10, 1 << 20, true);
    bench.put_until(clock::instant() + Duration::from_secs(60), [received(Some("a"), "a1")]);
    let (_, key) = bench.take_all().remove(0);
    bench.shelf.settle(key, ConsumeResult::RetryLater);
    let key = bench.settled().key.unwrap();
    let until = clock::instant() + Duration::from_secs(60);
    bench.put_until(until, [with_handle(received(Some("a"), "a1"), "new")]);
    assert!(bench.bodies().is_empty(), "its pause is not over");
    bench.shelf.again(key);
    let (body, key) = bench.take_all().remove(0);
    bench.shelf.settle(key, ConsumeResult::Success);
    assert_eq!((&*body, &*bench.settled().receipt.handle), ("a1", "new"));
}

#[test]
fn what_the_server_alone_gives_up_takes_those_behind_it_along() {
    let bench = bench(10, 1 << 20, true);
    bench.put([("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1")].map(|(g, body)| received(Some(g), body)));
    let heads = bench.take_all();
    bench.shelf.settle(heads[0].1, ConsumeResult::Success);
    let (_, key) = bench.take_all().remove(0);
    bench.shelf.settle(key, ConsumeResult::DeadLetter);
    bench.shelf.abandon(key);
    assert!(bench.bodies().is_empty());
    bench.put(["a2", "a3"].map(|body| received(Some("a"), body)));
    assert_eq!(bench.bodies(), ["a2"], "they came again");
}
