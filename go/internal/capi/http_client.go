package capi

// #include "http_client.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// HTTPConsume is what to consume.
type HTTPConsume struct {
	Topic, Group, Tag string
	Mode              int32
	Max               int
	Wait              time.Duration
}

// HTTPConsumed is what came.
type HTTPConsumed struct {
	Messages  []Received
	RequestID string
}

// HTTPClient is an HTTP client of the core.
type HTTPClient struct {
	handle[*C.tminus_http_client_t]
	reactor *reactor
}

// NewHTTPClient checks the options.
func NewHTTPClient(client *Client) (*HTTPClient, error) {
	reactor, err := theReactor()
	if err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	options, err := client.options(&a)
	if err != nil {
		return nil, err
	}
	c := &HTTPClient{reactor: reactor}
	var e *C.tminus_error_t
	if status := C.tminus_http_client_new(options, &c.p, &e); status != C.TMINUS_OK {
		return nil, failure(status, e)
	}
	c.freeUnreachable(freeHTTPClient)
	return c, nil
}

func freeHTTPClient(p *C.tminus_http_client_t) { C.tminus_http_client_free(p) }

// do submits an operation and waits for its end.
func (c *HTTPClient) do(ctx context.Context, operation string, submit func(
	client *C.tminus_http_client_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
) C.tminus_status_t) result {
	call := callPool.Get().(*call)
	op, err := submitTo(c.reactor, call, &c.handle, operation, submit)
	if err != nil {
		return result{err: err}
	}
	return c.reactor.wait(ctx, call, op)
}

// Publish publishes m once. The deadline of ctx bounds it.
func (c *HTTPClient) Publish(ctx context.Context, m *Message) (Receipt, error) {
	var wire wireMessage
	wire.fill(m)
	in := wire.numbers(m, timeoutMs(ctx))
	ended := c.do(ctx, "send", func(
		client *C.tminus_http_client_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.go_submit_publish(client, (*C.char)(unsafe.Pointer(unsafe.SliceData(wire.text))),
			unsafe.SliceData(wire.lengths), (*C.uint8_t)(unsafe.SliceData(m.Body)), in, c.reactor.queue, id, op, e)
	})
	return ended.receipt, ended.err
}

// Consume takes messages.
func (c *HTTPClient) Consume(ctx context.Context, wanted *HTTPConsume) (HTTPConsumed, error) {
	var a arena
	defer a.free()
	consume := (*C.tminus_http_consume_t)(a.zeroed(1, C.sizeof_tminus_http_consume_t))
	consume.struct_size = C.sizeof_tminus_http_consume_t
	consume.mode = C.int32_t(wanted.Mode)
	consume.topic, consume.group, consume.tag = a.text(wanted.Topic), a.text(wanted.Group), a.text(wanted.Tag)
	consume.max = C.int32_t(min(wanted.Max, 1<<30))
	consume.wait_ms = ms(wanted.Wait)
	ended := c.do(ctx, "receive", func(
		client *C.tminus_http_client_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.tminus_http_client_submit_consume(client, consume, c.reactor.queue, id, op, e)
	})
	if ended.err != nil || ended.batch == nil {
		return HTTPConsumed{}, ended.err
	}
	defer C.tminus_batch_free(ended.batch)
	return HTTPConsumed{copyReceived(ended.batch), copyText(ended.batch.request_id)}, nil
}

// Ack acknowledges messages by their handles; one result each.
func (c *HTTPClient) Ack(ctx context.Context, topic, group string, handles []string) ([]error, error) {
	var a arena
	defer a.free()
	inTopic, inGroup, texts := a.text(topic), a.text(group), a.texts(handles)
	ended := c.do(ctx, "ack", func(
		client *C.tminus_http_client_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.tminus_http_client_submit_ack(
			client, inTopic, inGroup, texts, C.size_t(len(handles)), c.reactor.queue, id, op, e)
	})
	if ended.err != nil {
		return nil, ended.err
	}
	return copyResults(ended.handles), nil
}

// EndTransaction ends the transaction of a half message by its handle.
func (c *HTTPClient) EndTransaction(ctx context.Context, topic, group, handle string, resolution int32) error {
	var a arena
	defer a.free()
	inTopic, inGroup, inHandle := a.text(topic), a.text(group), a.text(handle)
	return c.do(ctx, "end transaction", func(
		client *C.tminus_http_client_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.tminus_http_client_submit_end_transaction(
			client, inTopic, inGroup, inHandle, C.int32_t(resolution), c.reactor.queue, id, op, e)
	}).err
}

// SetCredentials replaces the credentials.
func (c *HTTPClient) SetCredentials(credentials Credentials) error {
	var a arena
	defer a.free()
	return c.use("set credentials", func(client *C.tminus_http_client_t) error {
		var e *C.tminus_error_t
		status := C.tminus_http_client_set_credentials(client, a.credentials(&credentials), &e)
		return check(status, e)
	})
}

// Close closes the connections and frees the client. A second time does nothing.
func (c *HTTPClient) Close(ctx context.Context) error {
	err := cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return c.use("shutdown", func(client *C.tminus_http_client_t) error {
			var e *C.tminus_error_t
			status := C.tminus_http_client_shutdown(client, cancel, &e)
			return check(status, e)
		})
	})
	c.free(freeHTTPClient)
	return unlessClosed(err)
}
