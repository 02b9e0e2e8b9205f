// Prints delayed messages as they come, until Ctrl-C: push_consumer grpc://127.0.0.1:8081 delay my-group
#define _POSIX_C_SOURCE 200809L
#include "example.h"

int main(int argc, char **argv)
{
    tminus_error_t *error = NULL;
    tminus_cancel_t *interrupt = cancel_on_interrupt();
    tminus_client_options_t client = client_at(argc > 1 ? argv[1] : "grpc://127.0.0.1:8081");
    tminus_subscription_t subscription = {.topic = tminus_str(argc > 2 ? argv[2] : "delay")};
    tminus_push_consumer_options_t options;
    ok(tminus_push_consumer_options_init(&options, sizeof options, &error), &error);
    options.group = tminus_str(argc > 3 ? argv[3] : "delay-push-c");
    tminus_push_consumer_t *consumer = NULL;
    ok(tminus_push_consumer_start(&client, &options, &subscription, 1, interrupt, &consumer, &error), &error);

    for (;;) {
        tminus_batch_t *batch = NULL;
        tminus_status_t status = tminus_push_consumer_receive(consumer, 32, -1, interrupt, &batch, &error);
        if (status == TMINUS_CANCELLED)
            break;
        ok(status, &error);
        for (size_t i = 0; i < batch->size; i++) {
            print_message(batch->messages[i]);
            ok(tminus_batch_settle(batch, i, TMINUS_CONSUME_SUCCESS, 0, &error), &error);
        }
        tminus_batch_free(batch);
    }

    tminus_error_free(error);
    tminus_push_consumer_free(consumer);
    tminus_cancel_free(interrupt);
    return 0;
}
