// tminus 0.1.0: scheduled messages for RocketMQ. The contract is in ffi-c/ABI.md.
// Generated from ffi-c/src; do not edit.

#ifndef TMINUS_H
#define TMINUS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TMINUS_VERSION "0.1.0"

// Statuses: the kinds of errors. Numbers are never reused.
#define TMINUS_OK 0
#define TMINUS_INVALID_ARGUMENT 1
#define TMINUS_INVALID_MESSAGE 2
#define TMINUS_INVALID_DELIVERY_TIME 3
#define TMINUS_DELAY_UNSUPPORTED 4
#define TMINUS_UNSUPPORTED 5
#define TMINUS_CLOSED 6
#define TMINUS_FORKED 7
#define TMINUS_CANCELLED 8
#define TMINUS_TIMEOUT 9
#define TMINUS_NAME_SERVER_UNREACHABLE 10
#define TMINUS_BROKER_UNREACHABLE 11
#define TMINUS_CONNECTION_CLOSED 12
#define TMINUS_WRONG_PROTOCOL 13
#define TMINUS_PROTOCOL 14
#define TMINUS_TLS 15
#define TMINUS_TOPIC_NOT_FOUND 16
#define TMINUS_GROUP_NOT_FOUND 17
#define TMINUS_PERMISSION_DENIED 18
#define TMINUS_BUSY 19
#define TMINUS_MESSAGE_REFUSED 20
#define TMINUS_SERVER 21
#define TMINUS_INTERNAL 22
#define TMINUS_IO 23
#define TMINUS_INVALID_RECEIPT 24
#define TMINUS_TOPIC_TYPE_MISMATCH 25
#define TMINUS_CLOCK_SKEW 26
#define TMINUS_MESSAGE_NOT_FOUND 27


// Version of the ABI described by this header: major in the upper 16 bits, minor in the lower.
// A minor step only adds; a major step may change anything.
#define TMINUS_ABI_VERSION 65538

// The message was not stored: sending it again makes no duplicate.
#define TMINUS_OUTCOME_NOT_SENT 0

// The message left this process and the answer is missing: it may be stored.
#define TMINUS_OUTCOME_MAYBE_SENT 1

// The server has stored the message.
#define TMINUS_OUTCOME_DONE 2

// `response_code` of an error that no server answered with.
#define TMINUS_NO_RESPONSE_CODE INT32_MIN

// Not configured: right for all servers that keep arbitrary times.
#define TMINUS_SERVER_AUTO 0

// Apache RocketMQ 5.x.
#define TMINUS_SERVER_APACHE5 1

// Apache RocketMQ 4.x: delay levels only.
#define TMINUS_SERVER_APACHE4 2

// Huawei Cloud DMS for RocketMQ.
#define TMINUS_SERVER_HUAWEI 3

// Alibaba Cloud ApsaraMQ for RocketMQ.
#define TMINUS_SERVER_ALIBABA 4

// Not scheduled (or scheduled by a raw property such as `__STARTDELIVERTIME`).
#define TMINUS_DELIVERY_NONE 0

// `delivery_value` is a time, Unix ms; a past one means at once.
#define TMINUS_DELIVERY_AT_MS 1

// `delivery_value` is a delay in ms from the send call.
#define TMINUS_DELIVERY_AFTER_MS 2

// `delivery_value` is the server's delay level, 1..=18; 0: no delay.
#define TMINUS_DELIVERY_LEVEL 3

// Stored as configured.
#define TMINUS_SEND_OK 0

// Stored; flushing to disk timed out.
#define TMINUS_SEND_FLUSH_DISK_TIMEOUT 1

// Stored; copying to the replica timed out.
#define TMINUS_SEND_FLUSH_SLAVE_TIMEOUT 2

// Stored; no replica was there.
#define TMINUS_SEND_SLAVE_NOT_AVAILABLE 3

// Done.
#define TMINUS_CONSUME_SUCCESS 0

// Deliver it again later; the broker's schedule decides when.
#define TMINUS_CONSUME_RETRY_LATER 1

// Deliver it again after delay level `level`, 1..=18.
#define TMINUS_CONSUME_RETRY_AFTER_LEVEL 2

// Give it up: move it to the group's dead letter queue.
#define TMINUS_CONSUME_DEAD_LETTER 3

// It is not known yet how the transaction ends: the server asks again later.
#define TMINUS_TRANSACTION_UNKNOWN 0

// Consumers get the message.
#define TMINUS_TRANSACTION_COMMIT 1

// The message is dropped.
#define TMINUS_TRANSACTION_ROLLBACK 2

// A send: `receipt` is set when it succeeded.
#define TMINUS_COMPLETION_SEND 1

// A receive: `batch` is set when it succeeded (of a simple consumer: NULL if no message came).
#define TMINUS_COMPLETION_RECEIVE 2

// Questions about transactions: `batch` is set when it succeeded.
#define TMINUS_COMPLETION_CHECKS 3

// The end of a transaction.
#define TMINUS_COMPLETION_END_TRANSACTION 4

// An acknowledgement: of one, `status` says it all; of many, `handles` says it for each.
#define TMINUS_COMPLETION_ACK 5

// A change of an invisible duration: `handles` has the new handle when it succeeded.
#define TMINUS_COMPLETION_CHANGE_INVISIBLE 6

// A body travels as it is; over ApsaraMQ HTTP one that XML cannot carry is refused.
#define TMINUS_BODY_TEXT 0

// Over ApsaraMQ HTTP a body that is no text travels in base64, marked by the property `__BODY_ENCODING`, by which
// consumers of this library decode it over every protocol.
#define TMINUS_BODY_BASE64 1

// Tags separated by `||`; `*` (or none) is all.
#define TMINUS_FILTER_TAG 0

// An SQL92 expression over properties.
#define TMINUS_FILTER_SQL92 1

// One consumer of the group gets a message.
#define TMINUS_MODEL_CLUSTERING 0

// Every consumer of the group gets a message.
#define TMINUS_MODEL_BROADCASTING 1

// A group without stored offsets starts after what is there.
#define TMINUS_CONSUME_FROM_LAST 0

// A group without stored offsets starts at the oldest message.
#define TMINUS_CONSUME_FROM_FIRST 1

// A group without stored offsets starts at the first message stored at `consume_from_ms` or later.
#define TMINUS_CONSUME_FROM_TIMESTAMP 2

// Any messages.
#define TMINUS_HTTP_CONSUME_CONCURRENT 0

// In order: the next messages of a sharding key come when all that were delivered of it are acknowledged.
#define TMINUS_HTTP_CONSUME_ORDERLY 1

// Half messages whose transactions are open.
#define TMINUS_HTTP_CONSUME_HALF 2

// Acts on every delivery property of every server, to the millisecond, one year ahead.
#define TMINUS_PERSONA_LOOPBACK 0

// Behaves like Apache RocketMQ 5.
#define TMINUS_PERSONA_APACHE5 1

// Behaves like Apache RocketMQ 4.
#define TMINUS_PERSONA_APACHE4 2

// Behaves like Huawei DMS.
#define TMINUS_PERSONA_HUAWEI 3

// Plain TCP only.
#define TMINUS_BROKER_TLS_NONE 0

// TLS beside plain TCP, with a certificate the broker makes; see `tminus_broker_ca_pem`.
#define TMINUS_BROKER_TLS_SELF_MADE 1

// TLS beside plain TCP, with `cert_pem` and `key_pem`.
#define TMINUS_BROKER_TLS_GIVEN 2

// Answer with `response_code` and `remark`; the request has no effect.
#define TMINUS_FAULT_REFUSE 0

// Read the request, do nothing, never answer.
#define TMINUS_FAULT_SWALLOW 1

// Close the connection without handling the request.
#define TMINUS_FAULT_CLOSE_BEFORE 2

// Handle the request, then close the connection instead of answering.
#define TMINUS_FAULT_CLOSE_AFTER 3

// Answer a receive over gRPC or HTTP (request code 200050), or a publish over HTTP (310), with a wrong digest for every
// body.
#define TMINUS_FAULT_CORRUPT 4

// Answer as a middle box that cannot reach its server: over HTTP with status 502 and a page of HTML, elsewhere with the end of
// the connection. The request has no effect.
#define TMINUS_FAULT_GATEWAY 5

// Takes every type of message.
#define TMINUS_TOPIC_MIXED 0

// Takes messages that are none of the others.
#define TMINUS_TOPIC_NORMAL 1

