package tminus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/tminustest"
)

// The shared scenarios, see core/tests/scenarios/README.md.

// notInGo is what Go cannot run, with the reason; nothing so far.
var notInGo = map[string]string{}

func TestScenariosOnTheLoopbackBroker(t *testing.T) { runScenarios(t, "loopback", nil) }

func TestScenariosOnApacheRocketMQ(t *testing.T) {
	address := os.Getenv("TMINUS_TEST_APACHE")
	if address == "" {
		t.Skip("TMINUS_TEST_APACHE is not set; `make test-apache` starts the server and sets it")
	}
	addresses := map[string]string{"remoting": address}
	if proxy := os.Getenv("TMINUS_TEST_APACHE_PROXY"); proxy != "" {
		addresses["grpc"] = proxy
	}
	runScenarios(t, "apache5", addresses)
}

// unserved is why a protocol has no address on the server that the environment names.
var unserved = map[string]string{
	"grpc": "TMINUS_TEST_APACHE_PROXY is not set",
	"http": "Apache RocketMQ does not speak ApsaraMQ HTTP",
}

// runScenarios runs every scenario on server, over each of its protocols, and accounts for every id. addresses of a
// running server by protocol; nil: every scenario starts a loopback broker.
func runScenarios(t *testing.T, server string, addresses map[string]string) {
	run, leftOut := 0, 0
	for _, s := range scenarios(t) {
		for _, protocol := range s.Protocols {
			name := fmt.Sprintf("%s (%s)", s.ID, protocol)
			address, served := addresses[protocol]
			reason := or(s.NotOn[server], or(s.NotOn[server+"/"+protocol], notInGo[s.ID]))
			if reason == "" && addresses != nil && !served {
				reason = unserved[protocol]
			}
			if reason != "" {
				t.Logf("%s: not applicable: %s", name, reason)
				leftOut++
				continue
			}
			run++
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				runScenario(t, &s, server, protocol, address)
			})
		}
	}
	t.Logf("%s: %d scenarios run, %d not applicable", server, run, leftOut)
	if run == 0 {
		t.Error("no scenario was run")
	}
}

type sent struct {
	body    string
	due     time.Time
	receipt *tminus.SendReceipt
}

type arrival struct {
	consumer string
	message  *tminus.MessageView
	at       time.Time
}

type scenarioRun struct {
	t         *testing.T
	broker    *tminustest.Broker
	virtual   bool
	protocol  string
	address   string
	lateness  time.Duration
	prefix    string
	producers map[string]*tminus.Producer
	consumers map[string]*tminus.PushConsumer
	simple    map[string]*tminus.SimpleConsumer
	sent      map[string][]sent
	receipts  map[string]tminus.ReceiptHandle // of what was received and not acknowledged, by body

	mutex    sync.Mutex
	arrivals []arrival
	arrived  chan struct{} // capacity 1: something arrived since it was last read
}

func runScenario(t *testing.T, s *scenario, server, protocol, address string) {
	r := &scenarioRun{
		t: t, protocol: protocol, address: address, lateness: 1500 * time.Millisecond,
		prefix:    fmt.Sprintf("g%d-%d-", os.Getpid(), time.Now().UnixNano()%1e12),
		producers: make(map[string]*tminus.Producer), consumers: make(map[string]*tminus.PushConsumer),
		simple: make(map[string]*tminus.SimpleConsumer), sent: make(map[string][]sent),
		receipts: make(map[string]tminus.ReceiptHandle), arrived: make(chan struct{}, 1),
	}
	if server == "loopback" {
		r.startBroker(s)
	}
	if err := r.prepare(s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range r.simple {
			c.Close(context.Background())
		}
		for _, c := range r.consumers {
			c.Close(context.Background())
		}
		for _, p := range r.producers {
			p.Close(context.Background())
		}
	})
	for i, step := range s.Steps {
		if err := r.step(&step); err != nil {
			t.Fatalf("step %d (%s) of %q: %v", i+1, step.Do, s.Title, err)
		}
	}
}

