package rocketmq_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/rocketmq"
	"github.com/tminus-mq/tminus/go/rocketmq/consumer"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
	"github.com/tminus-mq/tminus/go/rocketmq/producer"
	"github.com/tminus-mq/tminus/go/tminustest"
)

func resolver(broker *tminustest.Broker) primitive.NsResolver {
	return primitive.NewPassthroughResolver([]string{broker.Endpoint()})
}

func startProducer(t *testing.T, opts ...producer.Option) rocketmq.Producer {
	t.Helper()
	p, err := rocketmq.NewProducer(opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	return p
}

type received struct {
	messages []*primitive.MessageExt
	at       time.Time
}

// startConsumer consumes topic with f's verdict and passes on what f got.
func startConsumer(
	t *testing.T, topic, tags string,
	f func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error), opts ...consumer.Option,
) <-chan received {
	t.Helper()
	opts = append(opts, consumer.WithGroupName("g-"+topic), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	c, err := rocketmq.NewPushConsumer(opts...)
	if err != nil {
		t.Fatal(err)
	}
	calls := make(chan received, 1000)
	selector := consumer.MessageSelector{Type: consumer.TAG, Expression: tags}
	err = c.Subscribe(topic, selector, func(ctx context.Context, m ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		at := time.Now()
		result, err := f(ctx, m...)
		calls <- received{m, at}
		return result, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Shutdown(), c.Shutdown()); err != nil {
			t.Error(err)
		}
	})
	return calls
}

func succeed(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	return consumer.ConsumeSuccess, nil
}

func next(t *testing.T, calls <-chan received) received {
	t.Helper()
	select {
	case r := <-calls:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("no message arrived")
		return received{}
	}
}

func TestTheDocumentedDelay(t *testing.T) {
	broker := tminustest.Start(t)
	p := startProducer(t, producer.WithNsResolver(resolver(broker)), producer.WithRetry(2))
	msg := primitive.NewMessage("test", []byte("Hello RocketMQ Go Client!"))
	due := time.Now().UnixMilli() + 1000
	msg.WithProperty("__STARTDELIVERTIME", strconv.FormatInt(due, 10))
	res, err := p.SendSync(context.Background(), msg)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("SendResult [sendStatus=0, msgIds=%s, offsetMsgId=%s, ", res.MsgID, res.OffsetMsgID)
	if !strings.HasPrefix(res.String(), want) {
		t.Errorf("result %s", res)
	}
	got := next(t, startConsumer(t, "test", "*", succeed, consumer.WithNsResolver(resolver(broker))))
	late := got.at.UnixMilli() - due
	t.Logf("%d ms late", late)
	if late < 0 || late > 500 || got.messages[0].MsgId != res.MsgID {
		t.Errorf("%d ms late: %s", late, got.messages[0])
	}
}

func TestEveryWayToSend(t *testing.T) {
	broker := tminustest.Start(t)
	p := startProducer(t, producer.WithNsResolver(resolver(broker)), producer.WithGroupName("pg"))
	message := func(body string) *primitive.Message {
		return primitive.NewMessage("ways", []byte(body)).WithTag("a").WithKeys([]string{"k1", "k2"})
	}
	if _, err := p.SendSync(t.Context(), message("sync")); err != nil {
		t.Error(err)
	}
	if _, err := p.SendSync(t.Context(), message("batch 1"), message("batch 2")); err != nil {
		t.Error(err)
	}
	if err := p.SendOneWay(t.Context(), message("one way 1"), message("one way 2")); err != nil {
		t.Error(err)
	}
	var async sync.WaitGroup
	async.Add(2)
	done := func(_ context.Context, result *primitive.SendResult, err error) {
		defer async.Done()
		if err != nil || result.Status != primitive.SendOK {
			t.Error(result, err)
		}
	}
	if err := p.SendAsync(t.Context(), done, message("async")); err != nil {
		t.Error(err)
	}
	if err := p.SendAsync(t.Context(), done, message("async batch 1"), message("async batch 2")); err != nil {
		t.Error(err)
	}
	async.Wait()
	calls := startConsumer(t, "ways", "a", succeed, consumer.WithNsResolver(resolver(broker)))
	bodies := make(map[string]bool)
	for len(bodies) < 8 {
		m := next(t, calls).messages[0]
		bodies[string(m.Body)] = true
		if m.GetTags() != "a" || m.GetKeys() != "k1 k2" || m.Topic != "ways" {
			t.Errorf("message %s", m)
		}
	}
}