// Takes messages with a message group.
#define TMINUS_TOPIC_FIFO 2

// Takes scheduled messages.
#define TMINUS_TOPIC_DELAY 3

// Takes half messages of transactions.
#define TMINUS_TOPIC_TRANSACTION 4

// Takes messages with a priority.
#define TMINUS_TOPIC_PRIORITY 5

// Its producer did not send it yet.
#define TMINUS_STAGE_INITIALIZED 0

// The broker keeps it until its delivery time.
#define TMINUS_STAGE_TIMING 1

// Consumers of the group can get it.
#define TMINUS_STAGE_READY 2

// A consumer of the group has it and did not settle it yet.
#define TMINUS_STAGE_IN_FLIGHT 3

// The group is done with it.
#define TMINUS_STAGE_ACKNOWLEDGED 4

// The broker has it no more.
#define TMINUS_STAGE_DELETED 5

// No log.
#define TMINUS_LOG_OFF 0

// Something failed for good.
#define TMINUS_LOG_ERROR 1

// Something a person should look at.
#define TMINUS_LOG_WARN 2

// Milestones of a client's life.
#define TMINUS_LOG_INFO 3

// For finding mistakes.
#define TMINUS_LOG_DEBUG 4

// Everything.
#define TMINUS_LOG_TRACE 5

// A running loopback broker. Any thread may use it.
typedef struct tminus_broker_t tminus_broker_t;

// Ends blocking calls from another thread. One token may be passed to many calls; once fired it stays fired.
typedef struct tminus_cancel_t tminus_cancel_t;

// Does what the document of ApsaraMQ HTTP describes, call by call: publish, consume, acknowledge, and end transactions by
// handle. Producers and consumers stand on the same calls and work over every protocol. Any thread may use it.
typedef struct tminus_http_client_t tminus_http_client_t;

// Sends messages. Any thread may use it.
typedef struct tminus_producer_t tminus_producer_t;

// Consumes topics as a member of a group. Any thread may use it.
typedef struct tminus_push_consumer_t tminus_push_consumer_t;

// A completion queue. Any number of threads may submit to it and wait on it.
typedef struct tminus_queue_t tminus_queue_t;

// Receives messages when asked, and hides them from the rest of the group until they are acknowledged or their invisible
// duration ends. Any thread may use it.
typedef struct tminus_simple_consumer_t tminus_simple_consumer_t;

// `TMINUS_OK`, or the number of the error's kind (`TMINUS_INVALID_ARGUMENT`, …). Numbers are never reused.
typedef int32_t tminus_status_t;

// Why a call failed. Made by the library, freed by `tminus_error_free`; fields may be added at the end.
// Texts are NUL-terminated and live as long as the error.
typedef struct tminus_error_t {
    // `TMINUS_INVALID_ARGUMENT`, …: the same as the returned status.
    tminus_status_t status;
    // RocketMQ response code of the server, over ApsaraMQ HTTP the status; or `TMINUS_NO_RESPONSE_CODE`.
    int32_t response_code;
    // `TMINUS_OUTCOME_*`: what became of the message.
    int32_t outcome;
    // 1: the same call can succeed later.
    int32_t is_retryable;
    // Stable name of the kind, as in every language: "invalid_argument", …
    const char *name;
    // The call that failed: "send", "start", …
    const char *operation;
    // What happened and what to do next.
    const char *message;
    // What an ApsaraMQ HTTP server answered, in its own words: `TopicNotExist`, `SignatureDoesNotMatch`, … Empty, as the
    // following are, where no server answered or it did not say.
    const char *server_code;
    // The server's explanation, or the beginning of a page that a middle box answered with.
    const char *server_message;
    // Id of the request, for the service's support.
    const char *request_id;
    // URL of the server.
    const char *host_id;
} tminus_error_t;

// UTF-8 text of `len` bytes, not NUL-terminated. `data` NULL with `len` 0: none.
// As input it is borrowed for the call; as output it lives as long as the object it was read from.
typedef struct tminus_str_t {
    const char *data;
    size_t len;
} tminus_str_t;

// Access key pair; none when `access_key` is none.
typedef struct tminus_credentials_t {
    struct tminus_str_t access_key;
    // Signs the requests, never travels.
    struct tminus_str_t secret_key;
    // Of temporary credentials, else none.
    struct tminus_str_t security_token;
} tminus_credentials_t;

// TLS of a client. Certificates are verified unless `insecure` says otherwise.
typedef struct tminus_tls_t {
    // 1: use TLS even if the endpoint does not ask for it (`remotings://`, `grpcs://`).
    int32_t enabled;
    // 1: do not verify the server's certificate.
    int32_t insecure;
    // PEM text of the authorities to trust; none: the system's.
    struct tminus_str_t ca_pem;
    // PEM text of the client's certificate chain, with `client_key_pem`.
    struct tminus_str_t client_cert_pem;
    struct tminus_str_t client_key_pem;
    // Name to verify and to send as SNI; none: the host that is dialled.
    struct tminus_str_t server_name;
} tminus_tls_t;

// Connection settings. `tminus_client_options_init` fills in the defaults.
typedef struct tminus_client_options_t {
    uint32_t struct_size;
    // `TMINUS_SERVER_*`. Default auto.
    int32_t server_kind;
    // Name servers: `host:port` or `remoting://host:port`; or proxies: `grpc://host:port`; or an ApsaraMQ HTTP service:
    // `http://host`. Several name servers or proxies separated by `;`; `remotings://`, `grpcs://` and `https://` for TLS.
    // Required.
    struct tminus_str_t endpoint;
    struct tminus_credentials_t credentials;
    struct tminus_tls_t tls;
    // Prefix `namespace%` of topics and groups, or over ApsaraMQ HTTP the instance id; none by default.
    struct tminus_str_t name_space;
    // Overrides the generated client id.
    struct tminus_str_t client_id;
    // Default 3000.
    int64_t connect_timeout_ms;
    // For one request other than a send. Default 3000.
    int64_t request_timeout_ms;
    // Default 30000.
    int64_t heartbeat_interval_ms;
    // Default 30000.
    int64_t route_refresh_interval_ms;
    // Relative delivery times follow this broker's clock, for tests on a virtual one; NULL: the machine's clock.
    const struct tminus_broker_t *clock_of;
    // The proxy of an ApsaraMQ HTTP client: `http://[user:password@]host:port`, or `direct` for none. None: what `HTTP_PROXY`,
    // `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say, never for addresses of this machine.
    struct tminus_str_t http_proxy;
} tminus_client_options_t;

// One queue of a topic on one broker.
typedef struct tminus_message_queue_t {
    struct tminus_str_t topic;
    // Broker name (not its address).
    struct tminus_str_t broker;
    // Queue number within topic and broker, from 0.
    int32_t id;
    int32_t reserved;
} tminus_message_queue_t;

// A list of queues. Made by the library, freed by `tminus_message_queues_free`.
typedef struct tminus_message_queues_t {
    const struct tminus_message_queue_t *queues;
    size_t size;
} tminus_message_queues_t;

// A send receipt. Made by the library, freed by `tminus_receipt_free` (or `tminus_completions_free`); fields may be
// added at the end. Texts live as long as the receipt.
typedef struct tminus_receipt_t {
    // `TMINUS_SEND_*`: how durable the stored message is.
    int32_t send_status;
    // Queue it went to.
    int32_t queue_id;
    // Position in that queue (in the timer's queue for a scheduled message).
    int64_t queue_offset;
    // The unique id the client made (comma-joined for a batch).
    struct tminus_str_t message_id;
    // The server's id (comma-joined for a batch).
    struct tminus_str_t offset_message_id;
    struct tminus_str_t topic;
    // Broker name.
    struct tminus_str_t broker;
    // None where the server gave none; over ApsaraMQ HTTP the handle that ends the transaction of a half message.
    struct tminus_str_t transaction_id;
    // For recalling a scheduled message; none where the server offers none.
    struct tminus_str_t recall_handle;
    // Region of the server; none where it names none.
    struct tminus_str_t region;
    // Id of the request, for the support of a cloud service (ApsaraMQ HTTP); else none.
    struct tminus_str_t request_id;
} tminus_receipt_t;

// A text. Made by the library, freed by `tminus_text_free`.
typedef struct tminus_text_t {
    struct tminus_str_t text;
} tminus_text_t;