func (r *scenarioRun) startBroker(s *scenario) {
	var options []tminustest.Option
	if r.virtual = s.Broker.Clock == "virtual"; r.virtual {
		options = append(options, tminustest.VirtualClock())
	}
	if s.Broker.TLS {
		options = append(options, tminustest.TLS())
	}
	for _, user := range s.Broker.Users {
		access, secret, _ := strings.Cut(user, ":")
		options = append(options, tminustest.User(access, secret))
	}
	if s.Broker.AutoCreateTopics != nil && !*s.Broker.AutoCreateTopics {
		options = append(options, tminustest.NoAutoCreateTopics())
	}
	personas := map[string]tminustest.Persona{
		"": tminustest.Loopback, "loopback": tminustest.Loopback, "apache5": tminustest.Apache5,
		"apache4": tminustest.Apache4, "huawei": tminustest.Huawei,
	}
	options = append(options, tminustest.As(personas[s.Broker.Persona]))
	if s.Broker.HTTPInvisibleMs > 0 {
		options = append(options, tminustest.HTTPInvisible(time.Duration(s.Broker.HTTPInvisibleMs)*time.Millisecond))
	}
	r.broker = tminustest.Start(r.t, options...)
	r.address, r.lateness = r.broker.Endpoint(), 250*time.Millisecond
}

func (r *scenarioRun) now() time.Time {
	if r.broker != nil {
		return r.broker.Now()
	}
	return time.Now()
}

func (r *scenarioRun) step(s *step) error {
	switch s.Do {
	case "producer":
		return r.startProducer(s)
	case "consumer":
		return r.startConsumer(s)
	case "simple_consumer":
		return r.startSimpleConsumer(s)
	case "receive":
		return r.receive(s)
	case "ack":
		return r.ack(s)
	case "change_invisible":
		return r.changeInvisible(s)
	case "recall":
		return r.recall(s)
	case "send":
		return r.send(s)
	case "expect":
		return r.expect(s)
	case "expect_none":
		time.Sleep(time.Duration(or(s.ForMs, 300)) * time.Millisecond)
		if got := r.of(names(s)); len(got) > 0 {
			return fmt.Errorf("received %q although nothing was due", got[0].message.Body)
		}
		return nil
	case "advance":
		visible, err := r.broker.Advance(time.Duration(s.Ms) * time.Millisecond)
		if err == nil && s.Visible != nil && visible != *s.Visible {
			err = fmt.Errorf("%d messages became visible, expected %d", visible, *s.Visible)
		}
		return err
	case "restart_broker":
		return r.broker.Restart(r.t.Context(), time.Duration(s.DownMs)*time.Millisecond)
	case "inject":
		faults := map[string]tminustest.Fault{
			"swallow": tminustest.Swallow, "close_before": tminustest.CloseBefore, "close_after": tminustest.CloseAfter,
			"gateway": tminustest.Gateway, "refuse": tminustest.Refuse(s.Code, "injected"),
		}
		return r.broker.Inject(s.Request, or(s.Times, 1), faults[s.Fault])
	case "close":
		if p, ok := r.producers[s.What]; ok {
			return p.Close(r.t.Context())
		}
		if c, ok := r.simple[s.What]; ok {
			return c.Close(r.t.Context())
		}
		return r.consumers[s.What].Close(r.t.Context())
	default:
		return fmt.Errorf("unknown step %q", s.Do)
	}
}

// resource is the unique name behind a logical topic or group.
func (r *scenarioRun) resource(name string) string {
	if raw, ok := strings.CutPrefix(name, "!"); ok || name == "" {
		return raw
	}
	if group, ok := strings.CutPrefix(name, "%DLQ%"); ok {
		return "%DLQ%" + r.prefix + group
	}
	return r.prefix + name
}

