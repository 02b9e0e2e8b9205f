package tminus

import (
	"context"
	"math"
	"time"

	"github.com/tminus-mq/tminus/go/internal/capi"
)

// SendStatus is how durable a stored message is.
type SendStatus int32

const (
	// SendOK: stored as configured.
	SendOK SendStatus = iota
	// SendFlushDiskTimeout: stored; flushing to disk timed out.
	SendFlushDiskTimeout
	// SendFlushSlaveTimeout: stored; copying to the replica timed out.
	SendFlushSlaveTimeout
	// SendSlaveNotAvailable: stored; no replica was there.
	SendSlaveNotAvailable
)

// SendReceipt is what the server said about a stored message.
type SendReceipt struct {
	Status SendStatus
	// MessageID is the unique id this client made (comma-joined for a batch), OffsetMessageID the server's.
	MessageID, OffsetMessageID string
	// Queue it went to, and its position there (in the timer's queue for a scheduled message).
	Queue       MessageQueue
	QueueOffset int64
	// TransactionID, RecallHandle and Region are "" where the server gave none.
	TransactionID, RecallHandle, Region string
	// RequestID is the id of the request, for the support of a cloud service; "" but over HTTP.
	RequestID string

	half *capi.Half
}

// Producer sends messages. Any number of goroutines may use it.
type Producer struct {
	core *capi.Producer
	// checking is nil without a checker.
	checking *checking
}

// NewProducer connects to a server of endpoint: "host:port" or "remoting://host:port" names a name server,
// "grpc://host:port" a proxy, "remotings://" and "grpcs://" with TLS, several separated by ";"; "http://host" or
// "https://host" an ApsaraMQ HTTP service, which checks keys and topics with the first send. options nil: the defaults.
// Close it after use.
func NewProducer(ctx context.Context, endpoint string, options *ProducerOptions) (*Producer, error) {
	if options == nil {
		options = &ProducerOptions{}
	}
	core, err := capi.StartProducer(ctx, options.client(endpoint), &capi.ProducerOptions{
		Group:              options.Group,
		SendTimeout:        options.SendTimeout,
		Retries:            retries(options.Retries),
		MaxBodyBytes:       int64(options.MaxBodyBytes),
		CompressAboveBytes: int64(options.CompressAboveBytes),
		CompressLevel:      int32(options.CompressLevel),
		DefaultTopicQueues: int32(options.DefaultTopicQueues),
		MaxDelay:           options.MaxDelay,
		RefusePast:         options.RefusePast,
		AllowBeyond:        options.AllowBeyond,
		Topics:             options.Topics,
		TakeChecks:         options.Checker != nil,
		AllowDuplicates:    options.AllowDuplicates,
		BodyEncoding:       int32(options.BodyEncoding),

		TransactionCheckAfter: options.TransactionCheckAfter,
	})
	if err != nil {
		return nil, fault(ctx, err)
	}
	p := &Producer{core: core}
	if options.Checker != nil {
		p.checking = startChecking(core.Checks(), options.Checker)
	}
	return p, nil
}

// retries translates "0: default, negative: none" to the core's "negative: default".
func retries(n int) int32 {
	switch {
	case n == 0:
		return -1
	case n < 0:
		return 0
	default:
		return int32(n)
	}
}

// Send sends m and waits for the receipt. The deadline of ctx (else ProducerOptions.SendTimeout) bounds all attempts.
// When ctx is cancelled it returns at once, and the outcome of the error says whether m may have been stored.
func (p *Producer) Send(ctx context.Context, m *Message) (*SendReceipt, error) {
	return p.send(ctx, m, func(*capi.Message) {})
}

// SendByKey sends messages of equal key to the same queue, while the number of queues stays.
func (p *Producer) SendByKey(ctx context.Context, m *Message, key string) (*SendReceipt, error) {
	return p.send(ctx, m, func(wire *capi.Message) { wire.ShardingKey = key })
}

// SendToQueue sends m to one queue; no other is tried.
func (p *Producer) SendToQueue(ctx context.Context, m *Message, queue MessageQueue) (*SendReceipt, error) {
	return p.send(ctx, m, func(wire *capi.Message) { wire.Queue = (*capi.Queue)(&queue) })
}

func (p *Producer) send(ctx context.Context, m *Message, route func(*capi.Message)) (*SendReceipt, error) {
	wire, err := m.wire(ctx)
	if err != nil {
		return nil, err
	}
	route(&wire)
	receipt, err := p.core.Send(ctx, &wire)
	if err != nil {
		return nil, fault(ctx, err)
	}
	return newReceipt(&receipt), nil
}

// SendAsync sends m without waiting; done gets the receipt or the error. The callbacks of a process run one after the
// other on one goroutine, so a callback should not block for long. An error of SendAsync itself means that nothing was
// sent and done is not called.
func (p *Producer) SendAsync(ctx context.Context, m *Message, done func(*SendReceipt, error)) error {
	wire, err := m.wire(ctx)
	if err != nil {
		return err
	}
	return fault(ctx, p.core.SendAsync(ctx, &wire, func(receipt *capi.Receipt, err error) {
		if err != nil {
			done(nil, fault(ctx, err))
			return
		}
		done(newReceipt(receipt), nil)
	}))
}

