// Sends one message that is delivered in three seconds: producer 127.0.0.1:9876
#define _POSIX_C_SOURCE 200809L
#include "example.h"

int main(int argc, char **argv)
{
    tminus_error_t *error = NULL;
    tminus_producer_t *producer = start_producer(argc > 1 ? argv[1] : "127.0.0.1:9876");

    tminus_message_t message = TMINUS_MESSAGE_INIT;
    message.topic = tminus_str("test");
    message.body = tminus_bytes("Hello from C");
    message.tag = tminus_str("greeting");
    message.delivery = TMINUS_DELIVERY_AFTER_MS;
    message.delivery_value = 3000;

    tminus_receipt_t *receipt = NULL;
    ok(tminus_producer_send(producer, &message, NULL, NULL, &receipt, &error), &error);
    printf("sent %.*s\n", TMINUS_PRINT(receipt->message_id));
    tminus_receipt_free(receipt);

    tminus_producer_free(producer);
    return 0;
}
