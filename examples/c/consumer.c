// Prints messages of topic `test` until none came for 30 seconds: consumer 127.0.0.1:9876
#define _POSIX_C_SOURCE 200809L
#include "example.h"

int main(int argc, char **argv)
{
    tminus_error_t *error = NULL;
    tminus_push_consumer_t *consumer =
        start_consumer(argc > 1 ? argv[1] : "127.0.0.1:9876", "test", "c-example");

    for (;;) {
        tminus_batch_t *batch = NULL;
        ok(tminus_push_consumer_receive(consumer, 32, 30000, NULL, &batch, &error), &error);
        if (batch == NULL)
            break;
        for (size_t i = 0; i < batch->size; i++) {
            const tminus_message_view_t *message = batch->messages[i];
            printf("%.*s: %.*s\n", TMINUS_PRINT(message->message_id), (int)message->body.len,
                   (const char *)message->body.data);
            if (message->deliver_at_ms >= 0)
                printf("  %" PRId64 " ms after its delivery time\n", now_ms() - message->deliver_at_ms);
            ok(tminus_batch_settle(batch, i, TMINUS_CONSUME_SUCCESS, 0, &error), &error);
        }
        fflush(stdout);
        tminus_batch_free(batch);
    }

    tminus_push_consumer_free(consumer);
    return 0;
}
