package capi

// #include "receipt.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// SimpleConsumerOptions: zero values are the defaults of the core.
type SimpleConsumerOptions struct {
	Group         string
	Await         time.Duration
	Orderly       bool
	Subscriptions []Subscription
}

// ReceiptHandle acknowledges a received message.
type ReceiptHandle struct{ Topic, Broker, MessageID, Handle string }

// Received is a message with what acknowledges it.
type Received struct {
	View   View
	Handle ReceiptHandle
}

// SimpleConsumer is a simple consumer of the core.
type SimpleConsumer struct {
	handle[*C.tminus_simple_consumer_t]
	reactor *reactor
	await   time.Duration
}

// StartSimpleConsumer starts a consumer.
func StartSimpleConsumer(ctx context.Context, client *Client, o *SimpleConsumerOptions) (*SimpleConsumer, error) {
	reactor, err := theReactor()
	if err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	clientOptions, err := client.options(&a)
	if err != nil {
		return nil, err
	}
	options := (*C.tminus_simple_consumer_options_t)(a.zeroed(1, C.sizeof_tminus_simple_consumer_options_t))
	var e *C.tminus_error_t
	status := C.tminus_simple_consumer_options_init(options, C.sizeof_tminus_simple_consumer_options_t, &e)
	if status != C.TMINUS_OK {
		return nil, failure(status, e)
	}
	options.group = a.text(o.Group)
	setMs(&options.await_ms, o.Await)
	options.orderly = flag(o.Orderly)
	subscriptions, count := a.subscriptions(o.Subscriptions)

	c := &SimpleConsumer{reactor: reactor, await: time.Duration(options.await_ms) * time.Millisecond}
	err = cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		var e *C.tminus_error_t
		status := C.tminus_simple_consumer_start(clientOptions, options, subscriptions, count, cancel, &c.p, &e)
		return check(status, e)
	})
	if err != nil {
		return nil, err
	}
	c.freeUnreachable(freeSimpleConsumer)
	return c, nil
}

func freeSimpleConsumer(p *C.tminus_simple_consumer_t) { C.tminus_simple_consumer_free(p) }

// do submits an operation and waits for its end.
func (c *SimpleConsumer) do(ctx context.Context, operation string, submit func(
	consumer *C.tminus_simple_consumer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
) C.tminus_status_t) result {
	call := callPool.Get().(*call)
	op, err := submitTo(c.reactor, call, &c.handle, operation, submit)
	if err != nil {
		return result{err: err}
	}
	return c.reactor.wait(ctx, call, op)
}

// Receive takes up to max messages, or none if none comes in time.
func (c *SimpleConsumer) Receive(ctx context.Context, max int, invisible time.Duration) ([]Received, error) {
	wait := ms(c.await)
	if left := timeoutMs(ctx); left >= 0 {
		wait = min(wait, left)
	}
	ended := c.do(ctx, "receive", func(
		consumer *C.tminus_simple_consumer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.tminus_simple_consumer_submit_receive(
			consumer, C.size_t(max), ms(invisible), wait, c.reactor.queue, id, op, e)
	})
	if ended.err != nil || ended.batch == nil {
		return nil, ended.err
	}
	defer C.tminus_batch_free(ended.batch)
	return copyReceived(ended.batch), nil
}

// copyReceived copies messages with what acknowledges them.
func copyReceived(batch *C.tminus_batch_t) []Received {
	handles := cSlice(batch.handles, batch.size)
	received := make([]Received, len(handles))
	for i, view := range cSlice(batch.messages, batch.size) {
		received[i] = Received{copyView(view), copyHandle(&handles[i])}
	}
	return received
}

func copyHandle(h *C.tminus_receipt_handle_t) ReceiptHandle {
	return ReceiptHandle{copyText(h.topic), copyText(h.broker), copyText(h.message_id), copyText(h.handle)}
}

// handle adds the texts of a receipt handle, see receipt.h.
func (w *wireMessage) handle(h *ReceiptHandle) {
	w.add(h.Topic)
	w.add(h.Broker)
	w.add(h.MessageID)
	w.add(h.Handle)
}

