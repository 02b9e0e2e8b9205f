package tminus_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/tminustest"
)

func newProducer(t *testing.T, endpoint string, options *tminus.ProducerOptions) *tminus.Producer {
	t.Helper()
	producer, err := tminus.NewProducer(t.Context(), endpoint, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := producer.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return producer
}

// consume starts a consumer of topic from its first message and collects what arrives.
func consume(t *testing.T, endpoint, topic string, options tminus.PushConsumerOptions) <-chan *tminus.MessageView {
	t.Helper()
	options.Subscriptions = map[string]tminus.Filter{topic: tminus.AllMessages}
	options.ConsumeFrom = tminus.FirstOffset
	consumer, err := tminus.NewPushConsumer(t.Context(), endpoint, "g-"+topic, &options)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan *tminus.MessageView, 4096)
	ended := make(chan error, 1)
	go func() {
		ended <- consumer.Consume(context.Background(), func(_ context.Context, m *tminus.MessageView) error {
			arrived <- m
			return nil
		})
	}()
	t.Cleanup(func() {
		if err := errors.Join(consumer.Close(context.Background()), <-ended); err != nil {
			t.Error(err)
		}
	})
	return arrived
}

func next(t *testing.T, arrived <-chan *tminus.MessageView) *tminus.MessageView {
	t.Helper()
	select {
	case m := <-arrived:
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("no message arrived")
		return nil
	}
}

