package tminus_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/tminustest"
)

func newHTTPClient(t *testing.T, endpoint string, options *tminus.ClientOptions) *tminus.HTTPClient {
	t.Helper()
	client, err := tminus.NewHTTPClient(endpoint, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(client.Close(context.Background()), client.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return client
}

func TestTheCallsOfHTTPOverTLS(t *testing.T) {
	broker := tminustest.Start(t, tminustest.TLS(), tminustest.User("key", "secret"))
	options := &tminus.ClientOptions{
		Credentials: &tminus.Credentials{AccessKey: "key", SecretKey: "secret"}, Namespace: "I",
	}
	untrusting := newHTTPClient(t, "https://"+broker.Endpoint(), options)
	_, err := untrusting.Publish(t.Context(), &tminus.Message{Topic: "t", Body: []byte("b")})
	var failure *tminus.Error
	if !errors.Is(err, tminus.ErrTLS) || !errors.As(err, &failure) || failure.Outcome != tminus.NotSent {
		t.Errorf("%v", err)
	}

	options.TLS = &tminus.TLSConfig{CA: broker.CA()}
	client := newHTTPClient(t, "https://"+broker.Endpoint(), options)
	receipt, err := client.Publish(t.Context(), &tminus.Message{
		Topic: "t", Body: []byte("b"), Properties: map[string]string{"__TransCheckT": "10"},
	})
	if err != nil || receipt.TransactionID == "" || receipt.RequestID == "" || receipt.MessageID == "" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if err := client.EndTransaction(t.Context(), "t", "p", receipt.TransactionID, tminus.Commit); err != nil {
		t.Fatal(err)
	}
	wanted := &tminus.HTTPConsume{Topic: "t", Group: "g", Max: 16, Wait: 5 * time.Second}
	consumed, err := client.Consume(t.Context(), wanted)
	if err != nil || len(consumed.Messages) != 1 || consumed.RequestID == "" {
		t.Fatalf("%+v, %v", consumed, err)
	}
	got := consumed.Messages[0]
	if got.Message.MessageID != receipt.MessageID || got.Corrupted || got.InvisibleUntil.Sub(got.FirstDelivered) != 300*time.Second {
		t.Errorf("%+v", got)
	}
	results, err := client.Ack(t.Context(), "t", "g", []string{"none", got.Receipt.Handle})
	if err != nil || len(results) != 2 || !errors.Is(results[0], tminus.ErrInvalidReceipt) || results[1] != nil {
		t.Errorf("%v, %v", results, err)
	}
	wanted.Wait = 0
	if _, err := client.Consume(t.Context(), wanted); !errors.Is(err, tminus.ErrMessageNotFound) {
		t.Errorf("%v", err)
	}
	for _, handles := range [][]string{nil, make([]string, 17)} {
		if _, err := client.Ack(t.Context(), "t", "g", handles); !errors.Is(err, tminus.ErrInvalidArgument) {
			t.Errorf("%d handles: %v", len(handles), err)
		}
	}
}

func TestCredentialsAreReplacedOverEveryProtocol(t *testing.T) {
	overEveryProtocol(t, func(t *testing.T, broker *tminustest.Broker, endpoint string) {
		client := tminus.ClientOptions{Credentials: &tminus.Credentials{AccessKey: "key", SecretKey: "secret"}}
		replaced := tminus.Credentials{AccessKey: "key", SecretKey: "other"}
		producer := newProducer(t, endpoint, &tminus.ProducerOptions{ClientOptions: client})
		message := &tminus.Message{Topic: "t", Body: []byte("b")}
		if _, err := producer.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
		if err := producer.SetCredentials(replaced); err != nil {
			t.Fatal(err)
		}
		if _, err := producer.Send(t.Context(), message); !errors.Is(err, tminus.ErrPermissionDenied) {
			t.Errorf("%v", err)
		}
		anonymous, err := tminus.NewProducer(t.Context(), endpoint, nil)
		if err != nil {
			return // refused at the start already
		}
		defer anonymous.Close(t.Context())
		if err := anonymous.SetCredentials(replaced); !errors.Is(err, tminus.ErrInvalidArgument) {
			t.Errorf("%v", err)
		}
	}, tminustest.User("key", "secret"))
}

func TestABodyThatIsNoTextTravelsInBase64(t *testing.T) {
	broker := tminustest.Start(t)
	body := []byte("a\x00b\xffc\x01")
	message := &tminus.Message{Topic: "t", Body: body}
	refusing := newProducer(t, broker.HTTPEndpoint(), nil)
	if _, err := refusing.Send(t.Context(), message); !errors.Is(err, tminus.ErrInvalidMessage) {
		t.Errorf("%v", err)
	}
	producer := newProducer(t, broker.HTTPEndpoint(), &tminus.ProducerOptions{BodyEncoding: tminus.BodyBase64})
	if _, err := producer.Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	for _, endpoint := range []string{broker.GRPCEndpoint(), broker.HTTPEndpoint()} {
		consumer, err := tminus.NewSimpleConsumer(t.Context(), endpoint, "g"+endpoint[:4], &tminus.SimpleConsumerOptions{
			Subscriptions: map[string]tminus.Filter{"t": tminus.AllMessages},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer consumer.Close(t.Context())
		received, err := consumer.Receive(t.Context(), 1, 30*time.Second)
		if err != nil || len(received) != 1 || string(received[0].Message.Body) != string(body) {
			t.Errorf("%v, %v", received, err)
		}
	}
}

func TestRequestsGoThroughTheProxyThatIsNamed(t *testing.T) {
	targets := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		targets <- r.Method + " " + r.RequestURI + " " + r.Header.Get("Proxy-Authorization")
		w.WriteHeader(http.StatusNoContent)
	}))
	defer proxy.Close()
	address := strings.Replace(proxy.URL, "http://", "http://user:password@", 1)
	client := newHTTPClient(t, "http://service.invalid", &tminus.ClientOptions{HTTPProxy: address, Namespace: "I"})
	results, err := client.Ack(t.Context(), "t", "g", []string{"h"})
	if err != nil || errors.Join(results...) != nil {
		t.Errorf("%v, %v", results, err)
	}
	want := "DELETE http://service.invalid:80/topics/t/messages?consumer=g&ns=I Basic dXNlcjpwYXNzd29yZA=="
	if got := <-targets; got != want {
		t.Error(got)
	}
	if _, err := tminus.NewHTTPClient("http://service.invalid", &tminus.ClientOptions{HTTPProxy: "socks9://x"}); !errors.Is(err, tminus.ErrInvalidArgument) {
		t.Errorf("%v", err)
	}
}