func TestQueueSelectors(t *testing.T) {
	broker := tminustest.Start(t)
	queueOf := func(p rocketmq.Producer, m *primitive.Message) int {
		t.Helper()
		result, err := p.SendSync(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return result.MessageQueue.QueueId
	}
	hash := startProducer(t, producer.WithNsResolver(resolver(broker)), producer.WithQueueSelector(producer.NewHashQueueSelector()))
	queues := make(map[int]bool)
	for range 8 {
		queues[queueOf(hash, primitive.NewMessage("q", []byte("x")).WithShardingKey("order"))] = true
	}
	if len(queues) != 1 {
		t.Errorf("one key went to %d queues", len(queues))
	}
	manual := startProducer(t, producer.WithNsResolver(resolver(broker)), producer.WithQueueSelector(producer.NewManualQueueSelector()))
	m := primitive.NewMessage("q", []byte("x"))
	m.Queue = &primitive.MessageQueue{Topic: "q", BrokerName: "broker-a", QueueId: 2}
	if got := queueOf(manual, m); got != 2 {
		t.Errorf("queue %d", got)
	}
	if _, err := manual.SendSync(t.Context(), primitive.NewMessage("q", []byte("x"))); !errors.Is(err, tminus.ErrInvalidArgument) {
		t.Errorf("no queue chosen: %v", err)
	}
	robin := startProducer(t, producer.WithNsResolver(resolver(broker)), producer.WithQueueSelector(producer.NewRoundRobinQueueSelector()))
	queues = make(map[int]bool)
	for range 4 {
		queues[queueOf(robin, primitive.NewMessage("q", []byte("x")))] = true
	}
	if len(queues) != 4 {
		t.Errorf("round robin used %d of 4 queues", len(queues))
	}
}

func TestRetryByResultLevelAndPanic(t *testing.T) {
	broker := tminustest.Start(t)
	p := startProducer(t, producer.WithNsResolver(resolver(broker)))
	if _, err := p.SendSync(t.Context(), primitive.NewMessage("again", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	fail := func(ctx context.Context, m ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		said, _ := primitive.GetConcurrentlyCtx(ctx)
		said.DelayLevelWhenNextConsume = 1
		switch m[0].ReconsumeTimes {
		case 0:
			return consumer.ConsumeRetryLater, nil
		case 1:
			return consumer.ConsumeSuccess, errors.New("an error counts more than the result")
		default:
			return consumer.ConsumeSuccess, nil
		}
	}
	calls := startConsumer(t, "again", "*", fail, consumer.WithNsResolver(resolver(broker)))
	for want := range int32(3) {
		if m := next(t, calls).messages[0]; m.ReconsumeTimes != want || m.Topic != "again" {
			t.Errorf("delivery %d: %s", want, m)
		}
	}
}

func TestBatchesOfAQueue(t *testing.T) {
	broker := tminustest.Start(t)
	p := startProducer(t, producer.WithNsResolver(resolver(broker)))
	const count = 200
	batch := make([]*primitive.Message, count)
	for i := range batch {
		batch[i] = primitive.NewMessage("batches", []byte("x"))
	}
	if _, err := p.SendSync(t.Context(), batch...); err != nil {
		t.Fatal(err)
	}
	calls := startConsumer(t, "batches", "*", succeed, consumer.WithNsResolver(resolver(broker)),
		consumer.WithConsumeMessageBatchMaxSize(16), consumer.WithConsumeGoroutineNums(2))
	total, largest := 0, 0
	for total < count {
		size := len(next(t, calls).messages)
		total += size
		largest = max(largest, size)
	}
	if total != count || largest < 2 || largest > 16 {
		t.Errorf("%d messages in calls of up to %d", total, largest)
	}
}

// TestWithTls: verified with an authority; without one it encrypts and warns once.
func TestWithTls(t *testing.T) {
	broker := tminustest.Start(t, tminustest.TLS())
	var log strings.Builder
	standard := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(standard)

	send := func(opts ...producer.Option) error {
		p := startProducer(t, append(opts, producer.WithNsResolver(resolver(broker)))...)
		_, err := p.SendSync(t.Context(), primitive.NewMessage("t", []byte("x")))
		return err
	}
	for range 2 {
		if err := send(producer.WithTls(true)); err != nil {
			t.Error(err)
		}
	}
	if count := strings.Count(log.String(), "not verified"); count != 1 {
		t.Errorf("%d warnings: %s", count, log.String())
	}
	if err := send(producer.WithTlsConfig(tminus.TLSConfig{CA: broker.CA()})); err != nil {
		t.Error(err)
	}

	other := tminustest.Start(t, tminustest.TLS())
	file := filepath.Join(t.TempDir(), "ca.pem")
	for name, row := range map[string]struct {
		pem  []byte
		kind error
	}{"right": {broker.CA(), nil}, "wrong": {other.CA(), tminus.ErrTLS}} {
		if err := os.WriteFile(file, row.pem, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMINUS_TLS_CA", file)
		p, err := rocketmq.NewProducer(producer.WithNsResolver(resolver(broker)), producer.WithTls(true))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); (row.kind == nil) != (err == nil) || (row.kind != nil && !errors.Is(err, row.kind)) {
			t.Errorf("%s authority: %v", name, err)
		}
		if err := p.Shutdown(); err != nil {
			t.Error(err)
		}
	}
}

func TestInterceptorsRunAroundSendAndConsume(t *testing.T) {
	broker := tminustest.Start(t)
	var seen []string
	var mutex sync.Mutex
	note := func(name string) primitive.Interceptor {
		return func(ctx context.Context, req, reply any, next primitive.Invoker) error {
			err := next(ctx, req, reply)
			mutex.Lock()
			defer mutex.Unlock()
			switch reply := reply.(type) {
			case *primitive.SendResult:
				seen = append(seen, fmt.Sprint(name, " ", primitive.GetMethod(ctx), " ", reply.Status))
			case *consumer.ConsumeResultHolder:
				seen = append(seen, fmt.Sprint(name, " ", len(req.([]*primitive.MessageExt)), " ", reply.ConsumeResult))
			}
			return err
		}
	}
	p := startProducer(t, producer.WithNsResolver(resolver(broker)), producer.WithInterceptor(note("outer"), note("inner")))
	if _, err := p.SendSync(t.Context(), primitive.NewMessage("t", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	entered := make(chan struct{})
	next(t, startConsumer(t, "t", "*", succeed, consumer.WithNsResolver(resolver(broker)),
		consumer.WithInterceptor(note("consumer"), func(ctx context.Context, req, reply any, next primitive.Invoker) error {
			defer close(entered)
			return next(ctx, req, reply)
		})))
	<-entered
	mutex.Lock()
	defer mutex.Unlock()
	if got := strings.Join(seen[:2], ", "); got != "inner SendSync 0, outer SendSync 0" {
		t.Errorf("seen %s", got)
	}
}

func TestWhatIsNotThereSaysSo(t *testing.T) {
	if _, err := rocketmq.NewProducer(producer.WithTrace(&primitive.TraceConfig{})); !errors.Is(err, tminus.ErrUnsupported) {
		t.Errorf("trace: %v", err)
	}
	p, err := rocketmq.NewProducer(producer.WithNsResolver(primitive.NewPassthroughResolver([]string{"127.0.0.1:1"})))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); !errors.Is(err, tminus.ErrNameServerUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := p.SendSync(t.Context(), primitive.NewMessage("t", []byte("x"))); !errors.Is(err, tminus.ErrClosed) {
		t.Errorf("not started: %v", err)
	}
	none, err := rocketmq.NewProducer(producer.WithNsResolver(primitive.NewPassthroughResolver([]string{})))
	if err != nil {
		t.Fatal(err)
	}
	if err := none.Start(); !errors.Is(err, tminus.ErrInvalidArgument) {
		t.Errorf("no name server: %v", err)
	}
}