func (r *scenarioRun) client(s *step) (options tminus.ClientOptions, endpoint string) {
	address := r.address
	if s.Endpoint == "nowhere" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			r.t.Fatal(err)
		}
		address = listener.Addr().String()
		listener.Close()
	}
	// The scheme is the only difference between the protocols.
	endpoint = r.protocol + "://" + address
	if r.broker != nil {
		options.Clock = r.broker.Clock()
	}
	if s.User != "" {
		access, secret, _ := strings.Cut(s.User, ":")
		options.Credentials = &tminus.Credentials{AccessKey: access, SecretKey: secret}
	}
	if s.TLS != nil {
		options.TLS = &tminus.TLSConfig{ServerName: s.TLS.ServerName, InsecureSkipVerify: s.TLS.Insecure}
		switch s.TLS.Trust {
		case "broker":
			options.TLS.CA = r.broker.CA()
		case "other":
			options.TLS.CA = tminustest.Start(r.t, tminustest.TLS()).CA()
		}
	}
	return options, endpoint
}

func (r *scenarioRun) startProducer(s *step) error {
	client, endpoint := r.client(s)
	options := &tminus.ProducerOptions{
		ClientOptions: client, Group: r.prefix + "producers", AllowDuplicates: s.AllowDuplicates,
	}
	encodings := map[string]tminus.BodyEncoding{"": tminus.BodyText, "text": tminus.BodyText, "base64": tminus.BodyBase64}
	options.BodyEncoding = encodings[s.BodyEncoding]
	for _, topic := range s.Topics {
		options.Topics = append(options.Topics, r.resource(topic))
	}
	if s.Checker != "" {
		options.Checker = func(context.Context, *tminus.MessageView) tminus.Resolution { return resolutions[s.Checker] }
	}
	if s.Retries != nil {
		if options.Retries = *s.Retries; *s.Retries == 0 {
			options.Retries = -1
		}
	}
	producer, err := tminus.NewProducer(r.t.Context(), endpoint, options)
	if err == nil {
		r.producers[or(s.Name, "producer")] = producer
	}
	return r.check(err, s.Error)
}

// resolutions are the ends of transactions by their names in the data.
var resolutions = map[string]tminus.Resolution{
	"": tminus.Commit, "commit": tminus.Commit, "rollback": tminus.Rollback, "none": tminus.Unknown, "unknown": tminus.Unknown,
}

func (r *scenarioRun) startConsumer(s *step) error {
	client, endpoint := r.client(s)
	consumer, err := tminus.NewPushConsumer(r.t.Context(), endpoint, r.resource(or(s.Group, "g")),
		&tminus.PushConsumerOptions{
			ClientOptions: client, ConsumeFrom: tminus.FirstOffset, MaxReconsumeTimes: s.MaxReconsumeTimes,
			Concurrency:   1, // recorded in the order they came
			Orderly:       s.Orderly,
			Subscriptions: map[string]tminus.Filter{r.resource(or(s.Topic, "t")): {Tags: s.Filter, SQL: s.SQL}},
		})
	if err != nil || s.Error != nil {
		return r.check(err, s.Error)
	}
	name := or(s.Name, "consumer")
	r.consumers[name] = consumer
	go consumer.ConsumeBatch(context.Background(), 1, func(_ context.Context, deliveries []*tminus.Delivery) {
		d, at := deliveries[0], r.now()
		if d.Message.ReconsumeTimes < s.FailFirst {
			d.Settle(tminus.RetryAfterLevel(1))
			return
		}
		r.mutex.Lock()
		r.arrivals = append(r.arrivals, arrival{name, d.Message, at})
		r.mutex.Unlock()
		d.Settle(tminus.Success)
		select {
		case r.arrived <- struct{}{}:
		default:
		}
	})
	return nil
}

func (r *scenarioRun) of(consumers []string) []arrival {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.DeleteFunc(slices.Clone(r.arrivals), func(a arrival) bool { return !slices.Contains(consumers, a.consumer) })
}

