package mq_http_sdk

import (
	"crypto/md5"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
)

// The properties that have a field of their own.
const (
	StartDeliverTime       = "__STARTDELIVERTIME"
	TransCheckImmunityTime = "__TransCheckT"
	Keys                   = "KEYS"
	SHARDING               = "__SHARDINGKEY"

	// tags is where the core keeps the tag.
	tags = "TAGS"
)

// PublishMessageRequest is a message to publish.
type PublishMessageRequest struct {
	// MessageBody is text that XML can carry, 1 byte to 4 MiB.
	MessageBody string `json:"message_body"`
	// MessageTag, by which consumers filter; "": none.
	MessageTag string `json:"message_tag,omitempty"`
	// Properties of the user; neither names nor values may have any of ' " < > & : | or be empty.
	Properties map[string]string `json:"-"`
	// MessageKey, by which the message can be looked up; several are separated by spaces.
	MessageKey string `json:"-"`
	// StartDeliverTime is when consumers get the message, Unix ms; 0, or a time in the past: at once.
	StartDeliverTime int64 `json:"-"`
	// TransCheckImmunityTime is when the service asks about the transaction first, in seconds, 10 to 300; it makes this the
	// half message of one. 0: no transaction.
	TransCheckImmunityTime int `json:"-"`
	// ShardingKey: messages of one key keep their order.
	ShardingKey string `json:"-"`
}

// native is the message for the core. The map is a copy.
func (m *PublishMessageRequest) native(topic string) *tminus.Message {
	native := &tminus.Message{
		Topic:        topic,
		Body:         []byte(m.MessageBody),
		Tag:          m.MessageTag,
		Properties:   m.Properties,
		MessageGroup: m.ShardingKey,
	}
	if m.MessageKey != "" {
		native.Keys = []string{m.MessageKey}
	}
	if m.StartDeliverTime > 0 {
		native.DeliverAt = time.UnixMilli(m.StartDeliverTime)
	}
	if m.TransCheckImmunityTime > 0 {
		native.Properties = maps.Clone(m.Properties)
		if native.Properties == nil {
			native.Properties = make(map[string]string, 1)
		}
		native.Properties[TransCheckImmunityTime] = strconv.Itoa(m.TransCheckImmunityTime)
	}
	return native
}

// MessageResponse is what every answer has.
type MessageResponse struct {
	// Code is the HTTP status.
	Code string `json:"code,omitempty"`
	// Message is empty: the call succeeded.
	Message string `json:"message,omitempty"`
	// RequestId is the id of the request, for the service's support.
	RequestId string `json:"request_id,omitempty"`
	// HostId is the endpoint.
	HostId string `json:"host_id,omitempty"`
}

// PublishMessageResponse is the answer to a publish.
type PublishMessageResponse struct {
	MessageResponse
	MessageId string `json:"message_id"`
	// MessageBodyMD5 of what the service stored, in upper-case hex; it is compared with the body that was sent.
	MessageBodyMD5 string `json:"message_body_md5"`
	// ReceiptHandle ends the transaction of a half message; else "".
	ReceiptHandle string `json:"receipt_handle"`
}

// ConsumeMessageResponse is what a consume brought: at least one message.
type ConsumeMessageResponse struct {
	Messages []ConsumeMessageEntry `json:"messages"`
}

// ConsumeMessageEntry is a consumed message.
type ConsumeMessageEntry struct {
	MessageResponse
	// MessageId is the same at every delivery, ReceiptHandle new at each.
	MessageId     string `json:"message_id"`
	ReceiptHandle string `json:"receipt_handle"`
	// MessageBodyMD5 is in upper-case hex.
	MessageBodyMD5 string `json:"message_body_md5"`
	MessageBody    string `json:"message_body"`
	// PublishTime, NextConsumeTime (when it comes again unless it is acknowledged) and FirstConsumeTime are in Unix ms.
	PublishTime      int64 `json:"publish_time"`
	NextConsumeTime  int64 `json:"next_consume_time"`
	FirstConsumeTime int64 `json:"first_consume_time"`
	// ConsumedTimes is which delivery this is, from 1.
	ConsumedTimes int64  `json:"consumed_times"`
	MessageTag    string `json:"message_tag"`
	// Properties of the user.
	Properties map[string]string `json:"-"`
	// MessageKey, StartDeliverTime (Unix ms), ShardingKey and TransCheckImmunityTime (s) as they were published.
	MessageKey             string `json:"-"`
	StartDeliverTime       int64  `json:"-"`
	ShardingKey            string `json:"-"`
	TransCheckImmunityTime int    `json:"-"`
}

// response leaves out corrupted messages, which come again.
func (r *resource) response(consumed *tminus.HTTPConsumed) (ConsumeMessageResponse, error) {
	resp := ConsumeMessageResponse{Messages: make([]ConsumeMessageEntry, 0, len(consumed.Messages))}
	for _, received := range consumed.Messages {
		if received.Corrupted {
			slog.Error("the body of a message does not fit its MD5; the message is left out and comes again",
				"topic", r.topicName, "message_id", received.Message.MessageID, "request_id", consumed.RequestID)
			continue
		}
		resp.Messages = append(resp.Messages, r.entry(received, consumed.RequestID))
	}
	if len(resp.Messages) == 0 {
		return resp, &tminus.Error{
			Kind:      tminus.ErrProtocol,
			Operation: "receive",
			Text:      fmt.Sprintf("no body of %d messages fits its MD5; they come again", len(consumed.Messages)),
			Retryable: true,
		}
	}
	return resp, nil
}

func (r *resource) entry(received *tminus.Received, requestId string) ConsumeMessageEntry {
	m := received.Message
	entry := ConsumeMessageEntry{
		MessageResponse: MessageResponse{
			Code:      strconv.Itoa(http.StatusOK),
			RequestId: requestId,
			HostId:    r.client.endpoint,
		},
		MessageId:        m.MessageID,
		ReceiptHandle:    received.Receipt.Handle,
		MessageBodyMD5:   bodyMD5(m.Body),
		MessageBody:      string(m.Body),
		PublishTime:      m.BornAt.UnixMilli(),
		NextConsumeTime:  received.InvisibleUntil.UnixMilli(),
		FirstConsumeTime: received.FirstDelivered.UnixMilli(),
		ConsumedTimes:    int64(m.DeliveryAttempt()),
		MessageTag:       m.Tag(),
		Properties:       m.Properties,
		MessageKey:       m.Properties[Keys],
		ShardingKey:      m.Properties[SHARDING],
	}
	// A value that is no number is not taken away, so that nothing is lost.
	if at, err := strconv.ParseInt(m.Properties[StartDeliverTime], 10, 64); err == nil {
		entry.StartDeliverTime = at
		delete(entry.Properties, StartDeliverTime)
	}
	if seconds, err := strconv.Atoi(m.Properties[TransCheckImmunityTime]); err == nil {
		entry.TransCheckImmunityTime = seconds
		delete(entry.Properties, TransCheckImmunityTime)
	}
	for _, name := range [...]string{Keys, SHARDING, tags} {
		delete(entry.Properties, name)
	}
	return entry
}

// bodyMD5 is the digest of a body as the service writes it.
func bodyMD5(body []byte) string { return fmt.Sprintf("%X", md5.Sum(body)) }
