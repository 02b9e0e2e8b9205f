// Every way to send and to receive, against the loopback broker.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <poll.h>

enum { MANY = 500 };

static void one_message_with_everything(tminus_producer_t *producer, tminus_push_consumer_t *consumer)
{
    tminus_property_t properties[] = {{tminus_str("colour"), tminus_str("blue")}};
    tminus_message_t message = message_for("topic-a", "hello");
    message.tag = tminus_str("tag-1");
    message.keys = tminus_str("key-1 key-2");
    message.properties = properties;
    message.property_count = 1;
    message.flag = 42;
    tminus_receipt_t *receipt = NULL;
    OK(tminus_producer_send(producer, &message, NULL, NULL, &receipt, &error));
    CHECK(receipt->send_status == TMINUS_SEND_OK);
    CHECK(same(receipt->topic, "topic-a") && same(receipt->broker, "broker-a"));
    CHECK(receipt->message_id.len == 32 && receipt->offset_message_id.len > 0);

    tminus_batch_t *batch = receive_one(consumer);
    const tminus_message_view_t *got = batch->messages[0];
    CHECK(same(got->topic, "topic-a") && body_is(got, "hello"));
    CHECK(same(got->tag, "tag-1") && same(got->keys, "key-1 key-2"));
    CHECK(got->flag == 42 && got->reconsume_times == 0 && got->deliver_at_ms == -1);
    CHECK(got->message_id.len == 32 && memcmp(got->message_id.data, receipt->message_id.data, 32) == 0);
    CHECK(got->queue_id == receipt->queue_id && got->queue_offset == receipt->queue_offset);
    CHECK(got->born_ms > 0 && got->store_ms >= got->born_ms && got->store_size > 0);
    CHECK(got->born_host.ip_len == 4 && got->born_host.ip[0] == 127 && got->born_host.port != 0);
    int found = 0;
    for (size_t i = 0; i < got->property_count; i++)
        found += same(got->properties[i].name, "colour") && same(got->properties[i].value, "blue");
    CHECK(found == 1);
    OK(tminus_batch_settle(batch, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    tminus_batch_free(batch);
    tminus_receipt_free(receipt);
}

static void many_at_once(tminus_producer_t *producer, tminus_push_consumer_t *consumer, tminus_queue_t *queue)
{
    char seen[MANY] = {0};
    for (uint64_t i = 0; i < MANY; i++) {
        tminus_message_t message = message_for("topic-a", "");
        message.body = (tminus_bytes_t){(const uint8_t *)&i, sizeof i};
        tminus_op_t op = 0;
        OK(tminus_producer_submit_send(producer, &message, NULL, queue, i, &op, &error));
        CHECK(op != 0);
    }
    for (size_t sent = 0; sent < MANY;) {
        tminus_completion_t completions[64];
        size_t count = 0;
        OK(tminus_queue_wait(queue, completions, 64, 10000, &count, &error));
        CHECK(count > 0);
        for (size_t i = 0; i < count; i++) {
            CHECK(completions[i].kind == TMINUS_COMPLETION_SEND && completions[i].status == TMINUS_OK);
            CHECK(completions[i].user_data < MANY && !seen[completions[i].user_data]);
            seen[completions[i].user_data] = 1;
        }
        tminus_completions_free(completions, count);
        sent += count;
    }

    memset(seen, 0, sizeof seen);
    for (size_t received = 0; received < MANY;) {
        OK(tminus_push_consumer_submit_receive(consumer, 32, queue, 1, NULL, &error));
        tminus_completion_t completion = wait_one(queue);
        CHECK(completion.kind == TMINUS_COMPLETION_RECEIVE && completion.status == TMINUS_OK);
        for (size_t i = 0; i < completion.batch->size; i++) {
            uint64_t number = MANY;
            CHECK(completion.batch->messages[i]->body.len == sizeof number);
            memcpy(&number, completion.batch->messages[i]->body.data, sizeof number);
            CHECK(number < MANY && !seen[number]);
            seen[number] = 1;
        }
        received += completion.batch->size;
        OK(tminus_batch_settle_all(completion.batch, TMINUS_CONSUME_SUCCESS, 0, &error));
        tminus_completions_free(&completion, 1);
    }
}

static void other_ways_to_send(tminus_producer_t *producer, tminus_push_consumer_t *consumer)
{
    tminus_message_t batch[3] = {message_for("topic-a", "one"), message_for("topic-a", "two"),
                                 message_for("topic-a", "three")};
    tminus_receipt_t *receipt = NULL;
    OK(tminus_producer_send_batch(producer, batch, 3, NULL, NULL, &receipt, &error));
    CHECK(receipt->message_id.len == 3 * 32 + 2);
    tminus_receipt_free(receipt);
    tminus_message_t message = message_for("topic-a", "one way");
    OK(tminus_producer_send_one_way(producer, &message, NULL, &error));

    // Equal keys meet in one queue; a queue that is named is used.
    tminus_send_options_t options = TMINUS_SEND_OPTIONS_INIT;
    options.sharding_key = tminus_str("order-17");
    int32_t queue_id = -1;
    for (int i = 0; i < 5; i++) {
        OK(tminus_producer_send(producer, &message, &options, NULL, &receipt, &error));
        CHECK(queue_id == -1 || queue_id == receipt->queue_id);
        queue_id = receipt->queue_id;
        tminus_receipt_free(receipt);
    }
    tminus_message_queues_t *queues = NULL;
    OK(tminus_producer_queues(producer, tminus_str("topic-a"), NULL, &queues, &error));
    CHECK(queues->size == 4 && same(queues->queues[0].topic, "topic-a"));
    options.sharding_key = tminus_str(NULL);
    for (size_t i = 0; i < queues->size; i++) {
        options.queue = &queues->queues[i];
        OK(tminus_producer_send(producer, &message, &options, NULL, &receipt, &error));
        CHECK(receipt->queue_id == queues->queues[i].id);
        tminus_receipt_free(receipt);
    }
    tminus_message_queues_free(queues);

    for (size_t left = 3 + 1 + 5 + 4; left > 0; left--) {
        tminus_batch_t *got = receive_one(consumer);
        OK(tminus_batch_settle_all(got, TMINUS_CONSUME_SUCCESS, 0, &error));
        tminus_batch_free(got);
    }
}

// The descriptor is readable exactly while there is something to drain.
static void event_loop(tminus_producer_t *producer, tminus_push_consumer_t *consumer, tminus_queue_t *queue)
{
    int fd = -1;
    OK(tminus_queue_fd(queue, &fd, &error));
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    CHECK(poll(&poll_fd, 1, 0) == 0);
    tminus_message_t message = message_for("topic-a", "polled");
    for (uint64_t i = 0; i < 2; i++) {
        OK(tminus_producer_submit_send(producer, &message, NULL, queue, i, NULL, &error));
        CHECK(poll(&poll_fd, 1, 10000) == 1);
        CHECK(poll(&poll_fd, 1, 0) == 1);
        tminus_completion_t completion = wait_one(queue);
        CHECK(completion.status == TMINUS_OK && completion.user_data == i);
        tminus_completions_free(&completion, 1);
        CHECK(poll(&poll_fd, 1, 0) == 0);
        tminus_batch_t *batch = receive_one(consumer);
        OK(tminus_batch_settle_all(batch, TMINUS_CONSUME_SUCCESS, 0, &error));
        tminus_batch_free(batch);
    }
}

// Filters, a second subscription, and what a consumer says of itself.
static void subscriptions(tminus_broker_t *broker, tminus_producer_t *producer, tminus_push_consumer_t *consumer)
{
    OK(tminus_broker_create_topic(broker, tminus_str("topic-b"), 2, &error));
    tminus_subscription_t wanted = {.topic = tminus_str("topic-b"), .expression = tminus_str("yes || maybe")};
    OK(tminus_push_consumer_subscribe(consumer, &wanted, NULL, &error));
    tminus_message_t no = message_for("topic-b", "no"), yes = message_for("topic-b", "yes");
    no.tag = tminus_str("no");
    yes.tag = tminus_str("yes");
    OK(tminus_producer_send(producer, &no, NULL, NULL, NULL, &error));
    OK(tminus_producer_send(producer, &yes, NULL, NULL, NULL, &error));
    tminus_batch_t *batch = receive_one(consumer);
    CHECK(body_is(batch->messages[0], "yes"));
    OK(tminus_batch_settle(batch, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    tminus_batch_free(batch);

    tminus_message_queues_t *assigned = NULL;
    OK(tminus_push_consumer_assigned_queues(consumer, &assigned, &error));
    size_t of_b = 0;
    for (size_t i = 0; i < assigned->size; i++)
        of_b += same(assigned->queues[i].topic, "topic-b");
    CHECK(of_b == 2);
    tminus_message_queues_free(assigned);

    OK(tminus_push_consumer_unsubscribe(consumer, tminus_str("topic-b"), NULL, &error));
    OK(tminus_push_consumer_suspend(consumer, &error));
    OK(tminus_push_consumer_resume(consumer, &error));
}

int main(void)
{
    tminus_broker_t *broker = start_broker(0);
    OK(tminus_broker_create_topic(broker, tminus_str("topic-a"), 4, &error));
    tminus_producer_t *producer = start_producer(broker);
    tminus_push_consumer_t *consumer = start_consumer(broker, "topic-a");
    tminus_queue_t *queue = NULL;
    OK(tminus_queue_new(&queue, &error));

    one_message_with_everything(producer, consumer);
    many_at_once(producer, consumer, queue);
    other_ways_to_send(producer, consumer);
    event_loop(producer, consumer, queue);
    subscriptions(broker, producer, consumer);

    OK(tminus_push_consumer_shutdown(consumer, NULL, &error));
    tminus_push_consumer_free(consumer);
    tminus_producer_free(producer);
    tminus_queue_free(queue);
    tminus_broker_free(broker);
    return 0;
}
