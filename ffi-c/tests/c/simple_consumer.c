// The simple consumer, blocking and submitted: receive, acknowledge, hide longer; and what a handle is worth.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>

enum { INVISIBLE_MS = 30000, MANY = 50 };

static const double SOON = 0.05;

static void send(tminus_producer_t *producer, const char *body)
{
    tminus_message_t message = message_for("simple", body);
    message.tag = tminus_str("tag");
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
}

static tminus_batch_t *receive(tminus_simple_consumer_t *consumer, const char *body, int32_t attempt)
{
    tminus_batch_t *batch = NULL;
    OK(tminus_simple_consumer_receive(consumer, 1, INVISIBLE_MS, 10000, NULL, &batch, &error));
    CHECK(batch != NULL && batch->size == 1 && batch->handles != NULL);
    CHECK(body_is(batch->messages[0], body) && batch->messages[0]->delivery_attempt == attempt);
    CHECK(batch->messages[0]->is_corrupted == 0);
    return batch;
}

static void nothing_comes(tminus_simple_consumer_t *consumer)
{
    tminus_batch_t *none = NULL;
    OK(tminus_simple_consumer_receive(consumer, 1, INVISIBLE_MS, 100, NULL, &none, &error));
    CHECK(none == NULL);
}

static void blocking(tminus_broker_t *broker, tminus_producer_t *producer, tminus_simple_consumer_t *consumer)
{
    send(producer, "first");
    tminus_batch_t *batch = receive(consumer, "first", 1);
    CHECK(same(batch->messages[0]->topic, "simple") && same(batch->messages[0]->tag, "tag"));
    CHECK(same(batch->handles[0].topic, "simple") && batch->handles[0].handle.len > 0);
    // Its handle acknowledges it, not a settlement.
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_batch_settle(batch, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_batch_answer(batch, 0, TMINUS_TRANSACTION_COMMIT, &error));
    OK(tminus_simple_consumer_ack(consumer, &batch->handles[0], NULL, &error));
    tminus_batch_free(batch);
    OK(tminus_broker_advance_ms(broker, 3600000, NULL, &error));
    nothing_comes(consumer);

    // Hidden longer, it comes again later; the handle before is no handle any more.
    send(producer, "second");
    batch = receive(consumer, "second", 1);
    tminus_receipt_handles_t *renewed = NULL;
    OK(tminus_simple_consumer_change_invisible(consumer, &batch->handles[0], 60000, NULL, &renewed, &error));
    CHECK(renewed->size == 1 && renewed->failed == 0 && renewed->errors[0] == NULL);
    EXPECT(TMINUS_INVALID_RECEIPT, tminus_simple_consumer_ack(consumer, &batch->handles[0], NULL, &error));
    OK(tminus_broker_advance_ms(broker, 59999, NULL, &error));
    nothing_comes(consumer);
    OK(tminus_broker_advance_ms(broker, 1, NULL, &error));
    tminus_batch_t *again = receive(consumer, "second", 2);
    EXPECT(TMINUS_INVALID_RECEIPT, tminus_simple_consumer_ack(consumer, &renewed->handles[0], NULL, &error));
    OK(tminus_simple_consumer_ack(consumer, &again->handles[0], NULL, &error));
    tminus_receipt_handles_free(renewed);
    tminus_batch_free(batch);
    tminus_batch_free(again);
}

static void garbage_is_refused(tminus_producer_t *producer, tminus_simple_consumer_t *consumer)
{
    send(producer, "kept");
    tminus_batch_t *batch = receive(consumer, "kept", 1);
    tminus_receipt_handle_t handles[2] = {batch->handles[0], batch->handles[0]};
    handles[0].handle = tminus_str("garbage");
    EXPECT(TMINUS_INVALID_RECEIPT, tminus_simple_consumer_ack(consumer, &handles[0], NULL, &error));
    tminus_receipt_handles_t *results = NULL;
    OK(tminus_simple_consumer_ack_all(consumer, handles, 2, NULL, &results, &error));
    CHECK(results->size == 2 && results->failed == 1);
    CHECK(results->errors[0]->status == TMINUS_INVALID_RECEIPT && results->errors[1] == NULL);
    CHECK(same(results->handles[0].handle, "garbage"));
    tminus_receipt_handles_free(results);
    tminus_batch_free(batch);
}