func TestSendAndConsume(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.Endpoint(), nil)
	receipt, err := producer.Send(t.Context(), &tminus.Message{
		Topic: "orders", Body: []byte("order 17"), Tag: "unpaid", Keys: []string{"k1", "k2"}, Flag: 7,
		Properties: map[string]string{"colour": "blue"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Status != tminus.SendOK || len(receipt.MessageID) != 32 || receipt.Queue.Topic != "orders" {
		t.Errorf("receipt %+v", receipt)
	}
	m := next(t, consume(t, broker.Endpoint(), "orders", tminus.PushConsumerOptions{}))
	if string(m.Body) != "order 17" || m.Tag() != "unpaid" || !slices.Equal(m.Keys(), []string{"k1", "k2"}) {
		t.Errorf("message %+v", m)
	}
	if m.Properties["colour"] != "blue" || m.Flag != 7 || m.MessageID != receipt.MessageID || m.ReconsumeTimes != 0 {
		t.Errorf("message %+v", m)
	}
	if !strings.HasPrefix(m.StoreHost, "127.0.0.1:") || time.Since(m.BornAt) > time.Minute || !m.DeliverAt.IsZero() {
		t.Errorf("message %+v", m)
	}
}

func TestAHundredSendsAtOnce(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.Endpoint(), nil)
	var senders sync.WaitGroup
	ids := make(chan string, 200)
	for i := range 100 {
		senders.Add(2)
		m := &tminus.Message{Topic: "many", Body: fmt.Appendf(nil, "m%d", i)}
		go func() {
			defer senders.Done()
			receipt, err := producer.Send(t.Context(), m)
			if err != nil {
				t.Error(err)
				return
			}
			ids <- receipt.MessageID
		}()
		if err := producer.SendAsync(t.Context(), m, func(receipt *tminus.SendReceipt, err error) {
			defer senders.Done()
			if err != nil {
				t.Error(err)
				return
			}
			ids <- receipt.MessageID
		}); err != nil {
			t.Fatal(err)
		}
	}
	senders.Wait()
	close(ids)
	unique := make(map[string]bool)
	for id := range ids {
		unique[id] = true
	}
	if len(unique) != 200 {
		t.Errorf("%d different ids of 200", len(unique))
	}
}

func TestOneYearPassesInATest(t *testing.T) {
	started := time.Now()
	const year = 365 * 24 * time.Hour
	broker := tminustest.Start(t, tminustest.VirtualClock())
	client := tminus.ClientOptions{Clock: broker.Clock()}
	producer := newProducer(t, broker.Endpoint(), &tminus.ProducerOptions{ClientOptions: client})
	_, err := producer.Send(t.Context(), &tminus.Message{Topic: "far", Body: []byte("x"), DeliverAfter: year})
	if err != nil {
		t.Fatal(err)
	}
	arrived := consume(t, broker.Endpoint(), "far", tminus.PushConsumerOptions{})
	if visible, err := broker.Advance(year - time.Millisecond); err != nil || visible != 0 {
		t.Fatalf("%d messages a millisecond early, %v", visible, err)
	}
	if visible, err := broker.Advance(time.Millisecond); err != nil || visible != 1 {
		t.Fatalf("%d messages after a year, %v", visible, err)
	}
	if m := next(t, arrived); !m.DeliverAt.Equal(broker.Now()) {
		t.Errorf("due %v, delivered %v", m.DeliverAt, broker.Now())
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("a year took %v", took)
	}
}

// timerNoise sleeps in short steps until stopped and then tells how much too late it woke up at worst: what this machine
// does to any timer at the moment.
func timerNoise() (stop func() time.Duration) {
	const step = 2 * time.Millisecond
	quit, result := make(chan struct{}), make(chan time.Duration)
	go func() {
		var worst time.Duration
		for {
			due := time.Now().Add(step)
			select {
			case <-time.After(step):
				worst = max(worst, time.Since(due))
			case <-quit:
				result <- worst
				return
			}
		}
	}()
	return func() time.Duration {
		close(quit)
		return <-result
	}
}

// TestTwoThousandScheduledMessages: none early, none lost, and the 99th percentile of the lateness under 20 ms (on a busy
// machine that much more than it lets any timer wait).
func TestTwoThousandScheduledMessages(t *testing.T) {
	const count, span = 2000, 10 * time.Second
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.Endpoint(), nil)
	type arrival struct {
		id       string
		lateness time.Duration
	}
	arrived := make(chan arrival, count)
	consumer, err := tminus.NewPushConsumer(t.Context(), broker.Endpoint(), "g", &tminus.PushConsumerOptions{
		Subscriptions: map[string]tminus.Filter{"t": tminus.AllMessages}, ConsumeFrom: tminus.FirstOffset,
	})
	if err != nil {
		t.Fatal(err)
	}
	go consumer.Consume(t.Context(), func(_ context.Context, m *tminus.MessageView) error {
		arrived <- arrival{m.MessageID, time.Since(m.DeliverAt)}
		return nil
	})
	noise := timerNoise()
	start := time.Now().Add(2 * time.Second)
	awaited := make(map[string]bool)
	for i := range count {
		receipt, err := producer.Send(t.Context(), &tminus.Message{
			Topic: "t", Body: []byte("x"), DeliverAt: start.Add(span * time.Duration(i) / count),
		})
		if err != nil {
			t.Fatal(err)
		}
		awaited[receipt.MessageID] = true
	}
	var lateness []time.Duration
	limit := time.After(span + 10*time.Second)
	for len(awaited) > 0 {
		select {
		case a := <-arrived:
			if awaited[a.id] {
				delete(awaited, a.id)
				lateness = append(lateness, a.lateness)
			}
		case <-limit:
			t.Fatalf("%d messages are missing", len(awaited))
		}
	}
	if err := consumer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	slices.Sort(lateness)
	p50, p99, last := lateness[count/2], lateness[count*99/100], lateness[count-1]
	machine := noise()
	t.Logf("lateness of %d messages: first %v, p50 %v, p99 %v, max %v; the machine lets a timer wait %v at worst",
		count, lateness[0], p50, p99, last, machine)
	if lateness[0] < 0 {
		t.Errorf("a message was %v early", -lateness[0])
	}
	if p99 >= 20*time.Millisecond+machine {
		t.Errorf("p99 of the lateness is %v", p99)
	}
}

func TestCancelEndsASendAtOnceAndSaysMaybe(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.Endpoint(), &tminus.ProducerOptions{SendTimeout: 20 * time.Second})
	m := &tminus.Message{Topic: "t", Body: []byte("x")}
	if _, err := producer.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	// The first blocks a thread, the others go through the queue; one of them is asynchronous.
	const sends = 3
	if err := broker.Inject(310, sends, tminustest.Swallow); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, sends)
	for range sends - 1 {
		go func() {
			_, err := producer.Send(ctx, m)
			ended <- err
		}()
	}
	if err := producer.SendAsync(ctx, m, func(_ *tminus.SendReceipt, err error) { ended <- err }); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(10 * time.Second); broker.Requests(310) < 1+sends; runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatal("the sends did not reach the broker")
		}
	}
	cancelled := time.Now()
	cancel()
	for range sends {
		err := <-ended
		var failure *tminus.Error
		if !errors.As(err, &failure) || !errors.Is(err, tminus.ErrCancelled) || !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
		if failure.Outcome != tminus.MaybeSent {
			t.Errorf("outcome %v", failure.Outcome)
		}
	}
	if took := time.Since(cancelled); took > 50*time.Millisecond {
		t.Errorf("they took %v to return after the cancel", took)
	}
}

