package consumer

import (
	"context"
	"maps"
	"strconv"
	"sync"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/rocketmq/internal/client"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
)

// ConsumeResult is what became of the messages of a call.
type ConsumeResult int

// The results. The last three are for orderly consumers: Commit is success, the others try the queue again soon.
const (
	ConsumeSuccess ConsumeResult = iota
	ConsumeRetryLater
	Commit
	Rollback
	SuspendCurrentQueueAMoment
)

// ConsumeResultHolder is the reply that interceptors see.
type ConsumeResultHolder struct {
	ConsumeResult
}

type function = func(context.Context, ...*primitive.MessageExt) (ConsumeResult, error)

// DefaultPushConsumer is the consumer that rocketmq.NewPushConsumer makes.
type DefaultPushConsumer struct {
	options options

	mutex         sync.RWMutex
	subscriptions map[string]tminus.Filter
	functions     map[string]function
	behind        map[tminus.MessageQueue]int64
	core          *tminus.PushConsumer
	shutDown      bool
}

// NewPushConsumer makes a push consumer; subscribe, then Start it.
func NewPushConsumer(opts ...Option) (*DefaultPushConsumer, error) {
	c := &DefaultPushConsumer{
		subscriptions: make(map[string]tminus.Filter),
		functions:     make(map[string]function),
		behind:        make(map[tminus.MessageQueue]int64),
	}
	for _, option := range opts {
		option(&c.options)
	}
	if what := c.options.unsupported; what != "" {
		return nil, client.Unsupported("start", what)
	}
	return c, c.options.fault
}

// Subscribe calls f for the messages of topic.
func (c *DefaultPushConsumer) Subscribe(topic string, selector MessageSelector, f function) error {
	filter := tminus.Filter{Tags: selector.Expression}
	if selector.Type == SQL92 {
		filter = tminus.Filter{SQL: selector.Expression}
	}
	c.mutex.Lock()
	c.subscriptions[topic], c.functions[topic] = filter, f
	core := c.core
	c.mutex.Unlock()
	if core == nil {
		return nil
	}
	return core.Subscribe(context.Background(), topic, filter)
}

// Unsubscribe ends a subscription.
func (c *DefaultPushConsumer) Unsubscribe(topic string) error {
	c.mutex.Lock()
	delete(c.subscriptions, topic)
	core := c.core
	c.mutex.Unlock()
	if core == nil {
		return nil
	}
	return core.Unsubscribe(context.Background(), topic)
}

// Start begins to consume.
func (c *DefaultPushConsumer) Start() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.core != nil {
		return nil
	}
	if c.shutDown {
		return &tminus.Error{Kind: tminus.ErrClosed, Operation: "start",
			Text: "start: the consumer was shut down; make a new one"}
	}
	endpoint, err := c.options.client.Endpoint()
	if err != nil {
		return err
	}
	core := c.options.core
	if core.ClientOptions, err = c.options.client.Client(); err != nil {
		return err
	}
	core.Subscriptions = maps.Clone(c.subscriptions)
	if c.core, err = tminus.NewPushConsumer(context.Background(), endpoint, c.options.group, &core); err != nil {
		return err
	}
	running := c.core
	// It ends when the consumer is closed, which is no error.
	go func() { _ = running.ConsumeBatch(context.Background(), c.options.batchSize, c.consume) }()
	return nil
}

// Shutdown waits for running functions, 5 s at most, stores the offsets and signs off.
func (c *DefaultPushConsumer) Shutdown() error {
	c.mutex.Lock()
	core := c.core
	c.core, c.shutDown = nil, true
	c.mutex.Unlock()
	if core == nil {
		return nil
	}
	return core.Close(context.Background())
}

// Suspend stops pulling until Resume.
func (c *DefaultPushConsumer) Suspend() { c.running((*tminus.PushConsumer).Suspend) }

// Resume pulls again.
func (c *DefaultPushConsumer) Resume() { c.running((*tminus.PushConsumer).Resume) }

func (c *DefaultPushConsumer) running(call func(*tminus.PushConsumer)) {
	c.mutex.RLock()
	defer c.mutex.RUnlock()
	if c.core != nil {
		call(c.core)
	}
}

