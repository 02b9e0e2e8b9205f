// Calls of ApsaraMQ HTTP that fail: refused here or by the server, with its own words; cut off, cancelled, shut down.
#define _POSIX_C_SOURCE 200809L
#include "http.h"

#include <pthread.h>

enum { PUBLISH = 310, CONSUME = 200050 };

static const double SOON = 0.05;

struct blocked {
    tminus_http_client_t *client;
    tminus_cancel_t *cancel;
    double ended;
};

static void *blocked_consume(void *argument)
{
    struct blocked *blocked = argument;
    tminus_http_consume_t long_poll = wanted(1, WAIT_MS);
    tminus_batch_t *batch = NULL;
    EXPECT(TMINUS_CANCELLED,
           tminus_http_client_consume(blocked->client, &long_poll, blocked->cancel, &batch, &error));
    CHECK(batch == NULL);
    blocked->ended = seconds();
    return NULL;
}

static void cancelled(tminus_http_client_t *client, tminus_queue_t *queue)
{
    struct blocked blocked = {client, NULL, 0};
    pthread_t thread;
    OK(tminus_cancel_new(&blocked.cancel, &error));
    CHECK(pthread_create(&thread, NULL, blocked_consume, &blocked) == 0);
    double fired = seconds();
    OK(tminus_cancel_fire(blocked.cancel, &error));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(blocked.ended - fired < SOON);
    // A token that was fired before the call: nothing was sent.
    tminus_message_t message = message_for(TOPIC, "never");
    tminus_error_t *error = NULL;
    CHECK(tminus_http_client_publish(client, &message, -1, blocked.cancel, NULL, &error) == TMINUS_CANCELLED);
    CHECK(error->outcome == TMINUS_OUTCOME_NOT_SENT);
    tminus_error_free(error);
    tminus_cancel_free(blocked.cancel);

    tminus_op_t op = 0;
    tminus_http_consume_t long_poll = wanted(1, WAIT_MS);
    OK(tminus_http_client_submit_consume(client, &long_poll, queue, 1, &op, &error));
    fired = seconds();
    OK(tminus_op_cancel(queue, op, &error));
    tminus_completion_t completion = wait_one(queue);
    CHECK(seconds() - fired < SOON);
    CHECK(completion.status == TMINUS_CANCELLED && completion.op == op && completion.batch == NULL);
    tminus_completions_free(&completion, 1);
    // Who hung up took nothing.
    publish(client, "after the cancel");
    consume_and_acknowledge(client, "after the cancel");
}

static void calls_are_unusable(tminus_http_client_t *client, tminus_queue_t *queue)
{
    tminus_batch_t *batch = NULL;
    tminus_receipt_handles_t *results = NULL;
    tminus_http_consume_t bad;
#define UNUSABLE(call) EXPECT(TMINUS_INVALID_ARGUMENT, call)
    UNUSABLE(tminus_http_client_consume(client, NULL, NULL, &batch, &error));
    bad = wanted(1, 0);
    UNUSABLE(tminus_http_client_consume(client, &bad, NULL, NULL, &error));
    bad.struct_size = 0;
    UNUSABLE(tminus_http_client_consume(client, &bad, NULL, &batch, &error));
    bad = wanted(17, 0);
    UNUSABLE(tminus_http_client_consume(client, &bad, NULL, &batch, &error));
    bad = wanted(0, 0);
    UNUSABLE(tminus_http_client_consume(client, &bad, NULL, &batch, &error));
    bad = wanted(-1, 0);
    UNUSABLE(tminus_http_client_submit_consume(client, &bad, queue, 0, NULL, &error));
    bad = wanted(1, 31000);
    UNUSABLE(tminus_http_client_consume(client, &bad, NULL, &batch, &error));
    bad = wanted(1, 1500);
    UNUSABLE(tminus_http_client_consume(client, &bad, NULL, &batch, &error));
    bad = wanted(1, -1);
    UNUSABLE(tminus_http_client_consume(client, &bad, NULL, &batch, &error));
    bad = wanted(1, 0);
    bad.mode = 99;
    UNUSABLE(tminus_http_client_consume(client, &bad, NULL, &batch, &error));
    bad = wanted(1, 0);
    bad.group = tminus_str("\xff");
    UNUSABLE(tminus_http_client_consume(client, &bad, NULL, &batch, &error));

    tminus_str_t topic = tminus_str(TOPIC), group = tminus_str(GROUP);
    tminus_str_t handles[17];
    for (size_t i = 0; i < 17; i++)
        handles[i] = tminus_str("handle");
    UNUSABLE(tminus_http_client_ack(client, topic, group, NULL, 1, NULL, &results, &error));
    UNUSABLE(tminus_http_client_ack(client, topic, group, handles, 0, NULL, &results, &error));
    UNUSABLE(tminus_http_client_ack(client, topic, group, handles, 17, NULL, &results, &error));
    UNUSABLE(tminus_http_client_ack(client, topic, group, handles, 1, NULL, NULL, &error));
    handles[1] = tminus_str("\xff");
    UNUSABLE(tminus_http_client_submit_ack(client, topic, group, handles, 2, queue, 0, NULL, &error));
    UNUSABLE(tminus_http_client_end_transaction(client, topic, group, handles[0], 99, NULL, &error));
    UNUSABLE(tminus_http_client_publish(client, NULL, -1, NULL, NULL, &error));
    tminus_message_t message = message_for(TOPIC, "body");
    UNUSABLE(tminus_http_client_submit_publish(client, &message, -1, NULL, 0, NULL, &error));
#undef UNUSABLE
    // XML has no place for it.
    message.body = tminus_bytes("bell \a");
    EXPECT(TMINUS_INVALID_MESSAGE, tminus_http_client_publish(client, &message, -1, NULL, NULL, &error));
    message.body = tminus_bytes("caf\xe9");
    EXPECT(TMINUS_INVALID_MESSAGE, tminus_http_client_publish(client, &message, -1, NULL, NULL, &error));
}

