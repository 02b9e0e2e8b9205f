//! A server whose clock is not ours.

use std::time::{Duration, SystemTime};

use tminus::{Clock, ErrorKind, HttpClient, Outcome};

use super::http_raw::{
    LONG, Raw, Reply, answer, client, client_options, date, message, published, refused_with,
};

const HOUR: Duration = Duration::from_secs(3600);

/// A server whose clock is an hour ahead, and that takes no other.
async fn an_hour_ahead() -> Raw {
    Raw::start(|_, seen| {
        let theirs = Clock::real().now() + HOUR;
        let sent = httpdate::parse_http_date(seen.header("date").unwrap()).unwrap();
        let apart = theirs.duration_since(sent).unwrap_or_else(|e| e.duration());
        if apart > Duration::from_secs(15 * 60) {
            return Reply::With(refused_with("TimeExpired", &date(theirs)));
        }
        let publishes = seen.line().starts_with("POST");
        Reply::With(if publishes { published("hello") } else { answer(204, "") })
    })
    .await
}

#[tokio::test]
async fn a_request_is_dated_by_the_server_after_one_refusal() {
    let server = an_hour_ahead().await;
    let client = client(server.address);
    client.publish(message(), LONG).await.unwrap();
    assert_eq!(server.count(), 2, "refused, and sent again");
    client.publish(message(), LONG).await.unwrap();
    client.ack("orders", "GID_a", &["H".into()]).await.unwrap();
    assert_eq!(server.count(), 4, "the difference is known");
}

#[tokio::test]
async fn a_server_that_takes_no_time_at_all_is_told_with_both_clocks() {
    let server = Raw::start(|_, _| {
        Reply::With(refused_with("TimeExpired", &date(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400))))
    })
    .await;
    let error = client(server.address).publish(message(), LONG).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::ClockSkew, Outcome::NotSent), "{error}");
    assert_eq!(error.response_code(), Some(408));
    assert!(error.text().contains("Fri, 02 Jan 1970"), "{error}");
    assert_eq!(server.count(), 2, "once more, not for ever");
}

#[tokio::test]
async fn a_server_that_does_not_tell_its_time_is_not_asked_again() {
    let server = Raw::start(|_, _| Reply::With(refused_with("TimeExpired", ""))).await;
    let error = client(server.address).publish(message(), LONG).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::ClockSkew, 1), "{error}");
}

#[tokio::test]
async fn requests_are_dated_by_real_time_whatever_clock_the_client_has() {
    let server = Raw::start(|_, _| Reply::With(published("hello"))).await;
    let mut options = client_options(server.address);
    options.clock = Clock::virtual_at(SystemTime::UNIX_EPOCH + HOUR);
    let in_a_minute = message().deliver_after(Duration::from_secs(60));
    HttpClient::new(options).unwrap().publish(in_a_minute, LONG).await.unwrap();
    let seen = &server.seen()[0];
    let sent = httpdate::parse_http_date(seen.header("date").unwrap()).unwrap();
    assert!(Clock::real().now().duration_since(sent).is_ok_and(|age| age < Duration::from_secs(60)));
    let body = String::from_utf8_lossy(&seen.body);
    assert!(body.contains("__STARTDELIVERTIME:3660000|"), "{body}");
}
