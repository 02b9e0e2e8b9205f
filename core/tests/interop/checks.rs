//! What must hold for every peer over remoting.

use std::collections::HashSet;

use tminus::broker::BrokerTls;
use tminus::options::Credentials;

use crate::loopback::{LATE_MS, Loopback};
use crate::program::Program;

pub(crate) fn every_way_to_send_arrives(peer: &Program) {
    let loopback = Loopback::start(|_| ());
    let address = loopback.address();
    for mode in ["sync", "async", "one-way", "batch"] {
        let sent = peer.send(&address, "ways", &["-mode", mode, "-tag", mode, "-n", "5"]);
        assert!(sent.iter().all(|sent| sent.status == 0), "{sent:?}");
        let answers = match mode {
            "one-way" => 0,
            "batch" => 1,
            _ => 5,
        };
        assert_eq!(sent.len(), answers, "{mode}");
    }
    let mut receiver = peer.receive(&address, "ways", &[]);
    let mut awaited: HashSet<_> = ["sync", "async", "one-way", "batch"]
        .iter()
        .flat_map(|mode| (0..5).map(|i| (mode.to_string(), format!("message {i}"))))
        .collect();
    while !awaited.is_empty() {
        let message = receiver.next();
        let (tag, body) = (message.tag.clone(), message.body.clone());
        assert!(awaited.remove(&(tag, body)), "came twice, or was not sent: {message:?}");
    }
}

pub(crate) fn large_bodies_arrive_whole(peer: &Program) {
    let loopback = Loopback::start(|_| ());
    // Compressed by the peer, and again unpacked by it.
    let sent = peer.send(&loopback.address(), "large", &["-size", "100000"]);
    let received = peer.receive(&loopback.address(), "large", &[]).all(&sent);
    assert_eq!(received[0].body.len(), 100_000);
    assert!(received[0].body.starts_with("message 0 0000"), "{}", &received[0].body[..20]);
}

pub(crate) fn start_deliver_time_is_kept(peer: &Program) {
    delivery_time_is_kept(peer, "__STARTDELIVERTIME");
}

pub(crate) fn timer_deliver_time_is_kept(peer: &Program) {
    delivery_time_is_kept(peer, "TIMER_DELIVER_MS");
}

fn delivery_time_is_kept(peer: &Program, property: &str) {
    on_time(peer, &["-delay", "3s", "-property", property, "-n", "20"], 0);
}

pub(crate) fn delay_levels_are_kept(peer: &Program) {
    on_time(peer, &["-level", "2"], 5000);
}

/// Messages sent with these flags come `after_ms` after the time their sender gives: not before, and hardly later.
fn on_time(peer: &Program, flags: &[&str], after_ms: i64) {
    let loopback = Loopback::start_alone(|_| ());
    let address = loopback.address();
    // One that is not delayed, to see the receiver at work.
    let first = peer.send(&address, "delayed", &[]);
    let mut receiver = peer.receive(&address, "delayed", &[]);
    receiver.all(&first);

    let sent = peer.send(&address, "delayed", flags);
    let received = receiver.all(&sent);
    assert_eq!(received.len(), sent.len(), "some came twice: {received:?}");
    for sent in sent {
        let at_ms = received.iter().find(|message| message.message_id == sent.message_id).unwrap().at_ms;
        let (earliest, latest) = match after_ms {
            0 => (sent.due_ms, sent.due_ms.max(sent.answered_ms)),
            // The server counts a level from when the message came.
            _ => (sent.due_ms + after_ms, sent.answered_ms + after_ms),
        };
        assert!(at_ms >= earliest, "{} ms early", earliest - at_ms);
        assert!(at_ms < latest + LATE_MS, "{} ms late", at_ms - latest);
    }
}

pub(crate) fn tags_are_filtered(peer: &Program) {
    let loopback = Loopback::start(|_| ());
    let address = loopback.address();
    let [mut wanted, _, others] =
        ["a", "b", "c"].map(|tag| peer.send(&address, "tags", &["-tag", tag, "-n", "4"]));
    wanted.extend(others);
    let received = peer.receive(&address, "tags", &["-tags", "a || c"]).all(&wanted);
    assert!(received.iter().all(|message| message.tag != "b"), "{received:?}");
}

