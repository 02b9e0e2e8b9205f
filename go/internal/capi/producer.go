package capi

// #include "message.h"
import "C"

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"
)

// ProducerOptions: zero values are the defaults of the core, except Retries, where a negative value is.
type ProducerOptions struct {
	Group              string
	SendTimeout        time.Duration
	Retries            int32
	MaxBodyBytes       int64
	CompressAboveBytes int64
	CompressLevel      int32
	DefaultTopicQueues int32
	MaxDelay           time.Duration
	RefusePast         bool
	AllowBeyond        bool
	Topics             []string
	TakeChecks         bool
	AllowDuplicates    bool
	BodyEncoding       int32
	// TransactionCheckAfter is when the server asks first.
	TransactionCheckAfter time.Duration
}

// Message is a message to send and where to.
type Message struct {
	Topic, Tag, Keys string
	Body             []byte
	Properties       map[string]string
	Flag             int32
	Delivery         int32
	DeliveryValue    int64
	// ShardingKey: messages of equal key go to the same queue. Queue: to this one only.
	ShardingKey string
	Queue       *Queue
	// MessageGroup "" and Priority nil: none.
	MessageGroup string
	Priority     *int32
}

// Receipt is what the server said about a stored message.
type Receipt struct {
	Status                              int32
	MessageID, OffsetMessageID          string
	Queue                               Queue
	QueueOffset                         int64
	TransactionID, RecallHandle, Region string
	RequestID                           string
	// Half is the receipt itself, of a half message.
	Half *Half
}

func copyReceipt(r *C.tminus_receipt_t) Receipt {
	return Receipt{
		Status:          int32(r.send_status),
		MessageID:       copyText(r.message_id),
		OffsetMessageID: copyText(r.offset_message_id),
		Queue:           Queue{Topic: copyText(r.topic), Broker: copyText(r.broker), ID: int32(r.queue_id)},
		QueueOffset:     int64(r.queue_offset),
		TransactionID:   copyText(r.transaction_id),
		RecallHandle:    copyText(r.recall_handle),
		Region:          copyText(r.region),
		RequestID:       copyText(r.request_id),
	}
}

// Producer is a producer of the core.
type Producer struct {
	handle[*C.tminus_producer_t]
	reactor *reactor
	// underWay counts the callers of Send.
	underWay atomic.Int32
}

// StartProducer connects to a name server or proxy.
func StartProducer(ctx context.Context, client *Client, o *ProducerOptions) (*Producer, error) {
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
	options := (*C.tminus_producer_options_t)(a.zeroed(1, C.sizeof_tminus_producer_options_t))
	var e *C.tminus_error_t
	if status := C.tminus_producer_options_init(options, C.sizeof_tminus_producer_options_t, &e); status != C.TMINUS_OK {
		return nil, failure(status, e)
	}
	if o.Group != "" {
		options.group = a.text(o.Group)
	}
	if o.Retries >= 0 {
		options.retries = C.int32_t(o.Retries)
	}
	setMs(&options.send_timeout_ms, o.SendTimeout)
	setMs(&options.delay_max_ahead_ms, o.MaxDelay)
	setNumber(&options.max_body_bytes, o.MaxBodyBytes)
	setNumber(&options.compress_above_bytes, o.CompressAboveBytes)
	setNumber(&options.compress_level, o.CompressLevel)
	setNumber(&options.default_topic_queues, o.DefaultTopicQueues)
	options.delay_refuse_past = flag(o.RefusePast)
	options.delay_allow_beyond = flag(o.AllowBeyond)
	options.topics, options.topic_count = a.texts(o.Topics), C.size_t(len(o.Topics))
	options.take_checks = flag(o.TakeChecks)
	options.allow_duplicates = flag(o.AllowDuplicates)
	options.body_encoding = C.int32_t(o.BodyEncoding)
	setMs(&options.transaction_check_after_ms, o.TransactionCheckAfter)

	p := &Producer{reactor: reactor}
	err = cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		var e *C.tminus_error_t
		status := C.tminus_producer_start(clientOptions, options, cancel, &p.p, &e)
		return check(status, e)
	})
	if err != nil {
		return nil, err
	}
	p.freeUnreachable(freeProducer)
	return p, nil
}

func freeProducer(p *C.tminus_producer_t) { C.tminus_producer_free(p) }

// Send sends m and waits for the receipt. The deadline of ctx bounds all attempts; when ctx is cancelled, the error says
// whether the message may have been stored.
func (p *Producer) Send(ctx context.Context, m *Message) (Receipt, error) {
	defer p.underWay.Add(-1)
	if p.underWay.Add(1) == 1 {
		return p.sendAlone(ctx, m)
	}
	c := callPool.Get().(*call)
	op, err := p.submit(ctx, m, c)
	if err != nil {
		return Receipt{}, err
	}
	result := p.reactor.wait(ctx, c, op)
	return result.receipt, result.err
}

// sendAlone makes a blocking call, which saves a send that is alone the way through the queue and another goroutine.
// Others that begin meanwhile are submitted, so that at most one thread a producer is blocked.
func (p *Producer) sendAlone(ctx context.Context, m *Message) (receipt Receipt, err error) {
	var wire wireMessage
	wire.fill(m)
	in := wire.numbers(m, timeoutMs(ctx))
	err = cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return p.use("send", func(producer *C.tminus_producer_t) error {
			var e *C.tminus_error_t
			var r *C.tminus_receipt_t
			status := C.go_send(producer, (*C.char)(unsafe.Pointer(unsafe.SliceData(wire.text))),
				unsafe.SliceData(wire.lengths), (*C.uint8_t)(unsafe.SliceData(m.Body)), in, cancel, &r, &e)
			if status != C.TMINUS_OK {
				return failure(status, e)
			}
			receipt = copyReceipt(r)
			C.tminus_receipt_free(r)
			return nil
		})
	})
	return receipt, err
}

