// Half messages and how they end, questions about those that did not, recall, groups and types of topics: over both protocols.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

enum { END_TRANSACTION = 37, FIRST_QUESTION_MS = 6000, INTERVAL_MS = 30000, HOUR_MS = 3600000 };

static tminus_receipt_t *half(tminus_producer_t *producer, const char *body)
{
    tminus_message_t message = message_for("orders", body);
    tminus_receipt_t *receipt = NULL;
    OK(tminus_producer_send_transaction(producer, &message, NULL, &receipt, &error));
    CHECK(receipt->transaction_id.len > 0);
    return receipt;
}

static void expect_message(tminus_push_consumer_t *consumer, const char *body)
{
    tminus_batch_t *batch = receive_one(consumer);
    CHECK(body_is(batch->messages[0], body));
    OK(tminus_batch_settle(batch, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    tminus_batch_free(batch);
}

static void ended(tminus_producer_t *producer, tminus_push_consumer_t *consumer, tminus_queue_t *queue)
{
    tminus_receipt_t *dropped = half(producer, "rolled back");
    OK(tminus_producer_end_transaction(producer, dropped, TMINUS_TRANSACTION_ROLLBACK, NULL, &error));
    tminus_receipt_free(dropped);
    tminus_receipt_t *kept = half(producer, "committed");
    OK(tminus_producer_end_transaction(producer, kept, TMINUS_TRANSACTION_UNKNOWN, NULL, &error));
    OK(tminus_producer_end_transaction(producer, kept, TMINUS_TRANSACTION_COMMIT, NULL, &error));
    tminus_receipt_free(kept);
    expect_message(consumer, "committed");

    tminus_message_t message = message_for("orders", "submitted");
    OK(tminus_producer_submit_send_transaction(producer, &message, queue, 1, NULL, &error));
    tminus_completion_t completion = wait_one(queue);
    CHECK(completion.kind == TMINUS_COMPLETION_SEND && completion.status == TMINUS_OK);
    OK(tminus_producer_submit_end_transaction(producer, completion.receipt, TMINUS_TRANSACTION_COMMIT, queue, 2, NULL,
                                              &error));
    tminus_completion_t end = wait_one(queue);
    CHECK(end.kind == TMINUS_COMPLETION_END_TRANSACTION && end.status == TMINUS_OK && end.user_data == 2);
    tminus_completions_free(&completion, 1);
    expect_message(consumer, "submitted");
}

static void answer(tminus_batch_t *batch, int32_t resolution)
{
    CHECK(batch != NULL && batch->size == 1 && batch->handles == NULL && body_is(batch->messages[0], "in doubt"));
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_batch_settle_all(batch, TMINUS_CONSUME_SUCCESS, 0, &error));
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_batch_answer(batch, 0, 99, &error));
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_batch_answer(batch, 1, resolution, &error));
    OK(tminus_batch_answer(batch, 0, resolution, &error));
    EXPECT(TMINUS_INVALID_ARGUMENT, tminus_batch_answer(batch, 0, resolution, &error));
    tminus_batch_free(batch);
}

static void asked(tminus_broker_t *broker, tminus_producer_t *producer, tminus_push_consumer_t *consumer,
                  tminus_queue_t *queue)
{
    tminus_batch_t *batch = NULL;
    OK(tminus_producer_receive_checks(producer, 1, 0, NULL, &batch, &error));
    CHECK(batch == NULL);
    tminus_receipt_free(half(producer, "in doubt"));
    OK(tminus_broker_advance_ms(broker, FIRST_QUESTION_MS, NULL, &error));
    // Freed unanswered: unknown.
    OK(tminus_producer_receive_checks(producer, 10, 10000, NULL, &batch, &error));
    CHECK(batch != NULL && batch->size == 1);
    tminus_batch_free(batch);
    OK(tminus_broker_advance_ms(broker, INTERVAL_MS, NULL, &error));
    OK(tminus_producer_receive_checks(producer, 10, 10000, NULL, &batch, &error));
    answer(batch, TMINUS_TRANSACTION_UNKNOWN);
    OK(tminus_producer_submit_receive_checks(producer, 1, queue, 5, NULL, &error));
    OK(tminus_broker_advance_ms(broker, INTERVAL_MS, NULL, &error));
    tminus_completion_t completion = wait_one(queue);
    CHECK(completion.kind == TMINUS_COMPLETION_CHECKS && completion.user_data == 5);
    answer(completion.batch, TMINUS_TRANSACTION_COMMIT);
    expect_message(consumer, "in doubt");
}

