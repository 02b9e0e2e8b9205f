package tminus

import (
	"context"
	"time"

	"github.com/tminus-mq/tminus/go/internal/capi"
)

// ReceiptHandle acknowledges a received message. It is plain text, so that it may be kept, or handed to another consumer
// of the group.
type ReceiptHandle struct {
	// Topic the message was received from, and Broker that hid it.
	Topic, Broker string
	// MessageID is the message's unique id.
	MessageID string
	// Handle is the server's, opaque. It ends with the invisible duration, and is replaced when that is changed.
	Handle string
}

// Received is a message that is hidden from the group until it is acknowledged or its invisible duration ends.
type Received struct {
	Message *MessageView
	// Receipt acknowledges it.
	Receipt ReceiptHandle
	// Corrupted is whether the body is not what the producer sent. Do not process it; unacknowledged it comes again.
	Corrupted bool
	// InvisibleUntil is when the receipt ends and the message comes again, FirstDelivered when it was delivered first, by
	// the server's clock; zero where it does not say, which it does over HTTP only.
	InvisibleUntil, FirstDelivered time.Time
}

// SimpleConsumer receives messages when asked; what is not acknowledged in time comes again. Any number of goroutines may
// use it. Over a protocol that has no such consumer its start is [ErrUnsupported].
type SimpleConsumer struct {
	core *capi.SimpleConsumer
}

// NewSimpleConsumer starts a consumer of group; endpoint as for [NewProducer]. options nil: the defaults. Close it after
// use.
func NewSimpleConsumer(
	ctx context.Context, endpoint, group string, options *SimpleConsumerOptions,
) (*SimpleConsumer, error) {
	if options == nil {
		options = &SimpleConsumerOptions{}
	}
	o := &capi.SimpleConsumerOptions{Group: group, Await: options.AwaitDuration, Orderly: options.Orderly}
	for topic, filter := range options.Subscriptions {
		o.Subscriptions = append(o.Subscriptions, filter.subscription(topic))
	}
	core, err := capi.StartSimpleConsumer(ctx, options.client(endpoint), o)
	if err != nil {
		return nil, fault(ctx, err)
	}
	return &SimpleConsumer{core}, nil
}

// Receive takes up to max (1 to 32) messages and hides them for invisible (10 s to 12 h). It waits for the first one as
// long as the options say; none in that time is no error. When ctx ends it returns the error of ctx, and what was on its way
// goes to the next receive.
//
// Over HTTP it takes 16 at most, and the service decides how long they are hidden, see [Received].InvisibleUntil: longer than
// its 300 s is [ErrUnsupported].
func (c *SimpleConsumer) Receive(ctx context.Context, max int, invisible time.Duration) ([]*Received, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx, "receive")
	}
	if max < 1 {
		return nil, invalid(ErrInvalidArgument, "receive", "max is %d; receive at least one message", max)
	}
	messages, err := c.core.Receive(ctx, max, invisible)
	if err != nil {
		return nil, fault(ctx, err)
	}
	if len(messages) == 0 && ctx.Err() != nil {
		return nil, ended(ctx, "receive")
	}
	return newReceived(messages), nil
}

func newReceived(messages []capi.Received) []*Received {
	received := make([]*Received, len(messages))
	for i := range messages {
		m := &messages[i]
		received[i] = &Received{
			Message:        newView(&m.View),
			Receipt:        ReceiptHandle(m.Handle),
			Corrupted:      m.View.Corrupted,
			InvisibleUntil: serverTime(m.View.InvisibleUntilMs),
			FirstDelivered: serverTime(m.View.FirstMs),
		}
	}
	return received
}

// serverTime is zero where the server did not say.
func serverTime(ms int64) time.Time {
	if ms < 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Ack tells the server that a message was consumed. [ErrInvalidReceipt]: the receipt is expired, was replaced, or is none.
func (c *SimpleConsumer) Ack(ctx context.Context, receipt ReceiptHandle) error {
	if ctx.Err() != nil {
		return ended(ctx, "ack")
	}
	return fault(ctx, c.core.Ack(ctx, (*capi.ReceiptHandle)(&receipt)))
}

// AckAll is Ack for many, with one request a broker. It returns one result a receipt, in their order, nil where it
// succeeded; errors.Join makes one of them.
func (c *SimpleConsumer) AckAll(ctx context.Context, receipts []ReceiptHandle) []error {
	results := make([]error, len(receipts))
	handles := make([]capi.ReceiptHandle, len(receipts))
	for i, receipt := range receipts {
		handles[i] = capi.ReceiptHandle(receipt)
	}
	var each []error
	var err error
	if ctx.Err() != nil {
		err = ended(ctx, "ack")
	} else {
		each, err = c.core.AckAll(ctx, handles)
	}
	for i := range results {
		if err != nil {
			results[i] = fault(ctx, err)
		} else {
			results[i] = fault(ctx, each[i])
		}
	}
	return results
}

// ChangeInvisible hides a received message until invisible from now (0: it comes again at once; at most 12 h) and puts the
// new handle into receipt; the old one ends. Over HTTP it is [ErrUnsupported].
func (c *SimpleConsumer) ChangeInvisible(ctx context.Context, receipt *ReceiptHandle, invisible time.Duration) error {
	if ctx.Err() != nil {
		return ended(ctx, "change invisible")
	}
	renewed, err := c.core.ChangeInvisible(ctx, (*capi.ReceiptHandle)(receipt), invisible)
	if err == nil {
		*receipt = ReceiptHandle(renewed)
	}
	return fault(ctx, err)
}

// Subscribe adds or replaces a subscription.
func (c *SimpleConsumer) Subscribe(ctx context.Context, topic string, filter Filter) error {
	return fault(ctx, c.core.Subscribe(ctx, filter.subscription(topic)))
}

// Unsubscribe ends a subscription.
func (c *SimpleConsumer) Unsubscribe(ctx context.Context, topic string) error {
	return fault(ctx, c.core.Unsubscribe(ctx, topic))
}

// SetCredentials signs all requests from now on with other credentials; see [Producer.SetCredentials].
func (c *SimpleConsumer) SetCredentials(credentials Credentials) error {
	return fault(nil, c.core.SetCredentials(capi.Credentials(credentials)))
}

// ClientID is the id this consumer goes by.
func (c *SimpleConsumer) ClientID() string { return c.core.ClientID() }

// Close signs off and closes the connections; receives under way are [ErrClosed]. A second Close does nothing. What was
// not acknowledged comes again.
func (c *SimpleConsumer) Close(ctx context.Context) error { return fault(ctx, c.core.Close(ctx)) }