// What acknowledges a received message. Plain text, so that it may be kept, or handed to another consumer of the group.
typedef struct tminus_receipt_handle_t {
    // Topic the message was received from.
    struct tminus_str_t topic;
    // Broker that hid it.
    struct tminus_str_t broker;
    // The message's unique id.
    struct tminus_str_t message_id;
    // The server's handle, opaque. It ends with the invisible duration, and is replaced when that is changed.
    struct tminus_str_t handle;
} tminus_receipt_handle_t;

// Handles, and what became of each. Made by the library, freed by `tminus_receipt_handles_free` (or
// `tminus_completions_free`).
typedef struct tminus_receipt_handles_t {
    // `size` handles.
    const struct tminus_receipt_handle_t *handles;
    // `size` pointers: NULL where it succeeded, else why not. They belong to this list.
    const struct tminus_error_t *const *errors;
    size_t size;
    // How many have an error.
    size_t failed;
} tminus_receipt_handles_t;

// Bytes; the same rules as `tminus_str_t`, without UTF-8.
typedef struct tminus_bytes_t {
    const uint8_t *data;
    size_t len;
} tminus_bytes_t;

// A message property.
typedef struct tminus_property_t {
    struct tminus_str_t name;
    struct tminus_str_t value;
} tminus_property_t;

// A socket address. The first `ip_len` bytes of `ip` count: 4 (IPv4) or 16 (IPv6), in network order.
typedef struct tminus_address_t {
    uint8_t ip[16];
    // Host byte order.
    uint16_t port;
    uint8_t ip_len;
    uint8_t reserved;
} tminus_address_t;

// A received message. Everything in it lives as long as its batch; fields may be added at the end. Times are Unix ms.
typedef struct tminus_message_view_t {
    // Topic subscribed to (the original one for a retried message).
    struct tminus_str_t topic;
    // Content, decompressed.
    struct tminus_bytes_t body;
    // The producer's unique id, or the offset id where there is none.
    struct tminus_str_t message_id;
    // The server's id.
    struct tminus_str_t offset_message_id;
    struct tminus_str_t tag;
    // Index keys, separated by spaces.
    struct tminus_str_t keys;
    // Broker name, empty where unknown.
    struct tminus_str_t broker;
    // Everything set by producer, server and client.
    const struct tminus_property_t *properties;
    size_t property_count;
    // Requested delivery time; -1 if the message was not scheduled to an absolute time.
    int64_t deliver_at_ms;
    // When the producer made it.
    int64_t born_ms;
    // When the broker stored it (for a scheduled message: when it became visible).
    int64_t store_ms;
    // Position in the queue.
    int64_t queue_offset;
    // Position in the broker's commit log.
    int64_t commit_log_offset;
    // Commit-log offset of the half message of a transaction.
    int64_t prepared_transaction_offset;
    int32_t queue_id;
    // How many times it was retried before this delivery.
    int32_t reconsume_times;
    // User flag.
    int32_t flag;
    // System flag bits.
    int32_t sys_flag;
    // CRC-32 of the stored body, masked to 31 bits.
    int32_t body_crc;
    // Record size in bytes on the broker.
    int32_t store_size;
    // The producer's address.
    struct tminus_address_t born_host;
    // The broker's address.
    struct tminus_address_t store_host;
    // Message group, of messages that keep their order.
    struct tminus_str_t message_group;
    // Which delivery this is, from 1.
    int32_t delivery_attempt;
    // 1: the body is not what the producer sent. Do not process it; unacknowledged it comes again. Simple consumers and
    // HTTP clients only.
    int32_t is_corrupted;
    // When the handle expires and the message comes again, Unix ms of the server; -1 where it does not say (it does over
    // ApsaraMQ HTTP, where it chooses the time).
    int64_t invisible_until_ms;
    // When the message was first delivered, Unix ms of the server; -1 where it does not say. Without meaning for
    // messages received in order.
    int64_t first_delivered_ms;
} tminus_message_view_t;

// Received messages: of a push consumer, to be settled; of a simple consumer or HTTP client, to be acknowledged; or half
// messages whose transactions a server asks about, to be answered. Made by the library, freed by `tminus_batch_free`
// (or `tminus_completions_free`); fields may be added at the end.
typedef struct tminus_batch_t {
    // `size` pointers.
    const struct tminus_message_view_t *const *messages;
    size_t size;
    // `size` handles that acknowledge the messages of a simple consumer or HTTP client; NULL for others.
    const struct tminus_receipt_handle_t *handles;
    // Id of the request of an HTTP client, for the service's support; else none.
    struct tminus_str_t request_id;
} tminus_batch_t;

// Names a submitted operation within its queue, to cancel it. Never 0, never used again, nothing to free.
typedef uint64_t tminus_op_t;

// An ended operation. The host owns `error`, `receipt`, `batch` and `handles`; `tminus_completions_free` frees what is
// still there, so set a pointer to NULL to keep what it points to. This struct never grows.
typedef struct tminus_completion_t {
    // As given to the submit.
    uint64_t user_data;
    tminus_op_t op;
    // `TMINUS_COMPLETION_*`.
    int32_t kind;
    tminus_status_t status;
    struct tminus_error_t *error;
    struct tminus_receipt_t *receipt;
    struct tminus_batch_t *batch;
    struct tminus_receipt_handles_t *handles;
} tminus_completion_t;

// How a producer sends. `tminus_producer_options_init` fills in the defaults.
typedef struct tminus_producer_options_t {
    uint32_t struct_size;
    // Further attempts, each on another broker if there is one. Default 2.
    int32_t retries;
    // Default "DEFAULT_PRODUCER".
    struct tminus_str_t group;
    // Deadline of a send when the call gives none; all attempts share it. Default 3000.
    int64_t send_timeout_ms;
    // Largest body. Default 4 MiB.
    int64_t max_body_bytes;
    // Bodies of at least this size are compressed; -1: never. Default 4096.
    int64_t compress_above_bytes;
    // Farthest delivery time from now. Default 365 days.
    int64_t delay_max_ahead_ms;
    // zlib level 1..=9. Default 5.
    int32_t compress_level;
    // 1: a delivery time already past is refused. Default 0: delivered at once.
    int32_t delay_refuse_past;
    // 1: a delivery time beyond the limit is sent all the same. Default 0: refused.
    int32_t delay_allow_beyond;
    // Queue count of a topic that the first send creates. Default 4.
    int32_t default_topic_queues;
    // Topics that are looked up at the start, so that it fails early. Over gRPC a producer of transactions is asked
    // about those of its topics only. Default none.
    const struct tminus_str_t *topics;
    size_t topic_count;
    // 1: the host takes the servers' questions about transactions with `tminus_producer_receive_checks` or
    // `_submit_receive_checks`. Default 0: servers are told that nothing is known.
    int32_t take_checks;
    // 1: over ApsaraMQ HTTP a send is repeated although the message may be stored, so that it may be stored twice.
    // Default 0: such a send fails with `TMINUS_OUTCOME_MAYBE_SENT`.
    int32_t allow_duplicates;
    // How long after the half message the server first asks how a transaction ended, over ApsaraMQ HTTP: 10 s to 300 s.
    // Default 10000.
    int64_t transaction_check_after_ms;
    // `TMINUS_BODY_*`. Default text.
    int32_t body_encoding;
    int32_t reserved;
} tminus_producer_options_t;

// A message to send. Borrowed for the call and copied once. Everything but `struct_size`, `topic` and `body` may stay
// zero; start with `TMINUS_MESSAGE_INIT`.
typedef struct tminus_message_t {
    // `sizeof(tminus_message_t)`.
    uint32_t struct_size;
    // User flag of the record.
    int32_t flag;
    struct tminus_str_t topic;
    // 1 byte to 4 MiB.
    struct tminus_bytes_t body;
    // Consumers filter by it.
    struct tminus_str_t tag;
    // Index keys, separated by spaces.
    struct tminus_str_t keys;
    const struct tminus_property_t *properties;
    size_t property_count;
    // `TMINUS_DELIVERY_*`: how to read `delivery_value`.
    int32_t delivery;
    int32_t reserved;
    int64_t delivery_value;
    // Messages of one group keep their order on a FIFO topic (over remoting: go to one queue).
    struct tminus_str_t message_group;
    // 1: `priority` counts. Default 0: none.
    int32_t has_priority;
    // 0 and up, for topics that keep priorities.
    int32_t priority;
} tminus_message_t;

