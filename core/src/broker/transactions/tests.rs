//! Half messages that are fetched, against the state alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::*;
use crate::broker::Persona;
use crate::broker::filter::Filter;
use crate::broker::pop::{Delivery, HandleFault, Mode, Receipt, Receive};

const NOW: i64 = 1_700_000_000_000;
const FIRST: i64 = 10_000;
const HELD: i64 = 300_000;

fn state() -> State {
    let mut state = State::new(Persona::Loopback, "broker-a");
    state.store.topics.put("T", TopicConfig::new(1));
    state
}

fn begin(state: &mut State, id: &str, now_ms: i64) -> Receipt {
    let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let message = StoredMessage {
        queue_id: 0,
        flag: 0,
        queue_offset: 0,
        commit_log_offset: 0,
        sys_flag: sys_flag::TRANSACTION_PREPARED,
        born_timestamp: now_ms,
        born_host: host,
        store_timestamp: now_ms,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: id.to_owned().into(),
        topic: "T".into(),
        properties: [(properties::UNIQ_KEY, id), (properties::TRAN_MSG, "true")].into_iter().collect(),
    };
    state.begin_polled_transaction(message, FIRST, now_ms)
}

fn wanted(mode: Mode) -> Receive {
    Receive {
        group: "G".into(),
        topic: "T".into(),
        queue: None,
        filter: Arc::new(Filter::parse("TAG", "*").unwrap()),
        count: 16,
        invisible_ms: HELD,
        renewed_for: None,
        attempt_id: None,
        mode,
    }
}

fn fetch(state: &mut State, now_ms: i64) -> Vec<Delivery> {
    state.fire(now_ms);
    state.receive(&wanted(Mode::Halves), now_ms)
}

fn end(state: &mut State, receipt: &Receipt, now_ms: i64) -> Result<(), HandleFault> {
    state.end_polled_transaction("T", receipt, now_ms).map(|message| {
        state.publish(message, now_ms).unwrap();
    })
}

#[test]
fn a_half_message_is_fetched_when_its_time_has_come_and_again_when_its_handle_has_expired() {
    let mut state = state();
    let first = begin(&mut state, "a", NOW);
    assert!(fetch(&mut state, NOW + FIRST - 1).is_empty());
    let mut now = NOW + FIRST;
    for times in 1..=2 {
        let fetched = fetch(&mut state, now).remove(0);
        assert_eq!((fetched.attempt, fetched.first_ms), (times, NOW + FIRST));
        assert_eq!(fetched.receipt.ends_ms(), now + HELD);
        assert!(fetch(&mut state, now + HELD - 1).is_empty());
        now += HELD;
    }
    assert!(state.receive(&wanted(Mode::AsGroup), now).is_empty(), "consumers do not see it");
    let last = fetch(&mut state, now).remove(0).receipt;
    assert_eq!(end(&mut state, &first, now), Err(HandleFault::Expired));
    assert_eq!(end(&mut state, &last, now), Ok(()));
    assert_eq!(end(&mut state, &last, now), Err(HandleFault::Gone));
    assert_eq!(&state.receive(&wanted(Mode::AsGroup), now)[0].message.body[..], b"a");
    assert!(fetch(&mut state, i64::MAX).is_empty());
    assert_eq!(state.timer.next_deadline(), None);
}

#[test]
fn the_handle_of_the_publish_ends_a_transaction_until_its_time_has_come() {
    let mut state = state();
    let (kept, late) = (begin(&mut state, "kept", NOW), begin(&mut state, "late", NOW));
    assert_eq!(state.end_polled_transaction("U", &kept, NOW).unwrap_err(), HandleFault::Unknown);
    let forged = Receipt { number: kept.number + 9, ..kept };
    assert_eq!(end(&mut state, &forged, NOW), Err(HandleFault::Unknown));
    let of_other = Receipt { number: late.number, ..kept };
    assert_eq!(end(&mut state, &of_other, NOW), Err(HandleFault::Replaced));
    assert_eq!(state.acknowledge_strictly("G", "T", &kept, NOW), Err(HandleFault::Unknown));
    assert_eq!(end(&mut state, &kept, NOW + FIRST - 1), Ok(()));
    assert_eq!(end(&mut state, &late, NOW + FIRST), Err(HandleFault::Expired));
    let fetched = fetch(&mut state, NOW + FIRST);
    assert_eq!(fetched.iter().map(|it| &it.message.body[..]).collect::<Vec<_>>(), [b"late"]);
}

#[test]
fn a_waiting_fetch_gets_what_becomes_due_and_consumers_do_not() {
    let mut state = state();
    let mut consumer = state.pop.waiting.park(wanted(Mode::AsGroup));
    let gone = state.pop.waiting.park(wanted(Mode::Halves));
    let mut waiting = state.pop.waiting.park(wanted(Mode::Halves));
    drop(gone);
    begin(&mut state, "a", NOW);
    state.fire(NOW + FIRST - 1);
    assert!(waiting.try_recv().is_err());
    state.fire(NOW + FIRST);
    let fetched = waiting.try_recv().unwrap();
    assert_eq!(fetched.len(), 1);
    assert!(consumer.try_recv().is_err());
    state.take_back(&fetched, NOW + FIRST);
    let again = fetch(&mut state, NOW + FIRST).remove(0);
    assert_eq!((again.attempt, again.first_ms), (1, NOW + FIRST), "as if it had not been fetched");
    assert_eq!(end(&mut state, &fetched[0].receipt, NOW + FIRST), Err(HandleFault::Replaced));
    assert_eq!(end(&mut state, &again.receipt, NOW + FIRST), Ok(()));
    assert_eq!(consumer.try_recv().unwrap().len(), 1);
}

#[test]
fn a_half_message_that_nobody_ends_is_given_up() {
    let mut state = state();
    begin(&mut state, "fetched", NOW);
    let mut now = NOW + FIRST;
    for _ in 0..MAX_CHECKS {
        assert_eq!(fetch(&mut state, now).len(), 1);
        now += HELD;
    }
    assert!(fetch(&mut state, now).is_empty());
    begin(&mut state, "never fetched", now);
    state.fire(now + FIRST);
    state.fire(i64::MAX);
    assert!(fetch(&mut state, i64::MAX).is_empty());
    assert!(state.transactions.halves.is_empty() && state.transactions.ids.is_empty());
    assert!(state.transactions.offered.values().all(VecDeque::is_empty));
}