static void strangers_are_refused(const tminus_broker_t *broker)
{
    tminus_http_client_t *client = client_with(broker, "key", "wrong");
    tminus_message_t message = message_for(TOPIC, "body");
    tminus_error_t *error = NULL;
    tminus_status_t status = tminus_http_client_publish(client, &message, -1, NULL, NULL, &error);
    expect_refusal(TMINUS_PERMISSION_DENIED, "SignatureDoesNotMatch", 403, status, error);
    tminus_credentials_t unknown = {.access_key = tminus_str("nobody"), .secret_key = tminus_str("secret")};
    OK(tminus_http_client_set_credentials(client, &unknown, &error));
    status = tminus_http_client_publish(client, &message, -1, NULL, NULL, &error);
    expect_refusal(TMINUS_PERMISSION_DENIED, "InvalidAccessKeyId", 403, status, error);
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_http_client_set_credentials(client, NULL, &error));

    // The next request is signed with what replaces them.
    tminus_credentials_t right = {.access_key = tminus_str("key"), .secret_key = tminus_str("secret")};
    OK(tminus_http_client_set_credentials(client, &right, &error));
    publish(client, "body");
    consume_and_acknowledge(client, "body");
    tminus_http_client_free(client);

    client = client_with(broker, NULL, NULL);
    error = NULL;
    status = tminus_http_client_publish(client, &message, -1, NULL, NULL, &error);
    expect_refusal(TMINUS_PERMISSION_DENIED, "MissingAuthorizationHeader", 400, status, error);
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_http_client_set_credentials(client, &right, &error));
    tminus_http_client_free(client);
}

static void proxies(const tminus_broker_t *broker)
{
    tminus_client_options_t options = client_by("http", broker);
    tminus_message_t message = message_for(TOPIC, "body");
    tminus_http_client_t *client = NULL;
    // Nobody listens on this port.
    options.http_proxy = tminus_str("http://127.0.0.1:1");
    OK(tminus_http_client_new(&options, &client, &error));
    tminus_error_t *error = NULL;
    CHECK(tminus_http_client_publish(client, &message, -1, NULL, NULL, &error) == TMINUS_BROKER_UNREACHABLE);
    CHECK(error->outcome == TMINUS_OUTCOME_NOT_SENT && error->response_code == TMINUS_NO_RESPONSE_CODE);
    CHECK(strcmp(error->server_code, "") == 0);
    tminus_error_free(error);
    tminus_http_client_free(client);
    options.http_proxy = tminus_str("direct");
    options.credentials =
        (tminus_credentials_t){.access_key = tminus_str("key"), .secret_key = tminus_str("secret")};
    OK(tminus_http_client_new(&options, &client, &error));
    OK(tminus_http_client_publish(client, &message, -1, NULL, NULL, &error));
    tminus_http_client_free(client);
}

