// Consumes messages over ApsaraMQ HTTP and acknowledges them, until Ctrl-C:
// http_consumer http://127.0.0.1:8080 delay GID_delay MQ_INST_id
#define _POSIX_C_SOURCE 200809L
#include "example.h"

enum { AT_ONCE = 16, WAIT_MS = 30000 };

// What is not acknowledged comes again, so that a failure is no reason to end.
static void acknowledge(const tminus_http_client_t *client, const tminus_http_consume_t *wanted,
                        const tminus_batch_t *batch)
{
    tminus_error_t *error = NULL;
    tminus_receipt_handles_t *results = NULL;
    tminus_str_t handles[AT_ONCE];
    for (size_t i = 0; i < batch->size; i++)
        handles[i] = batch->handles[i].handle;
    if (tminus_http_client_ack(client, wanted->topic, wanted->group, handles, batch->size, NULL, &results, &error) !=
        TMINUS_OK)
        fprintf(stderr, "request %s: %s\n", error->request_id, error->message);
    for (size_t i = 0; results != NULL && i < results->size; i++)
        if (results->errors[i] != NULL)
            fprintf(stderr, "%.*s: %s %s\n", TMINUS_PRINT(results->handles[i].handle), results->errors[i]->server_code,
                    results->errors[i]->server_message);
    tminus_receipt_handles_free(results);
    tminus_error_free(error);
}

int main(int argc, char **argv)
{
    tminus_error_t *error = NULL;
    tminus_cancel_t *interrupt = cancel_on_interrupt();
    tminus_http_client_t *client =
        http_client_at(argc > 1 ? argv[1] : "http://127.0.0.1:8080", argc > 4 ? argv[4] : NULL);
    tminus_http_consume_t wanted = TMINUS_HTTP_CONSUME_INIT;
    wanted.topic = tminus_str(argc > 2 ? argv[2] : "delay");
    wanted.group = tminus_str(argc > 3 ? argv[3] : "GID_delay");
    wanted.max = AT_ONCE;
    wanted.wait_ms = WAIT_MS;

    for (;;) {
        tminus_batch_t *batch = NULL;
        tminus_status_t status = tminus_http_client_consume(client, &wanted, interrupt, &batch, &error);
        if (status == TMINUS_CANCELLED)
            break;
        if (status == TMINUS_MESSAGE_NOT_FOUND) {
            tminus_error_free(error);
            continue;
        }
        if (status != TMINUS_OK && error->is_retryable) {
            // The server limits the flow, or is away.
            tminus_error_free(error);
            nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
            continue;
        }
        ok(status, &error);
        for (size_t i = 0; i < batch->size; i++)
            print_message(batch->messages[i]);
        acknowledge(client, &wanted, batch);
        tminus_batch_free(batch);
    }

    tminus_error_free(error);
    tminus_http_client_free(client);
    tminus_cancel_free(interrupt);
    return 0;
}
