//! The queue with operations of our own making.

use std::ptr::null_mut;
use std::task::Poll;

use tminus_core::Outcome;

use super::*;

fn queue() -> Box<tminus_queue_t> {
    let mut queue = null_mut();
    // SAFETY: a place for one pointer, and no error asked for.
    assert_eq!(unsafe { tminus_queue_new(&mut queue, null_mut()) }, 0);
    // SAFETY: the call succeeded.
    unsafe { Box::from_raw(queue) }
}

fn wait(queue: &tminus_queue_t) -> Result<tminus_completion_t> {
    let mut place = [std::mem::MaybeUninit::uninit()];
    assert_eq!(queue.shared.wait(&mut place, 10_000)?, 1);
    // SAFETY: one completion was written.
    Ok(unsafe { place[0].assume_init_read() })
}

/// Status and outcome; frees the completion.
fn ended(mut completion: tminus_completion_t) -> (u64, i32, Option<i32>) {
    // SAFETY: the error is NULL or live.
    let outcome = unsafe { completion.error.as_ref() }.map(|error| error.outcome);
    // SAFETY: one completion, as the queue wrote it.
    unsafe { tminus_completions_free(&mut completion, 1) };
    (completion.user_data, completion.status, outcome)
}

#[test]
fn a_panic_becomes_a_completion_and_the_queue_lives_on() {
    let queue = queue();
    queue.accept(Kind::Send, 1, Box::pin(async { panic!("on purpose") })).unwrap();
    let internal = ErrorKind::Internal as i32;
    assert_eq!(ended(wait(&queue).unwrap()), (1, internal, Some(Outcome::MaybeSent as i32)));
    queue.accept(Kind::Receive, 2, Box::pin(async { Ok(Payload::Nothing) })).unwrap();
    assert_eq!(ended(wait(&queue).unwrap()), (2, 0, None));
}

#[test]
fn many_that_end_together_all_arrive() {
    let queue = queue();
    let go = tokio::sync::watch::Sender::new(false);
    for user_data in 0..100 {
        let mut go = go.subscribe();
        let work = async move {
            let _ = go.wait_for(|go| *go).await;
            Ok(Payload::Nothing)
        };
        queue.accept(Kind::Receive, user_data, Box::pin(work)).unwrap();
    }
    go.send_replace(true);
    let mut seen = [false; 100];
    let mut left = 100;
    while left > 0 {
        let mut place = [const { std::mem::MaybeUninit::uninit() }; 100];
        let count = queue.shared.wait(&mut place, 10_000).unwrap();
        for completion in &place[..count] {
            // SAFETY: the first `count` were written.
            let (user_data, status, _) = ended(unsafe { completion.assume_init_read() });
            assert!(status == 0 && !std::mem::replace(&mut seen[user_data as usize], true));
        }
        left -= count;
    }
}

#[test]
fn what_is_pending_at_the_end_is_cancelled_once() {
    let queue = queue();
    for user_data in 0..3 {
        queue.accept(Kind::Send, user_data, Box::pin(std::future::pending())).unwrap();
    }
    queue.shutdown();
    let refused = queue.accept(Kind::Send, 9, Box::pin(std::future::pending()));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Closed);
    let mut seen: Vec<_> = (0..3).map(|_| ended(wait(&queue).unwrap())).collect();
    seen.sort_unstable();
    let (cancelled, maybe) = (ErrorKind::Cancelled as i32, Some(Outcome::MaybeSent as i32));
    assert_eq!(seen, [(0, cancelled, maybe), (1, cancelled, maybe), (2, cancelled, maybe)]);
    assert_eq!(wait(&queue).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn what_wakes_itself_while_it_is_polled_is_polled_again() {
    let queue = queue();
    let mut left = 100;
    let work = std::future::poll_fn(move |cx| {
        left -= 1;
        cx.waker().wake_by_ref();
        if left == 0 { Poll::Ready(Ok(Payload::Nothing)) } else { Poll::Pending }
    });
    queue.accept(Kind::Receive, 1, Box::pin(work)).unwrap();
    assert_eq!(ended(wait(&queue).unwrap()), (1, 0, None));
}
