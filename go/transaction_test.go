package tminus_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/tminustest"
)

// endTransaction is the number of the request that ends a transaction; firstQuestion and between are when a broker asks, over
// HTTP when it lets a half message be fetched.
const (
	endTransaction = 37
	firstQuestion  = 6 * time.Second
	between        = 30 * time.Second

	firstHTTPQuestion = 10 * time.Second
	betweenHTTP       = 300 * time.Second
)

// until waits for condition, which nothing announces.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !condition(); runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatal(what)
		}
	}
}

func TestACommittedTransactionIsDeliveredAndARolledBackOneIsNot(t *testing.T) {
	overEveryProtocol(t, func(t *testing.T, broker *tminustest.Broker, endpoint string) {
		producer := newProducer(t, endpoint, &tminus.ProducerOptions{Topics: []string{"t"}})
		half := func(body string) *tminus.Transaction {
			transaction, err := producer.SendTransaction(t.Context(), &tminus.Message{Topic: "t", Body: []byte(body)})
			if err != nil {
				t.Fatal(err)
			}
			return transaction
		}
		dropped, kept := half("rolled back"), half("committed")
		if kept.Receipt.TransactionID == "" {
			t.Errorf("receipt %+v", kept.Receipt)
		}
		if err := errors.Join(dropped.Rollback(t.Context()), kept.Commit(t.Context())); err != nil {
			t.Fatal(err)
		}
		if m := next(t, consume(t, endpoint, "t", tminus.PushConsumerOptions{})); string(m.Body) != "committed" {
			t.Errorf("received %q", m.Body)
		}
	})
}

func TestTheCheckerIsAskedHowALostTransactionEnded(t *testing.T) {
	overEveryProtocol(t, func(t *testing.T, broker *tminustest.Broker, endpoint string) {
		var asked atomic.Int32
		producer := newProducer(t, endpoint, &tminus.ProducerOptions{
			Topics: []string{"t"},
			Checker: func(_ context.Context, m *tminus.MessageView) tminus.Resolution {
				if m.Topic != "t" || string(m.Body) != "in doubt" || m.Properties["p"] != "v" {
					t.Errorf("asked about %+v", m)
				}
				switch asked.Add(1) {
				case 1:
					return tminus.Unknown
				case 2:
					panic("the checker's own fault")
				default:
					return tminus.Commit
				}
			},
		})
		_, err := producer.SendTransaction(t.Context(), &tminus.Message{
			Topic: "t", Body: []byte("in doubt"), Properties: map[string]string{"p": "v"},
		})
		if err != nil {
			t.Fatal(err)
		}
		first, again := firstQuestion, between
		if strings.HasPrefix(endpoint, "http:") {
			first, again = firstHTTPQuestion, betweenHTTP
		}
		for number, wait := range []time.Duration{first, again, again} {
			if _, err := broker.Advance(wait); err != nil {
				t.Fatal(err)
			}
			until(t, "the checker was not asked", func() bool { return asked.Load() == int32(number+1) })
		}
		if m := next(t, consume(t, endpoint, "t", tminus.PushConsumerOptions{})); string(m.Body) != "in doubt" {
			t.Errorf("received %q", m.Body)
		}
	}, tminustest.VirtualClock())
}

func TestAProducerIsClosedWhileItsCheckerIsAsked(t *testing.T) {
	broker := tminustest.Start(t, tminustest.VirtualClock())
	asked, ended := make(chan struct{}), make(chan error, 1)
	producer, err := tminus.NewProducer(t.Context(), broker.Endpoint(), &tminus.ProducerOptions{
		Checker: func(ctx context.Context, _ *tminus.MessageView) tminus.Resolution {
			close(asked)
			<-ctx.Done()
			ended <- ctx.Err()
			return tminus.Commit
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := producer.SendTransaction(t.Context(), &tminus.Message{Topic: "t", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Advance(firstQuestion); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := producer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	default:
		t.Error("Close did not wait for the checker")
	}
}

func TestAProducerWithACheckerThatNobodyHoldsIsFreed(t *testing.T) {
	const unregister = 35
	broker := tminustest.Start(t)
	producer, err := tminus.NewProducer(t.Context(), broker.Endpoint(), &tminus.ProducerOptions{
		Checker: func(context.Context, *tminus.MessageView) tminus.Resolution { return tminus.Commit },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := producer.SendTransaction(t.Context(), &tminus.Message{Topic: "t", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	goroutines := runtime.NumGoroutine()
	collected(t, "the producer was not signed off", func() bool { return broker.Requests(unregister) >= 1 })
	collected(t, "its goroutine stays", func() bool { return runtime.NumGoroutine() < goroutines })
}

func TestAScheduledMessageIsTakenBackOnce(t *testing.T) {
	over(t, []string{"remoting", "grpc"}, func(t *testing.T, broker *tminustest.Broker, endpoint string) {
		producer := newProducer(t, endpoint, nil)
		receipt, err := producer.Send(t.Context(), &tminus.Message{Topic: "t", Body: []byte("x"), DeliverAfter: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		id, err := producer.Recall(t.Context(), "t", receipt.RecallHandle)
		if pending, _ := broker.Pending(); err != nil || id != receipt.MessageID || pending != 0 {
			t.Errorf("recalled %q of %q, %d pending, %v", id, receipt.MessageID, pending, err)
		}
		if _, err := producer.Recall(t.Context(), "t", receipt.RecallHandle); err == nil {
			t.Error("recalled twice")
		}
		if _, err := producer.Recall(t.Context(), "t", "nonsense"); !errors.Is(err, tminus.ErrInvalidArgument) {
			t.Errorf("nonsense: %v", err)
		}
	})
}
