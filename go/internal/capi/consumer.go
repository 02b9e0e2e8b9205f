package capi

// #include "tminus.h"
import "C"

import (
	"context"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

// Subscription is which messages of a topic are wanted.
type Subscription struct {
	Topic, Expression string
	SQL               bool
}

// ConsumerOptions: zero values are the defaults of the core.
type ConsumerOptions struct {
	Group                  string
	Broadcasting, Orderly  bool
	ConsumeFrom            int32
	ConsumeFromMs          int64
	Concurrency            int32
	MaxReconsumeTimes      *int32
	ConsumeTimeout         time.Duration
	PullBatch              int32
	CachedMessagesPerQueue int32
	CachedBytesPerQueue    int64
	LongPoll               time.Duration
	CommitInterval         time.Duration
	RebalanceInterval      time.Duration
	Subscriptions          []Subscription
}

// View is a received message, copied into Go memory.
type View struct {
	Topic, MessageID, OffsetMessageID string
	Body                              []byte
	Properties                        map[string]string
	Queue                             Queue
	QueueOffset, CommitLogOffset      int64
	PreparedTransactionOffset         int64
	DeliverAtMs, BornMs, StoreMs      int64
	BornHost, StoreHost               string
	ReconsumeTimes, Flag, SysFlag     int32
	BodyCRC, StoreSize                int32
}

// Delivery is a received message with the duty to settle it.
type Delivery struct {
	View  View
	batch *batch
	index C.size_t
}

// batch is freed when the last of its deliveries is settled, or when none of them is held any more; what was not settled
// then comes again.
type batch struct {
	p       *C.tminus_batch_t
	left    atomic.Int64
	cleanup runtime.Cleanup
}

func freeBatch(p *C.tminus_batch_t) { C.tminus_batch_free(p) }

// Settle says what became of the message; each delivery is settled once.
func (d *Delivery) Settle(result, level int32) {
	C.tminus_batch_settle(d.batch.p, d.index, C.int32_t(result), C.int32_t(level), nil)
	if d.batch.left.Add(-1) == 0 {
		d.batch.cleanup.Stop()
		freeBatch(d.batch.p)
	}
	runtime.KeepAlive(d.batch)
}

// PushConsumer is a push consumer of the core.
type PushConsumer struct {
	handle[*C.tminus_push_consumer_t]
}

func (a *arena) subscription(s Subscription) C.tminus_subscription_t {
	filter := C.int32_t(C.TMINUS_FILTER_TAG)
	if s.SQL {
		filter = C.TMINUS_FILTER_SQL92
	}
	return C.tminus_subscription_t{topic: a.text(s.Topic), expression: a.text(s.Expression), filter: filter}
}

// StartPushConsumer starts a consumer.
func StartPushConsumer(ctx context.Context, client *Client, o *ConsumerOptions) (*PushConsumer, error) {
	var a arena
	defer a.free()
	clientOptions, err := client.options(&a)
	if err != nil {
		return nil, err
	}
	options := (*C.tminus_push_consumer_options_t)(a.zeroed(1, C.sizeof_tminus_push_consumer_options_t))
	var e *C.tminus_error_t
	status := C.tminus_push_consumer_options_init(options, C.sizeof_tminus_push_consumer_options_t, &e)
	if status != C.TMINUS_OK {
		return nil, failure(status, e)
	}
	options.group = a.text(o.Group)
	options.model = flag(o.Broadcasting)
	options.orderly = flag(o.Orderly)
	options.consume_from = C.int32_t(o.ConsumeFrom)
	options.consume_from_ms = C.int64_t(o.ConsumeFromMs)
	setNumber(&options.concurrency, o.Concurrency)
	setNumber(&options.pull_batch, o.PullBatch)
	setNumber(&options.cached_messages_per_queue, o.CachedMessagesPerQueue)
	setNumber(&options.cached_bytes_per_queue, o.CachedBytesPerQueue)
	setMs(&options.consume_timeout_ms, o.ConsumeTimeout)
	setMs(&options.long_poll_ms, o.LongPoll)
	setMs(&options.offset_commit_interval_ms, o.CommitInterval)
	setMs(&options.rebalance_interval_ms, o.RebalanceInterval)
	if o.MaxReconsumeTimes != nil {
		options.max_reconsume_times = C.int32_t(*o.MaxReconsumeTimes)
	}
	count := C.size_t(len(o.Subscriptions))
	subscriptions := (*C.tminus_subscription_t)(a.zeroed(count+1, C.sizeof_tminus_subscription_t))
	for i, s := range o.Subscriptions {
		unsafe.Slice(subscriptions, count+1)[i] = a.subscription(s)
	}

	c := &PushConsumer{}
	err = cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		var e *C.tminus_error_t
		status := C.tminus_push_consumer_start(clientOptions, options, subscriptions, count, cancel, &c.p, &e)
		return check(status, e)
	})
	if err != nil {
		return nil, err
	}
	c.freeUnreachable(freeConsumer)
	return c, nil
}

func freeConsumer(p *C.tminus_push_consumer_t) { C.tminus_push_consumer_free(p) }

