// Many threads submit, cancel and drain at once: every accepted operation completes exactly once.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { SENDERS = 4, DRAINERS = 2, SENDS = 500, ALL = SENDERS * SENDS };

static tminus_producer_t *producer;
static tminus_push_consumer_t *consumer;
static tminus_queue_t *queue;
static atomic_int completed[ALL];
static atomic_int stored;

// Submits sends, and a receive for every fifth of them; cancels every third operation.
static void *submit(void *argument)
{
    uint64_t first = *(uint64_t *)argument;
    for (uint64_t i = first; i < first + SENDS; i++) {
        tminus_op_t op = 0;
        if (i % 5 == 0) {
            OK(tminus_push_consumer_submit_receive(consumer, 8, queue, i, &op, &error));
        } else {
            tminus_message_t message = message_for("storm", "body");
            OK(tminus_producer_submit_send(producer, &message, NULL, queue, i, &op, &error));
        }
        if (i % 3 == 0)
            OK(tminus_op_cancel(queue, op, &error));
    }
    return NULL;
}

static void *drain(void *argument)
{
    (void)argument;
    for (;;) {
        tminus_completion_t completions[16];
        size_t count = 0;
        tminus_status_t status = tminus_queue_wait(queue, completions, 16, -1, &count, NULL);
        if (status == TMINUS_CLOSED)
            return NULL;
        CHECK(status == TMINUS_OK && count > 0);
        for (size_t i = 0; i < count; i++) {
            const tminus_completion_t *one = &completions[i];
            CHECK(one->user_data < ALL && one->op != 0);
            CHECK(atomic_fetch_add(&completed[one->user_data], 1) == 0);
            CHECK(one->status == TMINUS_OK || one->status == TMINUS_CANCELLED);
            CHECK((one->status == TMINUS_OK) == (one->error == NULL));
            if (one->receipt != NULL)
                atomic_fetch_add(&stored, 1);
            if (one->batch != NULL)
                OK(tminus_batch_settle_all(one->batch, TMINUS_CONSUME_SUCCESS, 0, &error));
        }
        tminus_completions_free(completions, count);
    }
}

int main(void)
{
    tminus_broker_t *broker = start_broker(0);
    OK(tminus_broker_create_topic(broker, tminus_str("storm"), 4, &error));
    producer = start_producer(broker);
    consumer = start_consumer(broker, "storm");
    OK(tminus_queue_new(&queue, &error));

    pthread_t senders[SENDERS], drainers[DRAINERS];
    uint64_t firsts[SENDERS];
    for (int i = 0; i < DRAINERS; i++)
        CHECK(pthread_create(&drainers[i], NULL, drain, NULL) == 0);
    for (int i = 0; i < SENDERS; i++) {
        firsts[i] = (uint64_t)i * SENDS;
        CHECK(pthread_create(&senders[i], NULL, submit, &firsts[i]) == 0);
    }
    for (int i = 0; i < SENDERS; i++)
        CHECK(pthread_join(senders[i], NULL) == 0);
    // On a busy machine everything is submitted before the first answer comes.
    for (double began = seconds(); stored == 0 && seconds() - began < 10;)
        sched_yield();
    // Receives may still wait for messages that do not come.
    OK(tminus_queue_shutdown(queue, &error));
    for (int i = 0; i < DRAINERS; i++)
        CHECK(pthread_join(drainers[i], NULL) == 0);
    for (int i = 0; i < ALL; i++)
        CHECK(completed[i] == 1);
    CHECK(stored > 0);

    tminus_push_consumer_free(consumer);
    tminus_producer_free(producer);
    tminus_queue_free(queue);
    tminus_broker_free(broker);
    return 0;
}