// SendAsync submits m and returns; callback gets the result. Callbacks run one after the other.
func (p *Producer) SendAsync(ctx context.Context, m *Message, callback func(*Receipt, error)) error {
	c := &call{callback: callback}
	var stop func() bool
	if ctx.Done() != nil {
		ready := make(chan C.tminus_op_t, 1)
		stop = context.AfterFunc(ctx, func() { C.tminus_op_cancel(p.reactor.queue, <-ready, nil) })
		c.callback = func(r *Receipt, err error) {
			stop()
			callback(r, err)
		}
		op, err := p.submit(ctx, m, c)
		ready <- op
		if err != nil {
			stop()
			return err
		}
	} else if _, err := p.submit(ctx, m, c); err != nil {
		return err
	}
	p.reactor.start()
	return nil
}

func (p *Producer) submit(ctx context.Context, m *Message, c *call) (op C.tminus_op_t, err error) {
	var wire wireMessage
	wire.fill(m)
	in := wire.numbers(m, timeoutMs(ctx))
	err = p.use("send", func(producer *C.tminus_producer_t) error {
		id := p.reactor.register(c)
		var e *C.tminus_error_t
		status := C.go_submit_send(producer, (*C.char)(unsafe.Pointer(unsafe.SliceData(wire.text))),
			unsafe.SliceData(wire.lengths), (*C.uint8_t)(unsafe.SliceData(m.Body)), in,
			p.reactor.queue, id, &op, &e)
		return p.reactor.submitted(id, status, e)
	})
	return op, err
}

// SendOneWay hands m to the connection.
func (p *Producer) SendOneWay(ctx context.Context, m *Message) error {
	var wire wireMessage
	wire.fill(m)
	in := wire.numbers(m, -1)
	return cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return p.use("send", func(producer *C.tminus_producer_t) error {
			var e *C.tminus_error_t
			status := C.go_send_one_way(producer, (*C.char)(unsafe.Pointer(unsafe.SliceData(wire.text))),
				unsafe.SliceData(wire.lengths), (*C.uint8_t)(unsafe.SliceData(m.Body)), in, cancel, &e)
			return check(status, e)
		})
	})
}

// SendBatch sends messages of one topic as one batch.
func (p *Producer) SendBatch(ctx context.Context, messages []*Message) (receipt Receipt, err error) {
	var a arena
	defer a.free()
	list := (*C.tminus_message_t)(a.zeroed(C.size_t(len(messages)+1), C.sizeof_tminus_message_t))
	for i, m := range messages {
		a.message(&unsafe.Slice(list, len(messages)+1)[i], m)
	}
	options := (*C.tminus_send_options_t)(a.zeroed(1, C.sizeof_tminus_send_options_t))
	options.struct_size = C.sizeof_tminus_send_options_t
	options.timeout_ms = timeoutMs(ctx)
	err = cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return p.use("send", func(producer *C.tminus_producer_t) error {
			var e *C.tminus_error_t
			var r *C.tminus_receipt_t
			status := C.tminus_producer_send_batch(producer, list, C.size_t(len(messages)), options, cancel, &r, &e)
			if status != C.TMINUS_OK {
				return failure(status, e)
			}
			receipt = copyReceipt(r)
			C.tminus_receipt_free(r)
			return nil
		})
	})
	return receipt, err
}

// Queues are where messages for topic can go.
func (p *Producer) Queues(ctx context.Context, topic string) (queues []Queue, err error) {
	var a arena
	defer a.free()
	err = cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return p.use("route", func(producer *C.tminus_producer_t) error {
			var e *C.tminus_error_t
			var list *C.tminus_message_queues_t
			if status := C.tminus_producer_queues(producer, a.text(topic), cancel, &list, &e); status != C.TMINUS_OK {
				return failure(status, e)
			}
			queues = copyQueues(list)
			return nil
		})
	})
	return queues, err
}

// ClientID is the id this producer goes by; "" after Close.
func (p *Producer) ClientID() (id string) {
	_ = p.use("client id", func(producer *C.tminus_producer_t) error {
		id = copyText(C.tminus_producer_client_id(producer))
		return nil
	})
	return id
}

// SetCredentials replaces the credentials.
func (p *Producer) SetCredentials(credentials Credentials) error {
	var a arena
	defer a.free()
	return p.use("set credentials", func(producer *C.tminus_producer_t) error {
		var e *C.tminus_error_t
		status := C.tminus_producer_set_credentials(producer, a.credentials(&credentials), &e)
		return check(status, e)
	})
}

// Close signs off and frees the producer. A second time does nothing.
func (p *Producer) Close(ctx context.Context) error {
	err := cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return p.use("shutdown", func(producer *C.tminus_producer_t) error {
			var e *C.tminus_error_t
			status := C.tminus_producer_shutdown(producer, cancel, &e)
			return check(status, e)
		})
	})
	p.free(freeProducer)
	return unlessClosed(err)
}
