package capi

// #include "tminus.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// BrokerOptions: zero values are the defaults of the core.
type BrokerOptions struct {
	Listen, Name, Join  string
	Persona             int32
	VirtualClock        bool
	NoAutoCreateTopics  bool
	Queues              int32
	TLS, TLSOnly        bool
	Cert, Key, ClientCA string
	Users               [][2]string
	// HTTPInvisible is how long what is consumed over HTTP stays hidden.
	HTTPInvisible time.Duration
}

// Broker is a loopback broker of the core.
type Broker struct {
	handle[*C.tminus_broker_t]
}

// StartBroker starts a broker, which accepts connections when this returns.
func StartBroker(o *BrokerOptions) (*Broker, error) {
	if err := handshake(); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	options := (*C.tminus_broker_options_t)(a.zeroed(1, C.sizeof_tminus_broker_options_t))
	var e *C.tminus_error_t
	if status := C.tminus_broker_options_init(options, C.sizeof_tminus_broker_options_t, &e); status != C.TMINUS_OK {
		return nil, failure(status, e)
	}
	if o.Listen != "" {
		options.listen = a.text(o.Listen)
	}
	if o.Name != "" {
		options.name = a.text(o.Name)
	}
	options.join = a.text(o.Join)
	options.persona = C.int32_t(o.Persona)
	options.virtual_clock = flag(o.VirtualClock)
	options.auto_create_topics = flag(!o.NoAutoCreateTopics)
	setNumber(&options.queues, o.Queues)
	setMs(&options.http_invisible_ms, o.HTTPInvisible)
	switch {
	case o.Cert != "":
		options.tls = C.TMINUS_BROKER_TLS_GIVEN
	case o.TLS:
		options.tls = C.TMINUS_BROKER_TLS_SELF_MADE
	}
	options.tls_only = flag(o.TLSOnly)
	options.cert_pem, options.key_pem, options.client_ca_pem = a.text(o.Cert), a.text(o.Key), a.text(o.ClientCA)
	count := C.size_t(len(o.Users))
	users := (*C.tminus_credentials_t)(a.zeroed(count+1, C.sizeof_tminus_credentials_t))
	for i, user := range o.Users {
		slot := &unsafe.Slice(users, count+1)[i]
		slot.access_key, slot.secret_key = a.text(user[0]), a.text(user[1])
	}
	options.credentials, options.credential_count = users, count

	b := &Broker{}
	if status := C.tminus_broker_start(options, &b.p, &e); status != C.TMINUS_OK {
		return nil, failure(status, e)
	}
	return b, nil
}

// Address is where it listens.
func (b *Broker) Address() (address string) {
	_ = b.use("address", func(broker *C.tminus_broker_t) error {
		address = copyText(C.tminus_broker_address(broker))
		return nil
	})
	return address
}

// CA is the PEM text of the authority of its self-made certificate; "" without one.
func (b *Broker) CA() (pem string) {
	_ = b.use("ca", func(broker *C.tminus_broker_t) error {
		pem = copyText(C.tminus_broker_ca_pem(broker))
		return nil
	})
	return pem
}

// NowMs is its time, Unix ms.
func (b *Broker) NowMs() (now int64) {
	_ = b.use("now", func(broker *C.tminus_broker_t) error {
		now = int64(C.tminus_broker_now_ms(broker))
		return nil
	})
	return now
}

// CreateTopic creates a topic, or changes its number of queues.
func (b *Broker) CreateTopic(topic string, queues int) error {
	var a arena
	defer a.free()
	return b.use("create topic", func(broker *C.tminus_broker_t) error {
		var e *C.tminus_error_t
		status := C.tminus_broker_create_topic(broker, a.text(topic), C.int32_t(queues), &e)
		return check(status, e)
	})
}

// CreateTopicOf creates a topic that takes messages of one type (TMINUS_TOPIC_*), or changes it.
func (b *Broker) CreateTopicOf(topic string, queues int, kind int32) error {
	var a arena
	defer a.free()
	return b.use("create topic", func(broker *C.tminus_broker_t) error {
		var e *C.tminus_error_t
		status := C.tminus_broker_create_topic_of(broker, a.text(topic), C.int32_t(queues), C.int32_t(kind), &e)
		return check(status, e)
	})
}