// How one message or batch is sent; NULL for the defaults. Start with `TMINUS_SEND_OPTIONS_INIT`.
typedef struct tminus_send_options_t {
    uint32_t struct_size;
    uint32_t reserved;
    // Deadline of this send; negative: the producer's.
    int64_t timeout_ms;
    // Messages of equal key go to the same queue; none: round robin.
    struct tminus_str_t sharding_key;
    // Send to this queue and no other; NULL: the producer picks.
    const struct tminus_message_queue_t *queue;
} tminus_send_options_t;

// How a push consumer consumes. `tminus_push_consumer_options_init` fills in the defaults.
typedef struct tminus_push_consumer_options_t {
    uint32_t struct_size;
    // `TMINUS_MODEL_*`. Default clustering.
    int32_t model;
    // Consumer group. Required.
    struct tminus_str_t group;
    // `TMINUS_CONSUME_FROM_*`. Default last.
    int32_t consume_from;
    // 1: keep the order within a queue. Default 0.
    int32_t orderly;
    // For `TMINUS_CONSUME_FROM_TIMESTAMP`, Unix ms.
    int64_t consume_from_ms;
    // Messages handled at the same time. Default 20.
    int32_t concurrency;
    // Retries before a message becomes a dead letter. Default 16.
    int32_t max_reconsume_times;
    // A message not settled for this long is given back. Default 15 min.
    int64_t consume_timeout_ms;
    // Messages of one pull. Default 32.
    int32_t pull_batch;
    // Unsettled messages kept per queue. Default 1024.
    int32_t cached_messages_per_queue;
    // Bytes of unsettled bodies kept per queue. Default 64 MiB.
    int64_t cached_bytes_per_queue;
    // How long the broker may hold a pull without messages. Default 15000.
    int64_t long_poll_ms;
    // How often offsets are stored at the broker. Default 5000.
    int64_t offset_commit_interval_ms;
    // How often queues are shared out anew without notice. Default 20000.
    int64_t rebalance_interval_ms;
} tminus_push_consumer_options_t;

// Which messages of a topic are wanted.
typedef struct tminus_subscription_t {
    struct tminus_str_t topic;
    struct tminus_str_t expression;
    // `TMINUS_FILTER_*`: how to read `expression`.
    int32_t filter;
    int32_t reserved;
} tminus_subscription_t;

// How a simple consumer receives. `tminus_simple_consumer_options_init` fills in the defaults.
typedef struct tminus_simple_consumer_options_t {
    uint32_t struct_size;
    // 1: over ApsaraMQ HTTP, receive in order: the next messages of a message group come when all that were delivered of
    // it are acknowledged. Default 0. Over gRPC it is a property of the consumer group at the server.
    int32_t orderly;
    // Consumer group. Required.
    struct tminus_str_t group;
    // How long a receive waits for a message when the call does not say. Default 15000.
    int64_t await_ms;
} tminus_simple_consumer_options_t;

// What to consume. Start with `TMINUS_HTTP_CONSUME_INIT`; `topic` and `group` are required.
typedef struct tminus_http_consume_t {
    uint32_t struct_size;
    // `TMINUS_HTTP_CONSUME_*`. Default concurrent.
    int32_t mode;
    struct tminus_str_t topic;
    // Consumer group; for half messages that of the producer.
    struct tminus_str_t group;
    // Tags separated by `||`; none or `*`: all.
    struct tminus_str_t tag;
    // Messages, 1..=16. Default 16.
    int32_t max;
    int32_t reserved;
    // How long the server waits for the first one: whole seconds, at most 30000. Default 0.
    int64_t wait_ms;
} tminus_http_consume_t;

// How a loopback broker runs. `tminus_broker_options_init` fills in the defaults.
typedef struct tminus_broker_options_t {
    uint32_t struct_size;
    // `TMINUS_PERSONA_*`. Default loopback.
    int32_t persona;
    // Loopback address and port. Default "127.0.0.1:0".
    struct tminus_str_t listen;
    // Broker name. Default "broker-a".
    struct tminus_str_t name;
    // Join the name server of the loopback broker at this address; none by default.
    struct tminus_str_t join;
    // 1: a virtual clock, moved by `tminus_broker_advance_ms`. Default 0.
    int32_t virtual_clock;
    // 1: the first send creates its topic. Default 1.
    int32_t auto_create_topics;
    // Where a virtual clock starts, Unix ms; -1: the machine's time. Default -1.
    int64_t clock_start_ms;
    // Queues of a created topic. Default 4.
    int32_t queues;
    // `TMINUS_BROKER_TLS_*`. Default none.
    int32_t tls;
    // 1: plain connections are refused. Default 0.
    int32_t tls_only;
    int32_t reserved;
    // PEM text of the certificate chain, for `TMINUS_BROKER_TLS_GIVEN`.
    struct tminus_str_t cert_pem;
    // PEM text of its private key.
    struct tminus_str_t key_pem;
    // PEM text of the authorities client certificates must come from; none: no client certificate is asked for.
    struct tminus_str_t client_ca_pem;
    // Users; with at least one, every request must be signed.
    const struct tminus_credentials_t *credentials;
    size_t credential_count;
    // How long a message consumed over ApsaraMQ HTTP is hidden, and its handle lives, by the broker's clock. Default 300000.
    int64_t http_invisible_ms;
} tminus_broker_options_t;

// What happens to requests. All-zero is a refusal with code 0 and no remark.
typedef struct tminus_fault_t {
    // `TMINUS_FAULT_*`.
    int32_t kind;
    // For `TMINUS_FAULT_REFUSE`.
    int32_t response_code;
    // For `TMINUS_FAULT_REFUSE`.
    struct tminus_str_t remark;
} tminus_fault_t;

// How a consumer group is served over gRPC. `tminus_group_options_init` fills in the defaults.
typedef struct tminus_group_options_t {
    uint32_t struct_size;
    // 1: keep the order of each message group. Default 0.
    int32_t fifo;
    // Deliveries of a message before it becomes a dead letter, the first included. Default 17.
    int32_t max_attempts;
    int32_t reserved;
    // Time until a message comes again after its first, second, … failed delivery; the last one repeats. None: the 18
    // delay levels.
    const int64_t *backoff_ms;
    size_t backoff_count;
} tminus_group_options_t;

// One event.
typedef struct tminus_log_record_t {
    // `TMINUS_LOG_ERROR` to `TMINUS_LOG_TRACE`.
    int32_t level;
    int32_t reserved;
    // The part of the library it comes from.
    struct tminus_str_t target;
    // The text, with the event's fields as ` name=value`.
    struct tminus_str_t message;
} tminus_log_record_t;

// Drained events. Made by the library, freed by `tminus_log_free`.
typedef struct tminus_log_t {
    // `size` records, oldest first.
    const struct tminus_log_record_t *records;
    size_t size;
    // Events lost since the last drain, because nobody drained them in time.
    uint64_t dropped;
} tminus_log_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// ABI version of the library.
uint32_t tminus_abi_version(void);

// Version of the library, for example "0.1.0"; static.
const char *tminus_version(void);

// Refuses a header whose ABI this library does not speak. Call it once with `TMINUS_ABI_VERSION` before anything else.
tminus_status_t tminus_abi_check(uint32_t header_version,
                                 struct tminus_error_t **error);

// The name of a status ("ok", "invalid_argument", …), static; "unknown" for a number this library does not know.
const char *tminus_status_name(tminus_status_t status);

// Frees an error. NULL is allowed.
void tminus_error_free(struct tminus_error_t *error);

// Makes a cancel token; free it with `tminus_cancel_free`.
tminus_status_t tminus_cancel_new(struct tminus_cancel_t **out, struct tminus_error_t **error);

// Ends every call that waits with this token, and every later one, with `TMINUS_CANCELLED`.
tminus_status_t tminus_cancel_fire(const struct tminus_cancel_t *cancel, struct tminus_error_t **error);

// Frees a token that no call uses any more. NULL is allowed.
void tminus_cancel_free(struct tminus_cancel_t *cancel);

// Fills client options of `size` bytes with the defaults.
tminus_status_t tminus_client_options_init(struct tminus_client_options_t *options,
                                           size_t size,
                                           struct tminus_error_t **error);

// Frees a list. NULL is allowed.
void tminus_message_queues_free(struct tminus_message_queues_t *queues);

// Frees a receipt. NULL is allowed.
void tminus_receipt_free(struct tminus_receipt_t *receipt);

// Frees a text. NULL is allowed.
void tminus_text_free(struct tminus_text_t *text);