func (r *scenarioRun) message(spec *messageSpec, label string, number int) (*tminus.Message, sent) {
	name := fmt.Sprintf("%s-%d", label, number)
	body := name
	switch {
	case spec.Body != nil:
		body = *spec.Body
	case spec.BodyBytes > 0:
		body = strings.Repeat(name+" ", spec.BodyBytes/(len(name)+1)+1)[:spec.BodyBytes]
	}
	topic := "t"
	if spec.Topic != nil {
		topic = *spec.Topic
	}
	m := &tminus.Message{
		Topic: r.resource(topic), Body: []byte(body), Tag: spec.Tag, Keys: spec.Keys, Properties: map[string]string{},
		DelayLevel: spec.DelayLevel, MessageGroup: spec.MessageGroup, Priority: spec.Priority,
	}
	for name, value := range spec.Properties {
		m.Properties[name] = value
	}
	now := r.now()
	ahead := func(ms int64) time.Time { return now.Add(time.Duration(ms) * time.Millisecond) }
	out := sent{body: body}
	if spec.DeliverAfterMs != nil {
		m.DeliverAfter = time.Duration(*spec.DeliverAfterMs) * time.Millisecond
		out.due = ahead(*spec.DeliverAfterMs)
	}
	if spec.DeliverInMs != nil {
		m.DeliverAt = ahead(*spec.DeliverInMs)
		out.due = m.DeliverAt
	}
	if spec.DelayLevel == 1 {
		out.due = ahead(1000)
	}
	if spec.RawTime != nil {
		out.due = ahead(spec.RawTime.InMs)
		m.Properties[spec.RawTime.Name] = fmt.Sprint(out.due.UnixMilli())
	}
	return m, out
}

func (r *scenarioRun) send(s *step) error {
	producer := r.producers[or(s.Producer, "producer")]
	specs := s.Messages
	if s.Message != nil {
		specs = slices.Repeat([]messageSpec{*s.Message}, or(s.Count, 1))
	}
	var messages []*tminus.Message
	first := len(r.sent[s.As])
	for i := range specs {
		m, out := r.message(&specs[i], s.As, i)
		messages = append(messages, m)
		r.sent[s.As] = append(r.sent[s.As], out)
	}
	one := func(i int, m *tminus.Message) error {
		ctx := r.t.Context()
		if s.TimeoutMs > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(s.TimeoutMs)*time.Millisecond)
			defer cancel()
		}
		var err error
		receipt := &r.sent[s.As][first+i].receipt
		switch {
		case s.Mode == "one_way":
			err = producer.SendOneWay(ctx, m)
		case s.Mode == "transaction":
			var transaction *tminus.Transaction
			if transaction, err = producer.SendTransaction(ctx, m); err == nil {
				err = producer.EndTransaction(ctx, transaction.Receipt, resolutions[s.End])
			}
		case s.ShardingKey != "":
			*receipt, err = producer.SendByKey(ctx, m, s.ShardingKey)
		default:
			*receipt, err = producer.Send(ctx, m)
		}
		return r.check(err, s.Error)
	}
	switch s.Mode {
	case "batch":
		_, err := producer.SendBatch(r.t.Context(), messages)
		return r.check(err, s.Error)
	case "concurrent":
		errs := make([]error, len(messages))
		var senders sync.WaitGroup
		for i, m := range messages {
			senders.Add(1)
			go func() {
				defer senders.Done()
				errs[i] = one(i, m)
			}()
		}
		senders.Wait()
		return errors.Join(errs...)
	default:
		for i, m := range messages {
			if err := one(i, m); err != nil {
				return err
			}
		}
		return nil
	}
}

func (r *scenarioRun) expect(s *step) error {
	var expected []sent
	due := make(map[string]time.Time)
	for _, label := range s.Of {
		expected = append(expected, r.sent[label]...)
	}
	for _, e := range expected {
		due[e.body] = e.due
	}
	arrivals, missing := r.wait(names(s), due, time.Duration(or(s.WithinMs, 10000))*time.Millisecond)
	if missing > 0 {
		return fmt.Errorf("%d of %d did not arrive", missing, len(due))
	}
	got, queues := make(map[string]int), make(map[tminus.MessageQueue]bool)
	var order []string
	for _, a := range arrivals {
		body := string(a.message.Body)
		when, known := due[body]
		if !known {
			return fmt.Errorf("received %.40q which was not expected", body)
		}
		if !slices.Contains(order, body) {
			order = append(order, body)
		}
		got[a.consumer]++
		queues[a.message.Queue] = true
		if err := errors.Join(r.onTime(a.at, when, s.LateOK), s.View.check(a.message)); err != nil {
			return err
		}
	}
	for _, name := range names(s) {
		if got[name] < s.EachGets {
			return fmt.Errorf("%s received %d messages, expected at least %d", name, got[name], s.EachGets)
		}
	}
	if s.SameQueue && len(queues) != 1 {
		return fmt.Errorf("the messages came from %d queues", len(queues))
	}
	for i, e := range expected {
		if s.InOrder && order[i] != e.body {
			return fmt.Errorf("the messages came in the order %q", order)
		}
	}
	return nil
}

