// Package tminustest has a RocketMQ server for tests: name server, broker, proxy and ApsaraMQ HTTP service on one loopback
// port, inside the test process, without a JVM or a container.
//
//	broker := tminustest.Start(t)
//	producer, err := tminus.NewProducer(ctx, broker.Endpoint(), nil)
//
// With a virtual clock a message that is due in a year is delivered as soon as the test says so:
//
//	broker := tminustest.Start(t, tminustest.VirtualClock())
//	… send with ClientOptions.Clock = broker.Clock() …
//	broker.Advance(365 * 24 * time.Hour)
package tminustest

import (
	"context"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/internal/capi"
)

// T is what Start needs of a *testing.T or *testing.B.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Option changes how a broker runs.
type Option func(*capi.BrokerOptions)

// VirtualClock lets the broker's clock stand still until Advance.
func VirtualClock() Option { return func(o *capi.BrokerOptions) { o.VirtualClock = true } }

// TLS lets the broker speak TLS beside plain TCP, with a certificate it makes; see [Broker.CA].
func TLS() Option { return func(o *capi.BrokerOptions) { o.TLS = true } }

// User adds a user; with at least one, every request must be signed.
func User(accessKey, secretKey string) Option {
	return func(o *capi.BrokerOptions) { o.Users = append(o.Users, [2]string{accessKey, secretKey}) }
}

// NoAutoCreateTopics refuses topics that were not created by CreateTopic.
func NoAutoCreateTopics() Option { return func(o *capi.BrokerOptions) { o.NoAutoCreateTopics = true } }

// HTTPInvisible is how long a message consumed over HTTP stays hidden; default 300 s.
func HTTPInvisible(d time.Duration) Option {
	return func(o *capi.BrokerOptions) { o.HTTPInvisible = d }
}

// Persona is a kind of server to behave like, where they differ.
type Persona int32

const (
	// Loopback acts on the delivery properties of all servers, to the millisecond, one year ahead.
	Loopback Persona = iota
	// Apache5 is Apache RocketMQ 5: three days ahead.
	Apache5
	// Apache4 is Apache RocketMQ 4: delay levels only.
	Apache4
	// Huawei is Huawei Cloud DMS: one year ahead.
	Huawei
)

// As lets the broker behave like p.
func As(p Persona) Option { return func(o *capi.BrokerOptions) { o.Persona = int32(p) } }

// Join makes a cluster with another broker, under its name server.
func Join(other *Broker, name string) Option {
	return func(o *capi.BrokerOptions) { o.Join, o.Name = other.Endpoint(), name }
}

// Broker is a running loopback broker.
type Broker struct {
	core *capi.Broker
}

// Start starts a broker, which accepts connections when this returns, and stops it when the test ends.
func Start(t T, options ...Option) *Broker {
	t.Helper()
	b, err := New(options...)
	if err != nil {
		t.Fatalf("cannot start the loopback broker: %v", err)
		return nil
	}
	t.Cleanup(b.Close)
	return b
}

// New starts a broker outside a test; Close it after use.
func New(options ...Option) (*Broker, error) {
	var o capi.BrokerOptions
	for _, option := range options {
		option(&o)
	}
	core, err := capi.StartBroker(&o)
	if err != nil {
		return nil, err
	}
	return &Broker{core}, nil
}

// Endpoint is where name server and broker listen, "127.0.0.1:12345": an endpoint for the remoting protocol.
func (b *Broker) Endpoint() string { return b.core.Address() }

// GRPCEndpoint is the same port for the gRPC protocol, "grpc://127.0.0.1:12345".
func (b *Broker) GRPCEndpoint() string { return "grpc://" + b.Endpoint() }

// HTTPEndpoint is the same port for ApsaraMQ HTTP, "http://127.0.0.1:12345".
func (b *Broker) HTTPEndpoint() string { return "http://" + b.Endpoint() }

// CA is the PEM text of the authority that signed the broker's certificate, with [TLS].
func (b *Broker) CA() []byte { return []byte(b.core.CA()) }

// Clock is the broker's clock, for ClientOptions.Clock.
func (b *Broker) Clock() *tminus.Clock { return tminus.ClockOf(b.core) }

// Now is the broker's time.
func (b *Broker) Now() time.Time { return time.UnixMilli(b.core.NowMs()) }

// Advance moves a virtual clock; when it returns, everything due has become visible, in order. It says how many.
func (b *Broker) Advance(by time.Duration) (int, error) { return b.core.Advance(by) }