// Frees a list of handles. NULL is allowed.
void tminus_receipt_handles_free(struct tminus_receipt_handles_t *handles);

// Says what became of message `index`: `TMINUS_CONSUME_*`, with `level` for `RETRY_AFTER_LEVEL`, else 0. Returns at
// once. Any thread may settle any message of a batch, each once; a second time is `TMINUS_INVALID_ARGUMENT`.
tminus_status_t tminus_batch_settle(const struct tminus_batch_t *batch,
                                    size_t index,
                                    int32_t result,
                                    int32_t level,
                                    struct tminus_error_t **error);

// Settles every message of the batch that is not settled yet.
tminus_status_t tminus_batch_settle_all(const struct tminus_batch_t *batch,
                                        int32_t result,
                                        int32_t level,
                                        struct tminus_error_t **error);

// Answers how the transaction of half message `index` ends: `TMINUS_TRANSACTION_*`. Returns at once. Any thread may
// answer, each question once; one that is freed unanswered counts as unknown.
tminus_status_t tminus_batch_answer(const struct tminus_batch_t *batch,
                                    size_t index,
                                    int32_t resolution,
                                    struct tminus_error_t **error);

// Frees a batch and its views; messages not settled are retried later, questions not answered count as unknown. NULL is
// allowed.
void tminus_batch_free(struct tminus_batch_t *batch);

// Frees what `count` completions still own and sets it to NULL; the array itself is the host's. NULL is allowed.
void tminus_completions_free(struct tminus_completion_t *completions,
                             size_t count);

// Makes a completion queue; free it with `tminus_queue_free`.
tminus_status_t tminus_queue_new(struct tminus_queue_t **out, struct tminus_error_t **error);

// Waits until there is a completion, and writes up to `max` of them to `completions` and their number to `count`. `timeout_ms`:
// 0 does not wait, negative waits without limit; a wait that timed out is `TMINUS_OK` with `count` 0.
// `TMINUS_CLOSED`: the queue was shut down and everything was drained.
tminus_status_t tminus_queue_wait(const struct tminus_queue_t *queue,
                                  struct tminus_completion_t *completions,
                                  size_t max,
                                  int64_t timeout_ms,
                                  size_t *count,
                                  struct tminus_error_t **error);

// A file descriptor that is readable exactly while `tminus_queue_wait` would not wait: for poll, epoll, kqueue and
// event loops. The queue owns it; do not read from it or close it.
tminus_status_t tminus_queue_fd(const struct tminus_queue_t *queue,
                                int32_t *fd,
                                struct tminus_error_t **error);

// Cancels an operation: its completion comes soon, as `TMINUS_CANCELLED` if nothing else came first. A send
// says `TMINUS_OUTCOME_MAYBE_SENT`; a receive takes no message. An operation that has ended is left alone.
tminus_status_t tminus_op_cancel(const struct tminus_queue_t *queue,
                                 tminus_op_t op,
                                 struct tminus_error_t **error);

// Refuses new operations and cancels those under way; their completions can still be drained, until
// `tminus_queue_wait` answers `TMINUS_CLOSED`. Returns at once; a second time does nothing.
tminus_status_t tminus_queue_shutdown(const struct tminus_queue_t *queue, struct tminus_error_t **error);

// Shuts the queue down if need be, waits until its operations have ended, and frees it with the completions nobody
// drained. No other call may use the queue. NULL is allowed.
void tminus_queue_free(struct tminus_queue_t *queue);

// Fills producer options of `size` bytes with the defaults.
tminus_status_t tminus_producer_options_init(struct tminus_producer_options_t *options,
                                             size_t size,
                                             struct tminus_error_t **error);

// Starts a producer: checks the options and connects to a name server, proxy or service. `options` NULL: all defaults.
// Free it with `tminus_producer_free`.
tminus_status_t tminus_producer_start(const struct tminus_client_options_t *client,
                                      const struct tminus_producer_options_t *options,
                                      const struct tminus_cancel_t *cancel,
                                      struct tminus_producer_t **out,
                                      struct tminus_error_t **error);

// The queues that messages for `topic` can go to. Free the list with `tminus_message_queues_free`.
tminus_status_t tminus_producer_queues(const struct tminus_producer_t *producer,
                                       struct tminus_str_t topic,
                                       const struct tminus_cancel_t *cancel,
                                       struct tminus_message_queues_t **out,
                                       struct tminus_error_t **error);

// Takes back a scheduled message of `topic` that is not delivered yet, by the `recall_handle` of its receipt.
// `message_id` (may be NULL) gets its id; free it with `tminus_text_free`.
tminus_status_t tminus_producer_recall(const struct tminus_producer_t *producer,
                                       struct tminus_str_t topic,
                                       struct tminus_str_t recall_handle,
                                       const struct tminus_cancel_t *cancel,
                                       struct tminus_text_t **message_id,
                                       struct tminus_error_t **error);

// Replaces the credentials: every request from now on is signed with these. For temporary ones, which expire. Refused for
// a producer that was started without.
tminus_status_t tminus_producer_set_credentials(const struct tminus_producer_t *producer,
                                                const struct tminus_credentials_t *credentials,
                                                struct tminus_error_t **error);

// The client id in use; it lives as long as the producer. None if the producer is unusable.
struct tminus_str_t tminus_producer_client_id(const struct tminus_producer_t *producer);

// Signs off at the brokers and closes the connections, in at most 3 s. Later sends are `TMINUS_CLOSED`; a second
// shutdown does nothing.
tminus_status_t tminus_producer_shutdown(const struct tminus_producer_t *producer,
                                         const struct tminus_cancel_t *cancel,
                                         struct tminus_error_t **error);

// Shuts the producer down if need be, and frees it. Submitted sends may still be under way: they complete as
// `TMINUS_CLOSED` at the latest. NULL is allowed.
void tminus_producer_free(struct tminus_producer_t *producer);

// Sends a message and waits for the receipt. `options` NULL: the producer's deadline, any queue. `receipt` may be NULL.
// Whatever fails, `error->outcome` says what became of the message.
tminus_status_t tminus_producer_send(const struct tminus_producer_t *producer,
                                     const struct tminus_message_t *message,
                                     const struct tminus_send_options_t *options,
                                     const struct tminus_cancel_t *cancel,
                                     struct tminus_receipt_t **receipt,
                                     struct tminus_error_t **error);

// Sends `count` messages of one topic as one batch (not scheduled); as `tminus_producer_send` otherwise.
tminus_status_t tminus_producer_send_batch(const struct tminus_producer_t *producer,
                                           const struct tminus_message_t *messages,
                                           size_t count,
                                           const struct tminus_send_options_t *options,
                                           const struct tminus_cancel_t *cancel,
                                           struct tminus_receipt_t **receipt,
                                           struct tminus_error_t **error);

// Hands a message to the connection and does not wait for the server.
tminus_status_t tminus_producer_send_one_way(const struct tminus_producer_t *producer,
                                             const struct tminus_message_t *message,
                                             const struct tminus_cancel_t *cancel,
                                             struct tminus_error_t **error);

// Submits a send: when this is `TMINUS_OK`, exactly one completion with `user_data` comes to `queue`, else none. `op`
// may be NULL; `tminus_op_cancel` takes it. The message is copied before this returns.
tminus_status_t tminus_producer_submit_send(const struct tminus_producer_t *producer,
                                            const struct tminus_message_t *message,
                                            const struct tminus_send_options_t *options,
                                            const struct tminus_queue_t *queue,
                                            uint64_t user_data,
                                            tminus_op_t *op,
                                            struct tminus_error_t **error);

// Submits a batch; see `tminus_producer_submit_send` and `tminus_producer_send_batch`.
tminus_status_t tminus_producer_submit_send_batch(const struct tminus_producer_t *producer,
                                                  const struct tminus_message_t *messages,
                                                  size_t count,
                                                  const struct tminus_send_options_t *options,
                                                  const struct tminus_queue_t *queue,
                                                  uint64_t user_data,
                                                  tminus_op_t *op,
                                                  struct tminus_error_t **error);

// Sends the half message of a transaction: consumers get it once `tminus_producer_end_transaction` commits it. Without an
// end the server asks a producer of the group (remoting) or topic (gRPC); see `take_checks` of the options.
tminus_status_t tminus_producer_send_transaction(const struct tminus_producer_t *producer,
                                                 const struct tminus_message_t *message,
                                                 const struct tminus_cancel_t *cancel,
                                                 struct tminus_receipt_t **receipt,
                                                 struct tminus_error_t **error);

