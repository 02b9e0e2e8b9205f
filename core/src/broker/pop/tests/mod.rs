//! Receiving against the state alone, with times made up.

mod in_order;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::*;
use crate::broker::filter::Filter;
use crate::broker::state::State;
use crate::broker::topics::TopicConfig;
use crate::broker::{GroupOptions, Persona};
use crate::codec::remoting::record::StoredMessage;
use crate::message::{Properties, properties};

const NOW: i64 = 1_700_000_000_000;
const HIDDEN: i64 = 15_000;

fn state() -> State {
    let mut state = State::new(Persona::Loopback, "broker-a");
    state.store.topics.put("T", TopicConfig::new(1));
    state
}

fn message(id: &str, pairs: &[(&str, &str)]) -> StoredMessage {
    let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let mut properties: Properties = pairs.iter().copied().collect();
    properties.set(properties::UNIQ_KEY, id);
    StoredMessage {
        queue_id: 0,
        flag: 0,
        queue_offset: 0,
        commit_log_offset: 0,
        sys_flag: 0,
        born_timestamp: NOW,
        born_host: host,
        store_timestamp: NOW,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: id.to_owned().into(),
        topic: "T".into(),
        properties,
    }
}

fn publish(state: &mut State, ids: &[&str]) {
    for id in ids {
        state.publish(message(id, &[]), NOW).unwrap();
    }
}

fn wanted() -> Receive {
    Receive {
        group: "G".into(),
        topic: "T".into(),
        queue: None,
        filter: Arc::new(Filter::parse("TAG", "*").unwrap()),
        count: 32,
        invisible_ms: HIDDEN,
        renewed_for: None,
        attempt_id: None,
        mode: Mode::AsGroup,
    }
}

fn receive(state: &mut State, now_ms: i64) -> Vec<Delivery> {
    state.receive(&wanted(), now_ms)
}

/// Id and attempt of each.
fn seen(deliveries: &[Delivery]) -> Vec<(&str, i32)> {
    deliveries.iter().map(|it| (std::str::from_utf8(&it.message.body).unwrap(), it.attempt)).collect()
}

#[test]
fn a_message_is_hidden_until_its_time_ends_and_comes_again_through_the_retry_topic() {
    let mut state = state();
    publish(&mut state, &["a", "b"]);
    let first = receive(&mut state, NOW);
    assert_eq!(seen(&first), [("a", 1), ("b", 1)]);
    assert!(receive(&mut state, NOW).is_empty());
    state.acknowledge("G", "T", &first[1].receipt, NOW).unwrap();
    assert_eq!(state.fire(NOW + HIDDEN - 1), 0);
    assert!(receive(&mut state, NOW + HIDDEN - 1).is_empty());
    assert_eq!(state.fire(NOW + HIDDEN), 0, "it did not become visible for the first time");
    let again = receive(&mut state, NOW + HIDDEN);
    assert_eq!(seen(&again), [("a", 2)]);
    assert_eq!(again[0].message.topic, "%RETRY%G");
    assert!(again[0].receipt.retried);
    assert_eq!(state.acknowledge("G", "T", &first[0].receipt, NOW + HIDDEN), Err(Expired));
    state.acknowledge("G", "T", &again[0].receipt, NOW + HIDDEN).unwrap();
    assert_eq!(state.fire(i64::MAX), 0);
    assert!(receive(&mut state, NOW + 2 * HIDDEN).is_empty());
}

#[test]
fn each_group_gets_every_message() {
    let mut state = state();
    publish(&mut state, &["a"]);
    assert_eq!(receive(&mut state, NOW).len(), 1);
    let other = Receive { group: "H".into(), ..wanted() };
    assert_eq!(state.receive(&other, NOW).len(), 1);
}

#[test]
fn a_replaced_handle_has_no_effect_and_its_successor_does() {
    let mut state = state();
    publish(&mut state, &["a"]);
    let old = receive(&mut state, NOW).remove(0).receipt;
    let new = state.change_invisible("G", "T", &old, HIDDEN, false, NOW).unwrap();
    assert_ne!(old.number, new.number);
    assert_eq!(state.acknowledge("G", "T", &old, NOW), Ok(()));
    state.fire(NOW + HIDDEN);
    let again = receive(&mut state, NOW + HIDDEN);
    assert_eq!(seen(&again), [("a", 2)], "the old handle acknowledged nothing");
    let later = NOW + HIDDEN;
    let renewed = state.change_invisible("G", "T", &again[0].receipt, 2 * HIDDEN, false, later).unwrap();
    assert_eq!(state.acknowledge("G", "T", &renewed, later), Ok(()));
    assert_eq!(state.acknowledge("G", "T", &renewed, later), Ok(()), "a second time");
    state.fire(i64::MAX);
    assert!(receive(&mut state, later + 2 * HIDDEN).is_empty());
}

