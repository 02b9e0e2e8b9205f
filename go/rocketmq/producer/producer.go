package producer

import (
	"context"
	"sync"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/rocketmq/internal/client"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
)

// DefaultProducer is the producer that rocketmq.NewProducer makes.
type DefaultProducer struct {
	options options

	mutex    sync.RWMutex
	core     *tminus.Producer
	shutDown bool
}

// NewDefaultProducer makes a producer; Start connects it.
func NewDefaultProducer(opts ...Option) (*DefaultProducer, error) {
	p := &DefaultProducer{}
	for _, option := range opts {
		option(&p.options)
	}
	if what := p.options.unsupported; what != "" {
		return nil, client.Unsupported("start", what)
	}
	return p, nil
}

// Start connects to a name server.
func (p *DefaultProducer) Start() error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.core != nil {
		return nil
	}
	if p.shutDown {
		return closed("start")
	}
	endpoint, err := p.options.client.Endpoint()
	if err != nil {
		return err
	}
	core := p.options.core
	if core.ClientOptions, err = p.options.client.Client(); err != nil {
		return err
	}
	p.core, err = tminus.NewProducer(context.Background(), endpoint, &core)
	return err
}

// Shutdown signs off.
func (p *DefaultProducer) Shutdown() error {
	p.mutex.Lock()
	core := p.core
	p.core, p.shutDown = nil, true
	p.mutex.Unlock()
	if core == nil {
		return nil
	}
	return core.Close(context.Background())
}

// SendSync sends one message, or several of one topic as a batch, and waits for the result.
func (p *DefaultProducer) SendSync(ctx context.Context, msgs ...*primitive.Message) (*primitive.SendResult, error) {
	result := primitive.NewSendResult()
	err := p.intercept(ctx, primitive.SendSync, msgs, result, func(ctx context.Context) error {
		receipt, err := p.send(ctx, msgs)
		if err == nil {
			*result = *newResult(receipt)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// SendAsync sends without waiting; f gets the result.
func (p *DefaultProducer) SendAsync(
	ctx context.Context, f func(context.Context, *primitive.SendResult, error), msgs ...*primitive.Message,
) error {
	core, err := p.running("send")
	if err != nil {
		return err
	}
	ctx = primitive.WithMethod(ctx, primitive.SendAsync)
	if len(msgs) != 1 || p.options.selector != nil || p.options.interceptor != nil {
		// What needs more than one step has a goroutine of its own.
		go primitive.WithRecover(func() {
			result, err := p.SendSync(ctx, msgs...)
			f(ctx, result, err)
		})
		return nil
	}
	m, err := coreMessage(msgs[0])
	if err != nil {
		return err
	}
	return core.SendAsync(ctx, m, func(receipt *tminus.SendReceipt, err error) {
		primitive.WithRecover(func() {
			if err != nil {
				f(ctx, nil, err)
				return
			}
			f(ctx, newResult(receipt), nil)
		})
	})
}

// SendOneWay hands the messages to the connection.
func (p *DefaultProducer) SendOneWay(ctx context.Context, msgs ...*primitive.Message) error {
	return p.intercept(ctx, primitive.SendOneway, msgs, nil, func(ctx context.Context) error {
		core, err := p.running("send")
		if err != nil {
			return err
		}
		for _, msg := range msgs {
			m, err := coreMessage(msg)
			if err != nil {
				return err
			}
			if err := core.SendOneWay(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *DefaultProducer) running(operation string) (*tminus.Producer, error) {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	if p.core == nil {
		return nil, closed(operation)
	}
	return p.core, nil
}

func closed(operation string) error {
	return &tminus.Error{Kind: tminus.ErrClosed, Operation: operation,
		Text: operation + ": the producer is not running: call Start first; after Shutdown make a new one"}
}

// intercept runs send inside the interceptors, which see one message or the list.
func (p *DefaultProducer) intercept(
	ctx context.Context, mode primitive.CommunicationMode, msgs []*primitive.Message,
	reply *primitive.SendResult, send func(context.Context) error,
) error {
	if p.options.interceptor == nil {
		return send(ctx)
	}
	var request any = msgs
	if len(msgs) == 1 {
		request = msgs[0]
	}
	return p.options.interceptor(primitive.WithMethod(ctx, mode), request, reply,
		func(ctx context.Context, _, _ any) error { return send(ctx) })
}

func (p *DefaultProducer) send(ctx context.Context, msgs []*primitive.Message) (*tminus.SendReceipt, error) {
	core, err := p.running("send")
	if err != nil {
		return nil, err
	}
	if len(msgs) != 1 {
		batch := make([]*tminus.Message, len(msgs))
		for i, msg := range msgs {
			if batch[i], err = coreMessage(msg); err != nil {
				return nil, err
			}
		}
		return core.SendBatch(ctx, batch)
	}
	msg := msgs[0]
	m, err := coreMessage(msg)
	if err != nil {
		return nil, err
	}
	if p.options.selector == nil {
		return core.Send(ctx, m)
	}
	if _, hash := p.options.selector.(hashSelector); hash && msg.GetShardingKey() != "" {
		return core.SendByKey(ctx, m, msg.GetShardingKey())
	}
	queue, err := p.selectQueue(ctx, core, msg)
	if err != nil {
		return nil, err
	}
	return core.SendToQueue(ctx, m, queue)
}

func (p *DefaultProducer) selectQueue(
	ctx context.Context, core *tminus.Producer, msg *primitive.Message,
) (tminus.MessageQueue, error) {
	queues, err := core.Queues(ctx, msg.Topic)
	if err != nil {
		return tminus.MessageQueue{}, err
	}
	list := make([]*primitive.MessageQueue, len(queues))
	for i, q := range queues {
		list[i] = &primitive.MessageQueue{Topic: q.Topic, BrokerName: q.Broker, QueueId: int(q.ID)}
	}
	chosen := p.options.selector.Select(msg, list, "")
	if chosen == nil {
		return tminus.MessageQueue{}, &tminus.Error{Kind: tminus.ErrInvalidArgument, Operation: "send",
			Text: "send: the queue selector chose no queue; with NewManualQueueSelector set the message's Queue"}
	}
	return tminus.MessageQueue{Topic: msg.Topic, Broker: chosen.BrokerName, ID: int32(chosen.QueueId)}, nil
}

func coreMessage(msg *primitive.Message) (*tminus.Message, error) {
	if msg == nil {
		return nil, &tminus.Error{Kind: tminus.ErrInvalidMessage, Operation: "send", Text: "send: the message is nil"}
	}
	return &tminus.Message{
		Topic: msg.Topic, Body: msg.Body, Flag: msg.Flag, Properties: msg.GetProperties(),
	}, nil
}

func newResult(r *tminus.SendReceipt) *primitive.SendResult {
	return &primitive.SendResult{
		Status: primitive.SendStatus(r.Status),
		MsgID:  r.MessageID,
		MessageQueue: &primitive.MessageQueue{
			Topic: r.Queue.Topic, BrokerName: r.Queue.Broker, QueueId: int(r.Queue.ID),
		},
		QueueOffset:   r.QueueOffset,
		TransactionID: r.TransactionID,
		OffsetMsgID:   r.OffsetMessageID,
		RegionID:      r.Region,
	}
}
