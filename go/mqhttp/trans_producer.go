package mq_http_sdk

import (
	"context"
	"errors"

	tminus "github.com/tminus-mq/tminus/go"
)

// MQTransProducer publishes half messages to one topic and ends their transactions. A half message is one with
// TransCheckImmunityTime; its receipt handle ends the transaction until that time is over, then a ConsumeHalfMessage brings
// it with another handle.
type MQTransProducer interface {
	// TopicName is the topic.
	TopicName() string
	// InstanceId is the id of the instance; "": it has no namespace of its own.
	InstanceId() string
	// GroupId is that of the producer.
	GroupId() string
	// PublishMessage publishes a half message once.
	PublishMessage(message PublishMessageRequest) (resp PublishMessageResponse, err error)
	// ConsumeHalfMessage posts half messages whose transactions are open, as ConsumeMessage does.
	ConsumeHalfMessage(respChan chan ConsumeMessageResponse, errChan chan error, numOfMessages int32, waitseconds int64)
	// Commit lets consumers have the message.
	Commit(receiptHandle string) (err error)
	// Rollback drops the message.
	Rollback(receiptHandle string) (err error)
}

// AliyunMQTransProducer is the [MQTransProducer] of this package.
type AliyunMQTransProducer struct {
	AliyunMQProducer
	groupId string
}

// GroupId is that of the producer.
func (p *AliyunMQTransProducer) GroupId() string { return p.groupId }

// ConsumeHalfMessage posts half messages whose transactions are open to respChan, or an error to errChan; see
// [AliyunMQConsumer.ConsumeMessage].
func (p *AliyunMQTransProducer) ConsumeHalfMessage(
	respChan chan ConsumeMessageResponse, errChan chan error, numOfMessages int32, waitseconds int64,
) {
	p.post(respChan, errChan, p.half(numOfMessages, waitseconds))
}

// ConsumeHalfMessageContext is ConsumeHalfMessage with its result returned, ended by ctx too.
func (p *AliyunMQTransProducer) ConsumeHalfMessageContext(
	ctx context.Context, numOfMessages int32, waitseconds int64,
) (ConsumeMessageResponse, error) {
	return p.consume(ctx, p.half(numOfMessages, waitseconds))
}

func (p *AliyunMQTransProducer) half(numOfMessages int32, waitseconds int64) *tminus.HTTPConsume {
	return wanted(p.topicName, p.groupId, "", tminus.ConsumeHalf, numOfMessages, waitseconds)
}

// Commit lets consumers have the message.
func (p *AliyunMQTransProducer) Commit(receiptHandle string) error {
	return p.CommitContext(context.Background(), receiptHandle)
}

// CommitContext is Commit, ended by ctx too.
func (p *AliyunMQTransProducer) CommitContext(ctx context.Context, receiptHandle string) error {
	return p.end(ctx, receiptHandle, tminus.Commit)
}

// Rollback drops the message.
func (p *AliyunMQTransProducer) Rollback(receiptHandle string) error {
	return p.RollbackContext(context.Background(), receiptHandle)
}

// RollbackContext is Rollback, ended by ctx too.
func (p *AliyunMQTransProducer) RollbackContext(ctx context.Context, receiptHandle string) error {
	return p.end(ctx, receiptHandle, tminus.Rollback)
}

// end ends a transaction. A handle that is refused is an [ErrAckMessage], as in the official SDK.
func (p *AliyunMQTransProducer) end(ctx context.Context, handle string, resolution tminus.Resolution) error {
	if p.groupId == "" {
		return failed(missing("group id"), p.path())
	}
	return p.do(ctx, 0, func(ctx context.Context, instance *tminus.HTTPClient) error {
		err := instance.EndTransaction(ctx, p.topicName, p.groupId, handle, resolution)
		if errors.Is(err, tminus.ErrInvalidReceipt) || errors.Is(err, tminus.ErrMessageNotFound) {
			return ackFailed([]string{handle}, []error{err})
		}
		return err
	})
}
