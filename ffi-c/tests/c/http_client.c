// The calls of ApsaraMQ HTTP, blocking and submitted: publish, consume, acknowledge, end transactions; what the answers tell.
#define _POSIX_C_SOURCE 200809L
#include "http.h"

#include <sys/resource.h>

enum { HIDDEN_MS = 300000, DELAY_MS = 10000, CHECK_AFTER_S = 10, MANY = 500, FEW_FILES = 256 };

static void everything_arrives(tminus_broker_t *broker, tminus_http_client_t *client)
{
    tminus_property_t property = {.name = tminus_str("colour"), .value = tminus_str("blau & grün")};
    tminus_message_t message = message_for(TOPIC, "<first> & \"only\"");
    message.tag = tminus_str("TagA");
    message.keys = tminus_str("order-1 order-2");
    tminus_property_t plain = {.name = tminus_str("colour"), .value = tminus_str("blau, grün")};
    message.properties = &property;
    message.property_count = 1;
    // Properties travel as a text that has no place for some characters.
    EXPECT(TMINUS_INVALID_MESSAGE, tminus_http_client_publish(client, &message, -1, NULL, NULL, &error));
    message.properties = &plain;
    tminus_receipt_t *receipt = NULL;
    OK(tminus_http_client_publish(client, &message, 5000, NULL, &receipt, &error));
    CHECK(receipt->message_id.len > 0 && receipt->request_id.len > 0 && receipt->queue_id == -1);
    CHECK(same(receipt->topic, TOPIC) && receipt->transaction_id.data == NULL);

    int64_t now = tminus_broker_now_ms(broker);
    tminus_batch_t *batch = consume(client, "<first> & \"only\"");
    const tminus_message_view_t *view = batch->messages[0];
    CHECK(view->message_id.len == receipt->message_id.len);
    CHECK(memcmp(view->message_id.data, receipt->message_id.data, view->message_id.len) == 0);
    CHECK(same(view->topic, TOPIC) && same(view->tag, "TagA") && same(view->keys, "order-1 order-2"));
    CHECK(view->delivery_attempt == 1 && view->deliver_at_ms == -1);
    CHECK(view->invisible_until_ms == now + HIDDEN_MS && view->first_delivered_ms == now);
    int found = 0;
    for (size_t i = 0; i < view->property_count; i++)
        found += same(view->properties[i].name, "colour") && same(view->properties[i].value, "blau, grün");
    CHECK(found == 1);
    tminus_receipt_free(receipt);

    // Hidden until then, and no longer; another delivery has another handle.
    nothing_comes(client);
    OK(tminus_broker_advance_ms(broker, HIDDEN_MS, NULL, &error));
    tminus_batch_t *again = consume(client, "<first> & \"only\"");
    CHECK(again->messages[0]->delivery_attempt == 2 && again->messages[0]->first_delivered_ms == now);
    tminus_str_t handles[2] = {batch->handles[0].handle, again->handles[0].handle};
    tminus_receipt_handles_t *results = NULL;
    OK(tminus_http_client_ack(client, tminus_str(TOPIC), tminus_str(GROUP), handles, 2, NULL, &results, &error));
    CHECK(results->size == 2 && results->failed == 1 && results->errors[1] == NULL);
    CHECK(results->errors[0]->status == TMINUS_INVALID_RECEIPT);
    CHECK(strcmp(results->errors[0]->server_code, "ReceiptHandleError") == 0);
    CHECK(results->handles[0].handle.len == handles[0].len && same(results->handles[1].topic, TOPIC));
    tminus_receipt_handles_free(results);
    tminus_batch_free(batch);
    tminus_batch_free(again);
    OK(tminus_broker_advance_ms(broker, HIDDEN_MS, NULL, &error));
    nothing_comes(client);
}