func TestDeadlineOfTheContextBoundsASend(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.Endpoint(), &tminus.ProducerOptions{Retries: -1})
	m := &tminus.Message{Topic: "t", Body: []byte("x")}
	if _, err := producer.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := broker.Inject(310, 1, tminustest.Swallow); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := producer.Send(ctx, m)
	if took := time.Since(started); took > 300*time.Millisecond || took < 190*time.Millisecond {
		t.Errorf("a send with 200 ms took %v", took)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.Endpoint(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var failure *tminus.Error
	_, err := producer.Send(ctx, &tminus.Message{Topic: "t", Body: []byte("x")})
	if !errors.As(err, &failure) || failure.Outcome != tminus.NotSent || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestErrorsAreTyped(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.Endpoint(), nil)
	for name, row := range map[string]struct {
		message *tminus.Message
		kind    tminus.Kind
	}{
		"nil":            {nil, tminus.ErrInvalidMessage},
		"empty topic":    {&tminus.Message{Body: []byte("x")}, tminus.ErrInvalidMessage},
		"empty body":     {&tminus.Message{Topic: "t"}, tminus.ErrInvalidMessage},
		"invalid UTF-8":  {&tminus.Message{Topic: "t\xff", Body: []byte("x")}, tminus.ErrInvalidArgument},
		"negative delay": {&tminus.Message{Topic: "t", Body: []byte("x"), DeliverAfter: -1}, tminus.ErrInvalidDeliveryTime},
		"two times": {
			&tminus.Message{Topic: "t", Body: []byte("x"), DelayLevel: 1, DeliverAfter: 1}, tminus.ErrInvalidDeliveryTime,
		},
		"seconds": {
			&tminus.Message{Topic: "t", Body: []byte("x"), Properties: map[string]string{"__STARTDELIVERTIME": "1795000000"}},
			tminus.ErrInvalidDeliveryTime,
		},
	} {
		_, err := producer.Send(t.Context(), row.message)
		var failure *tminus.Error
		if !errors.Is(err, row.kind) || !errors.As(err, &failure) || failure.Outcome != tminus.NotSent {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, tminus.ErrTimeout) {
			t.Errorf("%s: is a timeout too", name)
		}
	}
	if _, err := tminus.NewProducer(t.Context(), "ftp://127.0.0.1:1", nil); !errors.Is(err, tminus.ErrInvalidArgument) {
		t.Errorf("ftp endpoint: %v", err)
	}
	if _, err := tminus.NewHTTPClient("grpc://127.0.0.1:1", nil); !errors.Is(err, tminus.ErrUnsupported) {
		t.Errorf("grpc endpoint: %v", err)
	}
}

func TestAfterCloseEverythingIsClosed(t *testing.T) {
	broker := tminustest.Start(t)
	producer := newProducer(t, broker.Endpoint(), nil)
	for range 2 {
		if err := producer.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	_, err := producer.Send(t.Context(), &tminus.Message{Topic: "t", Body: []byte("x")})
	if !errors.Is(err, tminus.ErrClosed) {
		t.Errorf("send: %v", err)
	}
	consumer, err := tminus.NewPushConsumer(t.Context(), broker.Endpoint(), "g", nil)
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan error)
	go func() {
		_, err := consumer.Receive(context.Background(), 1)
		received <- err
	}()
	for range 2 {
		if err := consumer.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := <-received; !errors.Is(err, tminus.ErrClosed) {
		t.Errorf("receive: %v", err)
	}
}

func TestACancelledReceiveTakesNothing(t *testing.T) {
	broker := tminustest.Start(t)
	consumer, err := tminus.NewPushConsumer(t.Context(), broker.Endpoint(), "g", &tminus.PushConsumerOptions{
		Subscriptions: map[string]tminus.Filter{"t": tminus.AllMessages}, ConsumeFrom: tminus.FirstOffset,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	if _, err := consumer.Receive(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("receive: %v", err)
	}
	if took := time.Since(started); took > 100*time.Millisecond {
		t.Errorf("it took %v to return", took)
	}
	producer := newProducer(t, broker.Endpoint(), nil)
	if _, err := producer.Send(t.Context(), &tminus.Message{Topic: "t", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	deliveries, err := consumer.Receive(t.Context(), 1)
	if err != nil || len(deliveries) != 1 || deliveries[0].Message.ReconsumeTimes != 0 {
		t.Fatalf("%v, %v", deliveries, err)
	}
	deliveries[0].Settle(tminus.Success)
}

func TestAHandlerThatFailsOrPanicsGetsTheMessageAgain(t *testing.T) {
	broker := tminustest.Start(t, tminustest.VirtualClock())
	producer := newProducer(t, broker.Endpoint(), nil)
	consumer, err := tminus.NewPushConsumer(t.Context(), broker.Endpoint(), "g", &tminus.PushConsumerOptions{
		Subscriptions: map[string]tminus.Filter{"t": tminus.AllMessages}, ConsumeFrom: tminus.FirstOffset,
	})
	if err != nil {
		t.Fatal(err)
	}
	times := make(chan int32, 10)
	ended := make(chan error)
	go func() {
		ended <- consumer.Consume(t.Context(), func(_ context.Context, m *tminus.MessageView) error {
			times <- m.ReconsumeTimes
			switch m.ReconsumeTimes {
			case 0:
				return errors.New("not yet")
			case 1:
				panic("not yet either")
			default:
				return nil
			}
		})
	}()
	if _, err := producer.Send(t.Context(), &tminus.Message{Topic: "t", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	for want := range int32(3) {
		if got := <-times; got != want {
			t.Fatalf("delivery %d came as retry %d", want, got)
		}
		if want == 2 {
			break
		}
		// The retry is on its way to the broker; it waits there once something is pending.
		for pending := 0; pending == 0; pending, _ = broker.Pending() {
			runtime.Gosched()
		}
		if _, err := broker.Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(consumer.Close(t.Context()), <-ended); err != nil {
		t.Error(err)
	}
}

func TestTLSAndKeys(t *testing.T) {
	broker := tminustest.Start(t, tminustest.TLS(), tminustest.User("writer", "secret-1"))
	client := func(secret string, tls *tminus.TLSConfig) *tminus.ProducerOptions {
		credentials := &tminus.Credentials{AccessKey: "writer", SecretKey: secret}
		return &tminus.ProducerOptions{ClientOptions: tminus.ClientOptions{Credentials: credentials, TLS: tls}}
	}
	trusted := &tminus.TLSConfig{CA: broker.CA()}
	producer := newProducer(t, broker.Endpoint(), client("secret-1", trusted))
	if _, err := producer.Send(t.Context(), &tminus.Message{Topic: "t", Body: []byte("x")}); err != nil {
		t.Error(err)
	}
	_, err := tminus.NewProducer(t.Context(), broker.Endpoint(), client("secret-2", trusted))
	if !errors.Is(err, tminus.ErrPermissionDenied) || strings.Contains(err.Error(), "secret-") {
		t.Errorf("wrong key: %v", err)
	}
	_, err = tminus.NewProducer(t.Context(), broker.Endpoint(), client("secret-1", &tminus.TLSConfig{}))
	if !errors.Is(err, tminus.ErrTLS) {
		t.Errorf("untrusted: %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", *client("secret-1", nil).Credentials, client("secret-1", nil).Credentials,
		client("secret-1", nil).Credentials); strings.Contains(text, "secret-1") {
		t.Errorf("the secret is printed: %s", text)
	}
}

func TestNoGoroutineStaysBehind(t *testing.T) {
	broker := tminustest.Start(t)
	cycle := func() {
		producer, err := tminus.NewProducer(t.Context(), broker.Endpoint(), nil)
		if err != nil {
			t.Fatal(err)
		}
		consumer, err := tminus.NewPushConsumer(t.Context(), broker.Endpoint(), "g", nil)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			err := consumer.Consume(t.Context(), func(context.Context, *tminus.MessageView) error { return nil })
			if errors.Is(err, tminus.ErrClosed) { // closed before Consume began
				err = nil
			}
			ended <- err
		}()
		if _, err := producer.Send(t.Context(), &tminus.Message{Topic: "t", Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(consumer.Close(t.Context()), producer.Close(t.Context()), <-ended); err != nil {
			t.Fatal(err)
		}
	}
	cycle()
	before := runtime.NumGoroutine()
	for range 20 {
		cycle()
	}
	limit := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(limit) {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
		runtime.Gosched()
	}
}
