package mq_http_sdk_test

import (
	"context"
	"encoding/json"
	stderrors "errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	mq "github.com/tminus-mq/tminus/go/mqhttp"
	"github.com/tminus-mq/tminus/go/tminustest"
)

// What a broker answers when it refuses, and how calls fail.

func TestTheServicesRefusalsAreTyped(t *testing.T) {
	broker, client := startBroker(t, tminustest.NoAutoCreateTopics())
	if err := broker.CreateTopic("t", 1); err != nil {
		t.Fatal(err)
	}
	message := mq.PublishMessageRequest{MessageBody: "b"}
	wrong := mq.NewAliyunMQClient(broker.HTTPEndpoint(), "key", "other", "").(*mq.AliyunMQClient)
	defer wrong.Close()
	unknown := mq.NewAliyunMQClient(broker.HTTPEndpoint(), "other", "secret", "").(*mq.AliyunMQClient)
	defer unknown.Close()
	for _, row := range []struct {
		client mq.MQClient
		topic  string
		kind   tminus.Kind
		code   string
		status int32
	}{
		{wrong, "t", tminus.ErrPermissionDenied, "SignatureDoesNotMatch", 403},
		{unknown, "t", tminus.ErrPermissionDenied, "InvalidAccessKeyId", 403},
		{client, "unknown", tminus.ErrTopicNotFound, "TopicNotExist", 404},
	} {
		_, err := row.client.GetProducer("", row.topic).PublishMessage(message)
		e := checkError(t, err, &mq.ErrMqServer, row.kind)
		if e.Refusal == nil || e.Refusal.Code != row.code || e.ResponseCode != row.status || e.Outcome != tminus.NotSent ||
			e.Refusal.RequestID == "" || e.Refusal.HostID == "" {
			t.Errorf("%+v, %+v", e, e.Refusal)
		}
		if text, e := json.Marshal(err); e != nil || !strings.Contains(string(text), row.code) {
			t.Errorf("%s, %v", text, e)
		}
		if text := err.Error(); !strings.Contains(text, "code: "+row.code) || !strings.Contains(text, e.Refusal.RequestID) {
			t.Error(text)
		}
		_, err = consume(row.client.GetConsumer("", row.topic, "g", ""), 1, 0)
		checkError(t, err, &mq.ErrMqServer, row.kind)
	}
	err := wrong.GetConsumer("", "t", "g", "").AckMessage([]string{"h"})
	checkError(t, err, &mq.ErrMqServer, tminus.ErrPermissionDenied)
}

func TestCredentialsAreReplaced(t *testing.T) {
	broker := tminustest.Start(t, tminustest.User("new", "secret-2"))
	client := mq.NewAliyunMQClient(broker.HTTPEndpoint(), "old", "secret-1", "token").(*mq.AliyunMQClient)
	defer client.Close()
	producer := client.GetProducer("", "t")
	if _, err := producer.PublishMessage(mq.PublishMessageRequest{MessageBody: "b"}); !stderrors.Is(err, tminus.ErrPermissionDenied) {
		t.Errorf("%v", err)
	}
	if err := client.SetCredential("new", "secret-2", ""); err != nil {
		t.Fatal(err)
	}
	publish(t, producer, mq.PublishMessageRequest{MessageBody: "b"})
	if c := client.GetCredential(); c.AccessKeyId() != "new" || c.AccessKeySecret() != "secret-2" || c.SecurityToken() != "" {
		t.Errorf("%v", c)
	}
	if text := fmt.Sprintf("%v %+v %#v", client.GetCredential(), client.GetCredential(), client.GetCredential()); strings.Contains(text, "secret") {
		t.Error(text)
	}
}

