//! What must hold for every peer over gRPC.

use std::collections::HashSet;

use tminus::broker::{BrokerTls, TopicType};
use tminus::options::Credentials;

use crate::loopback::Loopback;
use crate::place::Place;
use crate::program::{Program, out};

pub(crate) fn every_way_to_send_arrives(peer: &Program) {
    let place = Place::start();
    let (address, topic, group) = (place.address(), place.topic(TopicType::Normal), place.group(false));
    let mut awaited = HashSet::new();
    for mode in ["sync", "async"] {
        let sent = peer.send(&address, &topic, &["-mode", mode, "-tag", mode, "-n", "5"]);
        awaited.extend(sent.into_iter().map(|sent| (sent.message_id, mode.to_owned())));
    }
    assert_eq!(awaited.len(), 10, "{awaited:?}");
    let mut receiver = peer.receive(&address, &topic, &["-group", &group]);
    while !awaited.is_empty() {
        let message = receiver.next();
        let sent = (message.message_id.clone(), message.tag.clone());
        assert!(awaited.remove(&sent), "came twice, or was not sent: {message:?}");
    }
}

pub(crate) fn large_bodies_arrive_whole(peer: &Program) {
    let place = Place::start();
    let (address, topic, group) = (place.address(), place.topic(TopicType::Normal), place.group(false));
    let sent = peer.send(&address, &topic, &["-size", "1000000"]);
    let received = peer.receive(&address, &topic, &["-group", &group]).all(&sent);
    assert_eq!(received[0].body.len(), 1_000_000);
    assert!(received[0].body.starts_with("message 0 0000"), "{}", &received[0].body[..20]);
}

pub(crate) fn delivery_times_are_kept(peer: &Program) {
    let place = Place::start_alone();
    let (address, topic, group) = (place.address(), place.topic(TopicType::Delay), place.group(false));
    let group = ["-group", &group];
    // One that is hardly delayed, to see the receiver at work.
    let first = peer.send(&address, &topic, &["-delay", "1s"]);
    let mut receiver = peer.receive(&address, &topic, &group);
    receiver.all(&first);

    let sent = peer.send(&address, &topic, &["-delay", "3s", "-n", "20"]);
    let received = receiver.all(&sent);
    assert_eq!(received.len(), sent.len(), "some came twice: {received:?}");
    for sent in sent {
        let message = received.iter().find(|message| message.message_id == sent.message_id).unwrap();
        let late = message.at_ms - sent.due_ms.max(sent.answered_ms);
        assert!(message.at_ms >= sent.due_ms, "{} ms early", sent.due_ms - message.at_ms);
        assert!(late < place.late_ms(), "{late} ms late");
    }
}

pub(crate) fn a_recalled_message_never_comes(peer: &Program) {
    let place = Place::start();
    let (address, topic, group) = (place.address(), place.topic(TopicType::Delay), place.group(false));
    let recalled = peer.send(&address, &topic, &["-delay", "3s", "-recall"]);
    assert_eq!(recalled[0].recalled, recalled[0].message_id);
    let other = peer.send(&address, &topic, &["-delay", "5s"]);
    let message = peer.receive(&address, &topic, &["-group", &group]).next();
    assert_eq!(message.message_id, other[0].message_id);
}

pub(crate) fn message_groups_keep_their_order(peer: &Program) {
    let place = Place::start();
    let (address, topic, group) = (place.address(), place.topic(TopicType::Fifo), place.group(true));
    let mut receiver = peer.receive(&address, &topic, &["-group", &group]);
    let sent = peer.send(&address, &topic, &["-message-group", "one", "-n", "20"]);
    let bodies: Vec<_> = receiver.all(&sent).into_iter().map(|message| message.body).collect();
    let expected: Vec<_> = (0..20).map(|i| format!("message {i}")).collect();
    assert_eq!(bodies, expected);
}

pub(crate) fn transactions_end_as_their_producer_says(peer: &Program) {
    let place = Place::start();
    let (address, group) = (place.address(), place.group(false));
    let (topic, forsaken) = (place.topic(TopicType::Transaction), place.topic(TopicType::Transaction));
    // The server asks any producer of the topic: those that answer differently have topics of their own.
    let (refused, refusing) = peer.send_and_stay(&address, &forsaken, &["-transaction", "check-rollback"]);
    peer.send(&address, &topic, &["-transaction", "rollback"]);
    let committed = peer.send(&address, &topic, &["-transaction", "commit"]);
    let (asked, agreeing) = peer.send_and_stay(&address, &topic, &["-transaction", "check-commit"]);

    let mut receiver = peer.receive(&address, &topic, &["-group", &group]);
    let came = [receiver.next().message_id, receiver.next().message_id];
    assert_eq!(came, [committed[0].message_id.clone(), asked.message_id]);
    drop((agreeing, refusing));
    let last = peer.send(&address, &forsaken, &["-transaction", "commit"]);
    let message = peer.receive(&address, &forsaken, &["-group", &group]).next();
    assert_ne!(message.message_id, refused.message_id, "it came although it was rolled back");
    assert_eq!(message.message_id, last[0].message_id);
}

