// One crossing for a publish, as message.h has it for a send.

#ifndef TMINUS_GO_HTTP_CLIENT_H
#define TMINUS_GO_HTTP_CLIENT_H

#include "message.h"

static inline tminus_status_t go_submit_publish(const tminus_http_client_t *client, const char *text,
                                                const size_t *lengths, const uint8_t *body, go_message_t in,
                                                const tminus_queue_t *queue, uint64_t user_data, tminus_op_t *op,
                                                tminus_error_t **error)
{
    message_frame_t frame;
    in.text = text, in.lengths = lengths, in.body = body;
    if (!frame_fill(&frame, in))
        return TMINUS_INTERNAL;
    tminus_status_t status =
        tminus_http_client_submit_publish(client, &frame.message, in.timeout_ms, queue, user_data, op, error);
    free(frame.many);
    return status;
}

#endif
