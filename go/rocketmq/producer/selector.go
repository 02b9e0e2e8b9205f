package producer

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
)

// QueueSelector picks the queue a message goes to.
type QueueSelector interface {
	Select(msg *primitive.Message, mqs []*primitive.MessageQueue, lastBrokerName string) *primitive.MessageQueue
}

type manualSelector struct{}

// NewManualQueueSelector sends to the queue set in the message.
func NewManualQueueSelector() QueueSelector { return manualSelector{} }

func (manualSelector) Select(msg *primitive.Message, _ []*primitive.MessageQueue, _ string) *primitive.MessageQueue {
	return msg.Queue
}

type randomSelector struct{}

// NewRandomQueueSelector sends to any queue.
func NewRandomQueueSelector() QueueSelector { return randomSelector{} }

func (randomSelector) Select(_ *primitive.Message, mqs []*primitive.MessageQueue, _ string) *primitive.MessageQueue {
	return mqs[rand.IntN(len(mqs))]
}

type roundRobinSelector struct{ next atomic.Uint64 }

// NewRoundRobinQueueSelector sends to one queue after the other. Without a selector the core does the same, and goes
// round queues whose broker has failed.
func NewRoundRobinQueueSelector() QueueSelector { return &roundRobinSelector{} }

func (s *roundRobinSelector) Select(
	_ *primitive.Message, mqs []*primitive.MessageQueue, _ string,
) *primitive.MessageQueue {
	return mqs[s.next.Add(1)%uint64(len(mqs))]
}

// hashSelector leaves the choice to the core, see Producer.send.
type hashSelector struct{ fallback QueueSelector }

// NewHashQueueSelector sends messages of equal sharding key to the same queue, others to any.
func NewHashQueueSelector() QueueSelector { return hashSelector{NewRandomQueueSelector()} }

func (s hashSelector) Select(
	msg *primitive.Message, mqs []*primitive.MessageQueue, last string,
) *primitive.MessageQueue {
	return s.fallback.Select(msg, mqs, last)
}