// Ack acknowledges one message.
func (c *SimpleConsumer) Ack(ctx context.Context, h *ReceiptHandle) error {
	var wire wireMessage
	wire.text, wire.lengths = wire.room[:0], wire.lengthRoom[:0]
	wire.handle(h)
	return c.do(ctx, "ack", func(
		consumer *C.tminus_simple_consumer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.go_submit_ack(consumer, (*C.char)(unsafe.Pointer(unsafe.SliceData(wire.text))),
			unsafe.SliceData(wire.lengths), c.reactor.queue, id, op, e)
	}).err
}

// AckAll acknowledges many messages; one result each.
func (c *SimpleConsumer) AckAll(ctx context.Context, handles []ReceiptHandle) ([]error, error) {
	var wire wireMessage
	for i := range handles {
		wire.handle(&handles[i])
	}
	ended := c.do(ctx, "ack", func(
		consumer *C.tminus_simple_consumer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.go_submit_ack_all(consumer, (*C.char)(unsafe.Pointer(unsafe.SliceData(wire.text))),
			unsafe.SliceData(wire.lengths), C.size_t(len(handles)), c.reactor.queue, id, op, e)
	})
	if ended.err != nil {
		return nil, ended.err
	}
	return copyResults(ended.handles), nil
}

// copyResults copies and frees what became of each of many handles.
func copyResults(handles *C.tminus_receipt_handles_t) []error {
	defer C.tminus_receipt_handles_free(handles)
	results := make([]error, handles.size)
	for i, e := range cSlice(handles.errors, handles.size) {
		if e != nil {
			results[i] = copyFailure(e)
		}
	}
	return results
}

// ChangeInvisible hides a message until invisible from now; the new handle.
func (c *SimpleConsumer) ChangeInvisible(
	ctx context.Context, h *ReceiptHandle, invisible time.Duration,
) (ReceiptHandle, error) {
	var wire wireMessage
	wire.handle(h)
	ended := c.do(ctx, "change invisible", func(
		consumer *C.tminus_simple_consumer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.go_submit_change_invisible(consumer, (*C.char)(unsafe.Pointer(unsafe.SliceData(wire.text))),
			unsafe.SliceData(wire.lengths), ms(invisible), c.reactor.queue, id, op, e)
	})
	if ended.err != nil {
		return ReceiptHandle{}, ended.err
	}
	defer C.tminus_receipt_handles_free(ended.handles)
	return copyHandle(ended.handles.handles), nil
}

// Subscribe adds or replaces a subscription.
func (c *SimpleConsumer) Subscribe(ctx context.Context, s Subscription) error {
	var a arena
	defer a.free()
	wanted, _ := a.subscriptions([]Subscription{s})
	return cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return c.use("subscribe", func(consumer *C.tminus_simple_consumer_t) error {
			var e *C.tminus_error_t
			status := C.tminus_simple_consumer_subscribe(consumer, wanted, cancel, &e)
			return check(status, e)
		})
	})
}

// Unsubscribe ends a subscription.
func (c *SimpleConsumer) Unsubscribe(ctx context.Context, topic string) error {
	var a arena
	defer a.free()
	name := a.text(topic)
	return cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return c.use("unsubscribe", func(consumer *C.tminus_simple_consumer_t) error {
			var e *C.tminus_error_t
			status := C.tminus_simple_consumer_unsubscribe(consumer, name, cancel, &e)
			return check(status, e)
		})
	})
}

// ClientID is the id this consumer goes by; "" after Close.
func (c *SimpleConsumer) ClientID() (id string) {
	_ = c.use("client id", func(consumer *C.tminus_simple_consumer_t) error {
		id = copyText(C.tminus_simple_consumer_client_id(consumer))
		return nil
	})
	return id
}

// SetCredentials replaces the credentials.
func (c *SimpleConsumer) SetCredentials(credentials Credentials) error {
	var a arena
	defer a.free()
	return c.use("set credentials", func(consumer *C.tminus_simple_consumer_t) error {
		var e *C.tminus_error_t
		status := C.tminus_simple_consumer_set_credentials(consumer, a.credentials(&credentials), &e)
		return check(status, e)
	})
}

// Close signs off and frees the consumer; receives end with a Closed failure. A second time does nothing.
func (c *SimpleConsumer) Close(ctx context.Context) error {
	err := cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return c.use("shutdown", func(consumer *C.tminus_simple_consumer_t) error {
			var e *C.tminus_error_t
			status := C.tminus_simple_consumer_shutdown(consumer, cancel, &e)
			return check(status, e)
		})
	})
	c.free(freeSimpleConsumer)
	return unlessClosed(err)
}
