//! Who may call, and what about.

use std::path::PathBuf;

use tminus::broker::{BrokerTls, Fault};
use tminus::codec::remoting::codes::{request, response};
use tminus::options::{Credentials, Secret};

use super::calls::{Caller, Consume};
use super::{call, handles, start, target, targets, text, user};
use crate::loopback::Loopback;
use crate::program::{Program, out};

pub(crate) fn keys_are_checked(peer: &Program) {
    let temporary = Credentials { security_token: Some(Secret::new("token")), ..Credentials::new("k", "s") };
    let loopback = start(|options| options.credentials.push(temporary.clone()));
    let endpoint = format!("http://{}", loopback.address());
    for right in [user(), temporary] {
        let mut caller = Caller::start(peer, &endpoint, &right, None);
        caller.publish(&target(), &text(0));
        let came = caller.consume(&target(), &Consume::WAIT);
        caller.ack(&target(), &handles(&came)).unwrap();
    }
    for (wrong, code) in [
        (Credentials::new("someone", "a guess"), "SignatureDoesNotMatch"),
        (Credentials::new("nobody", "a secret"), "InvalidAccessKeyId"),
        (Credentials::new("k", "s"), "AccessDenied"),
    ] {
        let mut caller = Caller::start(peer, &endpoint, &wrong, None);
        let failures = [
            caller.try_publish(&target(), &text(0)).unwrap_err(),
            caller.try_consume(&target(), &Consume::NOW).unwrap_err(),
            caller.ack(&target(), &["handle"]).unwrap_err(),
        ];
        assert!(failures.iter().all(|failure| failure.text.contains(code)), "{code}: {failures:?}");
    }
}

pub(crate) fn an_unknown_topic_is_told(peer: &Program) {
    let loopback = start(|options| options.auto_create_topics = false);
    let mut caller = call(peer, &loopback);
    for target in targets() {
        let failures = [
            caller.try_publish(&target, &text(0)).unwrap_err(),
            caller.try_consume(&target, &Consume::NOW).unwrap_err(),
            caller.ack(&target, &["handle"]).unwrap_err(),
        ];
        assert!(failures.iter().all(|failure| failure.text.contains("TopicNotExist")), "{failures:?}");
    }
}

/// For a peer that does not silently ask for less.
pub(crate) fn what_is_too_much_is_refused(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    caller.publish(&target(), &text(0));
    for wanted in [Consume { max: 17, ..Consume::NOW }, Consume { wait_s: 31, ..Consume::NOW }] {
        let failure = caller.try_consume(&target(), &wanted).unwrap_err();
        assert!(failure.text.contains("InvalidArgument"), "{wanted:?}: {failure:?}");
    }
}

pub(crate) fn a_busy_server_is_told(peer: &Program) {
    let loopback = start(|_| ());
    let mut caller = call(peer, &loopback);
    let busy = Fault::Refuse { code: response::SYSTEM_BUSY, remark: "slow down".into() };
    loopback.broker.inject(request::SEND_MESSAGE_V2, 1, busy);
    let failure = caller.try_publish(&target(), &text(0)).unwrap_err();
    assert!(failure.text.contains("QpsLimitExceeded") && failure.text.contains("slow down"), "{failure:?}");
    caller.publish(&target(), &text(1));
}

pub(crate) fn tls_is_verified(peer: &Program) {
    let loopback = start(|options| {
        options.tls = Some(BrokerTls::SelfMade);
        options.tls_only = true;
    });
    let authority = authority(&loopback);
    let endpoint = format!("https://{}", loopback.address());
    let mut caller = Caller::start(peer, &endpoint, &user(), Some(&authority));
    let sent = caller.publish(&target(), &text(0));
    let came = caller.consume(&target(), &Consume::WAIT);
    assert_eq!(came[0].message_id, sent.message_id);
    caller.ack(&target(), &handles(&came)).unwrap();
    let mut distrustful = Caller::start(peer, &endpoint, &user(), None);
    distrustful.try_publish(&target(), &text(0)).expect_err("an unknown authority was trusted");
    call(peer, &loopback).try_publish(&target(), &text(0)).expect_err("plain text was accepted");
    std::fs::remove_file(authority).unwrap();
}

fn authority(loopback: &Loopback) -> PathBuf {
    let file = out().join(format!("interop-http-authority-{}.pem", loopback.broker.address().port()));
    std::fs::write(&file, loopback.broker.ca_pem().unwrap()).unwrap();
    file
}
