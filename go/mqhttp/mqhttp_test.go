package mq_http_sdk_test

import (
	stderrors "errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gogap/errors"

	tminus "github.com/tminus-mq/tminus/go"
	mq "github.com/tminus-mq/tminus/go/mqhttp"
	"github.com/tminus-mq/tminus/go/tminustest"
)

// startBroker starts a broker that checks signatures, and a client with keys.
func startBroker(t *testing.T, options ...tminustest.Option) (*tminustest.Broker, *mq.AliyunMQClient) {
	t.Helper()
	broker := tminustest.Start(t, append(options, tminustest.User("key", "secret"))...)
	return broker, newClient(t, broker.HTTPEndpoint(), 10*time.Second)
}

func publish(t *testing.T, producer mq.MQProducer, message mq.PublishMessageRequest) mq.PublishMessageResponse {
	t.Helper()
	ret, err := producer.PublishMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	return ret
}

// consume is the documented way with two channels.
func consume(consumer mq.MQConsumer, numOfMessages int32, waitseconds int64) ([]mq.ConsumeMessageEntry, error) {
	return receive(consumer.ConsumeMessage, numOfMessages, waitseconds)
}

func receive(
	call func(chan mq.ConsumeMessageResponse, chan error, int32, int64), numOfMessages int32, waitseconds int64,
) ([]mq.ConsumeMessageEntry, error) {
	respChan := make(chan mq.ConsumeMessageResponse)
	errChan := make(chan error)
	go call(respChan, errChan, numOfMessages, waitseconds)
	select {
	case resp := <-respChan:
		return resp.Messages, nil
	case err := <-errChan:
		return nil, err
	}
}

// none wants no message to be there.
func none(t *testing.T, consumer mq.MQConsumer) {
	t.Helper()
	messages, err := consume(consumer, 16, 0)
	code, ok := err.(errors.ErrCode)
	if !ok || !strings.Contains(code.Error(), "MessageNotExist") || !stderrors.Is(err, tminus.ErrMessageNotFound) {
		t.Fatalf("%+v, %v", messages, err)
	}
}

func TestPublishConsumeAcknowledge(t *testing.T) {
	for _, instance := range []string{"", "MQ_INST_1"} {
		broker, client := startBroker(t)
		producer := client.GetProducer(instance, "t")
		consumer := client.GetConsumer(instance, "t", "GID_g", "TagA||TagB")
		properties := map[string]string{"a": "1", "ü": "\nx\r\n "}
		body := "<hello> & 'mq' \"!\"\r\n]]> ü"
		published := broker.Now().UnixMilli()
		ret := publish(t, producer, mq.PublishMessageRequest{
			MessageBody: body, MessageTag: "TagA", Properties: properties, MessageKey: "k1 k2", ShardingKey: "s",
		})
		if ret.MessageId == "" || ret.MessageBodyMD5 != digest(body) || ret.Code != "201" || ret.RequestId == "" ||
			ret.ReceiptHandle != "" {
			t.Errorf("%+v", ret)
		}
		publish(t, producer, mq.PublishMessageRequest{MessageBody: "b", MessageTag: "TagC"})
		messages, err := consume(consumer, 16, 3)
		if err != nil {
			t.Fatal(err)
		}
		got := messages[0]
		if len(messages) != 1 || got.MessageId != ret.MessageId || got.MessageBody != body || got.MessageTag != "TagA" ||
			got.MessageBodyMD5 != digest(body) || got.MessageKey != "k1 k2" || got.ShardingKey != "s" ||
			got.ConsumedTimes != 1 || got.StartDeliverTime != 0 || got.RequestId == "" || got.Code != "200" {
			t.Errorf("%+v", messages)
		}
		if !maps.Equal(got.Properties, properties) {
			t.Errorf("properties %q", got.Properties)
		}
		now := broker.Now().UnixMilli()
		if got.PublishTime < published || got.PublishTime > now || got.FirstConsumeTime < got.PublishTime ||
			got.FirstConsumeTime > now || got.NextConsumeTime != got.FirstConsumeTime+300_000 {
			t.Errorf("%+v", got)
		}
		none(t, consumer)
		if err := consumer.AckMessage([]string{got.ReceiptHandle}); err != nil {
			t.Error(err)
		}
		if err := consumer.AckMessage(nil); err != nil {
			t.Errorf("no handle: %v", err)
		}
	}
}