// CreateGroup creates a consumer group, or changes it. Zero values are the defaults of the core.
func (b *Broker) CreateGroup(group string, fifo bool, maxAttempts int32, backoff []time.Duration) error {
	var a arena
	defer a.free()
	options := (*C.tminus_group_options_t)(a.zeroed(1, C.sizeof_tminus_group_options_t))
	var e *C.tminus_error_t
	if status := C.tminus_group_options_init(options, C.sizeof_tminus_group_options_t, &e); status != C.TMINUS_OK {
		return failure(status, e)
	}
	options.fifo = flag(fifo)
	setNumber(&options.max_attempts, maxAttempts)
	steps := (*C.int64_t)(a.zeroed(C.size_t(len(backoff)+1), C.sizeof_int64_t))
	for i, step := range backoff {
		unsafe.Slice(steps, len(backoff)+1)[i] = ms(step)
	}
	options.backoff_ms, options.backoff_count = steps, C.size_t(len(backoff))
	return b.use("create group", func(broker *C.tminus_broker_t) error {
		status := C.tminus_broker_create_group(broker, a.text(group), options, &e)
		return check(status, e)
	})
}

// MessageStage is where a message is in its life (TMINUS_STAGE_*).
func (b *Broker) MessageStage(topic, group, messageID string) (stage int32, err error) {
	var a arena
	defer a.free()
	err = b.use("message stage", func(broker *C.tminus_broker_t) error {
		var e *C.tminus_error_t
		var at C.int32_t
		status := C.tminus_broker_message_stage(broker, a.text(topic), a.text(group), a.text(messageID), &at, &e)
		stage = int32(at)
		return check(status, e)
	})
	return stage, err
}

// Advance moves a virtual clock; it returns how many messages have become visible.
func (b *Broker) Advance(by time.Duration) (visible int, err error) {
	err = b.use("advance", func(broker *C.tminus_broker_t) error {
		var e *C.tminus_error_t
		var count C.size_t
		if status := C.tminus_broker_advance_ms(broker, ms(by), &count, &e); status != C.TMINUS_OK {
			return failure(status, e)
		}
		visible = int(count)
		return nil
	})
	return visible, err
}

// Pending is how many scheduled messages wait, and when the next is due (Unix ms, -1: none).
func (b *Broker) Pending() (count int, nextMs int64) {
	_ = b.use("pending", func(broker *C.tminus_broker_t) error {
		var pending C.size_t
		var next C.int64_t
		C.tminus_broker_pending(broker, &pending, &next, nil)
		count, nextMs = int(pending), int64(next)
		return nil
	})
	return count, nextMs
}

// Inject lets the next times requests with this code meet a fault (TMINUS_FAULT_*).
func (b *Broker) Inject(request, times, fault, code int32, remark string) error {
	var a arena
	defer a.free()
	spec := (*C.tminus_fault_t)(a.zeroed(1, C.sizeof_tminus_fault_t))
	spec.kind, spec.response_code, spec.remark = C.int32_t(fault), C.int32_t(code), a.text(remark)
	return b.use("inject", func(broker *C.tminus_broker_t) error {
		var e *C.tminus_error_t
		status := C.tminus_broker_inject(broker, C.int32_t(request), C.int32_t(times), spec, &e)
		return check(status, e)
	})
}

// Restart closes the port and all connections for down.
func (b *Broker) Restart(ctx context.Context, down time.Duration) error {
	return cancellable(ctx, func(cancel *C.tminus_cancel_t) error {
		return b.use("restart", func(broker *C.tminus_broker_t) error {
			var e *C.tminus_error_t
			status := C.tminus_broker_restart(broker, ms(down), cancel, &e)
			return check(status, e)
		})
	})
}

// Requests is how many requests with this code came so far.
func (b *Broker) Requests(code int32) (count uint64) {
	_ = b.use("requests", func(broker *C.tminus_broker_t) error {
		var n C.uint64_t
		C.tminus_broker_request_count(broker, C.int32_t(code), &n, nil)
		count = uint64(n)
		return nil
	})
	return count
}

// Close stops and frees the broker. A second time does nothing.
func (b *Broker) Close() {
	b.free(func(broker *C.tminus_broker_t) { C.tminus_broker_free(broker) })
}
