package main

import (
	"fmt"

	mq_http_sdk "github.com/aliyunmq/mq-http-go-sdk"
	"github.com/gogap/errors"
)

// A call of the SDK, as a test writes it.
type call struct {
	Do       string `json:"do"`
	Instance string `json:"instance"`
	Topic    string `json:"topic"`
	Group    string `json:"group"`

	Message message `json:"message"` // publish

	Mode  string `json:"mode"` // consume: empty, order or pop
	Tag   string `json:"tag"`
	Max   int32  `json:"max"`
	WaitS int64  `json:"wait_s"`

	Handles []string `json:"handles"` // ack, commit, rollback
}

// A message, as it is published and as it is consumed.
type message struct {
	MessageID      string            `json:"message_id"`
	Handle         string            `json:"handle"`
	Body           string            `json:"body"`
	BodyMD5        string            `json:"body_md5"`
	Tag            string            `json:"tag"`
	Key            string            `json:"key"`
	Properties     map[string]string `json:"properties,omitempty"`
	DeliverAtMS    int64             `json:"deliver_at_ms"`
	ShardingKey    string            `json:"sharding_key"`
	CheckAfterS    int               `json:"check_after_s"`
	PublishedMS    int64             `json:"published_ms"`
	NextConsumeMS  int64             `json:"next_consume_ms"`
	FirstConsumeMS int64             `json:"first_consume_ms"`
	ConsumedTimes  int64             `json:"consumed_times"`
}

// A refused handle among others.
type refused struct {
	Handle string `json:"handle"`
	Code   string `json:"code"`
}

// An answer has the messages of a publish or consume, or the error's text.
type answer struct {
	Messages []message `json:"messages"`
	Error    string    `json:"error"`
	Refused  []refused `json:"refused"`
}

func (c *call) make(client mq_http_sdk.MQClient) answer {
	switch c.Do {
	case "publish":
		published, err := client.GetProducer(c.Instance, c.Topic).PublishMessage(c.Message.request())
		if err != nil {
			return failed(err)
		}
		return answer{Messages: []message{{
			MessageID: published.MessageId, Handle: published.ReceiptHandle, BodyMD5: published.MessageBodyMD5,
		}}}
	case "consume":
		return c.consume(client)
	case "ack":
		return failed(c.consumer(client).AckMessage(c.Handles))
	case "commit":
		return failed(c.transactions(client).Commit(c.Handles[0]))
	case "rollback":
		return failed(c.transactions(client).Rollback(c.Handles[0]))
	default:
		return answer{Error: fmt.Sprintf("%q is no call", c.Do)}
	}
}

func (c *call) consumer(client mq_http_sdk.MQClient) mq_http_sdk.MQConsumer {
	return client.GetConsumer(c.Instance, c.Topic, c.Group, c.Tag)
}

func (c *call) transactions(client mq_http_sdk.MQClient) mq_http_sdk.MQTransProducer {
	return client.GetTransProducer(c.Instance, c.Topic, c.Group)
}

func (c *call) consume(client mq_http_sdk.MQClient) answer {
	consume := c.consumer(client).ConsumeMessage
	switch c.Mode {
	case "order":
		consume = c.consumer(client).ConsumeMessageOrderly
	case "pop":
		consume = c.transactions(client).ConsumeHalfMessage
	}
	responses, errs := make(chan mq_http_sdk.ConsumeMessageResponse, 1), make(chan error, 1)
	consume(responses, errs, c.Max, c.WaitS)
	select {
	case err := <-errs:
		return failed(err)
	case response := <-responses:
		var consumed []message
		for _, entry := range response.Messages {
			consumed = append(consumed, delivered(entry))
		}
		return answer{Messages: consumed}
	}
}

func (m *message) request() mq_http_sdk.PublishMessageRequest {
	return mq_http_sdk.PublishMessageRequest{
		MessageBody:            m.Body,
		MessageTag:             m.Tag,
		Properties:             m.Properties,
		MessageKey:             m.Key,
		StartDeliverTime:       m.DeliverAtMS,
		TransCheckImmunityTime: m.CheckAfterS,
		ShardingKey:            m.ShardingKey,
	}
}

func delivered(entry mq_http_sdk.ConsumeMessageEntry) message {
	return message{
		MessageID:      entry.MessageId,
		Handle:         entry.ReceiptHandle,
		Body:           entry.MessageBody,
		BodyMD5:        entry.MessageBodyMD5,
		Tag:            entry.MessageTag,
		Key:            entry.MessageKey,
		Properties:     entry.Properties,
		DeliverAtMS:    entry.StartDeliverTime,
		ShardingKey:    entry.ShardingKey,
		CheckAfterS:    entry.TransCheckImmunityTime,
		PublishedMS:    entry.PublishTime,
		NextConsumeMS:  entry.NextConsumeTime,
		FirstConsumeMS: entry.FirstConsumeTime,
		ConsumedTimes:  entry.ConsumedTimes,
	}
}

// failed tells of err what the SDK does; nothing of nil.
func failed(err error) answer {
	if err == nil {
		return answer{}
	}
	told := answer{Error: err.Error()}
	if code, ok := err.(errors.ErrCode); ok {
		items, _ := code.Context()["Detail"].([]mq_http_sdk.ErrAckItem)
		for _, item := range items {
			told.Refused = append(told.Refused, refused{item.ErrorHandle, item.ErrorCode})
		}
	}
	return told
}
