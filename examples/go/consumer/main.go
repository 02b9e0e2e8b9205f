// Consumes a topic until interrupted and prints one JSON line a message: consumer ADDRESS TOPIC GROUP.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/tminus-mq/tminus/go/rocketmq"
	"github.com/tminus-mq/tminus/go/rocketmq/consumer"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: consumer ADDRESS TOPIC GROUP")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address, topic, group string) error {
	c, err := rocketmq.NewPushConsumer(
		consumer.WithNsResolver(primitive.NewPassthroughResolver([]string{address})),
		consumer.WithGroupName(group),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	)
	if err != nil {
		return err
	}
	output := json.NewEncoder(os.Stdout)
	print := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range messages {
			line := map[string]any{
				"message_id":         m.MsgId,
				"body":               string(m.Body),
				"start_deliver_time": m.GetProperty("__STARTDELIVERTIME"),
				"received_at":        time.Now().UnixMilli(),
			}
			if err := output.Encode(line); err != nil {
				return consumer.ConsumeRetryLater, err
			}
		}
		return consumer.ConsumeSuccess, nil
	}
	if err := c.Subscribe(topic, consumer.MessageSelector{}, print); err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	<-interrupted.Done()
	return c.Shutdown()
}
