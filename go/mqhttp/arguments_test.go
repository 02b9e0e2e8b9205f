package mq_http_sdk_test

import (
	stderrors "errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gogap/errors"

	tminus "github.com/tminus-mq/tminus/go"
	mq "github.com/tminus-mq/tminus/go/mqhttp"
)

// Arguments that are refused before anything is sent, and those that stay as they are.

func TestTextThatXMLCannotCarryIsRefused(t *testing.T) {
	server := startPeer(t, func(int, request) answer { return stored(digest("b")) })
	producer := server.client(t).GetProducer("", "t")
	for _, message := range []mq.PublishMessageRequest{
		{MessageBody: "a\x00b"},
		{MessageBody: "b\xffc"},
		{MessageBody: "c\x01"},
		{MessageBody: ""},
		{MessageBody: "b", MessageTag: "a\x03"},
	} {
		_, err := producer.PublishMessage(message)
		if e := checkError(t, err, &mq.ErrMarshalMessageFailed, tminus.ErrInvalidMessage); e.Outcome != tminus.NotSent {
			t.Errorf("outcome %v", e.Outcome)
		}
	}
	if got := server.got(); len(got) != 0 {
		t.Errorf("requests %q", got)
	}
}

func TestPropertiesThatWouldBeMisreadAreRefused(t *testing.T) {
	server := startPeer(t, func(int, request) answer { return stored(digest("b")) })
	producer := server.client(t).GetProducer("", "t")
	for _, bad := range []string{"'", "\"", "<", ">", "&", ":", "|", "\x01", ""} {
		for _, message := range []mq.PublishMessageRequest{
			{Properties: map[string]string{"n": bad}},
			{Properties: map[string]string{bad: "v"}},
			{MessageKey: bad},
			{ShardingKey: bad},
		} {
			if message.Properties == nil && bad == "" {
				continue // none
			}
			message.MessageBody = "b"
			_, err := producer.PublishMessage(message)
			checkError(t, err, &mq.ErrMessageProperty, tminus.ErrInvalidMessage)
		}
	}
	if got := server.got(); len(got) != 0 {
		t.Errorf("requests %q", got)
	}
}

func TestTooManyMessagesOrSecondsAreErrors(t *testing.T) {
	server := startPeer(t, func(int, request) answer { return refused(http.StatusNotFound, "MessageNotExist") })
	consumer := server.client(t).GetConsumer("", "t", "g", "").(*mq.AliyunMQConsumer)
	for _, wrong := range [][2]int64{{17, 0}, {1 << 20, 0}, {1, 31}, {1, 1 << 60}} {
		_, err := consumer.ConsumeMessageContext(t.Context(), int32(wrong[0]), wrong[1])
		checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrInvalidArgument)
	}
	if err := consumer.AckMessage(make([]string, 17)); !stderrors.Is(err, tminus.ErrInvalidArgument) {
		t.Errorf("17 handles: %v", err)
	}
	if got := server.got(); len(got) != 0 {
		t.Errorf("requests %q", got)
	}
	_, err := consumer.ConsumeMessageContext(t.Context(), -1, -1)
	checkError(t, err, &mq.ErrMqServer, tminus.ErrMessageNotFound)
	if got := server.got(); !strings.Contains(got[0].target, "numOfMessages=16") || strings.Contains(got[0].target, "waitseconds") {
		t.Errorf("requests %q", got)
	}
}

func TestMissingArgumentsAreErrorsOfTheFirstCall(t *testing.T) {
	const endpoint = "http://127.0.0.1:9"
	message := mq.PublishMessageRequest{MessageBody: "b"}
	for _, given := range [][4]string{
		{"", "key", "secret", "t"}, {endpoint, "", "secret", "t"}, {endpoint, "key", "", "t"}, {endpoint, "key", "secret", ""},
		{"127.0.0.1:9", "key", "secret", "t"}, {"http://", "key", "secret", "t"}, {"://", "key", "secret", "t"},
	} {
		client := mq.NewAliyunMQClient(given[0], given[1], given[2], "")
		_, err := client.GetProducer("", given[3]).PublishMessage(message)
		if _, ok := err.(errors.ErrCode); !ok || !mq.ErrSendRequestFailed.IsEqual(err) {
			t.Errorf("%q: %v", given, err)
		}
	}
	client := mq.NewAliyunMQClient(endpoint, "key", "secret", "")
	_, err := client.GetConsumer("", "t", "", "").(*mq.AliyunMQConsumer).ConsumeMessageContext(t.Context(), 1, 0)
	checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrInvalidArgument)
	_, err = client.GetTransProducer("", "t", "").(*mq.AliyunMQTransProducer).ConsumeHalfMessageContext(t.Context(), 1, 0)
	checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrInvalidArgument)
	for _, err := range []error{
		client.GetConsumer("", "t", "", "").AckMessage([]string{"h"}), client.GetTransProducer("", "t", "").Commit("h"),
	} {
		checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrInvalidArgument)
	}
}

func TestNamesThatWouldChangeTheRequestAreRefused(t *testing.T) {
	server := startPeer(t, func(int, request) answer { return stored(digest("b")) })
	client := server.client(t)
	message := mq.PublishMessageRequest{MessageBody: "b"}
	for _, bad := range []string{"t?ns=x", "t/../u", "t u", "t&a=b", "t#", "\n"} {
		_, err := client.GetProducer("", bad).PublishMessage(message)
		_, err2 := client.GetProducer(bad, "t").PublishMessage(message)
		err3 := client.GetConsumer("", "t", bad, "").AckMessage([]string{"h"})
		for _, err := range []error{err, err2, err3} {
			if _, ok := err.(errors.ErrCode); !ok {
				t.Errorf("%q: %v", bad, err)
			}
		}
	}
	if got := server.got(); len(got) != 0 {
		t.Errorf("requests %q", got)
	}
	_, err := client.GetConsumer("", "t", "g", "a b||ü&c").(*mq.AliyunMQConsumer).ConsumeMessageContext(t.Context(), 1, 0)
	if got := server.got(); len(got) != 1 || !strings.Contains(got[0].target, "tag=a%20b%7C%7C%C3%BC%26c") {
		t.Errorf("requests %q, %v", got, err)
	}
}

func TestTheCallersPropertiesStayAsTheyAre(t *testing.T) {
	server := startPeer(t, func(int, request) answer { return stored(digest("b")) })
	producer := server.client(t).GetProducer("", "t")
	properties := map[string]string{"a": "1"}
	for name, message := range map[string]mq.PublishMessageRequest{
		mq.Keys:                   {MessageKey: "k"},
		mq.SHARDING:               {ShardingKey: "s"},
		mq.StartDeliverTime:       {StartDeliverTime: time.Now().UnixMilli()},
		mq.TransCheckImmunityTime: {TransCheckImmunityTime: 10},
	} {
		message.MessageBody, message.Properties = "b", properties
		for _, message := range []mq.PublishMessageRequest{message, {MessageBody: "b", Properties: properties}} {
			if _, err := producer.PublishMessage(message); err != nil {
				t.Fatal(err)
			}
		}
		if !maps.Equal(properties, map[string]string{"a": "1"}) {
			t.Errorf("properties %v", properties)
		}
		got := server.got()
		got = got[len(got)-2:]
		if !strings.Contains(got[0].body, name+":") || strings.Contains(got[1].body, name+":") {
			t.Errorf("%s in %q", name, got)
		}
	}
}