static void tags_and_delays(tminus_broker_t *broker, tminus_http_client_t *client)
{
    tminus_message_t message = message_for(TOPIC, "due");
    message.tag = tminus_str("späť/1");
    message.delivery = TMINUS_DELIVERY_AFTER_MS;
    message.delivery_value = DELAY_MS;
    OK(tminus_http_client_publish(client, &message, -1, NULL, NULL, &error));
    int64_t due = tminus_broker_now_ms(broker) + DELAY_MS;
    OK(tminus_broker_advance_ms(broker, DELAY_MS - 1, NULL, &error));
    nothing_comes(client);
    OK(tminus_broker_advance_ms(broker, 1, NULL, &error));

    tminus_http_consume_t other = wanted(1, 0);
    other.group = tminus_str("GID_other");
    other.tag = tminus_str("TagB");
    tminus_batch_t *batch = NULL;
    EXPECT(TMINUS_MESSAGE_NOT_FOUND, tminus_http_client_consume(client, &other, NULL, &batch, &error));
    tminus_http_consume_t tagged = wanted(1, WAIT_MS);
    tagged.tag = tminus_str("TagA||späť/1");
    OK(tminus_http_client_consume(client, &tagged, NULL, &batch, &error));
    CHECK(batch->size == 1 && batch->messages[0]->deliver_at_ms == due);
    acknowledge(client, batch);
    tminus_batch_free(batch);

    // There are no delay levels.
    message.delivery = TMINUS_DELIVERY_LEVEL;
    message.delivery_value = 3;
    EXPECT(TMINUS_DELAY_UNSUPPORTED, tminus_http_client_publish(client, &message, -1, NULL, NULL, &error));
}

static void in_order(tminus_http_client_t *client)
{
    tminus_message_t message = message_for("sequence", "1");
    message.message_group = tminus_str("group");
    OK(tminus_http_client_publish(client, &message, -1, NULL, NULL, &error));
    message.body = tminus_bytes("2");
    OK(tminus_http_client_publish(client, &message, -1, NULL, NULL, &error));
    tminus_http_consume_t next = wanted(1, 0);
    next.topic = message.topic;
    next.mode = TMINUS_HTTP_CONSUME_ORDERLY;
    tminus_batch_t *batch = NULL;
    for (int i = 1; i <= 2; i++) {
        tminus_batch_t *none = NULL;
        tminus_receipt_handles_t *results = NULL;
        OK(tminus_http_client_consume(client, &next, NULL, &batch, &error));
        CHECK(body_is(batch->messages[0], i == 1 ? "1" : "2") && same(batch->messages[0]->message_group, "group"));
        EXPECT(TMINUS_MESSAGE_NOT_FOUND, tminus_http_client_consume(client, &next, NULL, &none, &error));
        OK(tminus_http_client_ack(client, next.topic, next.group, &batch->handles[0].handle, 1, NULL, &results, &error));
        CHECK(results->failed == 0);
        tminus_receipt_handles_free(results);
        tminus_batch_free(batch);
    }
}

static tminus_status_t end(tminus_http_client_t *client, tminus_str_t handle, int32_t resolution, tminus_error_t **error)
{
    return tminus_http_client_end_transaction(client, tminus_str(TOPIC), tminus_str("GID_producer"), handle, resolution,
                                              NULL, error);
}

