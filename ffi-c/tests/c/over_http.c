// Producer, consumers and transactions over ApsaraMQ HTTP: the program is that of the other protocols, but for the endpoint.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

enum { PUBLISH = 310, HIDDEN_MS = 20000, CHECK_AFTER_MS = 10000 };

static tminus_client_options_t client_options(const tminus_broker_t *broker)
{
    tminus_client_options_t client = client_by("http", broker);
    client.credentials.access_key = tminus_str("key");
    client.credentials.secret_key = tminus_str("secret");
    return client;
}

static tminus_producer_t *start_http_producer(const tminus_broker_t *broker, int32_t allow_duplicates)
{
    tminus_client_options_t client = client_options(broker);
    tminus_producer_options_t options;
    OK(tminus_producer_options_init(&options, sizeof options, &error));
    tminus_str_t topic = tminus_str("transactions");
    options.topics = &topic;
    options.topic_count = 1;
    options.take_checks = 1;
    options.allow_duplicates = allow_duplicates;
    options.body_encoding = TMINUS_BODY_BASE64;
    options.transaction_check_after_ms = CHECK_AFTER_MS;
    options.send_timeout_ms = 1000;
    tminus_producer_t *producer = NULL;
    OK(tminus_producer_start(&client, &options, NULL, &producer, &error));
    return producer;
}

static tminus_simple_consumer_t *start_simple(const tminus_broker_t *broker, const char *topic, int32_t orderly)
{
    tminus_client_options_t client = client_options(broker);
    tminus_simple_consumer_options_t options;
    OK(tminus_simple_consumer_options_init(&options, sizeof options, &error));
    options.group = tminus_str("c-group");
    options.orderly = orderly;
    tminus_subscription_t subscription = {.topic = tminus_str(topic)};
    tminus_simple_consumer_t *consumer = NULL;
    OK(tminus_simple_consumer_start(&client, &options, &subscription, 1, NULL, &consumer, &error));
    return consumer;
}

static tminus_batch_t *receive_within(tminus_simple_consumer_t *consumer, int64_t wait_ms)
{
    tminus_batch_t *batch = NULL;
    OK(tminus_simple_consumer_receive(consumer, 1, HIDDEN_MS, wait_ms, NULL, &batch, &error));
    return batch;
}

static void simple(const tminus_broker_t *broker, tminus_producer_t *producer)
{
    // No text at all, which comes back as it was.
    static const uint8_t body[] = {0, 0xff, 7, 0x80};
    tminus_message_t message = message_for("simple", "");
    message.body = (tminus_bytes_t){body, sizeof body};
    message.delivery = TMINUS_DELIVERY_AFTER_MS;
    message.delivery_value = 1000;
    tminus_receipt_t *receipt = NULL;
    OK(tminus_producer_send(producer, &message, NULL, NULL, &receipt, &error));
    CHECK(receipt->request_id.len > 0 && receipt->queue_id == -1);
    tminus_receipt_free(receipt);

    tminus_simple_consumer_t *consumer = start_simple(broker, "simple", 0);
    CHECK(receive_within(consumer, 0) == NULL);
    OK(tminus_broker_advance_ms(broker, 1000, NULL, &error));
    tminus_batch_t *batch = receive_within(consumer, 10000);
    CHECK(batch != NULL && batch->size == 1 && batch->request_id.data == NULL);
    const tminus_message_view_t *view = batch->messages[0];
    CHECK(view->body.len == sizeof body && memcmp(view->body.data, body, sizeof body) == 0);
    CHECK(view->invisible_until_ms == tminus_broker_now_ms(broker) + HIDDEN_MS);
    CHECK(view->first_delivered_ms == tminus_broker_now_ms(broker) && view->delivery_attempt == 1);
    // The service chooses how long a message is hidden, once and for all.
    tminus_receipt_handles_t *renewed = NULL;
    EXPECT(TMINUS_UNSUPPORTED,
           tminus_simple_consumer_change_invisible(consumer, &batch->handles[0], 1000, NULL, &renewed, &error));
    OK(tminus_broker_advance_ms(broker, HIDDEN_MS, NULL, &error));
    EXPECT(TMINUS_INVALID_RECEIPT, tminus_simple_consumer_ack(consumer, &batch->handles[0], NULL, &error));
    tminus_batch_free(batch);
    batch = receive_within(consumer, 10000);
    CHECK(batch != NULL && batch->messages[0]->delivery_attempt == 2);
    OK(tminus_simple_consumer_ack(consumer, &batch->handles[0], NULL, &error));
    tminus_batch_free(batch);
    tminus_simple_consumer_free(consumer);
}

static void orderly(const tminus_broker_t *broker, tminus_producer_t *producer)
{
    tminus_message_t message = message_for("orderly", "1");
    message.message_group = tminus_str("group");
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    message.body = tminus_bytes("2");
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    tminus_simple_consumer_t *consumer = start_simple(broker, "orderly", 1);
    for (int i = 1; i <= 2; i++) {
        tminus_batch_t *batch = receive_within(consumer, 10000);
        CHECK(batch != NULL && body_is(batch->messages[0], i == 1 ? "1" : "2"));
        CHECK(receive_within(consumer, 0) == NULL);
        OK(tminus_simple_consumer_ack(consumer, &batch->handles[0], NULL, &error));
        tminus_batch_free(batch);
    }
    tminus_simple_consumer_free(consumer);
}

