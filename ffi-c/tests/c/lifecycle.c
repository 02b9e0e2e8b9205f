// Versions, starting and stopping in every order, use after shutdown, and a fork.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

static void versions(void)
{
    OK(tminus_abi_check(TMINUS_ABI_VERSION, &error));
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_abi_check(TMINUS_ABI_VERSION + 0x10000, &error));
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_abi_check(TMINUS_ABI_VERSION + 1, &error));
    CHECK(tminus_abi_version() == TMINUS_ABI_VERSION);
    CHECK(strcmp(tminus_version(), TMINUS_VERSION) == 0);
}

static void use_after_shutdown(tminus_broker_t *broker)
{
    tminus_producer_t *producer = start_producer(broker);
    tminus_message_t message = message_for("lifecycle", "body");
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    CHECK(tminus_producer_client_id(producer).len > 0);
    OK(tminus_producer_shutdown(producer, NULL, &error));
    OK(tminus_producer_shutdown(producer, NULL, &error));
    EXPECT(TMINUS_CLOSED, tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    tminus_producer_free(producer);

    tminus_push_consumer_t *consumer = start_consumer(broker, "lifecycle");
    tminus_batch_t *batch = receive_one(consumer);
    CHECK(tminus_push_consumer_client_id(consumer).len > 0);
    OK(tminus_batch_settle(batch, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_batch_settle(batch, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_batch_settle(batch, 1, TMINUS_CONSUME_SUCCESS, 0, &error));
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));
    OK(tminus_push_consumer_submit_receive(consumer, 1, queue, 1, NULL, &error));
    OK(tminus_push_consumer_shutdown(consumer, NULL, &error));
    OK(tminus_push_consumer_shutdown(consumer, NULL, &error));
    tminus_completion_t waited = wait_one(queue);
    CHECK(waited.status == TMINUS_CLOSED && waited.batch == NULL);
    tminus_completions_free(&waited, 1);
    tminus_queue_free(queue);
    tminus_batch_t *none = NULL;
    EXPECT(TMINUS_CLOSED, tminus_push_consumer_receive(consumer, 1, 10000, NULL, &none, &error));
    tminus_push_consumer_free(consumer);
    // A batch outlives its consumer.
    CHECK(body_is(batch->messages[0], "body"));
    tminus_batch_free(batch);
}

static void queue_after_shutdown(tminus_broker_t *broker)
{
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));
    tminus_producer_t *producer = start_producer(broker);
    tminus_message_t message = message_for("lifecycle", "queued");
    OK(tminus_producer_submit_send(producer, &message, NULL, queue, 7, NULL, &error));
    tminus_completion_t completion = wait_one(queue);
    CHECK(completion.user_data == 7 && completion.status == TMINUS_OK && completion.receipt != NULL);
    tminus_completions_free(&completion, 1);
    tminus_completions_free(&completion, 1);

    OK(tminus_queue_shutdown(queue, &error));
    OK(tminus_queue_shutdown(queue, &error));
    EXPECT(TMINUS_CLOSED, tminus_producer_submit_send(producer, &message, NULL, queue, 8, NULL, &error));
    size_t count = 0;
    EXPECT(TMINUS_CLOSED, tminus_queue_wait(queue, &completion, 1, -1, &count, &error));
    tminus_producer_free(producer);
    tminus_queue_free(queue);
}

// Freed without shutdown, with completions nobody drained.
static void freed_at_once(tminus_broker_t *broker)
{
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));
    tminus_producer_t *producer = start_producer(broker);
    tminus_push_consumer_t *consumer = start_consumer(broker, "lifecycle");
    tminus_message_t message = message_for("lifecycle", "left");
    for (uint64_t i = 0; i < 20; i++)
        OK(tminus_producer_submit_send(producer, &message, NULL, queue, i, NULL, &error));
    OK(tminus_push_consumer_submit_receive(consumer, 5, queue, 20, NULL, &error));
    tminus_push_consumer_free(consumer);
    tminus_producer_free(producer);
    tminus_queue_free(queue);
}

// In the child, what the parent made answers "forked" and can be freed; what the child makes works.
static void forked(tminus_broker_t *broker)
{
    tminus_producer_t *producer = start_producer(broker);
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));
    tminus_message_t message = message_for("lifecycle", "forked");
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        EXPECT(TMINUS_FORKED, tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
        EXPECT(TMINUS_FORKED, tminus_producer_submit_send(producer, &message, NULL, queue, 0, NULL, &error));
        EXPECT(TMINUS_FORKED, tminus_producer_shutdown(producer, NULL, &error));
        EXPECT(TMINUS_FORKED, tminus_queue_shutdown(queue, &error));
        EXPECT(TMINUS_FORKED, tminus_broker_stop(broker, &error));
        CHECK(tminus_producer_client_id(producer).data == NULL);
        tminus_broker_t *own_broker = start_broker(0);
        tminus_producer_t *own = start_producer(own_broker);
        OK(tminus_producer_send(own, &message, NULL, NULL, NULL, &error));
        tminus_producer_free(own);
        tminus_broker_free(own_broker);
        tminus_producer_free(producer);
        tminus_queue_free(queue);
        tminus_broker_free(broker);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    tminus_producer_free(producer);
    tminus_queue_free(queue);
}

int main(void)
{
    versions();
    tminus_broker_t *broker = start_broker(0);
    use_after_shutdown(broker);
    queue_after_shutdown(broker);
    freed_at_once(broker);
    forked(broker);
    OK(tminus_broker_stop(broker, &error));
    OK(tminus_broker_stop(broker, &error));
    tminus_broker_free(broker);
    return 0;
}
