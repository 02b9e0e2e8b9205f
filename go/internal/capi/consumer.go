package capi

// #include "tminus.h"
import "C"

import (
	"context"
	"time"
)

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

// PushConsumer is a push consumer of the core.
type PushConsumer struct {
	handle[*C.tminus_push_consumer_t]
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
	subscriptions, count := a.subscriptions(o.Subscriptions)

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

// Subscribe adds or replaces a subscription.
func (c *PushConsumer) Subscribe(ctx context.Context, s Subscription) error {
	var a arena
	defer a.free()
	wanted, _ := a.subscriptions([]Subscription{s})
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

// SetCredentials replaces the credentials.
func (c *PushConsumer) SetCredentials(credentials Credentials) error {
	var a arena
	defer a.free()
	return c.use("set credentials", func(consumer *C.tminus_push_consumer_t) error {
		var e *C.tminus_error_t
		status := C.tminus_push_consumer_set_credentials(consumer, a.credentials(&credentials), &e)
		return check(status, e)
	})
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
