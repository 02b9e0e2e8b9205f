package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	rocketmq "github.com/apache/rocketmq-clients/golang/v5"
)

type sent struct {
	MessageID  string `json:"message_id"`
	Status     int    `json:"status"`
	DueMS      int64  `json:"due_ms"`
	AnsweredMS int64  `json:"answered_ms"`
	Recalled   string `json:"recalled,omitempty"`
}

// A sender publishes messages "message 0", "message 1", ...
type sender struct {
	peer
	mode        string
	count       int
	tag         string
	size        int
	delay       time.Duration
	group       string
	transaction string
	recall      bool

	producer rocketmq.Producer
	due      time.Time
}

// send prints what the server answered to each message. Due is the delivery time asked for or, without one, a time
// before it was sent.
func send(arguments []string) error {
	var s sender
	flags := flag.NewFlagSet("send", flag.ExitOnError)
	s.flags(flags)
	flags.StringVar(&s.mode, "mode", "sync", "sync or async")
	flags.IntVar(&s.count, "n", 1, "how many")
	flags.StringVar(&s.tag, "tag", "", "tag of every message")
	flags.IntVar(&s.size, "size", 0, "pad bodies to this many bytes")
	flags.DurationVar(&s.delay, "delay", 0, "deliver so much later")
	flags.StringVar(&s.group, "message-group", "", "message group of every message")
	flags.StringVar(&s.transaction, "transaction", "", "commit, rollback, or what to answer when asked until the input "+
		"ends: check-commit, check-rollback")
	flags.BoolVar(&s.recall, "recall", false, "recall every message after it was sent")
	if err := s.parse(flags, arguments); err != nil {
		return err
	}
	producer, err := rocketmq.NewProducer(s.config(""),
		rocketmq.WithTopics(s.topic),
		rocketmq.WithMaxAttempts(1),
		rocketmq.WithTransactionChecker(&rocketmq.TransactionChecker{Check: s.check}),
	)
	if err != nil {
		return err
	}
	if err := producer.Start(); err != nil {
		return err
	}
	s.producer, s.due = producer, time.Now().Add(s.delay)
	return s.sendAll()
}

func (s *sender) sendAll() error {
	if s.mode == "async" {
		return s.sendAsync()
	}
	for i := 0; i < s.count; i++ {
		if err := s.sendOne(s.message(i)); err != nil {
			return err
		}
	}
	if s.transaction == "check-commit" || s.transaction == "check-rollback" {
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	return nil
}

func (s *sender) sendOne(message *rocketmq.Message) error {
	ctx := context.Background()
	if s.transaction != "" {
		return s.sendInTransaction(ctx, message)
	}
	receipts, err := s.producer.Send(ctx, message)
	if err != nil {
		return err
	}
	recalled := ""
	if s.recall {
		if recalled, err = s.producer.Recall(ctx, s.topic, receipts[0].RecallHandle); err != nil {
			return err
		}
	}
	s.answered(receipts[0], recalled)
	return nil
}

func (s *sender) sendInTransaction(ctx context.Context, message *rocketmq.Message) error {
	transaction := s.producer.BeginTransaction()
	receipts, err := s.producer.SendWithTransaction(ctx, message, transaction)
	if err != nil {
		return err
	}
	switch s.transaction {
	case "commit":
		err = transaction.Commit()
	case "rollback":
		err = transaction.RollBack()
	}
	if err == nil {
		s.answered(receipts[0], "")
	}
	return err
}

// check is asked by the server what became of a transaction that nobody ended.
func (s *sender) check(*rocketmq.MessageView) rocketmq.TransactionResolution {
	if s.transaction == "check-rollback" {
		return rocketmq.ROLLBACK
	}
	return rocketmq.COMMIT
}

func (s *sender) sendAsync() error {
	outcomes := make(chan error, s.count)
	for i := 0; i < s.count; i++ {
		s.producer.SendAsync(context.Background(), s.message(i),
			func(_ context.Context, receipts []*rocketmq.SendReceipt, err error) {
				if err == nil {
					s.answered(receipts[0], "")
				}
				outcomes <- err
			})
	}
	for i := 0; i < s.count; i++ {
		if err := <-outcomes; err != nil {
			return err
		}
	}
	return nil
}

func (s *sender) message(index int) *rocketmq.Message {
	body := fmt.Sprintf("message %d", index)
	if missing := s.size - len(body); missing > 0 {
		body = fmt.Sprintf("%s %0*d", body, missing-1, 0)
	}
	message := &rocketmq.Message{Topic: s.topic, Body: []byte(body)}
	if s.tag != "" {
		message.SetTag(s.tag)
	}
	if s.delay > 0 {
		message.SetDelayTimestamp(s.due)
	}
	if s.group != "" {
		message.SetMessageGroup(s.group)
	}
	return message
}

// answered prints what the server said of a message, and when.
func (s *sender) answered(receipt *rocketmq.SendReceipt, recalled string) {
	line(sent{receipt.MessageID, 0, s.due.UnixMilli(), time.Now().UnixMilli(), recalled})
}