static void push(const tminus_broker_t *broker, tminus_producer_t *producer)
{
    tminus_push_consumer_t *consumer = start_consumer_at(client_options(broker), "push");
    tminus_message_t message = message_for("push", "pushed");
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    tminus_batch_t *batch = receive_one(consumer);
    CHECK(body_is(batch->messages[0], "pushed"));
    OK(tminus_batch_settle(batch, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    tminus_batch_free(batch);
    tminus_push_consumer_free(consumer);
}

static void transactions(const tminus_broker_t *broker, tminus_producer_t *producer)
{
    tminus_simple_consumer_t *consumer = start_simple(broker, "transactions", 0);
    tminus_message_t message = message_for("transactions", "committed");
    tminus_receipt_t *half = NULL;
    OK(tminus_producer_send_transaction(producer, &message, NULL, &half, &error));
    CHECK(half->transaction_id.len > 0 && receive_within(consumer, 0) == NULL);
    OK(tminus_producer_end_transaction(producer, half, TMINUS_TRANSACTION_COMMIT, NULL, &error));
    tminus_receipt_free(half);
    tminus_batch_t *batch = receive_within(consumer, 10000);
    CHECK(batch != NULL && body_is(batch->messages[0], "committed"));
    OK(tminus_simple_consumer_ack(consumer, &batch->handles[0], NULL, &error));
    tminus_batch_free(batch);

    // The producer asks for what is in doubt, and the host answers.
    message.body = tminus_bytes("in doubt");
    OK(tminus_producer_send_transaction(producer, &message, NULL, &half, &error));
    tminus_receipt_free(half);
    OK(tminus_broker_advance_ms(broker, CHECK_AFTER_MS, NULL, &error));
    OK(tminus_producer_receive_checks(producer, 1, 10000, NULL, &batch, &error));
    CHECK(batch != NULL && batch->size == 1 && body_is(batch->messages[0], "in doubt"));
    OK(tminus_batch_answer(batch, 0, TMINUS_TRANSACTION_COMMIT, &error));
    tminus_batch_free(batch);
    batch = receive_within(consumer, 10000);
    CHECK(batch != NULL && body_is(batch->messages[0], "in doubt"));
    OK(tminus_simple_consumer_ack(consumer, &batch->handles[0], NULL, &error));
    tminus_batch_free(batch);
    tminus_simple_consumer_free(consumer);
}

// A connection that ends after the request: repeated only where duplicates are allowed.
static void duplicates(const tminus_broker_t *broker)
{
    tminus_fault_t fault = {.kind = TMINUS_FAULT_CLOSE_AFTER};
    tminus_message_t message = message_for("duplicates", "body");
    for (int32_t allowed = 0; allowed <= 1; allowed++) {
        tminus_producer_t *producer = start_http_producer(broker, allowed);
        uint64_t before = 0, after = 0;
        OK(tminus_broker_inject(broker, PUBLISH, 1, &fault, &error));
        OK(tminus_broker_request_count(broker, PUBLISH, &before, &error));
        EXPECT(allowed ? TMINUS_OK : TMINUS_CONNECTION_CLOSED,
               tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
        OK(tminus_broker_request_count(broker, PUBLISH, &after, &error));
        CHECK(after == before + 1 + (uint64_t)allowed);
        tminus_producer_free(producer);
    }
}

// The next request is signed with what replaces the credentials, whatever the client.
static void credentials(const tminus_broker_t *broker, tminus_producer_t *producer)
{
    tminus_credentials_t wrong = {.access_key = tminus_str("key"), .secret_key = tminus_str("wrong")};
    tminus_credentials_t right = {.access_key = tminus_str("key"), .secret_key = tminus_str("secret")};
    tminus_message_t message = message_for("credentials", "body");
    OK(tminus_producer_set_credentials(producer, &wrong, &error));
    EXPECT(TMINUS_PERMISSION_DENIED, tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    OK(tminus_producer_set_credentials(producer, &right, &error));
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));

    tminus_simple_consumer_t *consumer = start_simple(broker, "credentials", 0);
    tminus_batch_t *batch = NULL;
    OK(tminus_simple_consumer_set_credentials(consumer, &wrong, &error));
    EXPECT(TMINUS_PERMISSION_DENIED, tminus_simple_consumer_receive(consumer, 1, HIDDEN_MS, 0, NULL, &batch, &error));
    OK(tminus_simple_consumer_set_credentials(consumer, &right, &error));
    batch = receive_within(consumer, 10000);
    CHECK(batch != NULL);
    tminus_batch_free(batch);
    tminus_simple_consumer_free(consumer);

    tminus_push_consumer_t *pushed = start_consumer_at(client_options(broker), "credentials");
    OK(tminus_push_consumer_set_credentials(pushed, &right, &error));
    tminus_push_consumer_free(pushed);
}

int main(void)
{
    tminus_credentials_t user = {.access_key = tminus_str("key"), .secret_key = tminus_str("secret")};
    tminus_broker_options_t options = broker_options(1);
    options.credentials = &user;
    options.credential_count = 1;
    options.http_invisible_ms = HIDDEN_MS;
    tminus_broker_t *broker = NULL;
    OK(tminus_broker_start(&options, &broker, &error));
    tminus_producer_t *producer = start_http_producer(broker, 0);

    simple(broker, producer);
    orderly(broker, producer);
    push(broker, producer);
    transactions(broker, producer);
    duplicates(broker);
    credentials(broker, producer);

    tminus_producer_free(producer);
    tminus_broker_free(broker);
    return 0;
}
