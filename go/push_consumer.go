package tminus

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tminus-mq/tminus/go/internal/capi"
)

// ConsumeResult is what became of a delivered message.
type ConsumeResult struct {
	result, level int32
}

var (
	// Success: done.
	Success = ConsumeResult{result: capi.ConsumeSuccess}
	// RetryLater: deliver it again; the broker's schedule decides when (10 s, 30 s, 1 min, …).
	RetryLater = ConsumeResult{result: capi.ConsumeRetryLater}
	// DeadLetter: give it up and move it to the group's dead letter queue.
	DeadLetter = ConsumeResult{result: capi.ConsumeDeadLetter}
)

// RetryAfterLevel delivers a message again after this delay level, 1 to 18.
func RetryAfterLevel(level int) ConsumeResult {
	return ConsumeResult{result: capi.ConsumeRetryAfterLevel, level: int32(level)}
}

// Delivery is a received message that wants to be settled once. One that never is comes again: when it is collected, or
// after the consume timeout.
type Delivery struct {
	Message *MessageView

	core *capi.Delivery
	once sync.Once
}

// Settle says what became of the message; only the first call counts. It returns at once.
func (d *Delivery) Settle(result ConsumeResult) {
	d.once.Do(func() { d.core.Settle(result.result, result.level) })
}

// PushConsumer consumes topics as a member of a group. Any number of goroutines may use it.
type PushConsumer struct {
	core        *capi.PushConsumer
	concurrency int

	stopping context.Context
	stop     context.CancelFunc
	mutex    sync.Mutex
	users    int
	idle     chan struct{} // closed when the last user has left after stop
}

const defaultConcurrency = 20

// closeTimeout is how long Close waits for running handlers at most.
const closeTimeout = 5 * time.Second

// NewPushConsumer starts a consumer of group; endpoint as for [NewProducer]. Take its messages with Consume, ConsumeBatch or Receive, and Close it.
func NewPushConsumer(
	ctx context.Context, endpoint, group string, options *PushConsumerOptions,
) (*PushConsumer, error) {
	if options == nil {
		options = &PushConsumerOptions{}
	}
	o := &capi.ConsumerOptions{
		Group:                  group,
		Broadcasting:           options.Broadcasting,
		Orderly:                options.Orderly,
		ConsumeFrom:            int32(options.ConsumeFrom),
		Concurrency:            int32(options.Concurrency),
		ConsumeTimeout:         options.ConsumeTimeout,
		PullBatch:              int32(options.PullBatch),
		CachedMessagesPerQueue: int32(options.CachedMessagesPerQueue),
		CachedBytesPerQueue:    int64(options.CachedBytesPerQueue),
		LongPoll:               options.LongPoll,
	}
	if !options.ConsumeTimestamp.IsZero() {
		o.ConsumeFromMs = options.ConsumeTimestamp.UnixMilli()
	}
	if options.MaxReconsumeTimes != 0 {
		times := int32(max(options.MaxReconsumeTimes, 0))
		o.MaxReconsumeTimes = &times
	}
	for topic, filter := range options.Subscriptions {
		o.Subscriptions = append(o.Subscriptions, filter.subscription(topic))
	}
	core, err := capi.StartPushConsumer(ctx, options.client(endpoint), o)
	if err != nil {
		return nil, fault(ctx, err)
	}
	concurrency := options.Concurrency
	if concurrency <= 0 {
		concurrency = defaultConcurrency
	}
	stopping, stop := context.WithCancel(context.Background())
	c := &PushConsumer{core: core, concurrency: concurrency, stopping: stopping, stop: stop}
	c.idle = make(chan struct{})
	return c, nil
}

func (f Filter) subscription(topic string) capi.Subscription {
	if f.SQL != "" {
		return capi.Subscription{Topic: topic, Expression: f.SQL, SQL: true}
	}
	return capi.Subscription{Topic: topic, Expression: f.Tags}
}

// Subscribe adds or replaces a subscription.
func (c *PushConsumer) Subscribe(ctx context.Context, topic string, filter Filter) error {
	return fault(ctx, c.core.Subscribe(ctx, filter.subscription(topic)))
}

// Unsubscribe ends a subscription.
func (c *PushConsumer) Unsubscribe(ctx context.Context, topic string) error {
	return fault(ctx, c.core.Unsubscribe(ctx, topic))
}

// Suspend stops pulling until Resume; what is under way goes on.
func (c *PushConsumer) Suspend() { c.core.Suspend() }

// Resume pulls again.
func (c *PushConsumer) Resume() { c.core.Resume() }

// AssignedQueues are the queues this consumer holds now.
func (c *PushConsumer) AssignedQueues() []MessageQueue { return publicQueues(c.core.AssignedQueues()) }

// ClientID is the id this consumer goes by.
func (c *PushConsumer) ClientID() string { return c.core.ClientID() }

// Receive waits for at least one message and takes up to max, each to be settled. When ctx ends nothing is taken; after
// Close it is [ErrClosed].
func (c *PushConsumer) Receive(ctx context.Context, max int) ([]*Delivery, error) {
	if !c.enter() {
		return nil, invalid(ErrClosed, "receive", "the consumer was closed")
	}
	defer c.leave()
	ctx, cancel := c.untilClosed(ctx)
	defer cancel()
	received, err := c.core.Receive(ctx, max)
	if err != nil {
		if c.stopping.Err() != nil {
			return nil, invalid(ErrClosed, "receive", "the consumer was closed")
		}
		return nil, fault(ctx, err)
	}
	deliveries := make([]*Delivery, len(received))
	for i, d := range received {
		deliveries[i] = &Delivery{Message: newView(&d.View), core: d}
	}
	return deliveries, nil
}

