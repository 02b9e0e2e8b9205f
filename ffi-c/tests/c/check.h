// What the test programs share: checks that end the program, and a broker with clients.
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tminus.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

// Expects a status; the call must fill `error`. Frees the error.
#define EXPECT(expected, call)                                                                               \
    do {                                                                                                     \
        tminus_error_t *error = NULL;                                                                        \
        tminus_status_t status_of_call = (call);                                                                        \
        check_status(__FILE__, __LINE__, #call, expected, status_of_call, error);                                   \
        tminus_error_free(error);                                                                            \
    } while (0)

#define OK(call) EXPECT(TMINUS_OK, call)

static inline void check_status(const char *file, int line, const char *call, tminus_status_t expected,
                                tminus_status_t got, const tminus_error_t *error)
{
    int coherent = got == TMINUS_OK ? error == NULL : error != NULL && error->status == got;
    if (got == expected && coherent)
        return;
    fprintf(stderr, "%s:%d: %s\n  is %s, not %s: %s\n", file, line, call, tminus_status_name(got),
            tminus_status_name(expected), error != NULL ? error->message : "no error given");
    exit(1);
}

static inline int same(tminus_str_t text, const char *expected)
{
    return text.len == strlen(expected) && (text.len == 0 || memcmp(text.data, expected, text.len) == 0);
}

static inline int body_is(const tminus_message_view_t *message, const char *expected)
{
    return message->body.len == strlen(expected) && memcmp(message->body.data, expected, message->body.len) == 0;
}

static inline double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline tminus_message_t message_for(const char *topic, const char *body)
{
    tminus_message_t message = TMINUS_MESSAGE_INIT;
    message.topic = tminus_str(topic);
    message.body = tminus_bytes(body);
    return message;
}

static inline tminus_broker_options_t broker_options(int32_t virtual_clock)
{
    tminus_broker_options_t options;
    OK(tminus_broker_options_init(&options, sizeof options, &error));
    options.virtual_clock = virtual_clock;
    return options;
}

static inline tminus_broker_t *start_broker(int32_t virtual_clock)
{
    tminus_broker_options_t options = broker_options(virtual_clock);
    tminus_broker_t *broker = NULL;
    OK(tminus_broker_start(&options, &broker, &error));
    return broker;
}

// Connects to a broker and follows its clock.
static inline tminus_client_options_t client_of(const tminus_broker_t *broker)
{
    tminus_client_options_t client;
    OK(tminus_client_options_init(&client, sizeof client, &error));
    client.endpoint = tminus_broker_address(broker);
    client.clock_of = broker;
    return client;
}

// The same port by another protocol: the scheme is the only difference. The endpoint lives until the next call.
static inline tminus_client_options_t client_by(const char *scheme, const tminus_broker_t *broker)
{
    static char endpoint[64];
    tminus_client_options_t client = client_of(broker);
    snprintf(endpoint, sizeof endpoint, "%s://%.*s", scheme, TMINUS_PRINT(tminus_broker_address(broker)));
    client.endpoint = tminus_str(endpoint);
    return client;
}

static inline tminus_client_options_t grpc_client_of(const tminus_broker_t *broker)
{
    return client_by("grpc", broker);
}

static inline tminus_producer_t *start_producer(const tminus_broker_t *broker)
{
    tminus_client_options_t client = client_of(broker);
    tminus_producer_t *producer = NULL;
    OK(tminus_producer_start(&client, NULL, NULL, &producer, &error));
    return producer;
}

// A consumer of one topic that reads it from its beginning.
static inline tminus_push_consumer_t *start_consumer_at(tminus_client_options_t client, const char *topic)
{
    tminus_push_consumer_options_t options;
    OK(tminus_push_consumer_options_init(&options, sizeof options, &error));
    options.group = tminus_str("c-group");
    options.consume_from = TMINUS_CONSUME_FROM_FIRST;
    tminus_subscription_t subscription = {.topic = tminus_str(topic)};
    tminus_push_consumer_t *consumer = NULL;
    OK(tminus_push_consumer_start(&client, &options, &subscription, 1, NULL, &consumer, &error));
    return consumer;
}

static inline tminus_push_consumer_t *start_consumer(const tminus_broker_t *broker, const char *topic)
{
    return start_consumer_at(client_of(broker), topic);
}

// Receives one message within 10 s.
static inline tminus_batch_t *receive_one(tminus_push_consumer_t *consumer)
{
    tminus_batch_t *batch = NULL;
    OK(tminus_push_consumer_receive(consumer, 1, 10000, NULL, &batch, &error));
    CHECK(batch != NULL && batch->size == 1);
    return batch;
}

// Waits for one completion within 10 s; its contents are the caller's.
static inline tminus_completion_t wait_one(tminus_queue_t *queue)
{
    tminus_completion_t completion;
    size_t count = 0;
    OK(tminus_queue_wait(queue, &completion, 1, 10000, &count, &error));
    CHECK(count == 1);
    return completion;
}

#endif