// Submits the half message of a transaction; see `tminus_producer_send_transaction` and `tminus_producer_submit_send`.
tminus_status_t tminus_producer_submit_send_transaction(const struct tminus_producer_t *producer,
                                                        const struct tminus_message_t *message,
                                                        const struct tminus_queue_t *queue,
                                                        uint64_t user_data,
                                                        tminus_op_t *op,
                                                        struct tminus_error_t **error);

// Ends the transaction of the half message with receipt `half`: `TMINUS_TRANSACTION_*`. `UNKNOWN` says nothing to the
// server, which asks later. `half` must be the receipt itself: it knows more than it shows.
tminus_status_t tminus_producer_end_transaction(const struct tminus_producer_t *producer,
                                                const struct tminus_receipt_t *half,
                                                int32_t resolution,
                                                const struct tminus_cancel_t *cancel,
                                                struct tminus_error_t **error);

// Submits the end of a transaction, whose completion has the status. The receipt is copied before this returns.
tminus_status_t tminus_producer_submit_end_transaction(const struct tminus_producer_t *producer,
                                                       const struct tminus_receipt_t *half,
                                                       int32_t resolution,
                                                       const struct tminus_queue_t *queue,
                                                       uint64_t user_data,
                                                       tminus_op_t *op,
                                                       struct tminus_error_t **error);

// Waits for at least one question about a transaction and takes up to `max`, to be answered with `tminus_batch_answer`.
// `timeout_ms`: 0 does not wait, negative waits without limit; a wait that timed out is `TMINUS_OK` with `*batch` NULL.
// `TMINUS_CLOSED`: the producer was shut down. Free the batch with `tminus_batch_free`.
tminus_status_t tminus_producer_receive_checks(const struct tminus_producer_t *producer,
                                               size_t max,
                                               int64_t timeout_ms,
                                               const struct tminus_cancel_t *cancel,
                                               struct tminus_batch_t **batch,
                                               struct tminus_error_t **error);

// Submits a wait for questions; see `tminus_producer_receive_checks` and `tminus_push_consumer_submit_receive`.
tminus_status_t tminus_producer_submit_receive_checks(const struct tminus_producer_t *producer,
                                                      size_t max,
                                                      const struct tminus_queue_t *queue,
                                                      uint64_t user_data,
                                                      tminus_op_t *op,
                                                      struct tminus_error_t **error);

// Fills push consumer options of `size` bytes with the defaults.
tminus_status_t tminus_push_consumer_options_init(struct tminus_push_consumer_options_t *options,
                                                  size_t size,
                                                  struct tminus_error_t **error);

// Starts a push consumer; its messages are taken with `tminus_push_consumer_receive` or `_submit_receive`. Free it with
// `tminus_push_consumer_free`.
tminus_status_t tminus_push_consumer_start(const struct tminus_client_options_t *client,
                                           const struct tminus_push_consumer_options_t *options,
                                           const struct tminus_subscription_t *subscriptions,
                                           size_t subscription_count,
                                           const struct tminus_cancel_t *cancel,
                                           struct tminus_push_consumer_t **out,
                                           struct tminus_error_t **error);

// Adds or replaces a subscription.
tminus_status_t tminus_push_consumer_subscribe(const struct tminus_push_consumer_t *consumer,
                                               const struct tminus_subscription_t *subscription,
                                               const struct tminus_cancel_t *cancel,
                                               struct tminus_error_t **error);

// Ends a subscription.
tminus_status_t tminus_push_consumer_unsubscribe(const struct tminus_push_consumer_t *consumer,
                                                 struct tminus_str_t topic,
                                                 const struct tminus_cancel_t *cancel,
                                                 struct tminus_error_t **error);

// Stops pulling until `tminus_push_consumer_resume`; what is under way goes on.
tminus_status_t tminus_push_consumer_suspend(const struct tminus_push_consumer_t *consumer,
                                             struct tminus_error_t **error);

// Pulls again.
tminus_status_t tminus_push_consumer_resume(const struct tminus_push_consumer_t *consumer,
                                            struct tminus_error_t **error);

// Waits for at least one message and takes up to `max`. `timeout_ms`: 0 does not wait, negative waits without limit; a
// receive that timed out is `TMINUS_OK` with `*batch` NULL. `TMINUS_CLOSED`: the consumer was shut down. Free the batch
// with `tminus_batch_free`.
tminus_status_t tminus_push_consumer_receive(const struct tminus_push_consumer_t *consumer,
                                             size_t max,
                                             int64_t timeout_ms,
                                             const struct tminus_cancel_t *cancel,
                                             struct tminus_batch_t **batch,
                                             struct tminus_error_t **error);

// Submits a receive of 1 to `max` messages: when this is `TMINUS_OK`, exactly one completion with `user_data` comes to
// `queue`, else none. `op` may be NULL; `tminus_op_cancel` takes it.
tminus_status_t tminus_push_consumer_submit_receive(const struct tminus_push_consumer_t *consumer,
                                                    size_t max,
                                                    const struct tminus_queue_t *queue,
                                                    uint64_t user_data,
                                                    tminus_op_t *op,
                                                    struct tminus_error_t **error);

// The queues this consumer holds now. Free the list with `tminus_message_queues_free`.
tminus_status_t tminus_push_consumer_assigned_queues(const struct tminus_push_consumer_t *consumer,
                                                     struct tminus_message_queues_t **out,
                                                     struct tminus_error_t **error);

// Replaces the credentials: every request from now on is signed with these. For temporary ones, which expire. Refused for
// a push consumer that was started without.
tminus_status_t tminus_push_consumer_set_credentials(const struct tminus_push_consumer_t *consumer,
                                                     const struct tminus_credentials_t *credentials,
                                                     struct tminus_error_t **error);

// The client id in use; it lives as long as the consumer. None if the consumer is unusable.
struct tminus_str_t tminus_push_consumer_client_id(const struct tminus_push_consumer_t *consumer);

// Stops pulling, stores the offsets and signs off, in at most 5 s. Receives end with `TMINUS_CLOSED`; a second shutdown
// does nothing.
tminus_status_t tminus_push_consumer_shutdown(const struct tminus_push_consumer_t *consumer,
                                              const struct tminus_cancel_t *cancel,
                                              struct tminus_error_t **error);

// Shuts the consumer down if need be, and frees it. Batches taken from it stay readable. NULL is allowed.
void tminus_push_consumer_free(struct tminus_push_consumer_t *consumer);

// Fills simple consumer options of `size` bytes with the defaults.
tminus_status_t tminus_simple_consumer_options_init(struct tminus_simple_consumer_options_t *options,
                                                    size_t size,
                                                    struct tminus_error_t **error);

// Starts a simple consumer; over a protocol that has none this is `TMINUS_UNSUPPORTED`. Free it with
// `tminus_simple_consumer_free`.
tminus_status_t tminus_simple_consumer_start(const struct tminus_client_options_t *client,
                                             const struct tminus_simple_consumer_options_t *options,
                                             const struct tminus_subscription_t *subscriptions,
                                             size_t subscription_count,
                                             const struct tminus_cancel_t *cancel,
                                             struct tminus_simple_consumer_t **out,
                                             struct tminus_error_t **error);

// Adds or replaces a subscription.
tminus_status_t tminus_simple_consumer_subscribe(const struct tminus_simple_consumer_t *consumer,
                                                 const struct tminus_subscription_t *subscription,
                                                 const struct tminus_cancel_t *cancel,
                                                 struct tminus_error_t **error);

// Ends a subscription.
tminus_status_t tminus_simple_consumer_unsubscribe(const struct tminus_simple_consumer_t *consumer,
                                                   struct tminus_str_t topic,
                                                   const struct tminus_cancel_t *cancel,
                                                   struct tminus_error_t **error);

// Replaces the credentials: every request from now on is signed with these. For temporary ones, which expire. Refused for
// a simple consumer that was started without.
tminus_status_t tminus_simple_consumer_set_credentials(const struct tminus_simple_consumer_t *consumer,
                                                       const struct tminus_credentials_t *credentials,
                                                       struct tminus_error_t **error);

// The client id in use; it lives as long as the consumer. None if the consumer is unusable.
struct tminus_str_t tminus_simple_consumer_client_id(const struct tminus_simple_consumer_t *consumer);