pub(crate) fn messages_are_filtered(peer: &Program) {
    let place = Place::start();
    let (address, topic) = (place.address(), place.topic(TopicType::Normal));
    let [mut wanted, _, others] =
        ["a", "b", "c"].map(|tag| peer.send(&address, &topic, &["-tag", tag, "-n", "4"]));
    wanted.extend(others);
    for filter in [["-tags", "a || c"], ["-sql", "TAGS IN ('a', 'c')"]] {
        for consumer in [&[][..], &["-simple"]] {
            let group = place.group(false);
            let flags = [&["-group", &group], &filter[..], consumer].concat();
            let received = peer.receive(&address, &topic, &flags).all(&wanted);
            assert!(received.iter().all(|message| message.tag != "b"), "{flags:?}: {received:?}");
        }
    }
}

pub(crate) fn two_consumers_share_a_topic(peer: &Program) {
    let place = Place::start();
    let (address, topic, group) = (place.address(), place.topic(TopicType::Normal), place.group(false));
    let mut receiver = peer.receive(&address, &topic, &["-group", &group, "-consumers", "2"]);
    let mut consumers = HashSet::new();
    for _ in 0..20 {
        let sent = peer.send(&address, &topic, &["-n", "8"]);
        let round = receiver.all(&sent);
        assert_eq!(round.len(), sent.len(), "some came twice: {round:?}");
        consumers.extend(round.iter().map(|message| message.consumer));
        if consumers.len() == 2 {
            return;
        }
    }
    panic!("one consumer had all the messages");
}

pub(crate) fn a_refused_message_comes_again(peer: &Program) {
    comes_again(peer, &[]);
}

pub(crate) fn a_simple_consumer_hides_a_message_for_a_while(peer: &Program) {
    comes_again(peer, &["-simple"]);
}

fn comes_again(peer: &Program, consumer: &[&str]) {
    let place = Place::start();
    let (address, topic, group) = (place.address(), place.topic(TopicType::Normal), place.group(false));
    let mut receiver =
        peer.receive(&address, &topic, &[&["-group", &group, "-retries", "2"], consumer].concat());
    let sent = peer.send(&address, &topic, &[]);
    let deliveries = [receiver.next(), receiver.next(), receiver.next()];
    for (attempt, message) in deliveries.iter().enumerate() {
        assert_eq!(usize::try_from(message.reconsumed), Ok(attempt));
        assert_eq!((&message.message_id, &message.topic), (&sent[0].message_id, &topic));
    }
    let waited = deliveries[1].at_ms - deliveries[0].at_ms;
    assert!(waited >= 900, "{waited} ms after the first");
    // What was settled stays away: the next is another.
    let sent = peer.send(&address, &topic, &[]);
    assert_eq!(receiver.next().message_id, sent[0].message_id);
}

pub(crate) fn a_topic_takes_its_own_type_only(peer: &Program) {
    let place = Place::start();
    let (normal, delay) = (place.topic(TopicType::Normal), place.topic(TopicType::Delay));
    for (topic, flags) in [(normal, &["-delay", "3s"][..]), (delay, &[])] {
        let error = peer.try_send(&place.address(), &topic, flags).unwrap_err();
        assert!(error.contains("message type not match"), "{error}");
    }
    assert!(peer.try_send(&place.address(), "nowhere", &[]).is_err());
}

pub(crate) fn keys_are_checked(peer: &Program) {
    let loopback =
        Loopback::start(|options| options.credentials = vec![Credentials::new("someone", "a secret")]);
    let address = loopback.address();
    loopback.broker.create_topic("guarded", 4).unwrap();
    let right = ["-access-key", "someone", "-secret-key", "a secret"];
    let sent = peer.send(&address, "guarded", &right);
    assert_eq!(peer.receive(&address, "guarded", &right).next().message_id, sent[0].message_id);
    for wrong in [&["-access-key", "someone", "-secret-key", "a guess"][..], &[]] {
        let error = peer.try_send(&address, "guarded", wrong).unwrap_err();
        assert!(!error.is_empty());
    }
}

/// For a peer that trusts any certificate.
pub(crate) fn tls_carries_both_ways(peer: &Program) {
    let loopback = over_tls();
    carries_both_ways(peer, &loopback, &["-tls"]);
    assert!(peer.try_send(&loopback.address(), "secret", &[]).is_err(), "plain text was accepted");
}

/// For a peer that is told whom to trust.
pub(crate) fn tls_is_verified(peer: &Program) {
    let loopback = over_tls();
    let authority = out().join("interop-grpc-authority.pem");
    std::fs::write(&authority, loopback.broker.ca_pem().unwrap()).unwrap();
    carries_both_ways(peer, &loopback, &["-tls", "-ca", authority.to_str().unwrap()]);
    assert!(
        peer.try_send(&loopback.address(), "secret", &["-tls"]).is_err(),
        "an unknown authority was trusted"
    );
}

fn over_tls() -> Loopback {
    let loopback = Loopback::start(|options| {
        options.tls = Some(BrokerTls::SelfMade);
        options.tls_only = true;
    });
    loopback.broker.create_topic("secret", 4).unwrap();
    loopback
}

fn carries_both_ways(peer: &Program, loopback: &Loopback, tls: &[&str]) {
    let address = loopback.address();
    let sent = peer.send(&address, "secret", &[tls, &["-n", "3"]].concat());
    peer.receive(&address, "secret", tls).all(&sent);
}
