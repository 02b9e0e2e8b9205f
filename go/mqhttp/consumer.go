package mq_http_sdk

import (
	"context"
	"log/slog"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
)

// DefaultNumOfMessages is how many messages a consume takes where it is asked for none.
var DefaultNumOfMessages int32 = 16

// MQConsumer consumes messages of one topic as a member of a group.
type MQConsumer interface {
	// TopicName is the topic.
	TopicName() string
	// InstanceId is the id of the instance; "": it has no namespace of its own.
	InstanceId() string
	// Consumer is the group.
	Consumer() string
	// MessageTag is the tag expression; "": all messages.
	MessageTag() string
	// ConsumeMessage posts what it took to respChan, or an error to errChan: one value on one of them.
	ConsumeMessage(respChan chan ConsumeMessageResponse, errChan chan error, numOfMessages int32, waitseconds int64)
	// ConsumeMessageOrderly is ConsumeMessage in order: the next messages of a sharding key come when all that were
	// delivered of it are acknowledged.
	ConsumeMessageOrderly(respChan chan ConsumeMessageResponse, errChan chan error, numOfMessages int32, waitseconds int64)
	// AckMessage acknowledges 1 to 16 messages.
	AckMessage(receiptHandles []string) (err error)
}

// AliyunMQConsumer is the [MQConsumer] of this package.
type AliyunMQConsumer struct {
	resource
	consumer   string
	messageTag string
}

// Consumer is the group.
func (p *AliyunMQConsumer) Consumer() string { return p.consumer }

// MessageTag is the tag expression; "": all messages.
func (p *AliyunMQConsumer) MessageTag() string { return p.messageTag }

// ConsumeMessage takes up to numOfMessages (1 to 16; 0 and less: 16) and posts them to respChan, or an error to errChan: one
// value on one of them. The service waits waitseconds (1 to 30; 0 and less: not at all) for the first message; none is an
// error with the text MessageNotExist. A message that is not acknowledged by its NextConsumeTime comes again.
//
// It waits for a reader until the client is closed, or until the messages are due again, but at least for the timeout of the
// client, and then returns without one.
func (p *AliyunMQConsumer) ConsumeMessage(
	respChan chan ConsumeMessageResponse, errChan chan error, numOfMessages int32, waitseconds int64,
) {
	p.post(respChan, errChan, p.wanted(tminus.ConsumeConcurrent, numOfMessages, waitseconds))
}

// ConsumeMessageContext is ConsumeMessage with its result returned, ended by ctx too. What the service had given to a call
// that ctx ended stays hidden until its NextConsumeTime.
func (p *AliyunMQConsumer) ConsumeMessageContext(
	ctx context.Context, numOfMessages int32, waitseconds int64,
) (ConsumeMessageResponse, error) {
	return p.consume(ctx, p.wanted(tminus.ConsumeConcurrent, numOfMessages, waitseconds))
}

// ConsumeMessageOrderly is ConsumeMessage in order: the next messages of a sharding key come when all that were delivered of
// it are acknowledged; otherwise the same come again after their NextConsumeTime.
func (p *AliyunMQConsumer) ConsumeMessageOrderly(
	respChan chan ConsumeMessageResponse, errChan chan error, numOfMessages int32, waitseconds int64,
) {
	p.post(respChan, errChan, p.wanted(tminus.ConsumeOrderly, numOfMessages, waitseconds))
}

// ConsumeMessageOrderlyContext is ConsumeMessageOrderly with its result returned, ended by ctx too.
func (p *AliyunMQConsumer) ConsumeMessageOrderlyContext(
	ctx context.Context, numOfMessages int32, waitseconds int64,
) (ConsumeMessageResponse, error) {
	return p.consume(ctx, p.wanted(tminus.ConsumeOrderly, numOfMessages, waitseconds))
}

// AckMessage acknowledges 1 to 16 messages. [ErrAckMessage]: some of the handles were refused, which its context lists, and
// the others accepted. No handle at all is no request and no error.
func (p *AliyunMQConsumer) AckMessage(receiptHandles []string) error {
	return p.AckMessageContext(context.Background(), receiptHandles)
}

// AckMessageContext is AckMessage, ended by ctx too.
func (p *AliyunMQConsumer) AckMessageContext(ctx context.Context, receiptHandles []string) error {
	if len(receiptHandles) == 0 {
		return nil
	}
	if p.consumer == "" {
		return failed(missing("consumer group"), p.path())
	}
	return p.do(ctx, 0, func(ctx context.Context, instance *tminus.HTTPClient) error {
		results, err := instance.Ack(ctx, p.topicName, p.consumer, receiptHandles)
		if err != nil {
			return err
		}
		return ackFailed(receiptHandles, results)
	})
}

func (p *AliyunMQConsumer) wanted(mode tminus.ConsumeMode, numOfMessages int32, waitseconds int64) *tminus.HTTPConsume {
	return wanted(p.topicName, p.consumer, p.messageTag, mode, numOfMessages, waitseconds)
}

func wanted(
	topic, group, tag string, mode tminus.ConsumeMode, numOfMessages int32, waitseconds int64,
) *tminus.HTTPConsume {
	if numOfMessages <= 0 {
		numOfMessages = DefaultNumOfMessages
	}
	// More seconds than a Duration holds are as far out of range as these.
	waitseconds = min(max(waitseconds, 0), 1<<31)
	return &tminus.HTTPConsume{
		Topic: topic,
		Group: group,
		Tag:   tag,
		Mode:  mode,
		Max:   int(numOfMessages),
		Wait:  time.Duration(waitseconds) * time.Second,
	}
}

func (r *resource) consume(ctx context.Context, wanted *tminus.HTTPConsume) (resp ConsumeMessageResponse, err error) {
	if wanted.Group == "" {
		return resp, failed(missing("consumer group"), r.path())
	}
	err = r.do(ctx, wanted.Wait, func(ctx context.Context, instance *tminus.HTTPClient) error {
		consumed, err := instance.Consume(ctx, wanted)
		if err == nil {
			resp, err = r.response(consumed)
		}
		return err
	})
	return resp, err
}

// post consumes and posts what came to one of the channels, unless nobody takes it there.
func (r *resource) post(respChan chan<- ConsumeMessageResponse, errChan chan<- error, wanted *tminus.HTTPConsume) {
	resp, err := r.consume(context.Background(), wanted)
	if err != nil {
		respChan = nil
	} else {
		errChan = nil
	}
	patience := time.NewTimer(r.patience(&resp))
	defer patience.Stop()
	for closed := r.client.open.Done(); ; {
		select {
		case respChan <- resp:
			return
		case errChan <- err:
			return
		case <-closed:
			closed = nil
			patience.Reset(afterClose)
		case <-patience.C:
			slog.Warn("nobody took what a consume brought from its channel; messages come again later",
				"topic", r.topicName, "group", wanted.Group, "messages", len(resp.Messages), "error", err)
			return
		}
	}
}

const (
	// invisible is how long the service hides what it delivers.
	invisible = 300 * time.Second
	// afterClose is how long a reader is waited for that may be on its way, once the client is closed.
	afterClose = 100 * time.Millisecond
)

// patience is how long a reader is waited for: until the handles of the messages expire, and no shorter than a call takes.
func (r *resource) patience(resp *ConsumeMessageResponse) time.Duration {
	var left time.Duration
	for i := range resp.Messages {
		left = max(left, time.Until(time.UnixMilli(resp.Messages[i].NextConsumeTime)))
	}
	return max(r.client.timeout, min(left, invisible))
}
