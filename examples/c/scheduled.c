// Schedules messages ahead and receives them: scheduled ENDPOINT COUNT AHEAD_MS [SPAN_MS]. Part of `make demo`.
//
// Message i of n is due AHEAD_MS plus i/n of SPAN_MS (default: a second) after the start. Prints one JSON line with what arrived when; ends
// with status 1 if a message is missing.
#define _POSIX_C_SOURCE 200809L
#include "example.h"

#include <stdbool.h>
#include <unistd.h>

#define TOPIC "demo-c"
#define GROUP "demo-c"

enum { TEXT_BYTES = 64, AT_ONCE = 64 };

// Submits all messages, then waits until each of them is stored. Bodies are "START NUMBER", so that messages of another
// run are told apart.
static void send_all(const char *endpoint, int64_t start, int64_t count, int64_t ahead_ms, int64_t span_ms)
{
    tminus_error_t *error = NULL;
    tminus_producer_t *producer = start_producer(endpoint);
    tminus_queue_t *queue = NULL;
    ok(tminus_queue_new(&queue, &error), &error);

    for (int64_t i = 0; i < count; i++) {
        char text[TEXT_BYTES];
        snprintf(text, sizeof text, "%" PRId64 " %" PRId64, start, i);
        tminus_message_t message = TMINUS_MESSAGE_INIT;
        message.topic = tminus_str(TOPIC);
        message.body = tminus_bytes(text);
        message.delivery = TMINUS_DELIVERY_AT_MS;
        message.delivery_value = start + ahead_ms + span_ms * i / count;
        ok(tminus_producer_submit_send(producer, &message, NULL, queue, (uint64_t)i, NULL, &error), &error);
    }
    for (int64_t stored = 0; stored < count;) {
        tminus_completion_t completions[AT_ONCE];
        size_t ended = 0;
        ok(tminus_queue_wait(queue, completions, AT_ONCE, -1, &ended, &error), &error);
        for (size_t i = 0; i < ended; i++)
            ok(completions[i].status, &completions[i].error);
        tminus_completions_free(completions, ended);
        stored += (int64_t)ended;
    }
    tminus_queue_free(queue);
    tminus_producer_free(producer);
}

// The number of a message of this run, or -1.
static int64_t number_of(const tminus_message_view_t *message, int64_t start, int64_t count)
{
    char text[TEXT_BYTES];
    int64_t run = 0, number = -1;
    snprintf(text, sizeof text, "%.*s", (int)message->body.len, (const char *)message->body.data);
    if (sscanf(text, "%" SCNd64 " %" SCNd64, &run, &number) != 2 || run != start || number >= count)
        return -1;
    return number;
}

// Collects received minus requested time of every message, until all are there or time is up; returns how many.
static int64_t receive_all(tminus_push_consumer_t *consumer, int64_t start, int64_t count, int64_t until,
                           int64_t *lateness_ms)
{
    tminus_error_t *error = NULL;
    int64_t received = 0;
    char *seen = calloc((size_t)count, 1);
    for (int64_t left = until - now_ms(); seen != NULL && received < count && left > 0; left = until - now_ms()) {
        tminus_batch_t *batch = NULL;
        ok(tminus_push_consumer_receive(consumer, AT_ONCE, left, NULL, &batch, &error), &error);
        int64_t now = now_ms();
        for (size_t i = 0; batch != NULL && i < batch->size; i++) {
            int64_t number = number_of(batch->messages[i], start, count);
            if (number >= 0 && !seen[number]) {
                seen[number] = 1;
                lateness_ms[received++] = now - batch->messages[i]->deliver_at_ms;
            }
        }
        if (batch != NULL)
            ok(tminus_batch_settle_all(batch, TMINUS_CONSUME_SUCCESS, 0, &error), &error);
        tminus_batch_free(batch);
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\rc: %" PRId64 " of %" PRId64, received, count);
    }
    free(seen);
    return received;
}

static int ascending(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    bool complete = argc == 4 || argc == 5;
    int64_t count = complete ? strtoll(argv[2], NULL, 10) : 0;
    int64_t ahead_ms = complete ? strtoll(argv[3], NULL, 10) : -1;
    int64_t span_ms = argc == 5 ? strtoll(argv[4], NULL, 10) : 1000;
    if (count <= 0 || ahead_ms < 0 || span_ms < 0) {
        fprintf(stderr, "usage: scheduled ENDPOINT COUNT AHEAD_MS [SPAN_MS]\n");
        return 2;
    }
    int64_t *lateness_ms = calloc((size_t)count, sizeof *lateness_ms);
    if (lateness_ms == NULL)
        return 1;

    tminus_push_consumer_t *consumer = start_consumer(argv[1], TOPIC, GROUP);
    int64_t start = now_ms();
    send_all(argv[1], start, count, ahead_ms, span_ms);
    int64_t received = receive_all(consumer, start, count, start + ahead_ms + span_ms + 10000, lateness_ms);
    tminus_push_consumer_free(consumer);

    qsort(lateness_ms, (size_t)received, sizeof *lateness_ms, ascending);
    int64_t early = 0;
    while (early < received && lateness_ms[early] < 0)
        early++;
    printf("{\"language\":\"c\",\"sent\":%" PRId64 ",\"received\":%" PRId64 ",\"early\":%" PRId64, count, received,
           early);
    if (received > 0)
        printf(",\"lateness_ms_p50\":%" PRId64 ",\"lateness_ms_p99\":%" PRId64 ",\"lateness_ms_max\":%" PRId64,
               lateness_ms[received / 2], lateness_ms[received * 99 / 100], lateness_ms[received - 1]);
    printf("}\n");
    free(lateness_ms);
    return received == count ? 0 : 1;
}
