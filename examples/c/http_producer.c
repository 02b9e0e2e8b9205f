// Publishes four messages over ApsaraMQ HTTP that are delivered later: http_producer http://127.0.0.1:8080 delay 10 MQ_INST_id
#define _POSIX_C_SOURCE 200809L
#include "example.h"

enum { MESSAGES = 4 };

int main(int argc, char **argv)
{
    tminus_error_t *error = NULL;
    const char *topic = argc > 2 ? argv[2] : "delay";
    double seconds = argc > 3 ? atof(argv[3]) : 10;
    tminus_http_client_t *client =
        http_client_at(argc > 1 ? argv[1] : "http://127.0.0.1:8080", argc > 4 ? argv[4] : NULL);

    for (int i = 0; i < MESSAGES; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        tminus_property_t property = {.name = tminus_str("a"), .value = tminus_str(number)};
        tminus_message_t message = TMINUS_MESSAGE_INIT;
        message.topic = tminus_str(topic);
        message.body = tminus_bytes("hello mq!");
        message.tag = tminus_str("greeting");
        message.keys = tminus_str("MessageKey");
        message.properties = &property;
        message.property_count = 1;
        message.delivery = TMINUS_DELIVERY_AT_MS;
        message.delivery_value = now_ms() + (int64_t)(seconds * 1000);

        tminus_receipt_t *receipt = NULL;
        ok(tminus_http_client_publish(client, &message, -1, NULL, &receipt, &error), &error);
        printf("%.*s\n", TMINUS_PRINT(receipt->message_id));
        tminus_receipt_free(receipt);
    }

    tminus_http_client_free(client);
    return 0;
}