// GetOffsetDiffMap is, by topic, how many messages were behind the last one received in each queue.
func (c *DefaultPushConsumer) GetOffsetDiffMap() map[string]int64 {
	c.mutex.RLock()
	defer c.mutex.RUnlock()
	behind := make(map[string]int64)
	for queue, count := range c.behind {
		behind[queue.Topic] += count
	}
	return behind
}

// consume hands messages of one queue to the function of their topic and settles them by its result.
func (c *DefaultPushConsumer) consume(ctx context.Context, deliveries []*tminus.Delivery) {
	messages := make([]*primitive.MessageExt, len(deliveries))
	for i, d := range deliveries {
		messages[i] = newMessageExt(d.Message)
	}
	c.mutex.Lock()
	f := c.functions[messages[0].Topic]
	last := messages[len(messages)-1]
	if max, err := strconv.ParseInt(last.GetProperty(primitive.PropertyMaxOffset), 10, 64); err == nil {
		c.behind[deliveries[0].Message.Queue] = max - last.QueueOffset - 1
	}
	c.mutex.Unlock()
	if f == nil {
		return // unsubscribed meanwhile: unsettled, the messages come again
	}

	queue := messages[0].Queue
	concurrently := primitive.NewConsumeConcurrentlyContext()
	concurrently.MQ = *queue
	ctx = primitive.WithConcurrentlyCtx(ctx, concurrently)
	ctx = primitive.WithOrderlyCtx(ctx, &primitive.ConsumeOrderlyContext{MQ: *queue})
	seen := &primitive.ConsumeMessageContext{ConsumerGroup: c.options.group, Msgs: messages, MQ: queue}
	ctx = primitive.WithConsumerCtx(ctx, seen)

	holder := &ConsumeResultHolder{ConsumeRetryLater}
	primitive.WithRecover(func() {
		call := func(ctx context.Context, _, reply any) error {
			result, err := f(ctx, messages...)
			if err != nil {
				result = ConsumeRetryLater
			}
			reply.(*ConsumeResultHolder).ConsumeResult = result
			seen.Success = result == ConsumeSuccess || result == Commit
			return err
		}
		if c.options.interceptor != nil {
			_ = c.options.interceptor(ctx, messages, holder, call)
			return
		}
		_ = call(ctx, messages, holder)
	})
	settle(deliveries, holder.ConsumeResult, concurrently)
}

// settle follows the result, and what the function said beside it in its context.
func settle(deliveries []*tminus.Delivery, result ConsumeResult, said *primitive.ConsumeConcurrentlyContext) {
	retry := tminus.RetryLater
	switch level := said.DelayLevelWhenNextConsume; {
	case level < 0:
		retry = tminus.DeadLetter
	case level > 0:
		retry = tminus.RetryAfterLevel(level)
	}
	for i, d := range deliveries {
		if (result == ConsumeSuccess || result == Commit) && int64(i) <= int64(said.AckIndex) {
			d.Settle(tminus.Success)
		} else {
			d.Settle(retry)
		}
	}
}

func newMessageExt(m *tminus.MessageView) *primitive.MessageExt {
	ext := &primitive.MessageExt{
		MsgId:                     m.MessageID,
		OffsetMsgId:               m.OffsetMessageID,
		StoreSize:                 m.StoreSize,
		QueueOffset:               m.QueueOffset,
		SysFlag:                   m.SysFlag,
		BornTimestamp:             m.BornAt.UnixMilli(),
		BornHost:                  m.BornHost,
		StoreTimestamp:            m.StoredAt.UnixMilli(),
		StoreHost:                 m.StoreHost,
		CommitLogOffset:           m.CommitLogOffset,
		BodyCRC:                   m.BodyCRC,
		ReconsumeTimes:            m.ReconsumeTimes,
		PreparedTransactionOffset: m.PreparedTransactionOffset,
	}
	ext.Topic, ext.Body, ext.Flag = m.Topic, m.Body, m.Flag
	ext.Queue = &primitive.MessageQueue{
		Topic: m.Queue.Topic, BrokerName: m.Queue.Broker, QueueId: int(m.Queue.ID),
	}
	ext.WithProperties(m.Properties)
	return ext
}