static void submitted(tminus_producer_t *producer, tminus_simple_consumer_t *consumer, tminus_queue_t *queue)
{
    // Nothing is there.
    OK(tminus_simple_consumer_submit_receive(consumer, 1, INVISIBLE_MS, 100, queue, 7, NULL, &error));
    tminus_completion_t completion = wait_one(queue);
    CHECK(completion.kind == TMINUS_COMPLETION_RECEIVE && completion.user_data == 7);
    CHECK(completion.status == TMINUS_OK && completion.batch == NULL);

    for (int i = 0; i < MANY; i++)
        send(producer, "many");
    size_t received = 0, acknowledged = 0;
    while (received < MANY) {
        OK(tminus_simple_consumer_submit_receive(consumer, 32, INVISIBLE_MS, 10000, queue, 0, NULL, &error));
        completion = wait_one(queue);
        CHECK(completion.status == TMINUS_OK && completion.batch != NULL);
        received += completion.batch->size;
        // One is hidden longer, one is acknowledged alone, the others together.
        const tminus_receipt_handle_t *handles = completion.batch->handles;
        OK(tminus_simple_consumer_submit_change_invisible(consumer, &handles[0], 60000, queue, 1, NULL, &error));
        tminus_completion_t change = wait_one(queue);
        CHECK(change.kind == TMINUS_COMPLETION_CHANGE_INVISIBLE && change.status == TMINUS_OK);
        OK(tminus_simple_consumer_submit_ack(consumer, &change.handles->handles[0], queue, 2, NULL, &error));
        tminus_completion_t ack = wait_one(queue);
        CHECK(ack.kind == TMINUS_COMPLETION_ACK && ack.status == TMINUS_OK && ack.handles == NULL);
        acknowledged += 1;
        size_t others = completion.batch->size - 1;
        OK(tminus_simple_consumer_submit_ack_all(consumer, handles + 1, others, queue, 3, NULL, &error));
        tminus_completion_t rest = wait_one(queue);
        CHECK(rest.kind == TMINUS_COMPLETION_ACK && rest.status == TMINUS_OK);
        CHECK(rest.handles->size == others && rest.handles->failed == 0);
        acknowledged += others;
        tminus_completions_free(&change, 1);
        tminus_completions_free(&rest, 1);
        tminus_completions_free(&completion, 1);
    }
    CHECK(acknowledged == MANY);
    nothing_comes(consumer);
}

struct blocked {
    tminus_simple_consumer_t *consumer;
    tminus_cancel_t *cancel;
    double ended;
};

static void *blocked_receive(void *argument)
{
    struct blocked *blocked = argument;
    tminus_batch_t *batch = NULL;
    EXPECT(TMINUS_CANCELLED, tminus_simple_consumer_receive(blocked->consumer, 1, INVISIBLE_MS, 30000,
                                                            blocked->cancel, &batch, &error));
    CHECK(batch == NULL);
    blocked->ended = seconds();
    return NULL;
}

static void cancelled(tminus_producer_t *producer, tminus_simple_consumer_t *consumer, tminus_queue_t *queue)
{
    struct blocked blocked = {consumer, NULL, 0};
    pthread_t thread;
    OK(tminus_cancel_new(&blocked.cancel, &error));
    CHECK(pthread_create(&thread, NULL, blocked_receive, &blocked) == 0);
    double fired = seconds();
    OK(tminus_cancel_fire(blocked.cancel, &error));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(blocked.ended - fired < SOON);
    tminus_cancel_free(blocked.cancel);

    tminus_op_t op = 0;
    OK(tminus_simple_consumer_submit_receive(consumer, 1, INVISIBLE_MS, 30000, queue, 1, &op, &error));
    fired = seconds();
    OK(tminus_op_cancel(queue, op, &error));
    tminus_completion_t completion = wait_one(queue);
    CHECK(seconds() - fired < SOON);
    CHECK(completion.status == TMINUS_CANCELLED && completion.op == op && completion.batch == NULL);
    tminus_completions_free(&completion, 1);

    // A cancelled receive has lost nothing.
    send(producer, "after the cancel");
    tminus_batch_t *batch = receive(consumer, "after the cancel", 1);
    OK(tminus_simple_consumer_ack(consumer, &batch->handles[0], NULL, &error));
    tminus_batch_free(batch);
}

// A shutdown ends what waits, at once.
static void shutdown_ends_receives(tminus_simple_consumer_t *consumer, tminus_queue_t *queue)
{
    OK(tminus_simple_consumer_submit_receive(consumer, 1, INVISIBLE_MS, 30000, queue, 1, NULL, &error));
    double began = seconds();
    OK(tminus_simple_consumer_shutdown(consumer, NULL, &error));
    CHECK(seconds() - began < 2 * SOON);
    tminus_completion_t completion = wait_one(queue);
    CHECK(completion.status == TMINUS_CLOSED);
    tminus_completions_free(&completion, 1);
    OK(tminus_simple_consumer_shutdown(consumer, NULL, &error));
    tminus_batch_t *batch = NULL;
    EXPECT(TMINUS_CLOSED, tminus_simple_consumer_receive(consumer, 1, INVISIBLE_MS, 1000, NULL, &batch, &error));
}

int main(void)
{
    tminus_broker_t *broker = start_broker(1);
    tminus_client_options_t client = grpc_client_of(broker);
    tminus_producer_t *producer = NULL;
    OK(tminus_producer_start(&client, NULL, NULL, &producer, &error));
    tminus_simple_consumer_options_t options;
    OK(tminus_simple_consumer_options_init(&options, sizeof options, &error));
    options.group = tminus_str("c-group");
    tminus_subscription_t subscription = {.topic = tminus_str("other")};
    tminus_simple_consumer_t *consumer = NULL;
    OK(tminus_simple_consumer_start(&client, &options, &subscription, 1, NULL, &consumer, &error));
    CHECK(tminus_simple_consumer_client_id(consumer).len > 0);
    subscription = (tminus_subscription_t){.topic = tminus_str("simple"), .expression = tminus_str("tag")};
    OK(tminus_simple_consumer_subscribe(consumer, &subscription, NULL, &error));
    OK(tminus_simple_consumer_unsubscribe(consumer, tminus_str("other"), NULL, &error));
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));

    blocking(broker, producer, consumer);
    garbage_is_refused(producer, consumer);
    submitted(producer, consumer, queue);
    cancelled(producer, consumer, queue);
    shutdown_ends_receives(consumer, queue);

    tminus_simple_consumer_free(consumer);
    tminus_producer_free(producer);
    tminus_queue_free(queue);
    tminus_broker_free(broker);
    return 0;
}
