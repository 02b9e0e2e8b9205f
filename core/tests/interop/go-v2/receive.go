package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

type received struct {
	Consumer   int    `json:"consumer"`
	MessageID  string `json:"message_id"`
	Topic      string `json:"topic"`
	Body       string `json:"body"`
	Tag        string `json:"tag"`
	Reconsumed int32  `json:"reconsumed"`
	AtMS       int64  `json:"at_ms"`
}

// receive runs push consumers of one group and prints every message they get, until its standard input ends.
// It prints {"started": N} first.
func receive(arguments []string) error {
	var p peer
	flags := flag.NewFlagSet("receive", flag.ExitOnError)
	p.flags(flags)
	group := flags.String("group", "go-v2-consumer", "consumer group")
	consumers := flags.Int("consumers", 1, "how many consumers of the group")
	tags := flags.String("tags", "*", "tag expression")
	sql := flags.String("sql", "", "SQL92 expression, in place of tags")
	retries := flags.Int("retries", 0, "ask so many times for another delivery of each message")
	maxReconsume := flags.Int("max-reconsume", -1, "deliveries again before a message is a dead letter; -1: the default")
	if err := p.parse(flags, arguments); err != nil {
		return err
	}

	for i := 0; i < *consumers; i++ {
		options := []consumer.Option{
			consumer.WithGroupName(*group),
			consumer.WithInstance(fmt.Sprintf("%s-%d-%d", *group, os.Getpid(), i)),
			consumer.WithNsResolver(p.nameServers()),
			consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
			consumer.WithMaxReconsumeTimes(int32(*maxReconsume)),
		}
		if p.accessKey != "" {
			options = append(options, consumer.WithCredentials(p.credentials()))
		}
		started, err := rocketmq.NewPushConsumer(options...)
		if err != nil {
			return err
		}
		selector := consumer.MessageSelector{Type: consumer.TAG, Expression: *tags}
		if *sql != "" {
			selector = consumer.MessageSelector{Type: consumer.SQL92, Expression: *sql}
		}
		if err := started.Subscribe(p.topic, selector, handler(i, int32(*retries))); err != nil {
			return err
		}
		if err := started.Start(); err != nil {
			return err
		}
		defer func() { _ = started.Shutdown() }()
	}
	line(map[string]int{"started": *consumers})
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func handler(index int, retries int32) func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	return func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		now := time.Now().UnixMilli()
		result := consumer.ConsumeSuccess
		for _, m := range messages {
			line(received{index, m.MsgId, m.Topic, string(m.Body), m.GetTags(), m.ReconsumeTimes, now})
			if m.ReconsumeTimes < retries {
				result = consumer.ConsumeRetryLater
			}
		}
		if result == consumer.ConsumeRetryLater {
			if concurrent, ok := primitive.GetConcurrentlyCtx(ctx); ok {
				concurrent.DelayLevelWhenNextConsume = 1 // again after a second
			}
		}
		return result, nil
	}
}
