// What the examples share: an error ends the program with its text.
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tminus.h"

// `error` is where the call left its error: it may be read only when the call has ended.
static inline void ok(tminus_status_t status, tminus_error_t *const *error)
{
    if (status == TMINUS_OK)
        return;
    fprintf(stderr, "%s: %s\n", (*error)->name, (*error)->message);
    tminus_error_free(*error);
    exit(1);
}

static inline int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// The id and body of a message, and how late it is.
static inline void print_message(const tminus_message_view_t *message)
{
    int64_t due = message->deliver_at_ms >= 0 ? message->deliver_at_ms : message->store_ms;
    printf("%.*s %.*s %" PRId64 " ms late\n", TMINUS_PRINT(message->message_id), (int)message->body.len,
           (const char *)message->body.data, now_ms() - due);
    fflush(stdout);
}

static inline void *fire_on_interrupt(void *cancel)
{
    sigset_t interrupt;
    int received;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigwait(&interrupt, &received);
    tminus_cancel_fire(cancel, NULL);
    return NULL;
}

// A token that Ctrl-C fires. Call it first, so that no other thread takes the signal.
static inline tminus_cancel_t *cancel_on_interrupt(void)
{
    tminus_error_t *error = NULL;
    tminus_cancel_t *cancel = NULL;
    pthread_t waiter;
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupt, NULL);
    ok(tminus_cancel_new(&cancel, &error), &error);
    if (pthread_create(&waiter, NULL, fire_on_interrupt, cancel) == 0)
        pthread_detach(waiter);
    return cancel;
}

static inline tminus_client_options_t client_at(const char *endpoint)
{
    tminus_error_t *error = NULL;
    tminus_client_options_t client;
    ok(tminus_abi_check(TMINUS_ABI_VERSION, &error), &error);
    ok(tminus_client_options_init(&client, sizeof client, &error), &error);
    client.endpoint = tminus_str(endpoint);
    return client;
}

// A client of ApsaraMQ HTTP, with the keys of the environment; an instance without a namespace of its own has no id.
static inline tminus_http_client_t *http_client_at(const char *endpoint, const char *instance_id)
{
    tminus_error_t *error = NULL;
    tminus_client_options_t options = client_at(endpoint);
    options.name_space = tminus_str(instance_id);
    options.credentials.access_key = tminus_str(getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"));
    options.credentials.secret_key = tminus_str(getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"));
    tminus_http_client_t *client = NULL;
    ok(tminus_http_client_new(&options, &client, &error), &error);
    return client;
}

// A consumer of one topic that starts, where its group is new, at the oldest message.
static inline tminus_push_consumer_t *start_consumer(const char *endpoint, const char *topic, const char *group)
{
    tminus_error_t *error = NULL;
    tminus_client_options_t client = client_at(endpoint);
    tminus_push_consumer_options_t options;
    ok(tminus_push_consumer_options_init(&options, sizeof options, &error), &error);
    options.group = tminus_str(group);
    options.consume_from = TMINUS_CONSUME_FROM_FIRST;
    tminus_subscription_t subscription = {.topic = tminus_str(topic)};
    tminus_push_consumer_t *consumer = NULL;
    ok(tminus_push_consumer_start(&client, &options, &subscription, 1, NULL, &consumer, &error), &error);
    return consumer;
}

static inline tminus_producer_t *start_producer(const char *endpoint)
{
    tminus_error_t *error = NULL;
    tminus_client_options_t client = client_at(endpoint);
    tminus_producer_t *producer = NULL;
    ok(tminus_producer_start(&client, NULL, NULL, &producer, &error), &error);
    return producer;
}

#endif
