package capi

// #include "message.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"
	"weak"
)

// SendTransaction sends m as the half message of a transaction.
func (p *Producer) SendTransaction(ctx context.Context, m *Message) (Receipt, error) {
	var wire wireMessage
	wire.fill(m)
	in := wire.numbers(m, -1)
	c := callPool.Get().(*call)
	c.isHalf = true
	op, err := submitTo(p.reactor, c, &p.handle, "send", func(
		producer *C.tminus_producer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.go_submit_send_transaction(producer, (*C.char)(unsafe.Pointer(unsafe.SliceData(wire.text))),
			unsafe.SliceData(wire.lengths), (*C.uint8_t)(unsafe.SliceData(m.Body)), in, p.reactor.queue, id, op, e)
	})
	if err != nil {
		return Receipt{}, err
	}
	ended := p.reactor.wait(ctx, c, op)
	if ended.half != nil {
		ended.receipt.Half = &Half{ended.half}
		runtime.AddCleanup(ended.receipt.Half, freeReceipt, ended.half)
	}
	return ended.receipt, ended.err
}

// Half is the receipt of a half message. It is freed when nobody holds it any more.
type Half struct{ p *C.tminus_receipt_t }

func freeReceipt(p *C.tminus_receipt_t) { C.tminus_receipt_free(p) }

// EndTransaction ends the transaction of a half message.
func (p *Producer) EndTransaction(ctx context.Context, half *Half, resolution int32) error {
	c := callPool.Get().(*call)
	op, err := submitTo(p.reactor, c, &p.handle, "end transaction", func(
		producer *C.tminus_producer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		defer runtime.KeepAlive(half)
		return C.tminus_producer_submit_end_transaction(
			producer, half.p, C.int32_t(resolution), p.reactor.queue, id, op, e)
	})
	if err != nil {
		return err
	}
	return p.reactor.wait(ctx, c, op).err
}

// Checks are the questions of servers about transactions, of a producer with TakeChecks. They do not keep the producer:
// one that nobody holds is freed, and that ends them.
type Checks struct {
	producer weak.Pointer[Producer]
	reactor  *reactor
}

// Checks of this producer.
func (p *Producer) Checks() *Checks { return &Checks{weak.Make(p), p.reactor} }

// Next waits for a question, to be answered. It ends with a Closed failure when the producer is closed.
func (c *Checks) Next(ctx context.Context) (*Delivery, error) {
	call, op, err := c.submit()
	if err != nil {
		return nil, err
	}
	ended := c.reactor.wait(ctx, call, op)
	if ended.err != nil {
		return nil, ended.err
	}
	return copyBatch(ended.batch)[0], nil
}

func (c *Checks) submit() (*call, C.tminus_op_t, error) {
	p := c.producer.Value()
	if p == nil {
		return nil, 0, closed("receive checks")
	}
	call := callPool.Get().(*call)
	op, err := submitTo(p.reactor, call, &p.handle, "receive checks", func(
		producer *C.tminus_producer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.tminus_producer_submit_receive_checks(producer, 1, c.reactor.queue, id, op, e)
	})
	return call, op, err
}

// Recall takes back a scheduled message; its id.
func (p *Producer) Recall(ctx context.Context, topic, recallHandle string) (id string, err error) {
	var a arena
	defer a.free()
	name, handle := a.text(topic), a.text(recallHandle)
	err = cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return p.use("recall", func(producer *C.tminus_producer_t) error {
			var e *C.tminus_error_t
			var text *C.tminus_text_t
			status := C.tminus_producer_recall(producer, name, handle, cancel, &text, &e)
			if status != C.TMINUS_OK {
				return failure(status, e)
			}
			id = copyText(text.text)
			C.tminus_text_free(text)
			return nil
		})
	})
	return id, err
}