// onTime is whether a message that is due at some time (zero: at once) arrived then.
func (r *scenarioRun) onTime(at, due time.Time, lateOK bool) error {
	late := at.Truncate(time.Millisecond).Sub(due.Truncate(time.Millisecond))
	switch {
	case due.IsZero():
		return nil
	case late < 0:
		return fmt.Errorf("a message arrived %v early", -late)
	case !lateOK && !r.virtual && late > r.lateness:
		return fmt.Errorf("a message arrived %v late", late)
	default:
		return nil
	}
}

// wait takes the arrivals of consumers once every expected body is among them, or after limit.
func (r *scenarioRun) wait(consumers []string, expected map[string]time.Time, limit time.Duration) ([]arrival, int) {
	timeout := time.After(limit)
	for {
		arrivals := r.of(consumers)
		seen := make(map[string]bool)
		for _, a := range arrivals {
			seen[string(a.message.Body)] = true
		}
		missing := 0
		for body := range expected {
			if !seen[body] {
				missing++
			}
		}
		if missing > 0 {
			select {
			case <-r.arrived:
				continue
			case <-timeout:
			}
		}
		r.forget(consumers)
		return arrivals, missing
	}
}

func (r *scenarioRun) forget(consumers []string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.arrivals = slices.DeleteFunc(r.arrivals, func(a arrival) bool { return slices.Contains(consumers, a.consumer) })
}

func (v *viewSpec) check(m *tminus.MessageView) error {
	if v == nil {
		return nil
	}
	if v.Tag != nil && m.Tag() != *v.Tag {
		return fmt.Errorf("the tag is %q, expected %q", m.Tag(), *v.Tag)
	}
	if v.Keys != nil && !slices.Equal(m.Keys(), v.Keys) {
		return fmt.Errorf("the keys are %q, expected %q", m.Keys(), v.Keys)
	}
	if v.MessageGroup != nil && m.MessageGroup() != *v.MessageGroup {
		return fmt.Errorf("the message group is %q, expected %q", m.MessageGroup(), *v.MessageGroup)
	}
	for name, value := range v.Properties {
		if m.Properties[name] != value {
			return fmt.Errorf("property %q is %q, expected %q", name, m.Properties[name], value)
		}
	}
	if v.ReconsumeTimes != nil && m.ReconsumeTimes != *v.ReconsumeTimes {
		return fmt.Errorf("it was delivered %d times before, expected %d", m.ReconsumeTimes, *v.ReconsumeTimes)
	}
	return nil
}

// check compares err with the error that a step expects (nil: success).
func (r *scenarioRun) check(err error, want *errorSpec) error {
	if want == nil {
		return err
	}
	var failure *tminus.Error
	if !errors.As(err, &failure) {
		return fmt.Errorf("got %v, expected %+v", err, *want)
	}
	kind := want.Kind
	switch r.protocol {
	case "grpc":
		kind = or(want.GRPCKind, kind)
	case "http":
		kind = or(want.HTTPKind, kind)
	}
	outcome := map[tminus.Outcome]string{tminus.NotSent: "not_sent", tminus.MaybeSent: "maybe_sent", tminus.Done: "done"}
	if kind != "" && failure.Kind.Error() != "tminus: "+kind ||
		want.Outcome != "" && outcome[failure.Outcome] != want.Outcome {
		return fmt.Errorf("got %v (%s, %v), expected %+v", err, failure.Kind, failure.Outcome, *want)
	}
	return nil
}

func names(s *step) []string {
	if len(s.Consumers) > 0 {
		return s.Consumers
	}
	return []string{"consumer"}
}

func or[V comparable](value, fallback V) V {
	var none V
	if value == none {
		return fallback
	}
	return value
}
