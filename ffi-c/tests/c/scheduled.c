// Delivery times on a virtual clock: a year passes in a moment, and nothing comes early.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static void send(tminus_producer_t *producer, const char *body, int32_t delivery, int64_t value)
{
    tminus_message_t message = message_for("later", body);
    message.delivery = delivery;
    message.delivery_value = value;
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
}

static void send_raw(tminus_producer_t *producer, const char *body, int64_t at_ms)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)at_ms);
    tminus_property_t property = {tminus_str("__STARTDELIVERTIME"), tminus_str(text)};
    tminus_message_t message = message_for("later", body);
    message.properties = &property;
    message.property_count = 1;
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
}

static void expect(tminus_push_consumer_t *consumer, const char *body, int64_t at_ms)
{
    tminus_batch_t *batch = receive_one(consumer);
    CHECK(body_is(batch->messages[0], body));
    CHECK(at_ms == -1 || batch->messages[0]->deliver_at_ms == at_ms);
    OK(tminus_batch_settle(batch, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    tminus_batch_free(batch);
}

static size_t pending(tminus_broker_t *broker, int64_t *next_ms)
{
    size_t waiting = 0;
    OK(tminus_broker_pending(broker, &waiting, next_ms, &error));
    return waiting;
}

static void advance(tminus_broker_t *broker, int64_t by_ms, size_t expected)
{
    size_t visible = 99;
    OK(tminus_broker_advance_ms(broker, by_ms, &visible, &error));
    CHECK(visible == expected);
}

static void a_year_in_a_moment(tminus_broker_t *broker, tminus_producer_t *producer, tminus_push_consumer_t *consumer)
{
    double started = seconds();
    int64_t now = tminus_broker_now_ms(broker), next = 0, year = 365 * DAY_MS;
    send(producer, "next year", TMINUS_DELIVERY_AT_MS, now + year);
    CHECK(pending(broker, &next) == 1 && next == now + year);
    advance(broker, year - 1, 0);
    tminus_batch_t *batch = NULL;
    OK(tminus_push_consumer_receive(consumer, 1, 0, NULL, &batch, &error));
    CHECK(batch == NULL);
    advance(broker, 1, 1);
    expect(consumer, "next year", now + year);
    CHECK(tminus_broker_now_ms(broker) == now + year);
    CHECK(pending(broker, &next) == 0 && next == -1);
    CHECK(seconds() - started < 1.0);
}

static void every_way_to_say_when(tminus_broker_t *broker, tminus_producer_t *producer,
                                  tminus_push_consumer_t *consumer)
{
    int64_t now = tminus_broker_now_ms(broker);
    send(producer, "past", TMINUS_DELIVERY_AT_MS, now - 5000);
    expect(consumer, "past", now - 5000);
    send(producer, "after", TMINUS_DELIVERY_AFTER_MS, 1000);
    send(producer, "level 2", TMINUS_DELIVERY_LEVEL, 2);
    send_raw(producer, "raw", now + 10000);
    CHECK(pending(broker, NULL) == 3);
    advance(broker, 1000, 1);
    expect(consumer, "after", now + 1000);
    advance(broker, 4000, 1);
    expect(consumer, "level 2", -1);
    advance(broker, 5000, 1);
    expect(consumer, "raw", now + 10000);
}

// Waits for the retry that a consumer has asked for, and lets its delay pass.
static void expect_again(tminus_broker_t *broker, tminus_push_consumer_t *consumer, const char *body, int64_t delay_ms)
{
    while (pending(broker, NULL) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    advance(broker, delay_ms - 1, 0);
    advance(broker, 1, 1);
    tminus_batch_t *batch = receive_one(consumer);
    CHECK(body_is(batch->messages[0], body) && batch->messages[0]->reconsume_times == 1);
    OK(tminus_batch_settle(batch, 0, TMINUS_CONSUME_SUCCESS, 0, &error));
    tminus_batch_free(batch);
}

// A message that is given back, or freed without a word, comes again when the broker's schedule says.
static void retried(tminus_broker_t *broker, tminus_producer_t *producer, tminus_push_consumer_t *consumer)
{
    send(producer, "again", TMINUS_DELIVERY_NONE, 0);
    tminus_batch_t *batch = receive_one(consumer);
    OK(tminus_batch_settle(batch, 0, TMINUS_CONSUME_RETRY_AFTER_LEVEL, 4, &error));
    tminus_batch_free(batch);
    expect_again(broker, consumer, "again", 30000);

    send(producer, "forgotten", TMINUS_DELIVERY_NONE, 0);
    tminus_batch_free(receive_one(consumer));
    expect_again(broker, consumer, "forgotten", 10000);
}

int main(void)
{
    tminus_broker_t *broker = start_broker(1);
    OK(tminus_broker_create_topic(broker, tminus_str("later"), 1, &error));
    tminus_producer_t *producer = start_producer(broker);
    tminus_push_consumer_t *consumer = start_consumer(broker, "later");

    a_year_in_a_moment(broker, producer, consumer);
    every_way_to_say_when(broker, producer, consumer);
    retried(broker, producer, consumer);

    tminus_push_consumer_free(consumer);
    tminus_producer_free(producer);
    tminus_broker_free(broker);
    return 0;
}
