package tminus

import (
	"context"
	"time"

	"github.com/tminus-mq/tminus/go/internal/capi"
)

// ConsumeMode is which messages an [HTTPClient] consumes.
type ConsumeMode int32

const (
	// ConsumeConcurrent takes any messages.
	ConsumeConcurrent ConsumeMode = capi.ConsumeConcurrent
	// ConsumeOrderly takes messages in order: the next ones of a message group come when all that were delivered of it are
	// acknowledged.
	ConsumeOrderly ConsumeMode = capi.ConsumeOrderly
	// ConsumeHalf takes half messages whose transactions are open.
	ConsumeHalf ConsumeMode = capi.ConsumeHalf
)

// HTTPConsume is what to consume, and how.
type HTTPConsume struct {
	Topic string
	// Group of the consumer; of the producer for half messages.
	Group string
	// Tag expression, tags separated by "||"; "" or "*": all.
	Tag string
	// Mode; default [ConsumeConcurrent].
	Mode ConsumeMode
	// Max is the number of messages, 1 to 16.
	Max int
	// Wait is how long the server waits for the first message: whole seconds, at most 30 s; 0: it answers at once.
	Wait time.Duration
}

// HTTPConsumed is what came.
type HTTPConsumed struct {
	// Messages, at least one.
	Messages []*Received
	// RequestID is the id of the request, for the service's support; "" if the server gave none.
	RequestID string
}

// HTTPClient does what the document of ApsaraMQ HTTP describes, call by call, at an http:// or https:// endpoint. [Producer],
// [SimpleConsumer] and [PushConsumer] stand on the same calls and work over every protocol. Package mqhttp offers it by the
// names of the official SDK. Any number of goroutines may use it.
type HTTPClient struct {
	core *capi.HTTPClient
}

// NewHTTPClient checks endpoint and options; the instance id is [ClientOptions].Namespace. Nothing is sent before the first
// call. Close it after use.
func NewHTTPClient(endpoint string, options *ClientOptions) (*HTTPClient, error) {
	if options == nil {
		options = &ClientOptions{}
	}
	core, err := capi.NewHTTPClient(options.client(endpoint))
	if err != nil {
		return nil, fault(nil, err)
	}
	return &HTTPClient{core}, nil
}

// Publish publishes m once, in ClientOptions.RequestTimeout unless ctx has a deadline. It is never repeated: where the
// connection breaks after the request may have been written the outcome of the error is [MaybeSent]. With the property
// __TransCheckT (10 to 300, in s) m is the half message of a transaction, whose handle is the receipt's TransactionID.
func (c *HTTPClient) Publish(ctx context.Context, m *Message) (*SendReceipt, error) {
	wire, err := m.wire(ctx)
	if err != nil {
		return nil, err
	}
	receipt, err := c.core.Publish(ctx, &wire)
	if err != nil {
		return nil, fault(ctx, err)
	}
	return newReceipt(&receipt), nil
}

// Consume takes messages and hides them from the group until [Received].InvisibleUntil. It is never repeated: an answer that
// gets lost leaves its messages hidden until then. [ErrMessageNotFound]: none came in time.
func (c *HTTPClient) Consume(ctx context.Context, wanted *HTTPConsume) (*HTTPConsumed, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx, "receive")
	}
	if wanted.Max < 1 {
		return nil, invalid(ErrInvalidArgument, "receive", "max is %d; receive 1 to 16 messages", wanted.Max)
	}
	batch, err := c.core.Consume(ctx, &capi.HTTPConsume{
		Topic: wanted.Topic,
		Group: wanted.Group,
		Tag:   wanted.Tag,
		Mode:  int32(wanted.Mode),
		Max:   wanted.Max,
		Wait:  wanted.Wait,
	})
	if err != nil {
		return nil, fault(ctx, err)
	}
	return &HTTPConsumed{newReceived(batch.Messages), batch.RequestID}, nil
}

// Ack acknowledges 1 to 16 messages by their handles. It returns one result a handle, in their order, nil where it
// succeeded; or an error of the whole request.
func (c *HTTPClient) Ack(ctx context.Context, topic, group string, handles []string) ([]error, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx, "ack")
	}
	each, err := c.core.Ack(ctx, topic, group, handles)
	if err != nil {
		return nil, fault(ctx, err)
	}
	results := make([]error, len(each))
	for i, err := range each {
		results[i] = fault(ctx, err)
	}
	return results, nil
}

// EndTransaction ends the transaction of a half message by the handle of its publish, or of a consume of half messages.
// [Unknown] does nothing.
func (c *HTTPClient) EndTransaction(ctx context.Context, topic, group, handle string, resolution Resolution) error {
	if ctx.Err() != nil {
		return ended(ctx, "end transaction")
	}
	return fault(ctx, c.core.EndTransaction(ctx, topic, group, handle, int32(resolution)))
}

// SetCredentials signs all requests from now on with other credentials. Refused for a client that was made without.
func (c *HTTPClient) SetCredentials(credentials Credentials) error {
	return fault(nil, c.core.SetCredentials(capi.Credentials(credentials)))
}

// Close closes the connections; calls under way are [ErrClosed]. A second Close does nothing.
func (c *HTTPClient) Close(ctx context.Context) error { return fault(ctx, c.core.Close(ctx)) }