static void transactions(tminus_broker_t *broker, tminus_http_client_t *client, tminus_queue_t *queue)
{
    tminus_property_t check = {.name = tminus_str("__TransCheckT"), .value = tminus_str("10")};
    tminus_message_t message = message_for(TOPIC, "committed");
    message.properties = &check;
    message.property_count = 1;
    tminus_receipt_t *half = NULL;
    OK(tminus_http_client_publish(client, &message, -1, NULL, &half, &error));
    CHECK(half->transaction_id.len > 0);
    nothing_comes(client);
    OK(end(client, half->transaction_id, TMINUS_TRANSACTION_UNKNOWN, &error));
    nothing_comes(client);
    OK(end(client, half->transaction_id, TMINUS_TRANSACTION_COMMIT, &error));
    consume_and_acknowledge(client, "committed");
    tminus_receipt_free(half);

    message.body = tminus_bytes("rolled back");
    OK(tminus_http_client_publish(client, &message, -1, NULL, &half, &error));
    OK(end(client, half->transaction_id, TMINUS_TRANSACTION_ROLLBACK, &error));
    nothing_comes(client);
    tminus_receipt_free(half);

    // Shown to who asks, once its time has come; the handle of the publish has ended by then.
    message.body = tminus_bytes("in doubt");
    OK(tminus_http_client_publish(client, &message, -1, NULL, &half, &error));
    tminus_http_consume_t open = wanted(16, 0);
    open.group = tminus_str("GID_producer");
    open.mode = TMINUS_HTTP_CONSUME_HALF;
    tminus_batch_t *batch = NULL;
    EXPECT(TMINUS_MESSAGE_NOT_FOUND, tminus_http_client_consume(client, &open, NULL, &batch, &error));
    OK(tminus_broker_advance_ms(broker, CHECK_AFTER_S * 1000, NULL, &error));
    OK(tminus_http_client_consume(client, &open, NULL, &batch, &error));
    CHECK(batch->size == 1 && body_is(batch->messages[0], "in doubt"));
    EXPECT(TMINUS_INVALID_RECEIPT, end(client, half->transaction_id, TMINUS_TRANSACTION_COMMIT, &error));
    OK(tminus_http_client_submit_end_transaction(client, open.topic, open.group, batch->handles[0].handle,
                                                 TMINUS_TRANSACTION_COMMIT, queue, 9, NULL, &error));
    tminus_completion_t completion = wait_one(queue);
    CHECK(completion.kind == TMINUS_COMPLETION_END_TRANSACTION && completion.status == TMINUS_OK);
    CHECK(completion.user_data == 9);
    consume_and_acknowledge(client, "in doubt");
    tminus_batch_free(batch);
    tminus_receipt_free(half);
}

static void submitted(tminus_http_client_t *client, tminus_queue_t *queue)
{
    // A burst does not take a connection a message.
    struct rlimit files = {FEW_FILES, FEW_FILES};
    CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
    tminus_completion_t completion;
    tminus_message_t message = message_for(TOPIC, "many");
    for (uint64_t i = 0; i < MANY; i++)
        OK(tminus_http_client_submit_publish(client, &message, WAIT_MS, queue, i, NULL, &error));
    for (int i = 0; i < MANY; i++) {
        completion = wait_one(queue);
        CHECK(completion.kind == TMINUS_COMPLETION_SEND && completion.status == TMINUS_OK);
        CHECK(completion.receipt->request_id.len > 0);
        tminus_completions_free(&completion, 1);
    }
    tminus_http_consume_t some = wanted(16, WAIT_MS);
    for (size_t received = 0; received < MANY;) {
        OK(tminus_http_client_submit_consume(client, &some, queue, 1, NULL, &error));
        completion = wait_one(queue);
        CHECK(completion.kind == TMINUS_COMPLETION_RECEIVE && completion.status == TMINUS_OK);
        const tminus_batch_t *batch = completion.batch;
        CHECK(batch->size > 0 && batch->size <= 16);
        tminus_str_t handles[16];
        for (size_t i = 0; i < batch->size; i++)
            handles[i] = batch->handles[i].handle;
        OK(tminus_http_client_submit_ack(client, some.topic, some.group, handles, batch->size, queue, 2, NULL, &error));
        tminus_completion_t ack = wait_one(queue);
        CHECK(ack.kind == TMINUS_COMPLETION_ACK && ack.status == TMINUS_OK);
        CHECK(ack.handles->size == batch->size && ack.handles->failed == 0);
        received += batch->size;
        tminus_completions_free(&ack, 1);
        tminus_completions_free(&completion, 1);
    }
    some.wait_ms = 0;
    OK(tminus_http_client_submit_consume(client, &some, queue, 3, NULL, &error));
    completion = wait_one(queue);
    CHECK(completion.status == TMINUS_MESSAGE_NOT_FOUND && completion.batch == NULL);
    CHECK(strcmp(completion.error->server_code, "MessageNotExist") == 0);
    tminus_completions_free(&completion, 1);
}

int main(void)
{
    tminus_broker_t *broker = start_signed_broker();
    tminus_http_client_t *client = client_with(broker, "key", "secret");
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));

    everything_arrives(broker, client);
    tags_and_delays(broker, client);
    in_order(client);
    transactions(broker, client, queue);
    submitted(client, queue);

    tminus_http_client_free(client);
    tminus_queue_free(queue);
    tminus_broker_free(broker);
    return 0;
}
