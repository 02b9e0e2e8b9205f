package main

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

type sent struct {
	MessageID  string `json:"message_id"`
	Status     int    `json:"status"`
	DueMS      int64  `json:"due_ms"`
	AnsweredMS int64  `json:"answered_ms"`
}

// answered prints what the server said of a message, and when. Due is the delivery time asked for or, without one, a
// time before it was sent.
func answered(result *primitive.SendResult, due int64) {
	line(sent{result.MsgID, int(result.Status), due, time.Now().UnixMilli()})
}

// send publishes messages "message 0", "message 1", ... and prints what the server answered to each.
func send(arguments []string) error {
	var p peer
	flags := flag.NewFlagSet("send", flag.ExitOnError)
	p.flags(flags)
	mode := flags.String("mode", "sync", "sync, async, one-way or batch")
	count := flags.Int("n", 1, "how many")
	tag := flags.String("tag", "", "tag of every message")
	size := flags.Int("size", 0, "pad bodies to this many bytes")
	delay := flags.Duration("delay", 0, "deliver so much later")
	property := flags.String("property", "__STARTDELIVERTIME", "the property that carries the delivery time")
	level := flags.Int("level", 0, "delay level")
	if err := p.parse(flags, arguments); err != nil {
		return err
	}

	producer, err := p.startProducer()
	if err != nil {
		return err
	}
	defer func() { _ = producer.Shutdown() }()

	due := time.Now().Add(*delay).UnixMilli()
	messages := make([]*primitive.Message, *count)
	for i := range messages {
		body := fmt.Sprintf("message %d", i)
		if missing := *size - len(body); missing > 0 {
			body = fmt.Sprintf("%s %0*d", body, missing-1, 0)
		}
		messages[i] = primitive.NewMessage(p.topic, []byte(body))
		if *tag != "" {
			messages[i].WithTag(*tag)
		}
		if *delay > 0 {
			messages[i].WithProperty(*property, strconv.FormatInt(due, 10))
		}
		if *level > 0 {
			messages[i].WithDelayTimeLevel(*level)
		}
	}

	ctx := context.Background()
	switch *mode {
	case "sync":
		for _, message := range messages {
			result, err := producer.SendSync(ctx, message)
			if err != nil {
				return err
			}
			answered(result, due)
		}
	case "async":
		return sendAsync(ctx, producer, messages, due)
	case "one-way":
		for _, message := range messages {
			if err := producer.SendOneWay(ctx, message); err != nil {
				return err
			}
		}
	case "batch":
		result, err := producer.SendSync(ctx, messages...)
		if err != nil {
			return err
		}
		answered(result, due)
	default:
		return fmt.Errorf("unknown mode %q", *mode)
	}
	return nil
}

func sendAsync(ctx context.Context, producer rocketmq.Producer, messages []*primitive.Message, due int64) error {
	outcomes := make(chan error, len(messages))
	for _, message := range messages {
		err := producer.SendAsync(ctx, func(_ context.Context, result *primitive.SendResult, err error) {
			if err == nil {
				answered(result, due)
			}
			outcomes <- err
		}, message)
		if err != nil {
			return err
		}
	}
	for range messages {
		if err := <-outcomes; err != nil {
			return err
		}
	}
	return nil
}

func (p peer) startProducer() (rocketmq.Producer, error) {
	options := []producer.Option{
		producer.WithGroupName("go-v2-producer"),
		producer.WithNsResolver(p.nameServers()),
		producer.WithRetry(0),
	}
	if p.accessKey != "" {
		options = append(options, producer.WithCredentials(p.credentials()))
	}
	started, err := rocketmq.NewProducer(options...)
	if err != nil {
		return nil, err
	}
	return started, started.Start()
}