// Signs off and closes the connections. Receives under way end with `TMINUS_CLOSED`; a second shutdown does nothing. What
// was not acknowledged comes again.
tminus_status_t tminus_simple_consumer_shutdown(const struct tminus_simple_consumer_t *consumer,
                                                const struct tminus_cancel_t *cancel,
                                                struct tminus_error_t **error);

// Shuts the consumer down if need be, and frees it. Submitted operations may still be under way: they complete as
// `TMINUS_CLOSED` at the latest. Batches taken from it stay readable. NULL is allowed.
void tminus_simple_consumer_free(struct tminus_simple_consumer_t *consumer);

// Takes up to `max` (1..=32) messages and hides them from the group for `invisible_ms` (10 s to 12 h); acknowledge them by
// `(*batch)->handles`. Waits at most `wait_ms` for the first one, negative: as the options say; if none came it is
// `TMINUS_OK` with `*batch` NULL. Free the batch with `tminus_batch_free`. What was on its way to a cancelled receive goes
// to the next one.
tminus_status_t tminus_simple_consumer_receive(const struct tminus_simple_consumer_t *consumer,
                                               size_t max,
                                               int64_t invisible_ms,
                                               int64_t wait_ms,
                                               const struct tminus_cancel_t *cancel,
                                               struct tminus_batch_t **batch,
                                               struct tminus_error_t **error);

// Submits a receive: when this is `TMINUS_OK`, exactly one completion with `user_data` comes to `queue`, else none. `op`
// may be NULL; `tminus_op_cancel` takes it.
tminus_status_t tminus_simple_consumer_submit_receive(const struct tminus_simple_consumer_t *consumer,
                                                      size_t max,
                                                      int64_t invisible_ms,
                                                      int64_t wait_ms,
                                                      const struct tminus_queue_t *queue,
                                                      uint64_t user_data,
                                                      tminus_op_t *op,
                                                      struct tminus_error_t **error);

// Tells the server that a message was consumed. `TMINUS_INVALID_RECEIPT`: the handle is expired, was replaced, or is none;
// the message comes again unless it was acknowledged before.
tminus_status_t tminus_simple_consumer_ack(const struct tminus_simple_consumer_t *consumer,
                                           const struct tminus_receipt_handle_t *handle,
                                           const struct tminus_cancel_t *cancel,
                                           struct tminus_error_t **error);

// Submits an acknowledgement, whose completion has the status; see `tminus_simple_consumer_submit_receive`. The handle is
// copied before this returns.
tminus_status_t tminus_simple_consumer_submit_ack(const struct tminus_simple_consumer_t *consumer,
                                                  const struct tminus_receipt_handle_t *handle,
                                                  const struct tminus_queue_t *queue,
                                                  uint64_t user_data,
                                                  tminus_op_t *op,
                                                  struct tminus_error_t **error);

// Acknowledges `count` messages with one request a broker. `TMINUS_OK` says that all were tried: `*results` tells for each
// handle, in their order, whether it succeeded. Free it with `tminus_receipt_handles_free`.
tminus_status_t tminus_simple_consumer_ack_all(const struct tminus_simple_consumer_t *consumer,
                                               const struct tminus_receipt_handle_t *handles,
                                               size_t count,
                                               const struct tminus_cancel_t *cancel,
                                               struct tminus_receipt_handles_t **results,
                                               struct tminus_error_t **error);

// Submits acknowledgements, whose completion has the results as its `handles`; see `tminus_simple_consumer_submit_ack`.
tminus_status_t tminus_simple_consumer_submit_ack_all(const struct tminus_simple_consumer_t *consumer,
                                                      const struct tminus_receipt_handle_t *handles,
                                                      size_t count,
                                                      const struct tminus_queue_t *queue,
                                                      uint64_t user_data,
                                                      tminus_op_t *op,
                                                      struct tminus_error_t **error);

// Hides a received message until `invisible_ms` from now (0: it comes again at once; at most 12 h). `handle` ends;
// `(*renewed)->handles[0]` takes its place. Free it with `tminus_receipt_handles_free`.
tminus_status_t tminus_simple_consumer_change_invisible(const struct tminus_simple_consumer_t *consumer,
                                                        const struct tminus_receipt_handle_t *handle,
                                                        int64_t invisible_ms,
                                                        const struct tminus_cancel_t *cancel,
                                                        struct tminus_receipt_handles_t **renewed,
                                                        struct tminus_error_t **error);

// Submits a change, whose completion has the new handle in its `handles`; see `tminus_simple_consumer_submit_ack`.
tminus_status_t tminus_simple_consumer_submit_change_invisible(const struct tminus_simple_consumer_t *consumer,
                                                               const struct tminus_receipt_handle_t *handle,
                                                               int64_t invisible_ms,
                                                               const struct tminus_queue_t *queue,
                                                               uint64_t user_data,
                                                               tminus_op_t *op,
                                                               struct tminus_error_t **error);

// Makes a client of an `http://` or `https://` endpoint; `name_space` of the options is the instance id. Nothing is sent
// before the first call. `TMINUS_UNSUPPORTED` for an endpoint of another protocol. Free it with `tminus_http_client_free`.
tminus_status_t tminus_http_client_new(const struct tminus_client_options_t *client,
                                       struct tminus_http_client_t **out,
                                       struct tminus_error_t **error);

// Replaces the credentials: every request from now on is signed with these. For temporary ones, which expire. Refused for
// a client that was made without.
tminus_status_t tminus_http_client_set_credentials(const struct tminus_http_client_t *client,
                                                   const struct tminus_credentials_t *credentials,
                                                   struct tminus_error_t **error);

// Closes the connections. Calls under way end with `TMINUS_CLOSED`; a second shutdown does nothing.
tminus_status_t tminus_http_client_shutdown(const struct tminus_http_client_t *client,
                                            const struct tminus_cancel_t *cancel,
                                            struct tminus_error_t **error);

// Shuts the client down if need be, and frees it. Submitted operations may still be under way: they complete as
// `TMINUS_CLOSED` at the latest. Batches taken from it stay readable. NULL is allowed.
void tminus_http_client_free(struct tminus_http_client_t *client);

// Publishes a message once. `timeout_ms` negative: `request_timeout_ms` of the options. With the property `__TransCheckT`
// (10 to 300 s) it is the half message of a transaction, whose handle is `(*receipt)->transaction_id`. `receipt` may be NULL.
// Whatever fails, `error->outcome` says what became of the message.
tminus_status_t tminus_http_client_publish(const struct tminus_http_client_t *client,
                                           const struct tminus_message_t *message,
                                           int64_t timeout_ms,
                                           const struct tminus_cancel_t *cancel,
                                           struct tminus_receipt_t **receipt,
                                           struct tminus_error_t **error);

// Submits a publish: when this is `TMINUS_OK`, exactly one completion with `user_data` comes to `queue`, else none. `op`
// may be NULL; `tminus_op_cancel` takes it. The message is copied before this returns.
tminus_status_t tminus_http_client_submit_publish(const struct tminus_http_client_t *client,
                                                  const struct tminus_message_t *message,
                                                  int64_t timeout_ms,
                                                  const struct tminus_queue_t *queue,
                                                  uint64_t user_data,
                                                  tminus_op_t *op,
                                                  struct tminus_error_t **error);

// Takes messages, hidden from the group until their `invisible_until_ms`; acknowledge them by the `handle` texts of
// `(*batch)->handles`. `TMINUS_MESSAGE_NOT_FOUND` if none came. It is never repeated: an answer that gets lost, or comes after
// a cancel, leaves its messages hidden until then. Free the batch with `tminus_batch_free`.
tminus_status_t tminus_http_client_consume(const struct tminus_http_client_t *client,
                                           const struct tminus_http_consume_t *wanted,
                                           const struct tminus_cancel_t *cancel,
                                           struct tminus_batch_t **batch,
                                           struct tminus_error_t **error);

// Submits a consume; see `tminus_http_client_submit_publish`.
tminus_status_t tminus_http_client_submit_consume(const struct tminus_http_client_t *client,
                                                  const struct tminus_http_consume_t *wanted,
                                                  const struct tminus_queue_t *queue,
                                                  uint64_t user_data,
                                                  tminus_op_t *op,
                                                  struct tminus_error_t **error);

