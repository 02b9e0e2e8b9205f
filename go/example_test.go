package tminus_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/tminustest"
)

// A message for next year, received in a moment: the broker's clock is moved, and the producer follows it.
func Example() {
	broker, err := tminustest.New(tminustest.VirtualClock())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	producer, err := tminus.NewProducer(ctx, broker.Endpoint(), &tminus.ProducerOptions{
		ClientOptions: tminus.ClientOptions{Clock: broker.Clock()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer producer.Close(ctx)
	const delay = 364 * 24 * time.Hour
	_, err = producer.Send(ctx, &tminus.Message{Topic: "birthdays", Body: []byte("happy birthday"), DeliverAfter: delay})
	if err != nil {
		fmt.Println(err)
		return
	}

	consumer, err := tminus.NewPushConsumer(ctx, broker.Endpoint(), "cards", &tminus.PushConsumerOptions{
		Subscriptions: map[string]tminus.Filter{"birthdays": tminus.AllMessages},
		ConsumeFrom:   tminus.FirstOffset,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer consumer.Close(ctx)

	early, _ := broker.Advance(delay - time.Millisecond)
	due, _ := broker.Advance(time.Millisecond)
	fmt.Println("a millisecond before:", early, "on time:", due)

	received, stop := context.WithCancel(ctx)
	_ = consumer.Consume(received, func(_ context.Context, m *tminus.MessageView) error {
		fmt.Printf("%s\n", m.Body)
		stop()
		return nil
	})
	// Output:
	// a millisecond before: 0 on time: 1
	// happy birthday
}

// The kind of an error says what went wrong, its outcome whether the message can have been stored.
func ExampleError() {
	broker, err := tminustest.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	producer, err := tminus.NewProducer(context.Background(), broker.Endpoint(), &tminus.ProducerOptions{Retries: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer producer.Close(context.Background())

	const sendMessage = 310
	_ = broker.Inject(sendMessage, 1, tminustest.Swallow)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err = producer.Send(ctx, &tminus.Message{Topic: "orders", Body: []byte("order 42")})
	var failure *tminus.Error
	if errors.As(err, &failure) {
		fmt.Println(errors.Is(err, tminus.ErrTimeout), errors.Is(err, context.DeadlineExceeded), failure.Outcome)
	}

	_, err = producer.Send(context.Background(), &tminus.Message{
		Topic: "orders", Body: []byte("order 42"), Properties: map[string]string{"__STARTDELIVERTIME": "1795000000"},
	})
	fmt.Println(errors.Is(err, tminus.ErrInvalidDeliveryTime))
	// Output:
	// true true MaybeSent
	// true
}
