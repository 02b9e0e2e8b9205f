package mq_http_sdk

import (
	"context"
	"net/http"
	"strconv"

	tminus "github.com/tminus-mq/tminus/go"
)

// MQProducer publishes messages to one topic.
type MQProducer interface {
	// TopicName is the topic.
	TopicName() string
	// InstanceId is the id of the instance; "": it has no namespace of its own.
	InstanceId() string
	// PublishMessage publishes a message once.
	PublishMessage(message PublishMessageRequest) (resp PublishMessageResponse, err error)
}

// AliyunMQProducer is the [MQProducer] of this package.
type AliyunMQProducer struct {
	resource
}

// PublishMessage publishes message once. Where the error is a [tminus.Error] with the outcome [tminus.MaybeSent] the service
// may have stored it. message and its Properties are not changed.
func (p *AliyunMQProducer) PublishMessage(message PublishMessageRequest) (resp PublishMessageResponse, err error) {
	return p.PublishMessageContext(context.Background(), message)
}

// PublishMessageContext is PublishMessage, ended by ctx too.
func (p *AliyunMQProducer) PublishMessageContext(
	ctx context.Context, message PublishMessageRequest,
) (resp PublishMessageResponse, err error) {
	err = p.do(ctx, 0, func(ctx context.Context, instance *tminus.HTTPClient) error {
		receipt, err := instance.Publish(ctx, message.native(p.topicName))
		if err == nil {
			resp = PublishMessageResponse{
				MessageResponse: MessageResponse{
					Code:      strconv.Itoa(http.StatusCreated),
					RequestId: receipt.RequestID,
					HostId:    p.client.endpoint,
				},
				MessageId:      receipt.MessageID,
				MessageBodyMD5: bodyMD5([]byte(message.MessageBody)),
				ReceiptHandle:  receipt.TransactionID,
			}
		}
		return err
	})
	return resp, err
}