// What became of a message is told, and nothing is sent twice.
static void faults(const tminus_broker_t *broker, tminus_http_client_t *client)
{
    struct {
        int32_t fault;
        tminus_status_t status;
        int32_t http_status;
    } cases[] = {
        {TMINUS_FAULT_CLOSE_BEFORE, TMINUS_CONNECTION_CLOSED, TMINUS_NO_RESPONSE_CODE},
        {TMINUS_FAULT_CLOSE_AFTER, TMINUS_CONNECTION_CLOSED, TMINUS_NO_RESPONSE_CODE},
        {TMINUS_FAULT_SWALLOW, TMINUS_TIMEOUT, TMINUS_NO_RESPONSE_CODE},
        {TMINUS_FAULT_GATEWAY, TMINUS_SERVER, 502},
    };
    tminus_message_t message = message_for("faults", "body");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = 0, after = 0;
        tminus_fault_t fault = {.kind = cases[i].fault};
        OK(tminus_broker_inject(broker, PUBLISH, 1, &fault, &error));
        OK(tminus_broker_request_count(broker, PUBLISH, &before, &error));
        tminus_error_t *error = NULL;
        tminus_status_t status = tminus_http_client_publish(client, &message, 500, NULL, NULL, &error);
        check_status(__FILE__, __LINE__, "publish", cases[i].status, status, error);
        CHECK(error->outcome == TMINUS_OUTCOME_MAYBE_SENT && error->response_code == cases[i].http_status);
        CHECK(strcmp(error->server_code, "") == 0);
        CHECK((strstr(error->server_message, "Bad Gateway") != NULL) == (cases[i].fault == TMINUS_FAULT_GATEWAY));
        tminus_error_free(error);
        OK(tminus_broker_request_count(broker, PUBLISH, &after, &error));
        CHECK(after == before + 1);
    }
    OK(tminus_http_client_publish(client, &message, -1, NULL, NULL, &error));

    // A body that is not what was sent is shown, and marked.
    publish(client, "intact");
    tminus_fault_t corrupt = {.kind = TMINUS_FAULT_CORRUPT};
    OK(tminus_broker_inject(broker, CONSUME, 1, &corrupt, &error));
    tminus_http_consume_t one = wanted(1, WAIT_MS);
    tminus_batch_t *batch = NULL;
    OK(tminus_http_client_consume(client, &one, NULL, &batch, &error));
    CHECK(batch->size == 1 && batch->messages[0]->is_corrupted == 1);
    acknowledge(client, batch);
    tminus_batch_free(batch);
}

// A shutdown ends what waits, at once.
static void shutdown_ends_consumes(tminus_http_client_t *client, tminus_queue_t *queue)
{
    tminus_http_consume_t long_poll = wanted(1, WAIT_MS);
    OK(tminus_http_client_submit_consume(client, &long_poll, queue, 1, NULL, &error));
    double began = seconds();
    OK(tminus_http_client_shutdown(client, NULL, &error));
    tminus_completion_t completion = wait_one(queue);
    CHECK(seconds() - began < 2 * SOON);
    CHECK(completion.status == TMINUS_CLOSED);
    tminus_completions_free(&completion, 1);
    OK(tminus_http_client_shutdown(client, NULL, &error));
    tminus_batch_t *batch = NULL;
    EXPECT(TMINUS_CLOSED, tminus_http_client_consume(client, &long_poll, NULL, &batch, &error));
}

int main(void)
{
    tminus_broker_t *broker = start_signed_broker();
    tminus_http_client_t *client = client_with(broker, "key", "secret");
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));

    // The first message makes the topic.
    publish(client, "first");
    consume_and_acknowledge(client, "first");
    cancelled(client, queue);
    calls_are_unusable(client, queue);
    strangers_are_refused(broker);
    proxies(broker);
    faults(broker, client);
    shutdown_ends_consumes(client, queue);

    tminus_http_client_free(client);
    tminus_queue_free(queue);
    tminus_broker_free(broker);
    return 0;
}
