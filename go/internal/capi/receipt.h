// One crossing for an acknowledgement: Go passes the texts of receipt handles in one buffer, the structs are made here.

#ifndef TMINUS_GO_RECEIPT_H
#define TMINUS_GO_RECEIPT_H

#include "message.h"

// Topic, broker, message id and handle stand in the buffer in this order.
static inline tminus_receipt_handle_t next_handle(const char **text, const size_t **lengths)
{
    tminus_receipt_handle_t next;
    next.topic = next_text(text, lengths);
    next.broker = next_text(text, lengths);
    next.message_id = next_text(text, lengths);
    next.handle = next_text(text, lengths);
    return next;
}

static inline tminus_status_t go_submit_ack(const tminus_simple_consumer_t *consumer, const char *text,
                                            const size_t *lengths, const tminus_queue_t *queue, uint64_t user_data,
                                            tminus_op_t *op, tminus_error_t **error)
{
    tminus_receipt_handle_t handle = next_handle(&text, &lengths);
    return tminus_simple_consumer_submit_ack(consumer, &handle, queue, user_data, op, error);
}

static inline tminus_status_t go_submit_ack_all(const tminus_simple_consumer_t *consumer, const char *text,
                                                const size_t *lengths, size_t count, const tminus_queue_t *queue,
                                                uint64_t user_data, tminus_op_t *op, tminus_error_t **error)
{
    tminus_receipt_handle_t *handles = malloc((count + 1) * sizeof *handles);
    if (handles == NULL)
        return TMINUS_INTERNAL;
    for (size_t i = 0; i < count; i++)
        handles[i] = next_handle(&text, &lengths);
    tminus_status_t status =
        tminus_simple_consumer_submit_ack_all(consumer, handles, count, queue, user_data, op, error);
    free(handles);
    return status;
}

static inline tminus_status_t go_submit_change_invisible(const tminus_simple_consumer_t *consumer, const char *text,
                                                         const size_t *lengths, int64_t invisible_ms,
                                                         const tminus_queue_t *queue, uint64_t user_data,
                                                         tminus_op_t *op, tminus_error_t **error)
{
    tminus_receipt_handle_t handle = next_handle(&text, &lengths);
    return tminus_simple_consumer_submit_change_invisible(consumer, &handle, invisible_ms, queue, user_data, op,
                                                          error);
}

#endif
