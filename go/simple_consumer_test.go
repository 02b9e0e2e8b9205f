package tminus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/tminustest"
)

const invisible = 30 * time.Second

func newSimpleConsumer(t *testing.T, endpoint, topic string) *tminus.SimpleConsumer {
	t.Helper()
	consumer, err := tminus.NewSimpleConsumer(t.Context(), endpoint, "g", &tminus.SimpleConsumerOptions{
		Subscriptions: map[string]tminus.Filter{topic: tminus.AllMessages}, AwaitDuration: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := consumer.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return consumer
}

// receiveOne receives one message and checks its body.
func receiveOne(t *testing.T, consumer *tminus.SimpleConsumer, body string) *tminus.Received {
	t.Helper()
	received, err := consumer.Receive(t.Context(), 1, invisible)
	if err != nil || len(received) != 1 || string(received[0].Message.Body) != body || received[0].Corrupted {
		t.Fatalf("received %+v, %v", received, err)
	}
	return received[0]
}

func send(t *testing.T, producer *tminus.Producer, topic, body string) *tminus.SendReceipt {
	t.Helper()
	receipt, err := producer.Send(t.Context(), &tminus.Message{Topic: topic, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func TestASimpleConsumerAcknowledgesWhatItReceives(t *testing.T) {
	broker := tminustest.Start(t, tminustest.VirtualClock())
	producer := newProducer(t, broker.GRPCEndpoint(), nil)
	consumer := newSimpleConsumer(t, broker.GRPCEndpoint(), "t")
	sent := send(t, producer, "t", "hello")
	got := receiveOne(t, consumer, "hello")
	if got.Message.MessageID != sent.MessageID || got.Receipt.MessageID != sent.MessageID || got.Receipt.Topic != "t" {
		t.Errorf("received %+v", got)
	}
	stage := func(want tminustest.Stage) {
		t.Helper()
		if stage, err := broker.MessageStage("t", "g", sent.MessageID); stage != want || err != nil {
			t.Errorf("the message is %v, %v", stage, err)
		}
	}
	stage(tminustest.InFlight)
	if err := consumer.Ack(t.Context(), got.Receipt); err != nil {
		t.Fatal(err)
	}
	stage(tminustest.Acknowledged)
	if err := consumer.Ack(t.Context(), got.Receipt); err != nil && !errors.Is(err, tminus.ErrInvalidReceipt) {
		t.Errorf("a second time: %v", err)
	}
}

func TestHandlesThatAreNoneAreRefused(t *testing.T) {
	broker := tminustest.Start(t, tminustest.VirtualClock())
	producer := newProducer(t, broker.GRPCEndpoint(), nil)
	consumer := newSimpleConsumer(t, broker.GRPCEndpoint(), "t")
	send(t, producer, "t", "hello")
	got := receiveOne(t, consumer, "hello")
	garbage, renewed := got.Receipt, got.Receipt
	garbage.Handle = "garbage"
	if err := consumer.Ack(t.Context(), garbage); !errors.Is(err, tminus.ErrInvalidReceipt) {
		t.Errorf("garbage: %v", err)
	}
	if err := consumer.ChangeInvisible(t.Context(), &renewed, time.Minute); err != nil || renewed == got.Receipt {
		t.Errorf("change: %v", err)
	}
	results := consumer.AckAll(t.Context(), []tminus.ReceiptHandle{garbage, got.Receipt, renewed})
	if len(results) != 3 || !errors.Is(results[0], tminus.ErrInvalidReceipt) ||
		!errors.Is(results[1], tminus.ErrInvalidReceipt) || results[2] != nil {
		t.Errorf("all: %v", results)
	}
	if results := consumer.AckAll(t.Context(), nil); len(results) != 0 {
		t.Errorf("none: %v", results)
	}
}

func TestAHundredReceivesAndAcknowledgementsAtOnce(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.GRPCEndpoint(), nil)
	consumer := newSimpleConsumer(t, broker.GRPCEndpoint(), "t")
	const count = 100
	for i := range count {
		send(t, producer, "t", fmt.Sprint(i))
	}
	bodies, errs := make(chan string, count), make(chan error, count)
	for range count {
		go func() {
			received, err := consumer.Receive(t.Context(), 1, invisible)
			for _, r := range received {
				err = errors.Join(err, consumer.Ack(t.Context(), r.Receipt))
				bodies <- string(r.Message.Body)
			}
			errs <- err
		}()
	}
	for range count {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	close(bodies)
	unique := make(map[string]bool)
	for body := range bodies {
		unique[body] = true
	}
	if len(unique) != count {
		t.Errorf("%d of %d arrived", len(unique), count)
	}
}

func TestACancelledReceiveReturnsAtOnceAndLosesNothing(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.GRPCEndpoint(), nil)
	consumer := newSimpleConsumer(t, broker.GRPCEndpoint(), "t")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := consumer.Receive(ctx, 1, invisible)
		ended <- err
	}()
	until(t, "nothing was asked", func() bool { return broker.Requests(200050) > 0 })
	cancelled := time.Now()
	cancel()
	err := <-ended
	if took := time.Since(cancelled); took > 50*time.Millisecond {
		t.Errorf("it took %v to return", took)
	}
	if !errors.Is(err, tminus.ErrCancelled) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}

	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	started := time.Now()
	_, err = consumer.Receive(ctx, 1, invisible)
	if took := time.Since(started); took > 150*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after %v: %v", took, err)
	}

	send(t, producer, "t", "after the cancel")
	if got := receiveOne(t, consumer, "after the cancel"); got.Message.DeliveryAttempt() != 1 {
		t.Errorf("delivery %d", got.Message.DeliveryAttempt())
	}
}

func TestAWaitThatEndsWithoutAMessageIsNoError(t *testing.T) {
	broker := tminustest.Start(t)
	consumer, err := tminus.NewSimpleConsumer(t.Context(), broker.GRPCEndpoint(), "g", &tminus.SimpleConsumerOptions{
		Subscriptions: map[string]tminus.Filter{"t": tminus.AllMessages}, AwaitDuration: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close(context.Background())
	started := time.Now()
	received, err := consumer.Receive(t.Context(), 1, invisible)
	if took := time.Since(started); err != nil || len(received) != 0 || took > 250*time.Millisecond {
		t.Errorf("%v, %v after %v", received, err, took)
	}
}

func TestCloseEndsReceivesOfASimpleConsumer(t *testing.T) {
	broker := tminustest.Start(t)
	consumer := newSimpleConsumer(t, broker.GRPCEndpoint(), "t")
	ended := make(chan error, 1)
	go func() {
		_, err := consumer.Receive(context.Background(), 1, invisible)
		ended <- err
	}()
	until(t, "nothing was asked", func() bool { return broker.Requests(200050) > 0 })
	started := time.Now()
	for range 2 {
		if err := consumer.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; !errors.Is(err, tminus.ErrClosed) {
		t.Errorf("receive: %v", err)
	}
	if took := time.Since(started); took > 100*time.Millisecond {
		t.Errorf("it took %v to close", took)
	}
	if _, err := consumer.Receive(t.Context(), 1, invisible); !errors.Is(err, tminus.ErrClosed) {
		t.Errorf("receive: %v", err)
	}
}

func TestACorruptedBodyIsMarked(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.GRPCEndpoint(), nil)
	consumer := newSimpleConsumer(t, broker.GRPCEndpoint(), "t")
	send(t, producer, "t", "hello")
	if err := broker.Inject(200050, 1, tminustest.Corrupt); err != nil {
		t.Fatal(err)
	}
	received, err := consumer.Receive(t.Context(), 1, invisible)
	if err != nil || len(received) != 1 || !received[0].Corrupted {
		t.Errorf("%+v, %v", received, err)
	}
}

func TestTypesOfTopics(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.GRPCEndpoint(), nil)
	priority := 3
	for kind, fits := range map[tminustest.TopicType]*tminus.Message{
		tminustest.Normal:   {Topic: "normal"},
		tminustest.FIFO:     {Topic: "fifo", MessageGroup: "order-17"},
		tminustest.Delay:    {Topic: "delay", DeliverAfter: time.Hour},
		tminustest.Priority: {Topic: "priority", Priority: &priority},
	} {
		if err := broker.CreateTopicOf(fits.Topic, 4, kind); err != nil {
			t.Fatal(err)
		}
		fits.Body = []byte("x")
		if _, err := producer.Send(t.Context(), fits); err != nil {
			t.Errorf("%s: %v", fits.Topic, err)
		}
		misfit := &tminus.Message{Topic: fits.Topic, Body: fits.Body}
		if kind == tminustest.Normal {
			misfit.MessageGroup = "order-17"
		}
		var failure *tminus.Error
		_, err := producer.Send(t.Context(), misfit)
		if !errors.Is(err, tminus.ErrTopicTypeMismatch) || !errors.As(err, &failure) || failure.Outcome != tminus.NotSent {
			t.Errorf("%s: %v", fits.Topic, err)
		}
	}
	bad := -1
	if _, err := producer.Send(t.Context(), &tminus.Message{Topic: "priority", Body: []byte("x"), Priority: &bad}); !errors.Is(err, tminus.ErrInvalidArgument) {
		t.Errorf("priority -1: %v", err)
	}
}