// Acknowledges 1 to 16 messages with one request. `TMINUS_OK` says that the server answered: `*results` tells for each
// handle, in their order, whether it succeeded, and with the server's own code if not (`TMINUS_INVALID_RECEIPT`:
// it is none, expired, or was replaced; `TMINUS_MESSAGE_NOT_FOUND`: the message is gone). Free it with
// `tminus_receipt_handles_free`.
tminus_status_t tminus_http_client_ack(const struct tminus_http_client_t *client,
                                       struct tminus_str_t topic,
                                       struct tminus_str_t group,
                                       const struct tminus_str_t *handles,
                                       size_t count,
                                       const struct tminus_cancel_t *cancel,
                                       struct tminus_receipt_handles_t **results,
                                       struct tminus_error_t **error);

// Submits acknowledgements, whose completion has the results as its `handles`; see `tminus_http_client_submit_publish`.
tminus_status_t tminus_http_client_submit_ack(const struct tminus_http_client_t *client,
                                              struct tminus_str_t topic,
                                              struct tminus_str_t group,
                                              const struct tminus_str_t *handles,
                                              size_t count,
                                              const struct tminus_queue_t *queue,
                                              uint64_t user_data,
                                              tminus_op_t *op,
                                              struct tminus_error_t **error);

// Ends the transaction of a half message by the handle of its publish, or of a consume of half messages:
// `TMINUS_TRANSACTION_*`; `UNKNOWN` says nothing to the server, which shows the half message later. `TMINUS_INVALID_RECEIPT`:
// the handle is none or expired.
tminus_status_t tminus_http_client_end_transaction(const struct tminus_http_client_t *client,
                                                   struct tminus_str_t topic,
                                                   struct tminus_str_t group,
                                                   struct tminus_str_t handle,
                                                   int32_t resolution,
                                                   const struct tminus_cancel_t *cancel,
                                                   struct tminus_error_t **error);

// Submits the end of a transaction, whose completion has the status; see `tminus_http_client_submit_publish`.
tminus_status_t tminus_http_client_submit_end_transaction(const struct tminus_http_client_t *client,
                                                          struct tminus_str_t topic,
                                                          struct tminus_str_t group,
                                                          struct tminus_str_t handle,
                                                          int32_t resolution,
                                                          const struct tminus_queue_t *queue,
                                                          uint64_t user_data,
                                                          tminus_op_t *op,
                                                          struct tminus_error_t **error);

// Fills broker options of `size` bytes with the defaults.
tminus_status_t tminus_broker_options_init(struct tminus_broker_options_t *options,
                                           size_t size,
                                           struct tminus_error_t **error);

// Starts a broker, which accepts connections when this returns. `options` NULL: all defaults. Free it with
// `tminus_broker_free`.
tminus_status_t tminus_broker_start(const struct tminus_broker_options_t *options,
                                    struct tminus_broker_t **out,
                                    struct tminus_error_t **error);

// Where it listens, "127.0.0.1:12345", for every protocol: an endpoint for clients, with `grpc://` in front for gRPC,
// with `http://` for ApsaraMQ HTTP. Lives as long as the broker.
struct tminus_str_t tminus_broker_address(const struct tminus_broker_t *broker);

// PEM text of the authority that signed the self-made certificate; none without one. Lives as long as the broker.
struct tminus_str_t tminus_broker_ca_pem(const struct tminus_broker_t *broker);

// Creates a topic, or changes its number of queues.
tminus_status_t tminus_broker_create_topic(const struct tminus_broker_t *broker,
                                           struct tminus_str_t topic,
                                           int32_t queues,
                                           struct tminus_error_t **error);

// Moves a virtual clock forward; `visible` (may be NULL) gets the number of messages that became visible, which they
// are when this returns.
tminus_status_t tminus_broker_advance_ms(const struct tminus_broker_t *broker,
                                         int64_t by_ms,
                                         size_t *visible,
                                         struct tminus_error_t **error);

// The broker's time, Unix ms; -1 if it is unusable.
int64_t tminus_broker_now_ms(const struct tminus_broker_t *broker);

// Scheduled messages (and delayed retries) that wait; `next_ms` (may be NULL) gets when the next is due, Unix ms, or -1.
tminus_status_t tminus_broker_pending(const struct tminus_broker_t *broker,
                                      size_t *pending,
                                      int64_t *next_ms,
                                      struct tminus_error_t **error);

// Lets the next `times` requests with this remoting request code, or gRPC calls and HTTP requests of the same meaning,
// meet `fault`.
tminus_status_t tminus_broker_inject(const struct tminus_broker_t *broker,
                                     int32_t request_code,
                                     int32_t times,
                                     const struct tminus_fault_t *fault,
                                     struct tminus_error_t **error);

// Number of requests with this remoting request code, and of gRPC calls and HTTP requests of the same meaning, received
// so far.
tminus_status_t tminus_broker_request_count(const struct tminus_broker_t *broker,
                                            int32_t request_code,
                                            uint64_t *requests,
                                            struct tminus_error_t **error);

// Closes the port and every connection, waits `down_ms`, and opens the same port again; messages and offsets stay.
tminus_status_t tminus_broker_restart(const struct tminus_broker_t *broker,
                                      int64_t down_ms,
                                      const struct tminus_cancel_t *cancel,
                                      struct tminus_error_t **error);

// Closes the port and every connection. A second stop does nothing.
tminus_status_t tminus_broker_stop(const struct tminus_broker_t *broker, struct tminus_error_t **error);

// Stops the broker if need be, and frees it. NULL is allowed.
void tminus_broker_free(struct tminus_broker_t *broker);

// Fills group options of `size` bytes with the defaults.
tminus_status_t tminus_group_options_init(struct tminus_group_options_t *options,
                                          size_t size,
                                          struct tminus_error_t **error);

// Creates a topic that takes messages of one type, `TMINUS_TOPIC_*`, or changes its number of queues and its type.
tminus_status_t tminus_broker_create_topic_of(const struct tminus_broker_t *broker,
                                              struct tminus_str_t topic,
                                              int32_t queues,
                                              int32_t topic_type,
                                              struct tminus_error_t **error);

// Creates a consumer group, or changes how it is served. `options` NULL: all defaults.
tminus_status_t tminus_broker_create_group(const struct tminus_broker_t *broker,
                                           struct tminus_str_t group,
                                           const struct tminus_group_options_t *options,
                                           struct tminus_error_t **error);

// Where a message is in its life, as consumers of `group` see it: `TMINUS_STAGE_*`.
tminus_status_t tminus_broker_message_stage(const struct tminus_broker_t *broker,
                                            struct tminus_str_t topic,
                                            struct tminus_str_t group,
                                            struct tminus_str_t message_id,
                                            int32_t *stage,
                                            struct tminus_error_t **error);

// Starts to keep events up to `level` (`TMINUS_LOG_*`) for `tminus_log_drain`, or changes the level. With
// `TMINUS_LOG_OFF` (the state at the start), waiting drains end with `TMINUS_CLOSED`. One log per process.
tminus_status_t tminus_log_set_level(int32_t level, struct tminus_error_t **error);

// Takes up to `max` events, waiting for the first as `tminus_queue_wait` does; none in time is `TMINUS_OK` with
// `*out` NULL. `TMINUS_CLOSED`: the log is off. Free them with `tminus_log_free`.
tminus_status_t tminus_log_drain(size_t max,
                                 int64_t timeout_ms,
                                 struct tminus_log_t **out,
                                 struct tminus_error_t **error);

// Frees drained events. NULL is allowed.
void tminus_log_free(struct tminus_log_t *log);

// For static initialisation: tminus_message_t message = TMINUS_MESSAGE_INIT;
#define TMINUS_MESSAGE_INIT {.struct_size = sizeof(tminus_message_t)}
#define TMINUS_SEND_OPTIONS_INIT {.struct_size = sizeof(tminus_send_options_t), .timeout_ms = -1}
#define TMINUS_HTTP_CONSUME_INIT {.struct_size = sizeof(tminus_http_consume_t), .max = 16}

// For printf: printf("%.*s\n", TMINUS_PRINT(receipt->message_id));
#define TMINUS_PRINT(text) (int)(text).len, (text).data != NULL ? (text).data : ""

// Lends a NUL-terminated text; NULL is none.
static inline tminus_str_t tminus_str(const char *text)
{
    tminus_str_t lent = {text, text != NULL ? strlen(text) : 0};
    return lent;
}

// Lends the bytes of a NUL-terminated text.
static inline tminus_bytes_t tminus_bytes(const char *text)
{
    tminus_bytes_t lent = {(const uint8_t *)text, text != NULL ? strlen(text) : 0};
    return lent;
}

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TMINUS_H */
