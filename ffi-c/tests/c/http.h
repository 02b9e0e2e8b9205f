// What the programs of the HTTP client share: a client of one topic and group, and what its calls must bring.
#ifndef HTTP_H
#define HTTP_H

#include "check.h"

enum { WAIT_MS = 30000 };

static const char *const TOPIC = "http";
static const char *const GROUP = "GID_c";

static inline tminus_http_client_t *client_with(const tminus_broker_t *broker, const char *access_key, const char *secret_key)
{
    tminus_client_options_t options = client_by("http", broker);
    options.name_space = tminus_str("MQ_INST_1");
    options.credentials.access_key = tminus_str(access_key);
    options.credentials.secret_key = tminus_str(secret_key);
    tminus_http_client_t *client = NULL;
    OK(tminus_http_client_new(&options, &client, &error));
    return client;
}

static inline tminus_http_consume_t wanted(int32_t max, int64_t wait_ms)
{
    tminus_http_consume_t wanted = TMINUS_HTTP_CONSUME_INIT;
    wanted.topic = tminus_str(TOPIC);
    wanted.group = tminus_str(GROUP);
    wanted.max = max;
    wanted.wait_ms = wait_ms;
    return wanted;
}

static inline void publish(tminus_http_client_t *client, const char *body)
{
    tminus_message_t message = message_for(TOPIC, body);
    OK(tminus_http_client_publish(client, &message, -1, NULL, NULL, &error));
}

static inline tminus_batch_t *consume(tminus_http_client_t *client, const char *body)
{
    tminus_http_consume_t one = wanted(1, WAIT_MS);
    tminus_batch_t *batch = NULL;
    OK(tminus_http_client_consume(client, &one, NULL, &batch, &error));
    CHECK(batch->size == 1 && batch->request_id.len > 0 && body_is(batch->messages[0], body));
    CHECK(batch->messages[0]->is_corrupted == 0);
    return batch;
}

static inline void acknowledge(tminus_http_client_t *client, const tminus_batch_t *batch)
{
    tminus_receipt_handles_t *results = NULL;
    OK(tminus_http_client_ack(client, tminus_str(TOPIC), tminus_str(GROUP), &batch->handles[0].handle, 1, NULL, &results,
                              &error));
    CHECK(results->size == 1 && results->failed == 0 && results->errors[0] == NULL);
    tminus_receipt_handles_free(results);
}

static inline void consume_and_acknowledge(tminus_http_client_t *client, const char *body)
{
    tminus_batch_t *batch = consume(client, body);
    acknowledge(client, batch);
    tminus_batch_free(batch);
}

// The server's own words come with the error.
static inline void expect_refusal(tminus_status_t expected, const char *code, int32_t http_status, tminus_status_t status,
                           tminus_error_t *error)
{
    check_status(__FILE__, __LINE__, code, expected, status, error);
    CHECK(strcmp(error->server_code, code) == 0 && error->response_code == http_status);
    CHECK(strlen(error->server_message) > 0 && strlen(error->request_id) > 0);
    CHECK(strncmp(error->host_id, "http://", 7) == 0);
    CHECK(error->outcome == TMINUS_OUTCOME_NOT_SENT);
    tminus_error_free(error);
}

static inline void nothing_comes(tminus_http_client_t *client)
{
    tminus_error_t *error = NULL;
    tminus_batch_t *batch = NULL;
    tminus_http_consume_t at_once = wanted(16, 0);
    tminus_status_t status = tminus_http_client_consume(client, &at_once, NULL, &batch, &error);
    expect_refusal(TMINUS_MESSAGE_NOT_FOUND, "MessageNotExist", 404, status, error);
    CHECK(batch == NULL);
}

// A broker on a virtual clock that asks for the keys of one user.
static inline tminus_broker_t *start_signed_broker(void)
{
    tminus_credentials_t user = {.access_key = tminus_str("key"), .secret_key = tminus_str("secret")};
    tminus_broker_options_t options = broker_options(1);
    options.credentials = &user;
    options.credential_count = 1;
    tminus_broker_t *broker = NULL;
    OK(tminus_broker_start(&options, &broker, &error));
    return broker;
}

#endif
