// Sends one message that is delivered later: delay_producer grpc://127.0.0.1:8081 delay 10
//
// On a real server the topic must take delay messages: mqadmin updateTopic -t delay -a +message.type=DELAY ...
#define _POSIX_C_SOURCE 200809L
#include "example.h"

int main(int argc, char **argv)
{
    tminus_error_t *error = NULL;
    tminus_str_t topic = tminus_str(argc > 2 ? argv[2] : "delay");
    double seconds = argc > 3 ? atof(argv[3]) : 10;

    tminus_client_options_t client = client_at(argc > 1 ? argv[1] : "grpc://127.0.0.1:8081");
    tminus_producer_options_t options;
    ok(tminus_producer_options_init(&options, sizeof options, &error), &error);
    options.topics = &topic;
    options.topic_count = 1;
    tminus_producer_t *producer = NULL;
    ok(tminus_producer_start(&client, &options, NULL, &producer, &error), &error);

    tminus_message_t message = TMINUS_MESSAGE_INIT;
    message.topic = topic;
    message.body = tminus_bytes("Hello from C");
    message.tag = tminus_str("greeting");
    message.keys = tminus_str("order-42");
    message.delivery = TMINUS_DELIVERY_AT_MS;
    message.delivery_value = now_ms() + (int64_t)(seconds * 1000);

    tminus_receipt_t *receipt = NULL;
    ok(tminus_producer_send(producer, &message, NULL, NULL, &receipt, &error), &error);
    printf("%.*s\n", TMINUS_PRINT(receipt->message_id));
    tminus_receipt_free(receipt);

    tminus_producer_free(producer);
    return 0;
}
