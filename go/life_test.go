package tminus_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/tminustest"
)

// collected runs the collector until condition holds.
func collected(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !condition(); runtime.GC() {
		if time.Now().After(limit) {
			t.Fatal(what)
		}
	}
}

func TestWhatNobodyHoldsAnyMoreIsFreed(t *testing.T) {
	const unregister = 35
	broker := tminustest.Start(t, tminustest.VirtualClock())
	producer, err := tminus.NewProducer(t.Context(), broker.Endpoint(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := producer.Send(t.Context(), &tminus.Message{Topic: "t", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	consumer, err := tminus.NewPushConsumer(t.Context(), broker.Endpoint(), "g", &tminus.PushConsumerOptions{
		Subscriptions: map[string]tminus.Filter{"t": tminus.AllMessages}, ConsumeFrom: tminus.FirstOffset,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := consumer.Receive(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	collected(t, "the delivery that was dropped unsettled was not given back", func() bool {
		pending, _ := broker.Pending()
		return pending > 0
	})
	collected(t, "producer and consumer were not signed off", func() bool {
		return broker.Requests(unregister) >= 2
	})
}

func TestTheCauseOfAContextIsKeptBesideItsError(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.Endpoint(), nil)
	cause := errors.New("the user went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err := producer.Send(ctx, &tminus.Message{Topic: "t", Body: []byte("x")})
	for _, is := range []error{tminus.ErrCancelled, context.Canceled, cause} {
		if !errors.Is(err, is) {
			t.Errorf("%v is not %v", err, is)
		}
	}
	ctx, stop := context.WithTimeoutCause(t.Context(), 0, cause)
	defer stop()
	_, err = producer.Send(ctx, &tminus.Message{Topic: "t", Body: []byte("x")})
	for _, is := range []error{tminus.ErrTimeout, context.DeadlineExceeded, cause} {
		if !errors.Is(err, is) {
			t.Errorf("%v is not %v", err, is)
		}
	}
}

func TestCloseFromAHandlerEnds(t *testing.T) {
	t.Parallel()
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.Endpoint(), nil)
	if _, err := producer.Send(t.Context(), &tminus.Message{Topic: "t", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	consumer, err := tminus.NewPushConsumer(t.Context(), broker.Endpoint(), "g", &tminus.PushConsumerOptions{
		Subscriptions: map[string]tminus.Filter{"t": tminus.AllMessages}, ConsumeFrom: tminus.FirstOffset,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- consumer.Consume(t.Context(), func(context.Context, *tminus.MessageView) error {
			return consumer.Close(context.Background())
		})
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("a handler that closes its consumer hangs")
	}
}
