// Receives delayed messages, prints and acknowledges them, until Ctrl-C:
// simple_consumer grpc://127.0.0.1:8081 delay my-group.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
)

const invisible = 30 * time.Second

func main() {
	arguments := []string{"grpc://127.0.0.1:8081", "delay", "delay-simple-go"}
	copy(arguments, os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := consume(ctx, arguments[0], arguments[1], arguments[2]); !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func consume(ctx context.Context, endpoint, topic, group string) error {
	consumer, err := tminus.NewSimpleConsumer(ctx, endpoint, group, &tminus.SimpleConsumerOptions{
		Subscriptions: map[string]tminus.Filter{topic: tminus.AllMessages},
	})
	if err != nil {
		return err
	}
	defer consumer.Close(context.WithoutCancel(ctx))
	for {
		received, err := consumer.Receive(ctx, 10, invisible)
		var failure *tminus.Error
		if errors.As(err, &failure) && failure.Retryable {
			time.Sleep(time.Second) // the server limits the flow, or is away
			continue
		}
		if err != nil {
			return err
		}
		for _, r := range received {
			m, due := r.Message, r.Message.DeliverAt
			if due.IsZero() {
				due = m.StoredAt
			}
			fmt.Printf("%s %s %d ms late\n", m.MessageID, m.Body, time.Since(due).Milliseconds())
			// What was printed is acknowledged, also when Ctrl-C comes in between.
			if err := consumer.Ack(context.WithoutCancel(ctx), r.Receipt); err != nil {
				return err
			}
		}
	}
}