// SendOneWay hands m to the connection and does not wait for the server.
func (p *Producer) SendOneWay(ctx context.Context, m *Message) error {
	wire, err := m.wire(ctx)
	if err != nil {
		return err
	}
	return fault(ctx, p.core.SendOneWay(ctx, &wire))
}

// SendBatch sends messages of one topic, not scheduled, as one.
func (p *Producer) SendBatch(ctx context.Context, messages []*Message) (*SendReceipt, error) {
	batch := make([]*capi.Message, len(messages))
	for i, m := range messages {
		wire, err := m.wire(ctx)
		if err != nil {
			return nil, err
		}
		batch[i] = &wire
	}
	receipt, err := p.core.SendBatch(ctx, batch)
	if err != nil {
		return nil, fault(ctx, err)
	}
	return newReceipt(&receipt), nil
}

// Queues are where messages for topic can go.
func (p *Producer) Queues(ctx context.Context, topic string) ([]MessageQueue, error) {
	queues, err := p.core.Queues(ctx, topic)
	return publicQueues(queues), fault(ctx, err)
}

// SetCredentials signs all requests from now on with other credentials, for temporary ones, which expire. Refused for a
// producer that was started without.
func (p *Producer) SetCredentials(credentials Credentials) error {
	return fault(nil, p.core.SetCredentials(capi.Credentials(credentials)))
}

// ClientID is the id this producer goes by.
func (p *Producer) ClientID() string { return p.core.ClientID() }

// Recall takes back a scheduled message of topic that is not delivered yet, by the RecallHandle of its receipt, and returns
// its message id.
func (p *Producer) Recall(ctx context.Context, topic, recallHandle string) (string, error) {
	if ctx.Err() != nil {
		return "", ended(ctx, "recall")
	}
	id, err := p.core.Recall(ctx, topic, recallHandle)
	return id, fault(ctx, err)
}

// Close signs off and closes the connections, in at most 3 s, and waits for a running checker until ctx ends, 5 s at most.
// Later sends are [ErrClosed]; a second Close does nothing.
func (p *Producer) Close(ctx context.Context) error {
	if p.checking == nil {
		return fault(ctx, p.core.Close(ctx))
	}
	p.checking.stop()
	err := p.core.Close(ctx)
	p.checking.wait(ctx)
	return fault(ctx, err)
}

func newReceipt(r *capi.Receipt) *SendReceipt {
	return &SendReceipt{
		Status:          SendStatus(r.Status),
		MessageID:       r.MessageID,
		OffsetMessageID: r.OffsetMessageID,
		Queue:           MessageQueue(r.Queue),
		QueueOffset:     r.QueueOffset,
		TransactionID:   r.TransactionID,
		RecallHandle:    r.RecallHandle,
		Region:          r.Region,
		RequestID:       r.RequestID,
		half:            r.Half,
	}
}

func publicQueues(queues []capi.Queue) []MessageQueue {
	list := make([]MessageQueue, len(queues))
	for i, q := range queues {
		list[i] = MessageQueue(q)
	}
	return list
}

// wire is m for the core; of the delivery fields at most one may be set. With a context that has ended nothing is sent.
func (m *Message) wire(ctx context.Context) (capi.Message, error) {
	if ctx.Err() != nil {
		return capi.Message{}, ended(ctx, "send")
	}
	if m == nil {
		return capi.Message{}, invalid(ErrInvalidMessage, "send", "the message is nil")
	}
	wire := capi.Message{
		Topic:      m.Topic,
		Tag:        m.Tag,
		Keys:       joinKeys(m.Keys),
		Body:       m.Body,
		Properties: m.Properties,
		Flag:       m.Flag,

		MessageGroup: m.MessageGroup,
	}
	if m.Priority != nil {
		if *m.Priority < 0 || *m.Priority > math.MaxInt32 {
			return wire, invalid(ErrInvalidArgument, "send", "the priority %d is out of range", *m.Priority)
		}
		priority := int32(*m.Priority)
		wire.Priority = &priority
	}
	ways := 0
	if !m.DeliverAt.IsZero() {
		wire.Delivery, wire.DeliveryValue = capi.DeliveryAtMs, ceilMs(m.DeliverAt)
		ways++
	}
	if m.DeliverAfter != 0 {
		if m.DeliverAfter < 0 {
			return wire, invalid(ErrInvalidDeliveryTime, "send", "the delay %v is negative", m.DeliverAfter)
		}
		after := (m.DeliverAfter + time.Millisecond - 1).Milliseconds()
		wire.Delivery, wire.DeliveryValue = capi.DeliveryAfterMs, after
		ways++
	}
	if m.DelayLevel != 0 {
		wire.Delivery, wire.DeliveryValue = capi.DeliveryLevel, int64(m.DelayLevel)
		ways++
	}
	if ways > 1 {
		return wire, invalid(ErrInvalidDeliveryTime, "send",
			"at most one of DeliverAt, DeliverAfter and DelayLevel may be set")
	}
	return wire, nil
}

// ceilMs is t in Unix ms, rounded up: a message is never early.
func ceilMs(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return ms
}
