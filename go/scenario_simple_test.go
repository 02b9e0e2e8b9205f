package tminus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
)

// The steps of simple consumers, and of what is taken back.

func (r *scenarioRun) startSimpleConsumer(s *step) error {
	client, endpoint := r.client(s)
	consumer, err := tminus.NewSimpleConsumer(r.t.Context(), endpoint, r.resource(or(s.Group, "g")),
		&tminus.SimpleConsumerOptions{
			ClientOptions: client,
			Orderly:       s.Orderly,
			Subscriptions: map[string]tminus.Filter{r.resource(or(s.Topic, "t")): {Tags: s.Filter, SQL: s.SQL}},
		})
	if err == nil {
		r.simple[or(s.Name, "simple")] = consumer
	}
	return r.check(err, s.Error)
}

func (r *scenarioRun) receive(s *step) error {
	consumer := r.simple[or(s.Consumer, "simple")]
	// A context that has ended receives nothing, so no wait is a short one.
	wait := 5 * time.Second
	if s.WaitMs != nil {
		wait = max(time.Duration(*s.WaitMs)*time.Millisecond, 500*time.Millisecond)
	}
	invisible := time.Duration(or(s.InvisibleMs, 30000)) * time.Millisecond
	limit := time.Now().Add(time.Duration(or(s.WithinMs, 10000)) * time.Millisecond)
	missing := make(map[string]bool)
	for _, expected := range r.sentAs(s.Of) {
		missing[expected.body] = true
	}
	for {
		started := time.Now()
		received, err := r.receiveWithin(consumer, or(s.Max, 10), invisible, wait)
		if err != nil || s.Error != nil {
			return r.check(err, s.Error)
		}
		for _, got := range received {
			if err := r.expected(s, got); err != nil {
				return err
			}
			delete(missing, string(got.Message.Body))
			r.receipts[string(got.Message.Body)] = got.Receipt
		}
		switch {
		case s.Empty && time.Since(started) > wait+2*time.Second:
			return fmt.Errorf("an empty receive took %v", time.Since(started))
		case len(missing) == 0:
			return nil
		case time.Now().After(limit):
			return fmt.Errorf("%d of %d did not come", len(missing), len(r.sentAs(s.Of)))
		}
	}
}

// receiveWithin is nil where none came in time.
func (r *scenarioRun) receiveWithin(
	consumer *tminus.SimpleConsumer, max int, invisible, wait time.Duration,
) ([]*tminus.Received, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), wait)
	defer cancel()
	received, err := consumer.Receive(ctx, max, invisible)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return received, err
}

// expected is whether a received message is what the step waits for.
func (r *scenarioRun) expected(s *step, got *tminus.Received) error {
	body, now := string(got.Message.Body), r.now()
	all := r.sentAs(s.Of)
	i := slices.IndexFunc(all, func(e sent) bool { return e.body == body })
	switch {
	case i < 0:
		return fmt.Errorf("received %.40q which was not expected", body)
	case got.Corrupted:
		return fmt.Errorf("%.40q is corrupted", body)
	case s.Attempt != 0 && got.Message.DeliveryAttempt() != s.Attempt:
		return fmt.Errorf("this is delivery %d, expected %d", got.Message.DeliveryAttempt(), s.Attempt)
	}
	return errors.Join(r.onTime(now, all[i].due, s.LateOK), s.View.check(got.Message))
}

func (r *scenarioRun) ack(s *step) error {
	consumer := r.simple[or(s.Consumer, "simple")]
	var receipts []tminus.ReceiptHandle
	if s.Garbage {
		made := tminus.ReceiptHandle{Topic: r.resource("t"), MessageID: "01AABBCCDDEEFF0000000000000000000000", Handle: "made up"}
		for _, kept := range r.receipts {
			made.Broker = kept.Broker
		}
		receipts = append(receipts, made)
	}
	for _, kept := range r.sentAs(s.Of) {
		receipts = append(receipts, r.receipts[kept.body])
	}
	for _, receipt := range receipts {
		if err := r.check(consumer.Ack(r.t.Context(), receipt), s.Error); err != nil {
			return err
		}
	}
	return nil
}

func (r *scenarioRun) changeInvisible(s *step) error {
	consumer := r.simple[or(s.Consumer, "simple")]
	for _, kept := range r.sentAs(s.Of) {
		receipt := r.receipts[kept.body]
		err := consumer.ChangeInvisible(r.t.Context(), &receipt, time.Duration(s.ToMs)*time.Millisecond)
		if err := r.check(err, s.Error); err != nil {
			return err
		}
		if !s.KeepOld {
			r.receipts[kept.body] = receipt
		}
	}
	return nil
}

func (r *scenarioRun) recall(s *step) error {
	producer := r.producers[or(s.Producer, "producer")]
	var handles []string
	if s.Garbage {
		handles = append(handles, "made up")
	}
	for _, message := range r.sentAs(s.Of) {
		handles = append(handles, message.receipt.RecallHandle)
	}
	for _, handle := range handles {
		_, err := producer.Recall(r.t.Context(), r.resource("t"), handle)
		if err := r.check(err, s.Error); err != nil {
			return err
		}
	}
	return nil
}

// sentAs is what was sent under these labels.
func (r *scenarioRun) sentAs(labels []string) []sent {
	var all []sent
	for _, label := range labels {
		all = append(all, r.sent[label]...)
	}
	return all
}