static void recalled(tminus_broker_t *broker, tminus_producer_t *producer)
{
    tminus_message_t message = message_for("orders", "never");
    message.delivery = TMINUS_DELIVERY_AFTER_MS;
    message.delivery_value = HOUR_MS;
    tminus_receipt_t *receipt = NULL;
    OK(tminus_producer_send(producer, &message, NULL, NULL, &receipt, &error));
    size_t pending = 0;
    OK(tminus_broker_pending(broker, &pending, NULL, &error));
    CHECK(pending == 1);
    tminus_text_t *id = NULL;
    OK(tminus_producer_recall(producer, tminus_str("orders"), receipt->recall_handle, NULL, &id, &error));
    CHECK(id->text.len == receipt->message_id.len);
    CHECK(memcmp(id->text.data, receipt->message_id.data, id->text.len) == 0);
    tminus_text_free(id);
    OK(tminus_broker_pending(broker, &pending, NULL, &error));
    CHECK(pending == 0);
    EXPECT(TMINUS_SERVER, tminus_producer_recall(producer, tminus_str("orders"), receipt->recall_handle, NULL, NULL,
                                                 &error));
    EXPECT(TMINUS_INVALID_ARGUMENT,
           tminus_producer_recall(producer, tminus_str("orders"), tminus_str("made up"), NULL, NULL, &error));
    tminus_receipt_free(receipt);
}

static void groups(tminus_producer_t *producer, tminus_push_consumer_t *consumer)
{
    tminus_message_t message = message_for("orders", "grouped");
    message.message_group = tminus_str("order-17");
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    tminus_batch_t *batch = receive_one(consumer);
    CHECK(same(batch->messages[0]->message_group, "order-17"));
    OK(tminus_batch_settle(batch, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    tminus_batch_free(batch);
}

static void types(tminus_broker_t *broker, tminus_producer_t *producer)
{
    OK(tminus_broker_create_topic_of(broker, tminus_str("fifo"), 4, TMINUS_TOPIC_FIFO, &error));
    tminus_message_t message = message_for("fifo", "without a group");
    EXPECT(TMINUS_TOPIC_TYPE_MISMATCH, tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    message.message_group = tminus_str("group");
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    OK(tminus_broker_create_topic_of(broker, tminus_str("priority"), 4, TMINUS_TOPIC_PRIORITY, &error));
    message = message_for("priority", "urgent");
    message.has_priority = 1;
    message.priority = 3;
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
}

static void stages(tminus_broker_t *broker, tminus_producer_t *producer)
{
    tminus_str_t topic = tminus_str("staged"), group = tminus_str("c-group");
    int32_t stage = -1;
    OK(tminus_broker_message_stage(broker, topic, group, tminus_str("unknown"), &stage, &error));
    CHECK(stage == TMINUS_STAGE_INITIALIZED);
    tminus_message_t message = message_for("staged", "later");
    message.delivery = TMINUS_DELIVERY_AFTER_MS;
    message.delivery_value = HOUR_MS;
    tminus_receipt_t *receipt = NULL;
    OK(tminus_producer_send(producer, &message, NULL, NULL, &receipt, &error));
    OK(tminus_broker_message_stage(broker, topic, group, receipt->message_id, &stage, &error));
    CHECK(stage == TMINUS_STAGE_TIMING);
    OK(tminus_broker_advance_ms(broker, HOUR_MS, NULL, &error));
    OK(tminus_broker_message_stage(broker, topic, group, receipt->message_id, &stage, &error));
    CHECK(stage == TMINUS_STAGE_READY);
    tminus_receipt_free(receipt);
}

static void run(int over_grpc)
{
    tminus_broker_t *broker = start_broker(1);
    OK(tminus_broker_create_topic(broker, tminus_str("orders"), 4, &error));
    tminus_client_options_t client = over_grpc ? grpc_client_of(broker) : client_of(broker);
    tminus_str_t topic = tminus_str("orders");
    tminus_producer_options_t options;
    OK(tminus_producer_options_init(&options, sizeof options, &error));
    options.topics = &topic;
    options.topic_count = 1;
    options.take_checks = 1;
    tminus_producer_t *producer = NULL;
    OK(tminus_producer_start(&client, &options, NULL, &producer, &error));
    tminus_push_consumer_t *consumer = start_consumer_at(client, "orders");
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));

    ended(producer, consumer, queue);
    asked(broker, producer, consumer, queue);
    recalled(broker, producer);
    groups(producer, consumer);
    stages(broker, producer);
    if (over_grpc)
        types(broker, producer);

    tminus_push_consumer_free(consumer);
    OK(tminus_producer_submit_receive_checks(producer, 1, queue, 6, NULL, &error));
    OK(tminus_producer_shutdown(producer, NULL, &error));
    tminus_completion_t completion = wait_one(queue);
    CHECK(completion.status == TMINUS_CLOSED);
    tminus_completions_free(&completion, 1);
    tminus_producer_free(producer);
    tminus_queue_free(queue);
    tminus_broker_free(broker);
}

int main(void)
{
    run(0);
    run(1);
    return 0;
}