#[test]
fn no_invisible_time_is_at_once_and_suspended_is_no_attempt() {
    let mut state = state();
    publish(&mut state, &["a"]);
    let first = receive(&mut state, NOW).remove(0);
    state.change_invisible("G", "T", &first.receipt, 0, false, NOW).unwrap();
    let second = receive(&mut state, NOW).remove(0);
    assert_eq!(second.attempt, 2);
    state.change_invisible("G", "T", &second.receipt, 0, true, NOW).unwrap();
    assert_eq!(receive(&mut state, NOW)[0].attempt, 2);
}

#[test]
fn after_the_last_attempt_a_message_is_a_dead_letter() {
    let mut state = state();
    state.groups.configure("G", GroupOptions { max_attempts: 2, ..Default::default() });
    publish(&mut state, &["a"]);
    let mut now = NOW;
    for attempt in [1, 2] {
        assert_eq!(seen(&receive(&mut state, now)), [("a", attempt)]);
        now += HIDDEN;
        state.fire(now);
    }
    assert!(receive(&mut state, now).is_empty());
    let dead = state
        .store
        .message_at(state.store.topics.queue("%DLQ%G", 0).unwrap().get(0).unwrap().commit_log_offset);
    assert_eq!(dead.unwrap().properties.get(properties::DLQ_ORIGIN_TOPIC), Some("T"));
}

#[test]
fn a_message_given_up_is_a_dead_letter_once() {
    let mut state = state();
    publish(&mut state, &["a"]);
    let receipt = receive(&mut state, NOW).remove(0).receipt;
    for _ in 0..2 {
        state.give_up("G", "T", &receipt, NOW).unwrap();
    }
    assert_eq!(state.store.topics.queue("%DLQ%G", 0).unwrap().max_offset(), 1);
    state.fire(i64::MAX);
    assert!(receive(&mut state, NOW + HIDDEN).is_empty());
}

#[test]
fn retries_of_two_topics_share_a_retry_topic() {
    let mut state = state();
    state.store.topics.put("U", TopicConfig::new(1));
    publish(&mut state, &["a", "b"]);
    let other = StoredMessage { topic: "U".into(), ..message("u", &[]) };
    state.publish(other, NOW).unwrap();
    let from_u = Receive { topic: "U".into(), ..wanted() };
    state.receive(&from_u, NOW);
    receive(&mut state, NOW);
    state.fire(NOW + HIDDEN);
    let now = NOW + HIDDEN;
    let mut again = receive(&mut state, now);
    assert_eq!(seen(&again), [("a", 2), ("b", 2)]);
    assert!(receive(&mut state, now).is_empty());
    assert_eq!(seen(&state.receive(&from_u, now)), [("u", 2)]);
    assert_eq!(state.offsets.get("G", "%RETRY%G", 0), Some(3));
    assert!(state.pop.ahead.is_empty());
    state.acknowledge("G", "T", &again.remove(0).receipt, now).unwrap();
}

#[test]
fn the_broker_renews_while_the_client_lives() {
    let mut state = state();
    publish(&mut state, &["a", "b"]);
    let pushed = Receive { renewed_for: Some("c".into()), invisible_ms: RENEWED_MS, ..wanted() };
    let first = state.receive(&pushed, NOW);
    for minute in [1, 2, 5, 10] {
        state.fire(NOW + minute * RENEWED_MS);
        assert!(receive(&mut state, NOW + minute * RENEWED_MS).is_empty());
    }
    let now = NOW + 10 * RENEWED_MS;
    assert_eq!(
        state.acknowledge("G", "T", &first[0].receipt, now),
        Ok(()),
        "the handle lives as long as the message"
    );
    state.release("other", now);
    state.release("c", now);
    state.fire(now + 999);
    assert!(receive(&mut state, now + 999).is_empty());
    state.fire(now + 1000);
    assert_eq!(seen(&receive(&mut state, now + 1000)), [("b", 2)]);
}

#[test]
fn the_broker_renews_for_three_hours_and_then_by_the_backoff_of_the_group() {
    let mut state = state();
    publish(&mut state, &["a"]);
    state.receive(&Receive { renewed_for: Some("c".into()), invisible_ms: RENEWED_MS, ..wanted() }, NOW);
    // 1 min, and then steps of 1, 3, 5, 10, 30, 60, 60 and 60 min.
    let end = NOW + 230 * RENEWED_MS;
    while let Some(next) = state.timer.next_deadline().filter(|next| *next <= end) {
        state.fire(next);
    }
    assert!(receive(&mut state, end).is_empty());
    state.fire(end + 1000);
    assert_eq!(seen(&receive(&mut state, end + 1000)), [("a", 2)]);
}