// Consume calls handle for every message, PushConsumerOptions.Concurrency at the same time, until ctx ends or the
// consumer is closed; it returns when the last call has. nil settles the message; an error, or a panic, which is logged
// to slog, lets it come again later.
func (c *PushConsumer) Consume(ctx context.Context, handle func(context.Context, *MessageView) error) error {
	return c.ConsumeBatch(ctx, 1, func(ctx context.Context, deliveries []*Delivery) {
		for _, d := range deliveries {
			if err := handle(ctx, d.Message); err != nil {
				slog.WarnContext(ctx, "a message was not consumed and comes again later",
					"topic", d.Message.Topic, "message_id", d.Message.MessageID, "error", err)
				d.Settle(RetryLater)
				continue
			}
			d.Settle(Success)
		}
	})
}

// ConsumeBatch is Consume with up to size messages of one queue a call. What handle leaves unsettled comes again later.
func (c *PushConsumer) ConsumeBatch(ctx context.Context, size int, handle func(context.Context, []*Delivery)) error {
	if !c.enter() {
		return invalid(ErrClosed, "consume", "the consumer was closed")
	}
	defer c.leave()
	size = max(size, 1)
	// A worker is free while its token is here. Only what free workers begin with at once is received.
	free := make(chan struct{}, c.concurrency)
	for range c.concurrency {
		free <- struct{}{}
	}
	work := make(chan []*Delivery, c.concurrency)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(work)
	started := 0

	for {
		taken, err := takeTokens(ctx, c.stopping, free)
		if err != nil {
			return c.consumeEnd(ctx, err)
		}
		deliveries, err := c.Receive(ctx, taken*size)
		if err != nil {
			return c.consumeEnd(ctx, err)
		}
		batches := split(deliveries, size)
		for range taken - len(batches) {
			free <- struct{}{}
		}
		for i, batch := range batches {
			if i >= taken {
				<-free // messages of many queues make more batches than there were free workers
			}
			if started < c.concurrency {
				started++
				workers.Add(1)
				go func() {
					defer workers.Done()
					for batch := range work {
						run(ctx, batch, handle)
						free <- struct{}{}
					}
				}()
			}
			work <- batch
		}
	}
}

// takeTokens waits for a free worker and takes all that are.
func takeTokens(ctx, stopping context.Context, free chan struct{}) (int, error) {
	select {
	case <-free:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-stopping.Done():
		return 0, ErrClosed
	}
	taken := 1
	for {
		select {
		case <-free:
			taken++
		default:
			return taken, nil
		}
	}
}

// consumeEnd is nil where the consumer was closed, which is how consuming ends.
func (c *PushConsumer) consumeEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// split cuts deliveries into batches of at most size messages of one queue.
func split(deliveries []*Delivery, size int) [][]*Delivery {
	var batches [][]*Delivery
	for _, d := range deliveries {
		last := len(batches) - 1
		if last >= 0 && len(batches[last]) < size && batches[last][0].Message.Queue == d.Message.Queue {
			batches[last] = append(batches[last], d)
		} else {
			batches = append(batches, []*Delivery{d})
		}
	}
	return batches
}

func run(ctx context.Context, batch []*Delivery, handle func(context.Context, []*Delivery)) {
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "a handler panicked; its messages come again later",
				"topic", batch[0].Message.Topic, "panic", p, "stack", string(debug.Stack()))
		}
		for _, d := range batch {
			d.Settle(RetryLater)
		}
	}()
	handle(ctx, batch)
}

// enter and leave count who uses the consumer, so that Close can wait for them.
func (c *PushConsumer) enter() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stopping.Err() != nil {
		return false
	}
	c.users++
	return true
}

func (c *PushConsumer) leave() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.users--
	if c.users == 0 && c.stopping.Err() != nil {
		close(c.idle)
	}
}

// untilClosed is ctx, ended by Close too.
func (c *PushConsumer) untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.stopping, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// SetCredentials signs all requests from now on with other credentials; see [Producer.SetCredentials].
func (c *PushConsumer) SetCredentials(credentials Credentials) error {
	return fault(nil, c.core.SetCredentials(capi.Credentials(credentials)))
}

// Close stops receiving, waits for running handlers until ctx ends, 5 s at most, stores the offsets and signs off. A
// second Close does nothing. Called from a handler it waits for itself: end the context of Consume there instead.
func (c *PushConsumer) Close(ctx context.Context) error {
	c.mutex.Lock()
	if c.stopping.Err() != nil {
		c.mutex.Unlock()
		return nil
	}
	c.stop()
	if c.users == 0 {
		close(c.idle)
	}
	c.mutex.Unlock()
	waiting, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	select {
	case <-c.idle:
	case <-waiting.Done():
	}
	err := c.core.Shutdown(ctx)
	c.core.Free()
	return fault(ctx, err)
}

func newView(v *capi.View) *MessageView {
	return &MessageView{
		Topic:                     v.Topic,
		Body:                      v.Body,
		Properties:                v.Properties,
		MessageID:                 v.MessageID,
		OffsetMessageID:           v.OffsetMessageID,
		Queue:                     MessageQueue(v.Queue),
		QueueOffset:               v.QueueOffset,
		CommitLogOffset:           v.CommitLogOffset,
		StoreSize:                 v.StoreSize,
		Flag:                      v.Flag,
		SysFlag:                   v.SysFlag,
		BodyCRC:                   v.BodyCRC,
		BornAt:                    time.UnixMilli(v.BornMs),
		BornHost:                  v.BornHost,
		StoredAt:                  time.UnixMilli(v.StoreMs),
		StoreHost:                 v.StoreHost,
		ReconsumeTimes:            v.ReconsumeTimes,
		PreparedTransactionOffset: v.PreparedTransactionOffset,
		DeliverAt:                 serverTime(v.DeliverAtMs),
	}
}
