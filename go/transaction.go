package tminus

import (
	"context"
	"log/slog"
	"runtime/debug"

	"github.com/tminus-mq/tminus/go/internal/capi"
)

// Resolution is how a transaction ends.
type Resolution int32

const (
	// Unknown: it is not known yet; the server asks again later.
	Unknown Resolution = capi.TransactionUnknown
	// Commit: consumers get the message.
	Commit Resolution = capi.TransactionCommit
	// Rollback: the message is dropped.
	Rollback Resolution = capi.TransactionRollback
)

func (r Resolution) String() string {
	switch r {
	case Commit:
		return "Commit"
	case Rollback:
		return "Rollback"
	default:
		return "Unknown"
	}
}

// Transaction is a half message that waits for its end. Without one the server asks [ProducerOptions].Checker.
type Transaction struct {
	// Receipt is what the server said about the half message.
	Receipt *SendReceipt

	producer *Producer
}

// SendTransaction sends m as the half message of a transaction: consumers get it when it is committed.
func (p *Producer) SendTransaction(ctx context.Context, m *Message) (*Transaction, error) {
	wire, err := m.wire(ctx)
	if err != nil {
		return nil, err
	}
	receipt, err := p.core.SendTransaction(ctx, &wire)
	if err != nil {
		return nil, fault(ctx, err)
	}
	return &Transaction{newReceipt(&receipt), p}, nil
}

// Commit lets consumers have the message.
func (t *Transaction) Commit(ctx context.Context) error {
	return t.producer.EndTransaction(ctx, t.Receipt, Commit)
}

// Rollback drops the message.
func (t *Transaction) Rollback(ctx context.Context) error {
	return t.producer.EndTransaction(ctx, t.Receipt, Rollback)
}

// EndTransaction ends the transaction of the half message with this receipt; [Transaction.Commit] and
// [Transaction.Rollback] do it too. [Unknown] says nothing to the server, which asks later.
func (p *Producer) EndTransaction(ctx context.Context, half *SendReceipt, resolution Resolution) error {
	if ctx.Err() != nil {
		return ended(ctx, "end transaction")
	}
	if half == nil || half.half == nil {
		return invalid(ErrInvalidArgument, "end transaction", "this is no receipt of a half message")
	}
	return fault(ctx, p.core.EndTransaction(ctx, half.half, int32(resolution)))
}

// checking asks the checker of a producer what servers ask. It holds nothing of the producer, so that one which nobody
// holds or closes can be collected, which ends it.
type checking struct {
	stop func()
	done chan struct{}
}

func startChecking(checks *capi.Checks, checker func(context.Context, *MessageView) Resolution) *checking {
	ctx, cancel := context.WithCancel(context.Background())
	c := &checking{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer cancel()
		for {
			question, err := checks.Next(ctx)
			if err != nil {
				return
			}
			question.Answer(int32(ask(ctx, checker, newView(&question.View))))
		}
	}()
	return c
}

func ask(ctx context.Context, checker func(context.Context, *MessageView) Resolution, m *MessageView) (r Resolution) {
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "the transaction checker panicked; the server asks again",
				"topic", m.Topic, "message_id", m.MessageID, "panic", p, "stack", string(debug.Stack()))
			r = Unknown
		}
	}()
	return checker(ctx, m)
}

// wait waits for the end of a running checker.
func (c *checking) wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	select {
	case <-c.done:
	case <-ctx.Done():
	}
}
