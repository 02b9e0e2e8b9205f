package primitive

import (
	"context"
	"math"
)

// Invoker is the rest of a call: the next interceptor, or the call itself.
type Invoker func(ctx context.Context, req, reply any) error

// Interceptor runs around a call. For a producer req is the *Message (or []*Message) and reply the *SendResult; for a
// push consumer req is []*MessageExt and reply the *consumer.ConsumeResultHolder.
type Interceptor func(ctx context.Context, req, reply any, next Invoker) error

// ChainInterceptors makes one of many; the first is the outermost. Without interceptors it is nil.
func ChainInterceptors(interceptors ...Interceptor) Interceptor {
	if len(interceptors) == 0 {
		return nil
	}
	first, rest := interceptors[0], ChainInterceptors(interceptors[1:]...)
	if rest == nil {
		return first
	}
	return func(ctx context.Context, req, reply any, next Invoker) error {
		return first(ctx, req, reply, func(ctx context.Context, req, reply any) error {
			return rest(ctx, req, reply, next)
		})
	}
}

// CommunicationMode says by which call a message is sent.
type CommunicationMode string

// The ways to send.
const (
	SendSync   CommunicationMode = "SendSync"
	SendOneway CommunicationMode = "SendOneway"
	SendAsync  CommunicationMode = "SendAsync"
)

// CtxKey is the type of the keys under which the values below are kept in a context.
type CtxKey int

const (
	methodKey CtxKey = iota
	consumerKey
	orderlyKey
	concurrentlyKey
)

// WithMethod notes by which call a message is sent.
func WithMethod(ctx context.Context, m CommunicationMode) context.Context {
	return context.WithValue(ctx, methodKey, m)
}

// GetMethod is by which call a message is sent; "" outside a producer's interceptor.
func GetMethod(ctx context.Context) CommunicationMode {
	m, _ := ctx.Value(methodKey).(CommunicationMode)
	return m
}

// ConsumeMessageContext tells interceptors of a push consumer about the messages being handled.
type ConsumeMessageContext struct {
	ConsumerGroup string
	Msgs          []*MessageExt
	MQ            *MessageQueue
	Success       bool
	Status        string
	Properties    map[string]string
}

// WithConsumerCtx adds c to ctx.
func WithConsumerCtx(ctx context.Context, c *ConsumeMessageContext) context.Context {
	return context.WithValue(ctx, consumerKey, c)
}

// GetConsumerCtx finds what WithConsumerCtx added.
func GetConsumerCtx(ctx context.Context) (*ConsumeMessageContext, bool) {
	c, ok := ctx.Value(consumerKey).(*ConsumeMessageContext)
	return c, ok
}

// ConsumeConcurrentlyContext lets a concurrent consumer's function say more than its result.
type ConsumeConcurrentlyContext struct {
	MQ MessageQueue
	// DelayLevelWhenNextConsume is the delay level of the next delivery: 0 the server decides, -1 dead letter queue.
	DelayLevelWhenNextConsume int
	// AckIndex is the position of the last message that was handled well, when the result is ConsumeSuccess.
	AckIndex int32
}

// NewConsumeConcurrentlyContext lets the result stand for all messages and the server decide the delay.
func NewConsumeConcurrentlyContext() *ConsumeConcurrentlyContext {
	return &ConsumeConcurrentlyContext{AckIndex: math.MaxInt32}
}

// WithConcurrentlyCtx adds c to ctx.
func WithConcurrentlyCtx(ctx context.Context, c *ConsumeConcurrentlyContext) context.Context {
	return context.WithValue(ctx, concurrentlyKey, c)
}

// GetConcurrentlyCtx finds what WithConcurrentlyCtx added.
func GetConcurrentlyCtx(ctx context.Context) (*ConsumeConcurrentlyContext, bool) {
	c, ok := ctx.Value(concurrentlyKey).(*ConsumeConcurrentlyContext)
	return c, ok
}

// ConsumeOrderlyContext tells an orderly consumer's function which queue it handles.
type ConsumeOrderlyContext struct {
	MQ MessageQueue
}

// WithOrderlyCtx adds c to ctx.
func WithOrderlyCtx(ctx context.Context, c *ConsumeOrderlyContext) context.Context {
	return context.WithValue(ctx, orderlyKey, c)
}

// GetOrderlyCtx finds what WithOrderlyCtx added.
func GetOrderlyCtx(ctx context.Context) (*ConsumeOrderlyContext, bool) {
	c, ok := ctx.Value(orderlyKey).(*ConsumeOrderlyContext)
	return c, ok
}
