// Package rocketmq offers tminus by the names of rocketmq-client-go v2: a program written for that client, such as those
// of the Huawei Cloud documents, runs with the prefix of its imports changed from
// github.com/apache/rocketmq-client-go/v2 to github.com/tminus-mq/tminus/go/rocketmq.
//
// Producer and push consumer are complete for sending and consuming. Request-reply, message trace, transactions and the
// pull consumer are not here yet: what asks for them gets an error of kind tminus.ErrUnsupported, or does not compile.
// Every error is a *tminus.Error, so that errors.Is tells its kind.
package rocketmq

import (
	"context"

	"github.com/tminus-mq/tminus/go/rocketmq/consumer"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
	"github.com/tminus-mq/tminus/go/rocketmq/producer"
)

// Producer sends messages.
type Producer interface {
	// Start connects. A name server that cannot be reached is an error here, not at the first send.
	Start() error
	// Shutdown signs off; a second time does nothing.
	Shutdown() error
	// SendSync sends one message, or several of one topic as a batch, and waits for the result.
	SendSync(ctx context.Context, mq ...*primitive.Message) (*primitive.SendResult, error)
	// SendAsync returns at once; mq gets the result. Callbacks run one after the other.
	SendAsync(ctx context.Context, mq func(ctx context.Context, result *primitive.SendResult, err error),
		msg ...*primitive.Message) error
	// SendOneWay does not wait for the server.
	SendOneWay(ctx context.Context, mq ...*primitive.Message) error
}

// NewProducer makes a producer; Start connects it.
func NewProducer(opts ...producer.Option) (Producer, error) {
	return producer.NewDefaultProducer(opts...)
}

// PushConsumer consumes topics as a member of a group.
type PushConsumer interface {
	// Start begins to consume what was subscribed.
	Start() error
	// Shutdown waits for running functions, stores the offsets and signs off; a second time does nothing.
	Shutdown() error
	// Subscribe calls f for the messages of a topic.
	Subscribe(topic string, selector consumer.MessageSelector,
		f func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)) error
	// Unsubscribe ends a subscription.
	Unsubscribe(topic string) error
	// Suspend stops pulling until Resume.
	Suspend()
	// Resume pulls again.
	Resume()
	// GetOffsetDiffMap is, by topic, how many messages were behind the last one received in each queue.
	GetOffsetDiffMap() map[string]int64
}

// NewPushConsumer makes a push consumer; subscribe, then Start it.
func NewPushConsumer(opts ...consumer.Option) (PushConsumer, error) {
	return consumer.NewPushConsumer(opts...)
}