func TestAFaultOfTheServerIsTyped(t *testing.T) {
	broker, client := startBroker(t)
	producer := client.GetProducer("", "t")
	for _, row := range []struct {
		fault   tminustest.Fault
		number  *mq.ErrCodeTemplate
		kind    tminus.Kind
		outcome tminus.Outcome
	}{
		{tminustest.CloseBefore, &mq.ErrSendRequestFailed, tminus.ErrConnectionClosed, tminus.MaybeSent},
		{tminustest.CloseAfter, &mq.ErrSendRequestFailed, tminus.ErrConnectionClosed, tminus.MaybeSent},
		{tminustest.Gateway, &mq.ErrUnmarshalErrorResponseFailed, tminus.ErrServer, tminus.MaybeSent},
		{tminustest.Corrupt, &mq.ErrUnmarshalResponseFailed, tminus.ErrServer, tminus.Done},
	} {
		if err := broker.Inject(310, 1, row.fault); err != nil {
			t.Fatal(err)
		}
		before := broker.Requests(310)
		_, err := producer.PublishMessage(mq.PublishMessageRequest{MessageBody: "b"})
		if e := checkError(t, err, row.number, row.kind); e.Outcome != row.outcome {
			t.Errorf("outcome %v of %v", e.Outcome, err)
		}
		if n := broker.Requests(310) - before; n != 1 {
			t.Errorf("%d requests", n)
		}
	}
	if err := broker.Inject(310, 1, tminustest.Swallow); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := producer.(*mq.AliyunMQProducer).PublishMessageContext(ctx, mq.PublishMessageRequest{MessageBody: "b"})
	if e := checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrTimeout); e.Outcome != tminus.MaybeSent ||
		!stderrors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = producer.(*mq.AliyunMQProducer).PublishMessageContext(ended, mq.PublishMessageRequest{MessageBody: "b"})
	if e := checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrCancelled); e.Outcome != tminus.NotSent {
		t.Errorf("%v", err)
	}
}

func TestCodesOfTheServiceHaveAKind(t *testing.T) {
	rows := []struct {
		status    int
		code      string
		kind      tminus.Kind
		retryable bool
	}{
		{403, "AccessDenied", tminus.ErrPermissionDenied, false},
		{403, "HTTPForbidden", tminus.ErrPermissionDenied, false},
		{400, "MissingAuthorizationHeader", tminus.ErrPermissionDenied, false},
		{404, "TopicNotExist", tminus.ErrTopicNotFound, false},
		{400, "QpsLimitExceeded", tminus.ErrBusy, true},
		{400, "MalformedXML", tminus.ErrMessageRefused, false},
		{400, "InvalidDigest", tminus.ErrMessageRefused, false},
		{500, "InternalError", tminus.ErrServer, true},
	}
	server := startPeer(t, func(n int, _ request) answer { return refused(rows[n-1].status, rows[n-1].code) })
	producer := server.client(t).GetProducer("", "t")
	for _, row := range rows {
		_, err := producer.PublishMessage(mq.PublishMessageRequest{MessageBody: "b"})
		e := checkError(t, err, &mq.ErrMqServer, row.kind)
		if int(e.ResponseCode) != row.status || e.Refusal.Code != row.code || e.Refusal.Message != "no" || e.Retryable != row.retryable {
			t.Errorf("%+v, %+v", e, e.Refusal)
		}
	}
	if n := len(server.got()); n != len(rows) {
		t.Errorf("%d requests", n)
	}
}

// The server has done nothing where the date was wrong, so the call is repeated once with the server's time.
func TestACallWithASkewedDateIsRepeatedOnce(t *testing.T) {
	server := startPeer(t, func(n int, _ request) answer {
		if n == 2 {
			return stored(digest("b"))
		}
		return refused(http.StatusRequestTimeout, "TimeExpired")
	})
	producer := server.client(t).GetProducer("", "t")
	message := mq.PublishMessageRequest{MessageBody: "b"}
	if _, err := producer.PublishMessage(message); err != nil {
		t.Error(err)
	}
	_, err := producer.PublishMessage(message)
	checkError(t, err, &mq.ErrMqServer, tminus.ErrClockSkew)
	if n := len(server.got()); n > 4 {
		t.Errorf("%d requests", n)
	}
}
