package capi

// #include "message.h"
import "C"

import (
	"context"
	"unsafe"
	"weak"
)

// SendTransaction sends m as the half message of a transaction.
func (p *Producer) SendTransaction(ctx context.Context, m *Message) (Receipt, error) {
	var wire wireMessage
	wire.fill(m)
	in := wire.numbers(m, -1)
	c, op, err := submitTo(p.reactor, &p.handle, "send", func(
		producer *C.tminus_producer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.go_submit_send_transaction(producer, (*C.char)(unsafe.Pointer(unsafe.SliceData(wire.text))),
			unsafe.SliceData(wire.lengths), (*C.uint8_t)(unsafe.SliceData(m.Body)), in, p.reactor.queue, id, op, e)
	})
	if err != nil {
		return Receipt{}, err
	}
	ended := p.reactor.wait(ctx, c, op)
	return ended.receipt, ended.err
}

// EndTransaction ends the transaction of the half message with this receipt.
func (p *Producer) EndTransaction(ctx context.Context, half *Receipt, resolution int32) error {
	var a arena
	defer a.free()
	receipt := (*C.tminus_receipt_t)(a.zeroed(1, C.sizeof_tminus_receipt_t))
	receipt.send_status = C.int32_t(half.Status)
	receipt.queue_id, receipt.queue_offset = C.int32_t(half.Queue.ID), C.int64_t(half.QueueOffset)
	receipt.topic, receipt.broker = a.text(half.Queue.Topic), a.text(half.Queue.Broker)
	receipt.message_id, receipt.offset_message_id = a.text(half.MessageID), a.text(half.OffsetMessageID)
	receipt.transaction_id, receipt.recall_handle = a.text(half.TransactionID), a.text(half.RecallHandle)
	receipt.region = a.text(half.Region)
	c, op, err := submitTo(p.reactor, &p.handle, "end transaction", func(
		producer *C.tminus_producer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.tminus_producer_submit_end_transaction(
			producer, receipt, C.int32_t(resolution), p.reactor.queue, id, op, e)
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
	return submitTo(p.reactor, &p.handle, "receive checks", func(
		producer *C.tminus_producer_t, id C.uint64_t, op *C.tminus_op_t, e **C.tminus_error_t,
	) C.tminus_status_t {
		return C.tminus_producer_submit_receive_checks(producer, 1, c.reactor.queue, id, op, e)
	})
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