// Receive waits for 1 to max messages. It ends with a Closed failure when the consumer is closed.
func (c *PushConsumer) Receive(ctx context.Context, max int) (deliveries []*Delivery, err error) {
	err = cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return c.use("receive", func(consumer *C.tminus_push_consumer_t) error {
			var e *C.tminus_error_t
			var b *C.tminus_batch_t
			status := C.tminus_push_consumer_receive(consumer, C.size_t(max), -1, cancel, &b, &e)
			if status != C.TMINUS_OK {
				return failure(status, e)
			}
			if b != nil {
				deliveries = copyBatch(b)
			}
			return nil
		})
	})
	return deliveries, err
}

func copyBatch(p *C.tminus_batch_t) []*Delivery {
	b := &batch{p: p}
	views := cSlice(p.messages, p.size)
	b.left.Store(int64(len(views)))
	deliveries := make([]*Delivery, len(views))
	for i, v := range views {
		deliveries[i] = &Delivery{View: copyView(v), batch: b, index: C.size_t(i)}
	}
	if len(views) == 0 {
		freeBatch(p)
	} else {
		b.cleanup = runtime.AddCleanup(b, freeBatch, p)
	}
	return deliveries
}

func copyView(v *C.tminus_message_view_t) View {
	properties := make(map[string]string, v.property_count)
	for _, p := range cSlice(v.properties, v.property_count) {
		properties[copyText(p.name)] = copyText(p.value)
	}
	topic := copyText(v.topic)
	return View{
		Topic:                     topic,
		MessageID:                 copyText(v.message_id),
		OffsetMessageID:           copyText(v.offset_message_id),
		Body:                      C.GoBytes(unsafe.Pointer(v.body.data), C.int(v.body.len)),
		Properties:                properties,
		Queue:                     Queue{Topic: topic, Broker: copyText(v.broker), ID: int32(v.queue_id)},
		QueueOffset:               int64(v.queue_offset),
		CommitLogOffset:           int64(v.commit_log_offset),
		PreparedTransactionOffset: int64(v.prepared_transaction_offset),
		DeliverAtMs:               int64(v.deliver_at_ms),
		BornMs:                    int64(v.born_ms),
		StoreMs:                   int64(v.store_ms),
		BornHost:                  copyAddress(&v.born_host),
		StoreHost:                 copyAddress(&v.store_host),
		ReconsumeTimes:            int32(v.reconsume_times),
		Flag:                      int32(v.flag),
		SysFlag:                   int32(v.sys_flag),
		BodyCRC:                   int32(v.body_crc),
		StoreSize:                 int32(v.store_size),
	}
}

func copyAddress(a *C.tminus_address_t) string {
	ip, ok := netip.AddrFromSlice(C.GoBytes(unsafe.Pointer(&a.ip[0]), C.int(a.ip_len)))
	if !ok {
		return ""
	}
	return netip.AddrPortFrom(ip, uint16(a.port)).String()
}

// Subscribe adds or replaces a subscription.
func (c *PushConsumer) Subscribe(ctx context.Context, s Subscription) error {
	var a arena
	defer a.free()
	wanted := (*C.tminus_subscription_t)(a.zeroed(1, C.sizeof_tminus_subscription_t))
	*wanted = a.subscription(s)
	return cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return c.use("subscribe", func(consumer *C.tminus_push_consumer_t) error {
			var e *C.tminus_error_t
			status := C.tminus_push_consumer_subscribe(consumer, wanted, cancel, &e)
			return check(status, e)
		})
	})
}

// Unsubscribe ends a subscription.
func (c *PushConsumer) Unsubscribe(ctx context.Context, topic string) error {
	var a arena
	defer a.free()
	name := a.text(topic)
	return cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return c.use("unsubscribe", func(consumer *C.tminus_push_consumer_t) error {
			var e *C.tminus_error_t
			status := C.tminus_push_consumer_unsubscribe(consumer, name, cancel, &e)
			return check(status, e)
		})
	})
}

// Suspend stops pulling, Resume pulls again.
func (c *PushConsumer) Suspend() {
	_ = c.use("suspend", func(consumer *C.tminus_push_consumer_t) error {
		C.tminus_push_consumer_suspend(consumer, nil)
		return nil
	})
}

// Resume pulls again.
func (c *PushConsumer) Resume() {
	_ = c.use("resume", func(consumer *C.tminus_push_consumer_t) error {
		C.tminus_push_consumer_resume(consumer, nil)
		return nil
	})
}

// AssignedQueues are the queues this consumer holds now.
func (c *PushConsumer) AssignedQueues() (queues []Queue) {
	_ = c.use("assigned queues", func(consumer *C.tminus_push_consumer_t) error {
		var list *C.tminus_message_queues_t
		if C.tminus_push_consumer_assigned_queues(consumer, &list, nil) == C.TMINUS_OK {
			queues = copyQueues(list)
		}
		return nil
	})
	return queues
}

// ClientID is the id this consumer goes by; "" after Close.
func (c *PushConsumer) ClientID() (id string) {
	_ = c.use("client id", func(consumer *C.tminus_push_consumer_t) error {
		id = copyText(C.tminus_push_consumer_client_id(consumer))
		return nil
	})
	return id
}

// Shutdown stops pulling, stores the offsets and signs off; receives end. Free comes after it.
func (c *PushConsumer) Shutdown(ctx context.Context) error {
	return cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return c.use("shutdown", func(consumer *C.tminus_push_consumer_t) error {
			var e *C.tminus_error_t
			status := C.tminus_push_consumer_shutdown(consumer, cancel, &e)
			return check(status, e)
		})
	})
}

// Free frees the consumer once no call uses it any more.
func (c *PushConsumer) Free() {
	c.free(freeConsumer)
}
