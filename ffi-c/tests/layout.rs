//! The C compiler lays the structs of the header out as rustc lays out those they are generated from.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

macro_rules! assertions {
    ($($name:ident { $($field:ident)* })*) => {{
        let mut text = String::new();
        $(
            writeln!(text, "_Static_assert(sizeof({0}) == {1}, \"sizeof {0}\");", stringify!($name), size_of::<tminus::$name>())
                .unwrap();
            $(writeln!(
                text,
                "_Static_assert(offsetof({0}, {1}) == {2}, \"{0}.{1}\");",
                stringify!($name),
                stringify!($field),
                offset_of!(tminus::$name, $field)
            )
            .unwrap();)*
        )*
        text
    }};
}

#[test]
fn the_c_compiler_agrees() {
    let assertions = assertions! {
        tminus_error_t {
            status response_code outcome is_retryable name operation message server_code server_message
            request_id host_id
        }
        tminus_str_t { data len }
        tminus_credentials_t { access_key secret_key security_token }
        tminus_tls_t { enabled insecure ca_pem client_cert_pem client_key_pem server_name }
        tminus_client_options_t {
            struct_size server_kind endpoint credentials tls name_space client_id connect_timeout_ms
            request_timeout_ms heartbeat_interval_ms route_refresh_interval_ms clock_of http_proxy
        }
        tminus_message_queue_t { topic broker id reserved }
        tminus_message_queues_t { queues size }
        tminus_receipt_t {
            send_status queue_id queue_offset message_id offset_message_id topic broker transaction_id
            recall_handle region request_id
        }
        tminus_text_t { text }
        tminus_receipt_handle_t { topic broker message_id handle }
        tminus_receipt_handles_t { handles errors size failed }
        tminus_bytes_t { data len }
        tminus_property_t { name value }
        tminus_address_t { ip port ip_len reserved }
        tminus_message_view_t {
            topic body message_id offset_message_id tag keys broker properties property_count deliver_at_ms
            born_ms store_ms queue_offset commit_log_offset prepared_transaction_offset queue_id
            reconsume_times flag sys_flag body_crc store_size born_host store_host message_group
            delivery_attempt is_corrupted invisible_until_ms first_delivered_ms
        }
        tminus_batch_t { messages size handles request_id }
        tminus_completion_t { user_data op kind status error receipt batch handles }
        tminus_producer_options_t {
            struct_size retries group send_timeout_ms max_body_bytes compress_above_bytes delay_max_ahead_ms
            compress_level delay_refuse_past delay_allow_beyond default_topic_queues topics topic_count take_checks
            allow_duplicates transaction_check_after_ms body_encoding reserved
        }
        tminus_message_t {
            struct_size flag topic body tag keys properties property_count delivery reserved delivery_value
            message_group has_priority priority
        }
        tminus_send_options_t { struct_size reserved timeout_ms sharding_key queue }
        tminus_push_consumer_options_t {
            struct_size model group consume_from orderly consume_from_ms concurrency max_reconsume_times
            consume_timeout_ms pull_batch cached_messages_per_queue cached_bytes_per_queue long_poll_ms
            offset_commit_interval_ms rebalance_interval_ms
        }
        tminus_simple_consumer_options_t { struct_size orderly group await_ms }
        tminus_http_consume_t { struct_size mode topic group tag max reserved wait_ms }
        tminus_subscription_t { topic expression filter reserved }
        tminus_broker_options_t {
            struct_size persona listen name join virtual_clock auto_create_topics clock_start_ms queues tls
            tls_only reserved cert_pem key_pem client_ca_pem credentials credential_count
            http_invisible_ms
        }
        tminus_group_options_t { struct_size fifo max_attempts reserved backoff_ms backoff_count }
        tminus_fault_t { kind response_code remark }
        tminus_log_record_t { level reserved target message }
        tminus_log_t { records size dropped }
    };
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("layout.c");
    std::fs::write(&source, format!("#include \"tminus.h\"\n{assertions}")).unwrap();
    let mut cc = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I"]);
    let compiled =
        cc.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../include")).arg(source).output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}
