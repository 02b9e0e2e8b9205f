// The library's events come to the host, and nowhere else.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>

static void *wait_for_the_end(void *argument)
{
    (void)argument;
    for (;;) {
        tminus_log_t *log = NULL;
        tminus_error_t *error = NULL;
        tminus_status_t status = tminus_log_drain(16, -1, &log, &error);
        tminus_error_free(error);
        tminus_log_free(log);
        if (status == TMINUS_CLOSED)
            return NULL;
        CHECK(status == TMINUS_OK && log != NULL);
    }
}

int main(void)
{
    tminus_log_t *log = NULL;
    EXPECT(TMINUS_CLOSED, tminus_log_drain(16, -1, &log, &error));
    OK(tminus_log_set_level(TMINUS_LOG_DEBUG, &error));
    OK(tminus_log_drain(16, 0, &log, &error));
    CHECK(log == NULL);

    tminus_broker_t *broker = start_broker(0);
    tminus_producer_t *producer = start_producer(broker);
    tminus_fault_t fault = {TMINUS_FAULT_REFUSE, 2, tminus_str("[BUSY]")};
    OK(tminus_broker_inject(broker, 310, 1, &fault, &error));
    tminus_message_t message = message_for("logged", "body");
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));

    // The producer said that it tried again.
    int told = 0;
    while (!told) {
        OK(tminus_log_drain(16, 10000, &log, &error));
        CHECK(log != NULL && log->size > 0 && log->dropped == 0);
        for (size_t i = 0; i < log->size; i++) {
            const tminus_log_record_t *record = &log->records[i];
            CHECK(record->level >= TMINUS_LOG_ERROR && record->level <= TMINUS_LOG_DEBUG);
            CHECK(record->target.len >= 6 && memcmp(record->target.data, "tminus", 6) == 0);
            char text[512];
            snprintf(text, sizeof text, "%.*s", TMINUS_PRINT(record->message));
            told |= strstr(text, "tried again") != NULL && strstr(text, "topic=\"logged\"") != NULL;
        }
        tminus_log_free(log);
    }

    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wait_for_the_end, NULL) == 0);
    OK(tminus_log_set_level(TMINUS_LOG_OFF, &error));
    CHECK(pthread_join(thread, NULL) == 0);
    tminus_producer_free(producer);
    tminus_broker_free(broker);
    return 0;
}
