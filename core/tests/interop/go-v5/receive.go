package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	rocketmq "github.com/apache/rocketmq-clients/golang/v5"
	v2 "github.com/apache/rocketmq-clients/golang/v5/protocol/v2"
)

const (
	invisible = 15 * time.Second
	poll      = 5 * time.Second
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

// A receiver is one consumer of a group.
type receiver struct {
	peer
	group   string
	filter  *rocketmq.FilterExpression
	retries int32
	index   int
}

// receive runs consumers of one group and prints every message they get, until its standard input ends. It prints
// {"started": N} first.
func receive(arguments []string) error {
	var p peer
	flags := flag.NewFlagSet("receive", flag.ExitOnError)
	p.flags(flags)
	group := flags.String("group", "go-v5-consumer", "consumer group")
	consumers := flags.Int("consumers", 1, "how many consumers of the group")
	tags := flags.String("tags", "*", "tag expression")
	sql := flags.String("sql", "", "SQL92 expression, instead of tags")
	retries := flags.Int("retries", 0, "ask so many times for another delivery of each message")
	simple := flags.Bool("simple", false, "simple consumers; the other delivery is asked for in a second")
	if err := p.parse(flags, arguments); err != nil {
		return err
	}
	filter := rocketmq.NewFilterExpression(*tags)
	if *sql != "" {
		filter = rocketmq.NewFilterExpressionWithType(*sql, rocketmq.SQL92)
	}
	for i := 0; i < *consumers; i++ {
		r := receiver{p, *group, filter, int32(*retries), i}
		start := r.startPush
		if *simple {
			start = r.startSimple
		}
		if err := start(); err != nil {
			return err
		}
	}
	line(map[string]int{"started": *consumers})
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func (r *receiver) startPush() error {
	consumer, err := rocketmq.NewPushConsumer(r.config(r.group),
		rocketmq.WithPushAwaitDuration(poll),
		rocketmq.WithPushSubscriptionExpressions(map[string]*rocketmq.FilterExpression{r.topic: r.filter}),
		rocketmq.WithPushMessageListener(&rocketmq.FuncMessageListener{
			Consume: func(message *rocketmq.MessageView) rocketmq.ConsumerResult {
				if r.print(message) {
					return rocketmq.FAILURE
				}
				return rocketmq.SUCCESS
			},
		}),
	)
	if err != nil {
		return err
	}
	return consumer.Start()
}

func (r *receiver) startSimple() error {
	consumer, err := rocketmq.NewSimpleConsumer(r.config(r.group),
		rocketmq.WithSimpleAwaitDuration(poll),
		rocketmq.WithSimpleSubscriptionExpressions(map[string]*rocketmq.FilterExpression{r.topic: r.filter}),
	)
	if err != nil {
		return err
	}
	if err := consumer.Start(); err != nil {
		return err
	}
	go func() {
		for {
			if err := r.poll(consumer); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}()
	return nil
}

// poll asks once for messages, and settles each.
func (r *receiver) poll(consumer rocketmq.SimpleConsumer) error {
	messages, err := consumer.Receive(context.Background(), 16, invisible)
	var status *rocketmq.ErrRpcStatus
	if errors.As(err, &status) && v2.Code(status.GetCode()) == v2.Code_MESSAGE_NOT_FOUND {
		return nil
	}
	if err != nil {
		return err
	}
	for _, message := range messages {
		if r.print(message) {
			err = consumer.ChangeInvisibleDuration(message, time.Second)
		} else {
			err = consumer.Ack(context.Background(), message)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// print says whether the message is to come again.
func (r *receiver) print(message *rocketmq.MessageView) bool {
	now := time.Now().UnixMilli()
	tag := ""
	if message.GetTag() != nil {
		tag = *message.GetTag()
	}
	reconsumed := message.GetDeliveryAttempt() - 1
	line(received{r.index, message.GetMessageId(), message.GetTopic(), string(message.GetBody()), tag, reconsumed, now})
	return reconsumed < r.retries
}
