// NULL, bad UTF-8, unknown numbers and wrong sizes are refused; freeing NULL does nothing.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#define REFUSED(call) EXPECT(TMINUS_INVALID_ARGUMENT, call)

static void objects_are_missing(void)
{
    size_t number = 0;
    uint64_t requests = 0;
    int fd = -1;
    int32_t stage = -1;
    tminus_completion_t completion;
    tminus_message_t message = message_for("topic", "body");
    tminus_subscription_t subscription = {.topic = tminus_str("topic")};
    tminus_fault_t fault = {.kind = TMINUS_FAULT_SWALLOW};
    tminus_receipt_handle_t handle = {.handle = tminus_str("handle")};
    tminus_batch_t *batch = NULL;
    tminus_message_queues_t *queues = NULL;
    tminus_receipt_t *receipt = NULL;
    tminus_receipt_handles_t *handles = NULL;
    tminus_credentials_t credentials = {.access_key = tminus_str("key"), .secret_key = tminus_str("secret")};
    tminus_http_consume_t wanted = TMINUS_HTTP_CONSUME_INIT;
    tminus_str_t topic = tminus_str("topic"), group = tminus_str("group"), text = tminus_str("handle");

    REFUSED(tminus_cancel_fire(NULL, &error));
    REFUSED(tminus_queue_wait(NULL, &completion, 1, 0, &number, &error));
    REFUSED(tminus_queue_fd(NULL, &fd, &error));
    REFUSED(tminus_op_cancel(NULL, 1, &error));
    REFUSED(tminus_queue_shutdown(NULL, &error));
    REFUSED(tminus_producer_send(NULL, &message, NULL, NULL, NULL, &error));
    REFUSED(tminus_producer_send_batch(NULL, &message, 1, NULL, NULL, NULL, &error));
    REFUSED(tminus_producer_send_one_way(NULL, &message, NULL, &error));
    REFUSED(tminus_producer_submit_send(NULL, &message, NULL, NULL, 0, NULL, &error));
    REFUSED(tminus_producer_submit_send_batch(NULL, &message, 1, NULL, NULL, 0, NULL, &error));
    REFUSED(tminus_producer_queues(NULL, tminus_str("topic"), NULL, &queues, &error));
    REFUSED(tminus_producer_shutdown(NULL, NULL, &error));
    REFUSED(tminus_producer_recall(NULL, tminus_str("topic"), tminus_str("handle"), NULL, NULL, &error));
    REFUSED(tminus_producer_send_transaction(NULL, &message, NULL, &receipt, &error));
    REFUSED(tminus_producer_submit_send_transaction(NULL, &message, NULL, 0, NULL, &error));
    REFUSED(tminus_producer_end_transaction(NULL, NULL, TMINUS_TRANSACTION_COMMIT, NULL, &error));
    REFUSED(tminus_producer_submit_end_transaction(NULL, NULL, TMINUS_TRANSACTION_COMMIT, NULL, 0, NULL, &error));
    REFUSED(tminus_producer_receive_checks(NULL, 1, 0, NULL, &batch, &error));
    REFUSED(tminus_producer_submit_receive_checks(NULL, 1, NULL, 0, NULL, &error));
    REFUSED(tminus_simple_consumer_subscribe(NULL, &subscription, NULL, &error));
    REFUSED(tminus_simple_consumer_unsubscribe(NULL, tminus_str("topic"), NULL, &error));
    REFUSED(tminus_simple_consumer_receive(NULL, 1, 10000, 0, NULL, &batch, &error));
    REFUSED(tminus_simple_consumer_submit_receive(NULL, 1, 10000, 0, NULL, 0, NULL, &error));
    REFUSED(tminus_simple_consumer_ack(NULL, &handle, NULL, &error));
    REFUSED(tminus_simple_consumer_submit_ack(NULL, &handle, NULL, 0, NULL, &error));
    REFUSED(tminus_simple_consumer_ack_all(NULL, &handle, 1, NULL, &handles, &error));
    REFUSED(tminus_simple_consumer_submit_ack_all(NULL, &handle, 1, NULL, 0, NULL, &error));
    REFUSED(tminus_simple_consumer_change_invisible(NULL, &handle, 0, NULL, &handles, &error));
    REFUSED(tminus_simple_consumer_submit_change_invisible(NULL, &handle, 0, NULL, 0, NULL, &error));
    REFUSED(tminus_simple_consumer_shutdown(NULL, NULL, &error));
    REFUSED(tminus_producer_set_credentials(NULL, &credentials, &error));
    REFUSED(tminus_simple_consumer_set_credentials(NULL, &credentials, &error));
    REFUSED(tminus_push_consumer_set_credentials(NULL, &credentials, &error));
    REFUSED(tminus_http_client_set_credentials(NULL, &credentials, &error));
    REFUSED(tminus_http_client_publish(NULL, &message, -1, NULL, &receipt, &error));
    REFUSED(tminus_http_client_submit_publish(NULL, &message, -1, NULL, 0, NULL, &error));
    REFUSED(tminus_http_client_consume(NULL, &wanted, NULL, &batch, &error));
    REFUSED(tminus_http_client_submit_consume(NULL, &wanted, NULL, 0, NULL, &error));
    REFUSED(tminus_http_client_ack(NULL, topic, group, &text, 1, NULL, &handles, &error));
    REFUSED(tminus_http_client_submit_ack(NULL, topic, group, &text, 1, NULL, 0, NULL, &error));
    REFUSED(tminus_http_client_end_transaction(NULL, topic, group, text, TMINUS_TRANSACTION_COMMIT, NULL, &error));
    REFUSED(tminus_http_client_submit_end_transaction(NULL, topic, group, text, TMINUS_TRANSACTION_COMMIT, NULL, 0,
                                                      NULL, &error));
    REFUSED(tminus_http_client_shutdown(NULL, NULL, &error));
    REFUSED(tminus_push_consumer_subscribe(NULL, &subscription, NULL, &error));
    REFUSED(tminus_push_consumer_unsubscribe(NULL, tminus_str("topic"), NULL, &error));
    REFUSED(tminus_push_consumer_suspend(NULL, &error));
    REFUSED(tminus_push_consumer_resume(NULL, &error));
    REFUSED(tminus_push_consumer_receive(NULL, 1, 0, NULL, &batch, &error));
    REFUSED(tminus_push_consumer_submit_receive(NULL, 1, NULL, 0, NULL, &error));
    REFUSED(tminus_push_consumer_assigned_queues(NULL, &queues, &error));
    REFUSED(tminus_push_consumer_shutdown(NULL, NULL, &error));
    REFUSED(tminus_batch_settle(NULL, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    REFUSED(tminus_batch_settle_all(NULL, TMINUS_CONSUME_SUCCESS, 0, &error));
    REFUSED(tminus_batch_answer(NULL, 0, TMINUS_TRANSACTION_COMMIT, &error));
    REFUSED(tminus_broker_create_topic(NULL, tminus_str("topic"), 4, &error));
    REFUSED(tminus_broker_create_topic_of(NULL, tminus_str("topic"), 4, TMINUS_TOPIC_FIFO, &error));
    REFUSED(tminus_broker_create_group(NULL, tminus_str("group"), NULL, &error));
    REFUSED(tminus_broker_message_stage(NULL, tminus_str("t"), tminus_str("g"), tminus_str("id"), &stage, &error));
    REFUSED(tminus_broker_advance_ms(NULL, 1, &number, &error));
    REFUSED(tminus_broker_pending(NULL, &number, NULL, &error));
    REFUSED(tminus_broker_inject(NULL, 10, 1, &fault, &error));
    REFUSED(tminus_broker_request_count(NULL, 10, &requests, &error));
    REFUSED(tminus_broker_restart(NULL, 0, NULL, &error));
    REFUSED(tminus_broker_stop(NULL, &error));
    CHECK(tminus_producer_client_id(NULL).data == NULL);
    CHECK(tminus_push_consumer_client_id(NULL).data == NULL);
    CHECK(tminus_simple_consumer_client_id(NULL).data == NULL);
    CHECK(tminus_broker_address(NULL).data == NULL);
    CHECK(tminus_broker_ca_pem(NULL).data == NULL);
    CHECK(tminus_broker_now_ms(NULL) == -1);
}

static void places_for_results_are_missing(tminus_broker_t *broker, tminus_queue_t *queue)
{
    tminus_client_options_t client = client_of(broker);
    tminus_completion_t completion;
    size_t count = 0;

    REFUSED(tminus_cancel_new(NULL, &error));
    REFUSED(tminus_queue_new(NULL, &error));
    REFUSED(tminus_queue_wait(queue, NULL, 1, 0, &count, &error));
    REFUSED(tminus_queue_wait(queue, &completion, 0, 0, &count, &error));
    REFUSED(tminus_queue_wait(queue, &completion, 1, 0, NULL, &error));
    REFUSED(tminus_queue_fd(queue, NULL, &error));
    REFUSED(tminus_client_options_init(NULL, sizeof client, &error));
    REFUSED(tminus_producer_start(&client, NULL, NULL, NULL, &error));
    REFUSED(tminus_push_consumer_start(&client, NULL, NULL, 0, NULL, NULL, &error));
    REFUSED(tminus_simple_consumer_start(&client, NULL, NULL, 0, NULL, NULL, &error));
    REFUSED(tminus_http_client_new(&client, NULL, &error));
    REFUSED(tminus_broker_start(NULL, NULL, &error));
    REFUSED(tminus_broker_pending(broker, NULL, NULL, &error));
    REFUSED(tminus_broker_request_count(broker, 10, NULL, &error));
    REFUSED(tminus_broker_message_stage(broker, tminus_str("t"), tminus_str("g"), tminus_str("id"), NULL, &error));
    REFUSED(tminus_group_options_init(NULL, sizeof(tminus_group_options_t), &error));
    REFUSED(tminus_log_drain(1, 0, NULL, &error));
    // A place for the error is optional.
    CHECK(tminus_cancel_new(NULL, NULL) == TMINUS_INVALID_ARGUMENT);
}

static void messages_are_unusable(tminus_producer_t *producer, tminus_queue_t *queue)
{
    tminus_op_t op = 0;
    tminus_message_t good = message_for("topic", "body");
    tminus_message_t bad;

    REFUSED(tminus_producer_send(producer, NULL, NULL, NULL, NULL, &error));
    REFUSED(tminus_producer_send_batch(producer, NULL, 1, NULL, NULL, NULL, &error));
    REFUSED(tminus_producer_send_batch(producer, &good, 0, NULL, NULL, NULL, &error));
    REFUSED(tminus_producer_submit_send(producer, &good, NULL, NULL, 0, &op, &error));
    REFUSED(tminus_producer_submit_send(producer, NULL, NULL, queue, 0, &op, &error));

    bad = good;
    bad.struct_size = 0;
    REFUSED(tminus_producer_send(producer, &bad, NULL, NULL, NULL, &error));
    bad.struct_size = sizeof bad + 8;
    REFUSED(tminus_producer_send(producer, &bad, NULL, NULL, NULL, &error));
    bad = good;
    bad.topic = tminus_str("caf\xe9");
    REFUSED(tminus_producer_send(producer, &bad, NULL, NULL, NULL, &error));
    bad = good;
    bad.topic = (tminus_str_t){NULL, 3};
    REFUSED(tminus_producer_send(producer, &bad, NULL, NULL, NULL, &error));
    bad = good;
    bad.body = (tminus_bytes_t){NULL, 3};
    REFUSED(tminus_producer_submit_send(producer, &bad, NULL, queue, 0, &op, &error));
    bad = good;
    bad.tag = tminus_str("\xff");
    REFUSED(tminus_producer_submit_send(producer, &bad, NULL, queue, 0, &op, &error));
    bad = good;
    bad.property_count = 1;
    REFUSED(tminus_producer_send(producer, &bad, NULL, NULL, NULL, &error));
    bad = good;
    bad.delivery = 99;
    REFUSED(tminus_producer_send(producer, &bad, NULL, NULL, NULL, &error));

    bad = good;
    bad.message_group = tminus_str("\xff");
    REFUSED(tminus_producer_send(producer, &bad, NULL, NULL, NULL, &error));
    bad = good;
    bad.has_priority = 1;
    bad.priority = -1;
    REFUSED(tminus_producer_send(producer, &bad, NULL, NULL, NULL, &error));

    tminus_send_options_t options = TMINUS_SEND_OPTIONS_INIT;
    tminus_message_queue_t to = {.topic = tminus_str("topic"), .broker = tminus_str("broker-a")};
    options.sharding_key = tminus_str("key");
    options.queue = &to;
    REFUSED(tminus_producer_send(producer, &good, &options, NULL, NULL, &error));
    options.queue = NULL;
    REFUSED(tminus_producer_send_batch(producer, &good, 1, &options, NULL, NULL, &error));

    tminus_batch_t *batch = NULL;
    tminus_receipt_t *half = NULL;
    OK(tminus_producer_send_transaction(producer, &good, NULL, &half, &error));
    REFUSED(tminus_producer_send_transaction(producer, &good, NULL, NULL, &error));
    REFUSED(tminus_producer_submit_send_transaction(producer, NULL, queue, 0, &op, &error));
    REFUSED(tminus_producer_end_transaction(producer, NULL, TMINUS_TRANSACTION_COMMIT, NULL, &error));
    REFUSED(tminus_producer_end_transaction(producer, half, 99, NULL, &error));
    REFUSED(tminus_producer_submit_end_transaction(producer, half, 99, queue, 0, &op, &error));
    tminus_receipt_free(half);
    // The producer was started without `take_checks`.
    REFUSED(tminus_producer_receive_checks(producer, 1, 0, NULL, &batch, &error));
    REFUSED(tminus_producer_submit_receive_checks(producer, 1, queue, 0, &op, &error));
    REFUSED(tminus_producer_receive_checks(producer, 0, 0, NULL, &batch, &error));

    // None of the refused submits has brought a completion.
    tminus_completion_t completion;
    size_t count = 99;
    OK(tminus_queue_wait(queue, &completion, 1, 0, &count, &error));
    CHECK(count == 0);
}

static void options_are_unusable(tminus_broker_t *broker)
{
    tminus_client_options_t client = client_of(broker);
    tminus_producer_t *producer = NULL;
    tminus_push_consumer_t *consumer = NULL;
    tminus_simple_consumer_t *simple = NULL;
    tminus_broker_t *other = NULL;

    REFUSED(tminus_client_options_init(&client, offsetof(tminus_client_options_t, http_proxy) - 1, &error));
    REFUSED(tminus_producer_start(NULL, NULL, NULL, &producer, &error));
    REFUSED(tminus_push_consumer_start(NULL, NULL, NULL, 0, NULL, &consumer, &error));

    client.server_kind = 99;
    REFUSED(tminus_producer_start(&client, NULL, NULL, &producer, &error));
    client = client_of(broker);
    client.endpoint = tminus_str("");
    REFUSED(tminus_producer_start(&client, NULL, NULL, &producer, &error));
    client.endpoint = tminus_str("no port");
    REFUSED(tminus_producer_start(&client, NULL, NULL, &producer, &error));
    client = client_of(broker);
    client.connect_timeout_ms = -1;
    REFUSED(tminus_producer_start(&client, NULL, NULL, &producer, &error));

    client = client_of(broker);
    tminus_push_consumer_options_t options;
    OK(tminus_push_consumer_options_init(&options, sizeof options, &error));
    // The group is required.
    REFUSED(tminus_push_consumer_start(&client, &options, NULL, 0, NULL, &consumer, &error));
    options.group = tminus_str("group");
    options.model = 99;
    REFUSED(tminus_push_consumer_start(&client, &options, NULL, 0, NULL, &consumer, &error));
    options.model = TMINUS_MODEL_CLUSTERING;
    REFUSED(tminus_push_consumer_start(&client, &options, NULL, 1, NULL, &consumer, &error));
    tminus_subscription_t subscription = {.topic = tminus_str("topic"), .filter = 99};
    REFUSED(tminus_push_consumer_start(&client, &options, &subscription, 1, NULL, &consumer, &error));

    tminus_simple_consumer_options_t simple_options;
    REFUSED(tminus_simple_consumer_start(NULL, NULL, NULL, 0, NULL, &simple, &error));
    REFUSED(tminus_simple_consumer_options_init(&simple_options, sizeof simple_options + 1, &error));
    OK(tminus_simple_consumer_options_init(&simple_options, sizeof simple_options, &error));
    CHECK(simple_options.await_ms == 15000);
    // The group is required, and a protocol that has simple consumers.
    REFUSED(tminus_simple_consumer_start(&client, &simple_options, NULL, 0, NULL, &simple, &error));
    simple_options.group = tminus_str("group");
    REFUSED(tminus_simple_consumer_start(&client, &simple_options, NULL, 1, NULL, &simple, &error));
    EXPECT(TMINUS_UNSUPPORTED, tminus_simple_consumer_start(&client, &simple_options, NULL, 0, NULL, &simple, &error));
    simple_options.await_ms = -1;
    REFUSED(tminus_simple_consumer_start(&client, &simple_options, NULL, 0, NULL, &simple, &error));

    tminus_http_client_t *http = NULL;
    REFUSED(tminus_http_client_new(NULL, &http, &error));
    EXPECT(TMINUS_UNSUPPORTED, tminus_http_client_new(&client, &http, &error));
    CHECK(http == NULL);
    // A host of ABI 1.1 knows no proxies.
    client.http_proxy = (tminus_str_t){NULL, 3};
    REFUSED(tminus_http_client_new(&client, &http, &error));
    client.struct_size = offsetof(tminus_client_options_t, http_proxy);
    EXPECT(TMINUS_UNSUPPORTED, tminus_http_client_new(&client, &http, &error));
    client = client_of(broker);

    tminus_producer_options_t producer_options;
    OK(tminus_producer_options_init(&producer_options, sizeof producer_options, &error));
    producer_options.topic_count = 1;
    REFUSED(tminus_producer_start(&client, &producer_options, NULL, &producer, &error));
    // A host of ABI 1.0 knows no topics.
    producer_options.struct_size = offsetof(tminus_producer_options_t, topics);
    OK(tminus_producer_start(&client, &producer_options, NULL, &producer, &error));
    tminus_producer_free(producer);
    producer = NULL;
    // One of ABI 1.1 left zero where duplicates can be allowed now, and knows nothing of what follows.
    OK(tminus_producer_options_init(&producer_options, sizeof producer_options, &error));
    CHECK(producer_options.allow_duplicates == 0 && producer_options.body_encoding == TMINUS_BODY_TEXT);
    CHECK(producer_options.transaction_check_after_ms == 10000);
    producer_options.body_encoding = 99;
    REFUSED(tminus_producer_start(&client, &producer_options, NULL, &producer, &error));
    producer_options.struct_size = offsetof(tminus_producer_options_t, transaction_check_after_ms);
    OK(tminus_producer_start(&client, &producer_options, NULL, &producer, &error));
    // It was started without credentials, so there are none to replace.
    tminus_credentials_t credentials = {.access_key = tminus_str("key"), .secret_key = tminus_str("secret")};
    REFUSED(tminus_producer_set_credentials(producer, NULL, &error));
    REFUSED(tminus_producer_set_credentials(producer, &(tminus_credentials_t){.secret_key = tminus_str("s")}, &error));
    REFUSED(tminus_producer_set_credentials(producer, &credentials, &error));
    tminus_producer_free(producer);
    producer = NULL;

    tminus_broker_options_t broken = broker_options(0);
    broken.persona = 99;
    REFUSED(tminus_broker_start(&broken, &other, &error));
    broken = broker_options(0);
    broken.listen = tminus_str("nowhere");
    REFUSED(tminus_broker_start(&broken, &other, &error));
    broken = broker_options(0);
    CHECK(broken.http_invisible_ms == 300000);
    broken.http_invisible_ms = -1;
    REFUSED(tminus_broker_start(&broken, &other, &error));

    REFUSED(tminus_broker_inject(broker, 10, 1, NULL, &error));
    tminus_fault_t fault = {.kind = 99};
    REFUSED(tminus_broker_create_topic_of(broker, tminus_str("topic"), 4, 99, &error));
    REFUSED(tminus_broker_create_topic_of(broker, tminus_str(""), 4, TMINUS_TOPIC_FIFO, &error));
    tminus_group_options_t group;
    OK(tminus_group_options_init(&group, sizeof group, &error));
    CHECK(group.max_attempts == 17 && group.fifo == 0);
    group.backoff_ms = &(int64_t){-1};
    group.backoff_count = 1;
    REFUSED(tminus_broker_create_group(broker, tminus_str("group"), &group, &error));
    group.backoff_ms = NULL;
    REFUSED(tminus_broker_create_group(broker, tminus_str("group"), &group, &error));
    REFUSED(tminus_broker_inject(broker, 10, 1, &fault, &error));
    REFUSED(tminus_broker_advance_ms(broker, -1, NULL, &error));
    // Its clock is the machine's.
    REFUSED(tminus_broker_advance_ms(broker, 1, NULL, &error));
    REFUSED(tminus_log_set_level(99, &error));
    CHECK(producer == NULL && consumer == NULL && simple == NULL && other == NULL);
}

static void errors_tell(void)
{
    tminus_error_t *error = NULL;
    CHECK(tminus_cancel_new(NULL, &error) == TMINUS_INVALID_ARGUMENT);
    CHECK(strcmp(error->name, "invalid_argument") == 0);
    CHECK(strcmp(error->operation, "cancel") == 0);
    CHECK(strstr(error->message, "out is NULL") != NULL);
    CHECK(error->response_code == TMINUS_NO_RESPONSE_CODE);
    CHECK(error->outcome == TMINUS_OUTCOME_NOT_SENT && error->is_retryable == 0);
    CHECK(strcmp(error->server_code, "") == 0 && strcmp(error->server_message, "") == 0);
    CHECK(strcmp(error->request_id, "") == 0 && strcmp(error->host_id, "") == 0);
    tminus_error_free(error);
    CHECK(strcmp(tminus_status_name(TMINUS_OK), "ok") == 0);
    CHECK(strcmp(tminus_status_name(TMINUS_TIMEOUT), "timeout") == 0);
    CHECK(strcmp(tminus_status_name(-5), "unknown") == 0);
}

int main(void)
{
    tminus_broker_t *broker = start_broker(0);
    tminus_producer_t *producer = start_producer(broker);
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));

    objects_are_missing();
    places_for_results_are_missing(broker, queue);
    messages_are_unusable(producer, queue);
    options_are_unusable(broker);
    errors_tell();

    tminus_queue_free(queue);
    tminus_producer_free(producer);
    tminus_broker_free(broker);

    tminus_error_free(NULL);
    tminus_cancel_free(NULL);
    tminus_queue_free(NULL);
    tminus_completions_free(NULL, 3);
    tminus_receipt_free(NULL);
    tminus_receipt_handles_free(NULL);
    tminus_text_free(NULL);
    tminus_batch_free(NULL);
    tminus_message_queues_free(NULL);
    tminus_producer_free(NULL);
    tminus_push_consumer_free(NULL);
    tminus_simple_consumer_free(NULL);
    tminus_http_client_free(NULL);
    tminus_broker_free(NULL);
    tminus_log_free(NULL);
    return 0;
}
