// Receives delayed messages, prints and acknowledges them, until Ctrl-C: simple_consumer grpc://127.0.0.1:8081 delay my-group
#define _POSIX_C_SOURCE 200809L
#include "example.h"

enum { INVISIBLE_MS = 30000 };

int main(int argc, char **argv)
{
    tminus_error_t *error = NULL;
    tminus_cancel_t *interrupt = cancel_on_interrupt();
    tminus_client_options_t client = client_at(argc > 1 ? argv[1] : "grpc://127.0.0.1:8081");
    tminus_subscription_t subscription = {.topic = tminus_str(argc > 2 ? argv[2] : "delay")};
    tminus_simple_consumer_options_t options;
    ok(tminus_simple_consumer_options_init(&options, sizeof options, &error), &error);
    options.group = tminus_str(argc > 3 ? argv[3] : "delay-simple-c");
    tminus_simple_consumer_t *consumer = NULL;
    ok(tminus_simple_consumer_start(&client, &options, &subscription, 1, interrupt, &consumer, &error), &error);

    for (;;) {
        tminus_batch_t *batch = NULL;
        tminus_status_t status =
            tminus_simple_consumer_receive(consumer, 10, INVISIBLE_MS, -1, interrupt, &batch, &error);
        if (status == TMINUS_CANCELLED)
            break;
        if (status != TMINUS_OK && error->is_retryable) {
            // The server limits the flow, or is away.
            tminus_error_free(error);
            nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
            continue;
        }
        ok(status, &error);
        for (size_t i = 0; batch != NULL && i < batch->size; i++) {
            print_message(batch->messages[i]);
            ok(tminus_simple_consumer_ack(consumer, &batch->handles[i], NULL, &error), &error);
        }
        tminus_batch_free(batch);
    }

    tminus_error_free(error);
    tminus_simple_consumer_free(consumer);
    tminus_cancel_free(interrupt);
    return 0;
}
