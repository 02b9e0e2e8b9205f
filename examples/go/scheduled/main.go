// Schedules messages ahead by the documented calls and receives them: scheduled ENDPOINT COUNT AHEAD_MS. Part of `make
// demo`.
//
// Message i of n is due AHEAD_MS plus i/n of a second after the start. Prints one JSON line with what arrived when; ends
// with status 1 if a message is missing.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/tminus-mq/tminus/go/rocketmq"
	"github.com/tminus-mq/tminus/go/rocketmq/consumer"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
	"github.com/tminus-mq/tminus/go/rocketmq/producer"
)

const (
	topic    = "demo-go"
	group    = "demo-go"
	property = "__STARTDELIVERTIME"
	patience = 10 * time.Second
)

type arrival struct {
	id       string
	lateness int64
}

type report struct {
	Language string `json:"language"`
	Sent     int    `json:"sent"`
	Received int    `json:"received"`
	Early    int    `json:"early"`
	P50      int64  `json:"lateness_ms_p50"`
	Max      int64  `json:"lateness_ms_max"`
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: scheduled ENDPOINT COUNT AHEAD_MS")
		os.Exit(2)
	}
	count, countErr := strconv.Atoi(os.Args[2])
	ahead, aheadErr := strconv.Atoi(os.Args[3])
	if countErr != nil || aheadErr != nil || count < 1 {
		fmt.Fprintln(os.Stderr, "COUNT and AHEAD_MS are positive numbers")
		os.Exit(2)
	}
	result, err := run(os.Args[1], count, time.Duration(ahead)*time.Millisecond)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil || result.Received != count {
		os.Exit(1)
	}
}

func run(endpoint string, count int, ahead time.Duration) (*report, error) {
	resolver := primitive.NewPassthroughResolver([]string{endpoint})
	arrivals := make(chan arrival, count)
	c, err := startConsumer(resolver, arrivals)
	if err != nil {
		return nil, err
	}
	defer c.Shutdown()
	p, err := rocketmq.NewProducer(producer.WithNsResolver(resolver), producer.WithRetry(2))
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	defer p.Shutdown()

	start := time.Now().Add(ahead)
	awaited := make(map[string]bool, count)
	for i := range count {
		due := start.Add(time.Second * time.Duration(i) / time.Duration(count))
		msg := primitive.NewMessage(topic, fmt.Appendf(nil, "message %d", i))
		msg.WithProperty(property, strconv.FormatInt(due.UnixMilli(), 10))
		res, err := p.SendSync(context.Background(), msg)
		if err != nil {
			return nil, err
		}
		awaited[res.MsgID] = true
	}
	return collect(awaited, arrivals, ahead+patience), nil
}

func startConsumer(resolver primitive.NsResolver, arrivals chan<- arrival) (rocketmq.PushConsumer, error) {
	c, err := rocketmq.NewPushConsumer(consumer.WithNsResolver(resolver), consumer.WithGroupName(group),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	if err != nil {
		return nil, err
	}
	receive := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		now := time.Now().UnixMilli()
		for _, m := range messages {
			if due, err := strconv.ParseInt(m.GetProperty(property), 10, 64); err == nil {
				arrivals <- arrival{m.MsgId, now - due}
			}
		}
		return consumer.ConsumeSuccess, nil
	}
	if err := c.Subscribe(topic, consumer.MessageSelector{}, receive); err != nil {
		return nil, err
	}
	return c, c.Start()
}

// collect waits until every awaited message is there, or patience ends.
func collect(awaited map[string]bool, arrivals <-chan arrival, patience time.Duration) *report {
	result := &report{Language: "go", Sent: len(awaited)}
	var lateness []int64
	limit := time.After(patience)
	for len(awaited) > 0 {
		select {
		case a := <-arrivals:
			if !awaited[a.id] {
				continue
			}
			delete(awaited, a.id)
			lateness = append(lateness, a.lateness)
			if a.lateness < 0 {
				result.Early++
			}
			if stderrIsTerminal() {
				fmt.Fprintf(os.Stderr, "\rgo: %d of %d", len(lateness), result.Sent)
			}
		case <-limit:
			awaited = nil
		}
	}
	if result.Received = len(lateness); result.Received > 0 {
		slices.Sort(lateness)
		result.P50, result.Max = lateness[len(lateness)/2], lateness[len(lateness)-1]
	}
	return result
}

func stderrIsTerminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
