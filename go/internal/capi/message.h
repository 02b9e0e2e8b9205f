// One crossing for a send: Go passes all texts of a message in one buffer, the structs are made here on the C stack.

#ifndef TMINUS_GO_MESSAGE_H
#define TMINUS_GO_MESSAGE_H

#include <stdlib.h>

#include "tminus.h"

// The texts of a message stand in one buffer in this order, then name and value of every property.
enum { TEXT_TOPIC, TEXT_TAG, TEXT_KEYS, TEXT_SHARDING_KEY, TEXT_BROKER, TEXT_GROUP, TEXT_PROPERTIES };

typedef struct go_message_t {
    const char *text;
    const size_t *lengths;
    size_t property_count;
    const uint8_t *body;
    size_t body_len;
    int64_t delivery_value;
    int64_t timeout_ms;
    int32_t flag;
    int32_t delivery;
    int32_t queue_id;  // -1: any queue
    int32_t priority;  // -1: none
} go_message_t;

enum { PROPERTIES_ON_STACK = 32 };

typedef struct message_frame_t {
    tminus_message_t message;
    tminus_send_options_t options;
    tminus_message_queue_t queue;
    tminus_property_t few[PROPERTIES_ON_STACK];
    tminus_property_t *many;
} message_frame_t;

static inline tminus_str_t next_text(const char **text, const size_t **lengths)
{
    tminus_str_t next = {*text, **lengths};
    *text += next.len;
    *lengths += 1;
    if (next.len == 0)
        next.data = NULL;
    return next;
}

// Returns 0 if memory is exhausted.
static inline int frame_fill(message_frame_t *frame, go_message_t in)
{
    const char *text = in.text;
    const size_t *lengths = in.lengths;
    tminus_message_t message = TMINUS_MESSAGE_INIT;
    tminus_send_options_t options = TMINUS_SEND_OPTIONS_INIT;
    message.flag = in.flag;
    message.body = (tminus_bytes_t){in.body, in.body_len};
    message.delivery = in.delivery;
    message.delivery_value = in.delivery_value;
    message.topic = next_text(&text, &lengths);
    message.tag = next_text(&text, &lengths);
    message.keys = next_text(&text, &lengths);
    options.timeout_ms = in.timeout_ms;
    options.sharding_key = next_text(&text, &lengths);
    frame->queue = (tminus_message_queue_t){message.topic, next_text(&text, &lengths), in.queue_id, 0};
    if (in.queue_id >= 0)
        options.queue = &frame->queue;
    message.message_group = next_text(&text, &lengths);
    message.has_priority = in.priority >= 0;
    message.priority = in.priority;

    frame->many = in.property_count > PROPERTIES_ON_STACK ? malloc(in.property_count * sizeof *frame->many) : NULL;
    tminus_property_t *properties = frame->many != NULL ? frame->many : frame->few;
    if (frame->many == NULL && in.property_count > PROPERTIES_ON_STACK)
        return 0;
    for (size_t i = 0; i < in.property_count; i++) {
        properties[i].name = next_text(&text, &lengths);
        properties[i].value = next_text(&text, &lengths);
    }
    message.properties = properties;
    message.property_count = in.property_count;
    frame->message = message;
    frame->options = options;
    return 1;
}

static inline tminus_status_t go_submit_send(const tminus_producer_t *producer, const char *text,
                                             const size_t *lengths, const uint8_t *body, go_message_t in,
                                             const tminus_queue_t *queue, uint64_t user_data, tminus_op_t *op,
                                             tminus_error_t **error)
{
    message_frame_t frame;
    in.text = text, in.lengths = lengths, in.body = body;
    if (!frame_fill(&frame, in))
        return TMINUS_INTERNAL;
    tminus_status_t status =
        tminus_producer_submit_send(producer, &frame.message, &frame.options, queue, user_data, op, error);
    free(frame.many);
    return status;
}

static inline tminus_status_t go_submit_send_transaction(const tminus_producer_t *producer, const char *text,
                                                         const size_t *lengths, const uint8_t *body, go_message_t in,
                                                         const tminus_queue_t *queue, uint64_t user_data,
                                                         tminus_op_t *op, tminus_error_t **error)
{
    message_frame_t frame;
    in.text = text, in.lengths = lengths, in.body = body;
    if (!frame_fill(&frame, in))
        return TMINUS_INTERNAL;
    tminus_status_t status =
        tminus_producer_submit_send_transaction(producer, &frame.message, queue, user_data, op, error);
    free(frame.many);
    return status;
}

static inline tminus_status_t go_send(const tminus_producer_t *producer, const char *text, const size_t *lengths,
                                      const uint8_t *body, go_message_t in, const tminus_cancel_t *cancel,
                                      tminus_receipt_t **receipt, tminus_error_t **error)
{
    message_frame_t frame;
    in.text = text, in.lengths = lengths, in.body = body;
    if (!frame_fill(&frame, in))
        return TMINUS_INTERNAL;
    tminus_status_t status = tminus_producer_send(producer, &frame.message, &frame.options, cancel, receipt, error);
    free(frame.many);
    return status;
}

static inline tminus_status_t go_send_one_way(const tminus_producer_t *producer, const char *text,
                                              const size_t *lengths, const uint8_t *body, go_message_t in,
                                              const tminus_cancel_t *cancel, tminus_error_t **error)
{
    message_frame_t frame;
    in.text = text, in.lengths = lengths, in.body = body;
    if (!frame_fill(&frame, in))
        return TMINUS_INTERNAL;
    tminus_status_t status = tminus_producer_send_one_way(producer, &frame.message, cancel, error);
    free(frame.many);
    return status;
}

#endif
