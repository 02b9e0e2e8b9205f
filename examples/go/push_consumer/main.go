// Prints delayed messages as they come, until Ctrl-C: push_consumer grpc://127.0.0.1:8081 delay my-group.
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

func main() {
	arguments := []string{"grpc://127.0.0.1:8081", "delay", "delay-push-go"}
	copy(arguments, os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := consume(ctx, arguments[0], arguments[1], arguments[2]); !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func consume(ctx context.Context, endpoint, topic, group string) error {
	consumer, err := tminus.NewPushConsumer(ctx, endpoint, group, &tminus.PushConsumerOptions{
		Subscriptions: map[string]tminus.Filter{topic: tminus.AllMessages},
	})
	if err != nil {
		return err
	}
	defer consumer.Close(context.WithoutCancel(ctx))
	return consumer.Consume(ctx, func(_ context.Context, m *tminus.MessageView) error {
		due := m.DeliverAt
		if due.IsZero() {
			due = m.StoredAt
		}
		fmt.Printf("%s %s %d ms late\n", m.MessageID, m.Body, time.Since(due).Milliseconds())
		return nil
	})
}
