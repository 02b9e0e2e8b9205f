//! The clients of others against the loopback broker: what they send arrives, on time, and what they ask is answered.
//!
//! Each peer is a small program with the same command line, that prints a JSON line for every message; the checks are
//! written once. A peer whose tools are not installed is skipped with the reason, except in CI.
#![cfg(feature = "broker")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod checks;
mod grpc;
mod loopback;
mod peers;
mod place;
mod program;

use program::Program;

macro_rules! run_checks {
    ($peer:ident, $build:path, $checks:ident: $($check:ident),* $(,)?) => {
        mod $peer {
            $(
                #[test]
                fn $check() {
                    match $build() {
                        Ok(program) => crate::$checks::$check(program),
                        Err(reason) => crate::skip(reason),
                    }
                }
            )*
        }
    };
}

run_checks!(rocketmq_client_go, crate::Program::go, checks:
    every_way_to_send_arrives,
    large_bodies_arrive_whole,
    start_deliver_time_is_kept,
    delay_levels_are_kept,
    tags_are_filtered,
    expressions_filter,
    two_consumers_share_a_topic,
    a_refused_message_comes_again_and_ends_as_a_dead_letter,
    keys_are_checked,
);
run_checks!(java, crate::Program::java, checks:
    every_way_to_send_arrives,
    large_bodies_arrive_whole,
    timer_deliver_time_is_kept,
    delay_levels_are_kept,
    tags_are_filtered,
    expressions_filter,
    two_consumers_share_a_topic,
    a_refused_message_comes_again_and_ends_as_a_dead_letter,
    keys_are_checked,
    tls_carries_both_ways,
);
run_checks!(grpc_go, crate::Program::go_v5, grpc:
    every_way_to_send_arrives,
    large_bodies_arrive_whole,
    delivery_times_are_kept,
    a_recalled_message_never_comes,
    message_groups_keep_their_order,
    transactions_end_as_their_producer_says,
    messages_are_filtered,
    two_consumers_share_a_topic,
    a_refused_message_comes_again,
    a_simple_consumer_hides_a_message_for_a_while,
    a_topic_takes_its_own_type_only,
    keys_are_checked,
    tls_carries_both_ways,
);
run_checks!(grpc_python, crate::Program::python_v5, grpc:
    every_way_to_send_arrives,
    large_bodies_arrive_whole,
    delivery_times_are_kept,
    a_recalled_message_never_comes,
    message_groups_keep_their_order,
    transactions_end_as_their_producer_says,
    messages_are_filtered,
    two_consumers_share_a_topic,
    a_refused_message_comes_again,
    a_simple_consumer_hides_a_message_for_a_while,
    a_topic_takes_its_own_type_only,
    keys_are_checked,
    tls_is_verified,
);

fn skip(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    println!("skipped: {reason}");
}