pub(crate) fn expressions_filter(peer: &Program) {
    let loopback = Loopback::start(|_| ());
    let address = loopback.address();
    let [mut wanted, _, others] =
        ["a", "b", "c"].map(|tag| peer.send(&address, "expressions", &["-tag", tag, "-n", "4"]));
    wanted.extend(others);
    let flags = ["-sql", "TAGS in ('c', 'd') or (TAGS = 'a' and weight is null)"];
    let mut receiver = peer.receive(&address, "expressions", &flags);
    let mut received = receiver.all(&wanted);
    // A pull that waits is woken as well.
    received.extend(receiver.all(&peer.send(&address, "expressions", &["-tag", "c"])));
    assert!(received.iter().all(|message| message.tag != "b"), "{received:?}");
}

pub(crate) fn two_consumers_share_a_topic(peer: &Program) {
    let loopback = Loopback::start(|_| ());
    loopback.broker.create_topic("shared", 4).unwrap(); // a consumer may not start on one that is missing
    let mut receiver = peer.receive(&loopback.address(), "shared", &["-consumers", "2"]);
    // Until the two have agreed on the queues, one may get all, or both the same: that is RocketMQ's way.
    for _ in 0..20 {
        let sent = peer.send(&loopback.address(), "shared", &["-n", "8"]);
        let round = receiver.all(&sent);
        let consumers: HashSet<_> = round.iter().map(|message| message.consumer).collect();
        if round.len() == sent.len() && consumers.len() == 2 {
            return;
        }
    }
    panic!("the consumers never shared the queues");
}

pub(crate) fn a_refused_message_comes_again_and_ends_as_a_dead_letter(peer: &Program) {
    let loopback = Loopback::start(|_| ());
    let address = loopback.address();
    loopback.broker.create_topic("refused", 4).unwrap();
    let flags = ["-group", "refusing", "-retries", "9", "-max-reconsume", "1"];
    // The first consumer of a group makes its retry topic; a peer that started without one looks again after 30 s only.
    drop(peer.receive(&address, "refused", &flags));
    let sent = peer.send(&address, "refused", &[]);
    let mut receiver = peer.receive(&address, "refused", &flags);
    let (first, again) = (receiver.next(), receiver.next());
    assert_eq!((first.reconsumed, again.reconsumed), (0, 1));
    for message in [&first, &again] {
        assert_eq!((&message.message_id, message.topic.as_str()), (&sent[0].message_id, "refused"));
    }
    assert!(again.at_ms - first.at_ms >= 900, "{} ms after the first", again.at_ms - first.at_ms);

    let mut undertaker = peer.receive(&address, "%DLQ%refusing", &["-group", "undertaker"]);
    assert_eq!(undertaker.next().body, "message 0");
}

pub(crate) fn keys_are_checked(peer: &Program) {
    let loopback =
        Loopback::start(|options| options.credentials = vec![Credentials::new("someone", "a secret")]);
    let address = loopback.address();
    let right = ["-access-key", "someone", "-secret-key", "a secret"];
    let sent = peer.send(&address, "guarded", &right);
    assert_eq!(peer.receive(&address, "guarded", &right).next().message_id, sent[0].message_id);
    for wrong in [&["-access-key", "someone", "-secret-key", "a guess"][..], &[]] {
        let error = peer.try_send(&address, "guarded", wrong).unwrap_err();
        assert!(!error.is_empty());
    }
}

pub(crate) fn tls_carries_both_ways(peer: &Program) {
    let loopback = Loopback::start(|options| {
        options.tls = Some(BrokerTls::SelfMade);
        options.tls_only = true;
    });
    let address = loopback.address();
    let sent = peer.send(&address, "secret", &["-tls", "-n", "3"]);
    peer.receive(&address, "secret", &["-tls"]).all(&sent);
    assert!(peer.try_send(&address, "secret", &[]).is_err(), "plain text was accepted");
}