func TestTheDocumentedDelayOnAVirtualClock(t *testing.T) {
	broker, client := startBroker(t, tminustest.VirtualClock())
	due := broker.Now().UnixMilli() + 10_000
	for _, at := range []int64{due, 1} { // the second is in the past
		publish(t, client.GetProducer("", "t"), mq.PublishMessageRequest{MessageBody: fmt.Sprint(at), StartDeliverTime: at})
	}
	consumer := client.GetConsumer("", "t", "g", "")
	messages, err := consume(consumer, 16, 0)
	if err != nil || len(messages) != 1 || messages[0].MessageBody != "1" {
		t.Fatalf("%+v, %v", messages, err)
	}
	if n, err := broker.Advance(9_999 * time.Millisecond); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	none(t, consumer)
	if n, err := broker.Advance(time.Millisecond); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	messages, err = consume(consumer, 16, 0)
	if err != nil || len(messages) != 1 || messages[0].StartDeliverTime != due || messages[0].FirstConsumeTime != due {
		t.Errorf("%+v, %v", messages, err)
	}
}

func TestALongPollAnswersTheMomentAMessageIsDue(t *testing.T) {
	_, client := startBroker(t)
	due := time.Now().Add(700 * time.Millisecond)
	publish(t, client.GetProducer("", "t"), mq.PublishMessageRequest{MessageBody: "b", StartDeliverTime: due.UnixMilli()})
	messages, err := consume(client.GetConsumer("", "t", "g", ""), 16, 30)
	late := time.Since(due)
	if err != nil || len(messages) != 1 || late < -time.Millisecond || late > 250*time.Millisecond {
		t.Errorf("%v late, %+v, %v", late, messages, err)
	}
	t.Logf("%v late", late)
}

