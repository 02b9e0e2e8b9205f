// Waits end early: by a token, by the operation, by the end of the queue; and a cancelled send says what is known.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>

enum { SEND_MESSAGE_V2 = 310, PENDING = 10 };

static const double SOON = 0.05;

struct blocked {
    tminus_push_consumer_t *consumer;
    tminus_producer_t *producer;
    tminus_cancel_t *cancel;
    double ended;
};

static void *blocked_receive(void *argument)
{
    struct blocked *blocked = argument;
    tminus_batch_t *batch = NULL;
    EXPECT(TMINUS_CANCELLED, tminus_push_consumer_receive(blocked->consumer, 1, -1, blocked->cancel, &batch, &error));
    CHECK(batch == NULL);
    blocked->ended = seconds();
    return NULL;
}

static void *blocked_send(void *argument)
{
    struct blocked *blocked = argument;
    tminus_message_t message = message_for("cancelled", "swallowed");
    tminus_error_t *error = NULL;
    CHECK(tminus_producer_send(blocked->producer, &message, NULL, blocked->cancel, NULL, &error) == TMINUS_CANCELLED);
    CHECK(error->outcome == TMINUS_OUTCOME_MAYBE_SENT);
    tminus_error_free(error);
    blocked->ended = seconds();
    return NULL;
}

static uint64_t sends_seen(tminus_broker_t *broker)
{
    uint64_t seen = 0;
    OK(tminus_broker_request_count(broker, SEND_MESSAGE_V2, &seen, &error));
    return seen;
}

static void until_seen(tminus_broker_t *broker, uint64_t sends)
{
    while (sends_seen(broker) < sends)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void swallow(tminus_broker_t *broker, int32_t times)
{
    tminus_fault_t fault = {.kind = TMINUS_FAULT_SWALLOW};
    OK(tminus_broker_inject(broker, SEND_MESSAGE_V2, times, &fault, &error));
}

static void by_token(tminus_broker_t *broker, struct blocked *blocked)
{
    pthread_t thread;
    OK(tminus_cancel_new(&blocked->cancel, &error));
    CHECK(pthread_create(&thread, NULL, blocked_receive, blocked) == 0);
    double fired = seconds();
    OK(tminus_cancel_fire(blocked->cancel, &error));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(blocked->ended - fired < SOON);
    tminus_cancel_free(blocked->cancel);

    OK(tminus_cancel_new(&blocked->cancel, &error));
    uint64_t seen = sends_seen(broker);
    swallow(broker, 1);
    CHECK(pthread_create(&thread, NULL, blocked_send, blocked) == 0);
    until_seen(broker, seen + 1);
    fired = seconds();
    OK(tminus_cancel_fire(blocked->cancel, &error));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(blocked->ended - fired < SOON);

    // A token that was fired before: nothing is sent.
    tminus_message_t message = message_for("cancelled", "too late");
    tminus_error_t *error = NULL;
    CHECK(tminus_producer_send(blocked->producer, &message, NULL, blocked->cancel, NULL, &error) == TMINUS_CANCELLED);
    CHECK(error->outcome == TMINUS_OUTCOME_NOT_SENT);
    tminus_error_free(error);
    CHECK(sends_seen(broker) == seen + 1);
    tminus_cancel_free(blocked->cancel);
}

static void by_operation(tminus_broker_t *broker, struct blocked *blocked, tminus_queue_t *queue)
{
    tminus_op_t op = 0;
    OK(tminus_push_consumer_submit_receive(blocked->consumer, 1, queue, 1, &op, &error));
    double cancelled = seconds();
    OK(tminus_op_cancel(queue, op, &error));
    tminus_completion_t completion = wait_one(queue);
    CHECK(seconds() - cancelled < SOON);
    CHECK(completion.op == op && completion.user_data == 1 && completion.kind == TMINUS_COMPLETION_RECEIVE);
    CHECK(completion.status == TMINUS_CANCELLED && completion.batch == NULL);
    tminus_completions_free(&completion, 1);
    // It has ended: cancelling it again brings nothing.
    OK(tminus_op_cancel(queue, op, &error));

    uint64_t seen = sends_seen(broker);
    swallow(broker, 1);
    tminus_message_t message = message_for("cancelled", "swallowed");
    OK(tminus_producer_submit_send(blocked->producer, &message, NULL, queue, 2, &op, &error));
    until_seen(broker, seen + 1);
    OK(tminus_op_cancel(queue, op, &error));
    completion = wait_one(queue);
    CHECK(completion.status == TMINUS_CANCELLED && completion.user_data == 2);
    CHECK(completion.error->outcome == TMINUS_OUTCOME_MAYBE_SENT);
    tminus_completions_free(&completion, 1);

    // A cancelled receive has taken nothing: the message goes to the next one.
    OK(tminus_push_consumer_submit_receive(blocked->consumer, 1, queue, 3, &op, &error));
    OK(tminus_op_cancel(queue, op, &error));
    completion = wait_one(queue);
    CHECK(completion.status == TMINUS_CANCELLED);
    tminus_completions_free(&completion, 1);
    message = message_for("cancelled", "kept");
    OK(tminus_producer_send(blocked->producer, &message, NULL, NULL, NULL, &error));
    tminus_batch_t *batch = receive_one(blocked->consumer);
    CHECK(body_is(batch->messages[0], "kept") && batch->messages[0]->reconsume_times == 0);
    OK(tminus_batch_settle_all(batch, TMINUS_CONSUME_SUCCESS, 0, &error));
    tminus_batch_free(batch);
}

// Whatever is pending when the queue ends completes exactly once.
static void by_shutdown(tminus_broker_t *broker, struct blocked *blocked, tminus_queue_t *queue)
{
    int seen[PENDING] = {0};
    swallow(broker, PENDING);
    tminus_message_t message = message_for("cancelled", "swallowed");
    for (uint64_t i = 0; i < PENDING; i++) {
        if (i % 2 == 0)
            OK(tminus_producer_submit_send(blocked->producer, &message, NULL, queue, i, NULL, &error));
        else
            OK(tminus_push_consumer_submit_receive(blocked->consumer, 1, queue, i, NULL, &error));
    }
    OK(tminus_queue_shutdown(queue, &error));
    for (int i = 0; i < PENDING; i++) {
        tminus_completion_t completion = wait_one(queue);
        CHECK(completion.status == TMINUS_CANCELLED && completion.user_data < PENDING);
        CHECK(seen[completion.user_data]++ == 0);
        tminus_completions_free(&completion, 1);
    }
    tminus_completion_t none;
    size_t count = 0;
    EXPECT(TMINUS_CLOSED, tminus_queue_wait(queue, &none, 1, -1, &count, &error));
}

int main(void)
{
    tminus_broker_t *broker = start_broker(0);
    OK(tminus_broker_create_topic(broker, tminus_str("cancelled"), 4, &error));
    struct blocked blocked = {start_consumer(broker, "cancelled"), start_producer(broker), NULL, 0};
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));

    by_token(broker, &blocked);
    by_operation(broker, &blocked, queue);
    by_shutdown(broker, &blocked, queue);

    tminus_push_consumer_free(blocked.consumer);
    tminus_producer_free(blocked.producer);
    tminus_queue_free(queue);
    tminus_broker_free(broker);
    return 0;
}