// Pending is how many scheduled messages wait, and when the next is due (zero: none).
func (b *Broker) Pending() (int, time.Time) {
	count, next := b.core.Pending()
	if next < 0 {
		return count, time.Time{}
	}
	return count, time.UnixMilli(next)
}

// CreateTopic creates a topic, or changes its number of queues.
func (b *Broker) CreateTopic(topic string, queues int) error {
	return b.core.CreateTopic(topic, queues)
}

// TopicType is which messages a topic takes from producers over gRPC.
type TopicType int32

const (
	// Mixed takes every type.
	Mixed TopicType = iota
	// Normal takes messages that are none of the others.
	Normal
	// FIFO takes messages with a message group.
	FIFO
	// Delay takes scheduled messages.
	Delay
	// Transaction takes half messages of transactions.
	Transaction
	// Priority takes messages with a priority.
	Priority
)

// CreateTopicOf creates a topic that takes messages of one type, or changes its number of queues and its type.
func (b *Broker) CreateTopicOf(topic string, queues int, kind TopicType) error {
	return b.core.CreateTopicOf(topic, queues, int32(kind))
}

// GroupOptions are how a consumer group is served over gRPC. The zero value of every field is its default.
type GroupOptions struct {
	// FIFO keeps the order of each message group.
	FIFO bool
	// MaxAttempts is how often a message is delivered before it becomes a dead letter; default 17.
	MaxAttempts int
	// Backoff is the time until a message comes again after its first, second, … failed delivery; the last one repeats.
	// Default the 18 delay levels.
	Backoff []time.Duration
}

// CreateGroup creates a consumer group, or changes how it is served.
func (b *Broker) CreateGroup(group string, options GroupOptions) error {
	return b.core.CreateGroup(group, options.FIFO, int32(options.MaxAttempts), options.Backoff)
}

// Stage is where a message is in its life, as RocketMQ documents it for scheduled messages.
type Stage int32

const (
	// Initialized: its producer did not send it yet.
	Initialized Stage = iota
	// Timing: the broker keeps it until its delivery time.
	Timing
	// Ready: consumers of the group can get it.
	Ready
	// InFlight: a consumer of the group has it and did not settle it yet.
	InFlight
	// Acknowledged: the group is done with it.
	Acknowledged
	// Deleted: the broker has it no more.
	Deleted
)

func (s Stage) String() string {
	return [...]string{"Initialized", "Timing", "Ready", "InFlight", "Acknowledged", "Deleted"}[s]
}

// MessageStage is where a message is in its life, as consumers of group see it.
func (b *Broker) MessageStage(topic, group, messageID string) (Stage, error) {
	stage, err := b.core.MessageStage(topic, group, messageID)
	return Stage(stage), err
}

// Restart closes the port and every connection for down; messages and offsets stay.
func (b *Broker) Restart(ctx context.Context, down time.Duration) error {
	return b.core.Restart(ctx, down)
}

// Fault is what happens to a request.
type Fault struct {
	kind, code int32
	remark     string
}

var (
	// Swallow reads the request and never answers.
	Swallow = Fault{kind: 1}
	// CloseBefore closes the connection without handling the request.
	CloseBefore = Fault{kind: 2}
	// CloseAfter handles the request and closes the connection instead of answering.
	CloseAfter = Fault{kind: 3}
	// Corrupt answers a receive over gRPC or HTTP (request code 200050) with a wrong digest for every body, and a publish
	// over HTTP (310) with a wrong one for what it stored.
	Corrupt = Fault{kind: 4}
	// Gateway answers an HTTP request as a middle box does, with a page of its own (502); other connections it closes.
	Gateway = Fault{kind: 5}
)

// Refuse answers with a response code and a remark.
func Refuse(code int32, remark string) Fault { return Fault{code: code, remark: remark} }

// Inject lets the next times requests with this remoting request code, or gRPC and HTTP calls of the same meaning, meet fault.
func (b *Broker) Inject(requestCode int32, times int, fault Fault) error {
	return b.core.Inject(requestCode, int32(times), fault.kind, fault.code, fault.remark)
}

// Requests is how many requests with this remoting request code, and gRPC and HTTP calls of the same meaning, came so
// far.
func (b *Broker) Requests(requestCode int32) uint64 { return b.core.Requests(requestCode) }

// Close stops the broker. A second Close does nothing.
func (b *Broker) Close() { b.core.Close() }