func TestAMessageThatIsNotAcknowledgedComesAgain(t *testing.T) {
	broker, client := startBroker(t, tminustest.VirtualClock())
	consumer := client.GetConsumer("I", "t", "g", "")
	for i := range 3 {
		publish(t, client.GetProducer("I", "t"), mq.PublishMessageRequest{MessageBody: fmt.Sprint(i)})
	}
	first, err := consume(consumer, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	broker.Advance(200 * time.Second)
	others, err := consume(consumer, 16, 0)
	if err != nil || len(others) != 2 {
		t.Fatalf("%+v, %v", others, err)
	}
	broker.Advance(100 * time.Second)

	expired := first[0].ReceiptHandle
	err = consumer.AckMessage([]string{others[0].ReceiptHandle, expired, "made up", others[1].ReceiptHandle})
	items, ok := err.(errors.ErrCode).Context()["Detail"].([]mq.ErrAckItem)
	if !ok || !mq.ErrAckMessage.IsEqual(err) || !stderrors.Is(err, tminus.ErrInvalidReceipt) || len(items) != 2 ||
		items[0].ErrorHandle != expired || items[1].ErrorHandle != "made up" ||
		items[0].ErrorCode != "ReceiptHandleError" || items[0].ErrorMsg == "" {
		t.Errorf("%+v, %v", items, err)
	}
	again, err := consume(consumer, 16, 0)
	if err != nil || len(again) != 1 || again[0].MessageId != first[0].MessageId || again[0].ReceiptHandle == expired ||
		again[0].ConsumedTimes != 2 || again[0].FirstConsumeTime != first[0].FirstConsumeTime {
		t.Fatalf("%+v, %v", again, err)
	}
	if err := consumer.AckMessage([]string{again[0].ReceiptHandle}); err != nil {
		t.Error(err)
	}
	broker.Advance(time.Hour)
	none(t, consumer)
}

func TestMessagesOfAShardingKeyComeInOrder(t *testing.T) {
	broker, client := startBroker(t, tminustest.VirtualClock())
	consumer := client.GetConsumer("", "t", "g", "")
	for i := range 3 {
		publish(t, client.GetProducer("", "t"), mq.PublishMessageRequest{MessageBody: fmt.Sprint(i), ShardingKey: "s"})
	}
	take := func(number int32, want ...string) (handles []string) {
		t.Helper()
		messages, err := receive(consumer.ConsumeMessageOrderly, number, 0)
		var bodies []string
		for _, m := range messages {
			bodies, handles = append(bodies, m.MessageBody), append(handles, m.ReceiptHandle)
		}
		if fmt.Sprint(bodies) != fmt.Sprint(want) || (len(want) == 0) != stderrors.Is(err, tminus.ErrMessageNotFound) {
			t.Fatalf("%q, %v", bodies, err)
		}
		return handles
	}
	take(2, "0", "1")
	take(16)
	broker.Advance(300 * time.Second)
	handles := take(2, "0", "1")
	if err := consumer.AckMessage(handles[:1]); err != nil {
		t.Fatal(err)
	}
	take(16)
	if err := consumer.AckMessage(handles[1:]); err != nil {
		t.Fatal(err)
	}
	if err := consumer.AckMessage(take(16, "2")); err != nil {
		t.Fatal(err)
	}
}

func TestTransactions(t *testing.T) {
	broker, client := startBroker(t, tminustest.VirtualClock())
	producer := client.GetTransProducer("I", "t", "GID_p")
	consumer := client.GetConsumer("I", "t", "GID_c", "")
	half := func(body string) string {
		ret := publish(t, producer, mq.PublishMessageRequest{MessageBody: body, TransCheckImmunityTime: 10})
		if ret.ReceiptHandle == "" {
			t.Fatalf("%+v", ret)
		}
		return ret.ReceiptHandle
	}
	committed, open := half("committed"), half("open")
	if err := producer.Rollback(half("rolled back")); err != nil {
		t.Fatal(err)
	}
	none(t, consumer)
	if err := producer.Commit(committed); err != nil {
		t.Fatal(err)
	}
	messages, err := consume(consumer, 16, 1)
	if err != nil || len(messages) != 1 || messages[0].MessageBody != "committed" {
		t.Fatalf("%+v, %v", messages, err)
	}
	if halves, err := receive(producer.ConsumeHalfMessage, 16, 0); !stderrors.Is(err, tminus.ErrMessageNotFound) {
		t.Errorf("%+v, %v", halves, err)
	}
	broker.Advance(10 * time.Second)
	halves, err := receive(producer.ConsumeHalfMessage, 16, 3)
	if err != nil || len(halves) != 1 || halves[0].MessageBody != "open" || halves[0].TransCheckImmunityTime != 10 {
		t.Fatalf("%+v, %v", halves, err)
	}
	if err := producer.Commit(open); !stderrors.Is(err, tminus.ErrInvalidReceipt) {
		t.Errorf("a handle that was replaced: %v", err)
	} else if items, ok := err.(errors.ErrCode).Context()["Detail"].([]mq.ErrAckItem); !ok || items[0].ErrorHandle != open {
		t.Errorf("%v: %+v", err, items)
	}
	if err := producer.Commit(halves[0].ReceiptHandle); err != nil {
		t.Fatal(err)
	}
	if messages, err = consume(consumer, 16, 1); err != nil || len(messages) != 1 || messages[0].MessageBody != "open" {
		t.Errorf("%+v, %v", messages, err)
	}
}

func TestMessagesCrossTheProtocols(t *testing.T) {
	broker, client := startBroker(t, tminustest.VirtualClock())
	options := tminus.ClientOptions{
		Clock: broker.Clock(), Credentials: &tminus.Credentials{AccessKey: "key", SecretKey: "secret"},
	}
	due := broker.Now().Add(time.Minute)
	publish(t, client.GetProducer("", "t"), mq.PublishMessageRequest{
		MessageBody: "http", MessageTag: "T", MessageKey: "k", Properties: map[string]string{"a": "1"},
		StartDeliverTime: due.UnixMilli(),
	})
	for _, scheme := range []string{"remoting", "grpc", "http"} {
		producer, err := tminus.NewProducer(t.Context(), scheme+"://"+broker.Endpoint(), &tminus.ProducerOptions{ClientOptions: options})
		if err != nil {
			t.Fatal(err)
		}
		defer producer.Close(t.Context())
		_, err = producer.Send(t.Context(), &tminus.Message{
			Topic: "t", Body: []byte(scheme), Tag: "T", Keys: []string{"k"}, Properties: map[string]string{"a": "1"}, DeliverAt: due,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	broker.Advance(time.Minute)
	messages := make(map[string]mq.ConsumeMessageEntry)
	consumer := client.GetConsumer("", "t", "g", "T")
	for len(messages) < 4 {
		some, err := consume(consumer, 16, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range some {
			messages[m.MessageId] = m
		}
	}
	for _, m := range messages {
		if m.MessageKey != "k" || m.MessageTag != "T" || !maps.Equal(m.Properties, map[string]string{"a": "1"}) ||
			m.StartDeliverTime != due.UnixMilli() {
			t.Errorf("%+v", m)
		}
	}
	for _, scheme := range []string{"grpc", "http"} {
		simple, err := tminus.NewSimpleConsumer(t.Context(), scheme+"://"+broker.Endpoint(), "g-"+scheme, &tminus.SimpleConsumerOptions{
			ClientOptions: options, Subscriptions: map[string]tminus.Filter{"t": tminus.AllMessages},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer simple.Close(t.Context())
		seen := make(map[string]bool)
		for len(seen) < 4 {
			received, err := simple.Receive(t.Context(), 16, 30*time.Second)
			if err != nil || len(received) == 0 {
				t.Fatalf("%s: %v, %v", scheme, seen, err)
			}
			for _, r := range received {
				seen[r.Message.MessageID] = true
				m := r.Message
				if m.Tag() != "T" || fmt.Sprint(m.Keys()) != "[k]" || m.Properties["a"] != "1" || !m.DeliverAt.Equal(due) {
					t.Errorf("%s: %+v", scheme, m)
				}
				if scheme == "http" && r.InvisibleUntil.Sub(r.FirstDelivered) != 300*time.Second {
					t.Errorf("%+v", r)
				}
			}
		}
	}
}

func TestTheEnvironmentNamesTheAuthorityToTrust(t *testing.T) {
	broker := tminustest.Start(t, tminustest.TLS())
	message := mq.PublishMessageRequest{MessageBody: "b"}
	endpoint := "https://" + broker.Endpoint()
	_, err := newClient(t, endpoint, 5*time.Second).GetProducer("", "t").PublishMessage(message)
	if e := checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrTLS); e.Outcome != tminus.NotSent {
		t.Errorf("outcome %v", e.Outcome)
	}
	authority := filepath.Join(t.TempDir(), "ca.pem")
	t.Setenv("TMINUS_TLS_CA", authority)
	_, err = newClient(t, endpoint, 5*time.Second).GetProducer("", "t").PublishMessage(message)
	checkError(t, err, &mq.ErrSendRequestFailed, tminus.ErrIO)
	if err := os.WriteFile(authority, broker.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	publish(t, newClient(t, endpoint, 5*time.Second).GetProducer("", "t"), message)
}
