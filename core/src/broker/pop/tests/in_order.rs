//! In order: groups that keep it, and receives that ask for it.

use super::*;

fn fifo_state() -> State {
    let mut state = state();
    state.groups.configure("G", GroupOptions { fifo: true, ..Default::default() });
    state
}

/// Messages named after their message group and a number.
fn publish_in_order(state: &mut State, ids: &[&str]) {
    for id in ids {
        state.publish(message(id, &[(properties::SHARDING_KEY, &id[..1])]), NOW).unwrap();
    }
}

#[test]
fn a_fifo_group_gets_the_next_of_a_message_group_after_the_earlier_ones() {
    let mut state = fifo_state();
    publish_in_order(&mut state, &["a1", "b1"]);
    let first = receive(&mut state, NOW);
    assert_eq!(seen(&first), [("a1", 1), ("b1", 1)]);
    publish_in_order(&mut state, &["a2", "c1", "b2"]);
    assert_eq!(seen(&receive(&mut state, NOW)), [("c1", 1)]);
    state.acknowledge("G", "T", &first[1].receipt, NOW).unwrap();
    assert_eq!(seen(&receive(&mut state, NOW)), [("b2", 1)]);
    state.fire(NOW + HIDDEN);
    let again = receive(&mut state, NOW + HIDDEN);
    // What may go in this order may go together.
    assert_eq!(seen(&again), [("a1", 2), ("a2", 1), ("c1", 2), ("b2", 2)]);
    publish_in_order(&mut state, &["a3"]);
    state.give_up("G", "T", &again[0].receipt, NOW + HIDDEN).unwrap();
    assert!(receive(&mut state, NOW + HIDDEN).is_empty());
    state.acknowledge("G", "T", &again[1].receipt, NOW + HIDDEN).unwrap();
    assert_eq!(seen(&receive(&mut state, NOW + HIDDEN)), [("a3", 1)]);
    assert_eq!(state.offsets.get("G", "T", 0), Some(3), "c1 is not done");
}

#[test]
fn a_repeated_receive_of_a_fifo_group_gets_the_same_messages() {
    let mut state = fifo_state();
    publish_in_order(&mut state, &["a1", "b1"]);
    let attempt = |id: &str| Receive { attempt_id: Some(id.into()), ..wanted() };
    let lost = state.receive(&attempt("x"), NOW);
    publish_in_order(&mut state, &["c1"]);
    let again = state.receive(&attempt("x"), NOW + 1);
    assert_eq!((seen(&lost), seen(&again)), (vec![("a1", 1), ("b1", 1)], vec![("a1", 1), ("b1", 1)]));
    state.acknowledge("G", "T", &lost[0].receipt, NOW + 1).unwrap();
    assert_eq!(seen(&state.receive(&attempt("y"), NOW + 1)), [("c1", 1)]);
    for delivery in again {
        state.acknowledge("G", "T", &delivery.receipt, NOW + 1).unwrap();
    }
    assert_eq!(state.offsets.get("G", "T", 0), Some(2));
}

#[test]
fn a_fifo_group_that_was_moved_forgets_what_it_had() {
    let mut state = fifo_state();
    publish_in_order(&mut state, &["a1", "a2"]);
    let first = receive(&mut state, NOW);
    state.acknowledge("G", "T", &first[0].receipt, NOW).unwrap();
    state.offsets.reset("G", "T", 0, 0);
    assert_eq!(seen(&receive(&mut state, NOW)), [("a1", 1), ("a2", 1)]);
    state.acknowledge("G", "T", &first[1].receipt, NOW).unwrap();
    assert_eq!(state.offsets.get("G", "T", 0), Some(0));
}

#[test]
fn a_waiting_receive_of_a_fifo_group_gets_what_an_acknowledgement_frees() {
    let mut state = fifo_state();
    publish_in_order(&mut state, &["a1"]);
    let first = receive(&mut state, NOW).remove(0);
    let mut waiting = state.pop.waiting.park(wanted());
    publish_in_order(&mut state, &["a2"]);
    assert!(waiting.try_recv().is_err());
    state.acknowledge("G", "T", &first.receipt, NOW).unwrap();
    assert_eq!(seen(&waiting.try_recv().unwrap()), [("a2", 1)]);
}

#[test]
fn a_receive_in_order_keeps_the_order_whatever_the_group_says() {
    let mut state = state();
    publish_in_order(&mut state, &["a1", "b1", "a2"]);
    let in_order = Receive { mode: Mode::InOrder, count: 2, ..wanted() };
    let first = state.receive(&in_order, NOW);
    assert_eq!(seen(&first), [("a1", 1), ("b1", 1)]);
    assert!(state.receive(&in_order, NOW).is_empty());
    state.acknowledge_strictly("G", "T", &first[1].receipt, NOW).unwrap();
    assert!(state.receive(&in_order, NOW).is_empty(), "shard a is not done");
    let mut waiting = state.pop.waiting.park(in_order.clone());
    state.acknowledge_strictly("G", "T", &first[0].receipt, NOW).unwrap();
    let next = waiting.try_recv().unwrap();
    assert_eq!(seen(&next), [("a2", 1)]);
    state.fire(NOW + HIDDEN);
    assert_eq!(seen(&state.receive(&in_order, NOW + HIDDEN)), [("a2", 2)], "not through the retry topic");
}

#[test]
fn shards_in_order_do_not_block_each_other_and_the_first_unsettled_comes_first_again() {
    let mut state = state();
    publish_in_order(&mut state, &["a1", "a2", "a3", "b1"]);
    let in_order = Receive { mode: Mode::InOrder, ..wanted() };
    let first = state.receive(&in_order, NOW);
    assert_eq!(seen(&first), [("a1", 1), ("a2", 1), ("a3", 1), ("b1", 1)]);
    for settled in [0, 3] {
        state.acknowledge_strictly("G", "T", &first[settled].receipt, NOW).unwrap();
    }
    publish_in_order(&mut state, &["a4", "b2"]);
    assert_eq!(seen(&state.receive(&in_order, NOW)), [("b2", 1)]);
    state.fire(NOW + HIDDEN);
    let again = state.receive(&in_order, NOW + HIDDEN);
    assert_eq!(seen(&again), [("a2", 2), ("a3", 2), ("b2", 2)], "alone, as they were delivered");
    for delivery in again {
        state.acknowledge_strictly("G", "T", &delivery.receipt, NOW + HIDDEN).unwrap();
    }
    assert_eq!(seen(&state.receive(&in_order, NOW + HIDDEN)), [("a4", 1)]);
}
