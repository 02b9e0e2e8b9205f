//! The clients of others against the loopback broker: what they send arrives, on time, and what they ask is answered.
//!
//! Each peer is a small program with the same command line, that prints a JSON line for every message; the checks are
//! written once. A peer whose tools are not installed is skipped with the reason, except in CI.
#![cfg(feature = "broker")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod checks;
mod grpc;
mod http;
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

macro_rules! run_http_checks {
    ($peer:ident, $build:path, also: $($check:ident),*) => {
        run_checks!($peer, $build, http:
            a_message_arrives_as_it_was_published,
            large_bodies_arrive_whole,
            instances_are_apart,
            delivery_times_are_kept,
            a_long_poll_ends_with_the_first_message,
            a_poll_without_message_says_so,
            tags_are_filtered,
            sixteen_messages_at_most_come_at_once,
            a_bad_handle_among_good_ones_is_told_apart,
            what_is_not_acknowledged_comes_again,
            it_comes_again_in_real_time_as_well,
            seventeen_handles_are_too_many,
            a_shard_waits_until_all_is_acknowledged,
            half_messages_end_as_their_producer_says,
            half_messages_cross,
            keys_are_checked,
            an_unknown_topic_is_told,
            a_busy_server_is_told,
            what_our_producer_sends_is_consumed,
            what_a_peer_publishes_is_received,
            what_does_not_fit_does_no_harm,
            $($check,)*
        );
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
run_http_checks!(http_go, crate::Program::go_mqhttp, also: tls_is_verified);
run_http_checks!(http_node, crate::Program::node_mqhttp, also: tls_is_verified, what_is_too_much_is_refused);
// This one gives Python's HTTPS connection an argument that none has taken since 3.4.
run_http_checks!(http_python, crate::Program::python_mqhttp, also: what_is_too_much_is_refused);

fn skip(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    println!("skipped: {reason}");
}