#[test]
fn a_waiting_receive_gets_what_arrives_and_one_that_is_gone_gets_nothing() {
    let mut state = state();
    let gone = state.pop.waiting.park(wanted());
    let tagged = Receive { filter: Arc::new(Filter::parse("TAG", "A").unwrap()), ..wanted() };
    let mut tagged = state.pop.waiting.park(tagged);
    let mut first = state.pop.waiting.park(wanted());
    let mut second = state.pop.waiting.park(wanted());
    let mut other = state.pop.waiting.park(Receive { group: "H".into(), ..wanted() });
    drop(gone);
    publish(&mut state, &["a"]);
    assert_eq!(seen(&first.try_recv().unwrap()), [("a", 1)]);
    assert_eq!(seen(&other.try_recv().unwrap()), [("a", 1)]);
    assert!(second.try_recv().is_err());
    state.publish(message("b", &[(properties::TAGS, "A")]), NOW).unwrap();
    assert_eq!(seen(&tagged.try_recv().unwrap()), [("b", 1)]);
    state.fire(NOW + HIDDEN);
    assert_eq!(seen(&second.try_recv().unwrap()), [("a", 2)]);
}

#[test]
fn a_message_goes_through_its_stages() {
    use MessageStage::*;
    let mut state = state();
    let stage = |state: &mut State| state.stage("T", "G", "a");
    assert_eq!(stage(&mut state), Initialized);
    let at = (NOW + 5).to_string();
    state.publish(message("a", &[(properties::TIMER_DELIVER_MS, &at)]), NOW).unwrap();
    assert_eq!(stage(&mut state), Timing);
    state.fire(NOW + 5);
    assert_eq!(stage(&mut state), Ready);
    receive(&mut state, NOW + 5);
    assert_eq!(stage(&mut state), InFlight);
    state.fire(NOW + 5 + HIDDEN);
    assert_eq!(stage(&mut state), Ready);
    let again = receive(&mut state, NOW + 5 + HIDDEN).remove(0);
    assert_eq!(stage(&mut state), InFlight);
    assert_eq!(state.stage("T", "H", "a"), Ready);
    state.acknowledge("G", "T", &again.receipt, NOW + 5 + HIDDEN).unwrap();
    assert_eq!(stage(&mut state), Acknowledged);
    state.store.topics.remove("T");
    state.store.topics.remove("%RETRY%G");
    assert_eq!(stage(&mut state), Deleted);
    assert_eq!(state.stage("T", "G", "never seen"), Initialized);
}

#[test]
fn the_time_of_the_first_delivery_is_kept_across_redeliveries() {
    let mut state = state();
    publish(&mut state, &["a"]);
    let at = |state: &mut State, now| {
        state.fire(now);
        receive(state, now).remove(0)
    };
    for (now, attempt) in [(NOW + 5, 1), (NOW + 5 + HIDDEN, 2), (NOW + 7 + 2 * HIDDEN, 3)] {
        let delivery = at(&mut state, now);
        assert_eq!((delivery.attempt, delivery.first_ms), (attempt, NOW + 5));
    }
    let now = NOW + 7 + 3 * HIDDEN;
    let gone = at(&mut state, now);
    state.take_back(&[gone], now);
    assert_eq!(at(&mut state, now).first_ms, NOW + 5);
    publish(&mut state, &["b"]);
    let gone = at(&mut state, now);
    state.take_back(&[gone], now);
    assert_eq!(at(&mut state, now + 9).first_ms, now + 9, "nobody had it before");
}

#[test]
fn who_wants_to_know_is_told_why_a_handle_has_no_effect() {
    let mut state = state();
    publish(&mut state, &["a", "b"]);
    let mut deliveries = receive(&mut state, NOW);
    let (b, a) = (deliveries.remove(1).receipt, deliveries.remove(0).receipt);
    let ack = |state: &mut State, group: &str, receipt: &Receipt, now| {
        state.acknowledge_strictly(group, "T", receipt, now)
    };
    assert_eq!(ack(&mut state, "H", &a, NOW), Err(HandleFault::Unknown));
    let forged = Receipt { number: a.number + 1000, ..a };
    assert_eq!(ack(&mut state, "G", &forged, NOW), Err(HandleFault::Unknown));
    let forged = Receipt { invisible_ms: 2 * HIDDEN, ..a };
    assert_eq!(ack(&mut state, "G", &forged, NOW), Err(HandleFault::Unknown));
    assert_eq!(ack(&mut state, "G", &a, NOW), Ok(()));
    assert_eq!(ack(&mut state, "G", &a, NOW), Err(HandleFault::Gone));
    let changed = state.change_invisible("G", "T", &b, HIDDEN, false, NOW).unwrap();
    assert_eq!(ack(&mut state, "G", &b, NOW), Err(HandleFault::Replaced));
    assert_eq!(ack(&mut state, "G", &changed, NOW + HIDDEN - 1), Ok(()));
    assert_eq!(ack(&mut state, "G", &changed, NOW + HIDDEN), Err(HandleFault::Expired));
}
