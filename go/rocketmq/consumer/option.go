// Package consumer makes push consumers by the names of rocketmq-client-go v2.
package consumer

import (
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/rocketmq/internal/client"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
)

// MessageModel is who of a group gets a message.
type MessageModel int

// The message models.
const (
	BroadCasting MessageModel = iota
	Clustering
)

func (m MessageModel) String() string {
	if m == BroadCasting {
		return "BroadCasting"
	}
	return "Clustering"
}

// ConsumeFromWhere is where a group without stored offsets starts.
type ConsumeFromWhere int

// The places to start from.
const (
	ConsumeFromLastOffset ConsumeFromWhere = iota
	ConsumeFromFirstOffset
	ConsumeFromTimestamp
)

// ExpressionType is how the expression of a MessageSelector is read.
type ExpressionType string

// The expression types.
const (
	TAG   ExpressionType = "TAG"
	SQL92 ExpressionType = "SQL92"
)

// MessageSelector is which messages of a topic are wanted. Its zero value is all.
type MessageSelector struct {
	Type       ExpressionType
	Expression string
}

// Option changes how a consumer is made.
type Option func(*options)

type options struct {
	client      client.Options
	core        tminus.PushConsumerOptions
	group       string
	batchSize   int
	interceptor primitive.Interceptor
	unsupported string
	fault       error
}

// WithNsResolver says where the name servers are.
func WithNsResolver(resolver primitive.NsResolver) Option {
	return func(o *options) { o.client.Resolver = resolver }
}

// WithNameServer lists the name servers.
func WithNameServer(nameServers primitive.NamesrvAddr) Option {
	return WithNsResolver(primitive.NewPassthroughResolver(nameServers))
}

// WithNameServerDomain names a web address that gives the list.
func WithNameServerDomain(nameServerUrl string) Option {
	return WithNsResolver(primitive.NewHttpResolver("DEFAULT", nameServerUrl))
}

// WithGroupName is the consumer group. Required.
func WithGroupName(group string) Option { return func(o *options) { o.group = group } }

// WithCredentials signs the requests.
func WithCredentials(c primitive.Credentials) Option {
	return func(o *options) { o.client.Credentials = c }
}

// WithNamespace is put before topics and groups.
func WithNamespace(namespace string) Option {
	return func(o *options) { o.client.Namespace = namespace }
}

// WithTls encrypts the connections; see producer.WithTls.
func WithTls(useTls bool) Option { return func(o *options) { o.client.TLS = useTls } }

// WithTlsConfig encrypts and verifies as config says.
func WithTlsConfig(config tminus.TLSConfig) Option {
	return func(o *options) { o.client.TLSConfig = &config }
}

// WithConsumerModel is who of the group gets a message; default Clustering.
func WithConsumerModel(m MessageModel) Option {
	return func(o *options) { o.core.Broadcasting = m == BroadCasting }
}

// WithConsumeFromWhere is where a group without stored offsets starts; default ConsumeFromLastOffset.
func WithConsumeFromWhere(w ConsumeFromWhere) Option {
	return func(o *options) { o.core.ConsumeFrom = tminus.ConsumeFrom(w) }
}

// WithConsumeTimestamp is the time for ConsumeFromTimestamp, as 20060102150405 in local time.
func WithConsumeTimestamp(consumeTimestamp string) Option {
	return func(o *options) {
		at, err := time.ParseInLocation("20060102150405", consumeTimestamp, time.Local)
		if err != nil {
			o.fault = &tminus.Error{Kind: tminus.ErrInvalidArgument, Operation: "start",
				Text: "start: WithConsumeTimestamp wants yyyyMMddHHmmss: " + err.Error()}
		}
		o.core.ConsumeTimestamp = at
	}
}

// WithConsumerOrder keeps the order within a queue.
func WithConsumerOrder(order bool) Option { return func(o *options) { o.core.Orderly = order } }

// WithMaxReconsumeTimes is how often a message comes again before it is a dead letter; default and -1: 16.
func WithMaxReconsumeTimes(times int32) Option {
	return func(o *options) {
		switch {
		case times < 0:
			o.core.MaxReconsumeTimes = 0
		case times == 0:
			o.core.MaxReconsumeTimes = -1
		default:
			o.core.MaxReconsumeTimes = int(times)
		}
	}
}

// WithConsumeMessageBatchMaxSize is how many messages one call gets at most; default 1.
func WithConsumeMessageBatchMaxSize(consumeMessageBatchMaxSize int) Option {
	return func(o *options) { o.batchSize = consumeMessageBatchMaxSize }
}

// WithConsumeGoroutineNums is how many calls run at the same time; default 20.
func WithConsumeGoroutineNums(nums int) Option { return func(o *options) { o.core.Concurrency = nums } }

// WithPullBatchSize is how many messages one pull takes; default 32.
func WithPullBatchSize(batchSize int32) Option {
	return func(o *options) { o.core.PullBatch = int(batchSize) }
}

// WithConsumeTimeout is how long a message may be handled before it is given back; default 15 min.
func WithConsumeTimeout(timeout time.Duration) Option {
	return func(o *options) { o.core.ConsumeTimeout = timeout }
}

// WithConsumerPullTimeout is how long the broker may hold a pull without messages; default 15 s.
func WithConsumerPullTimeout(consumerPullTimeout time.Duration) Option {
	return func(o *options) { o.core.LongPoll = consumerPullTimeout }
}

// WithPullThresholdForQueue is how many messages of a queue are kept; default 1024.
func WithPullThresholdForQueue(pullThresholdForQueue int64) Option {
	return func(o *options) { o.core.CachedMessagesPerQueue = int(pullThresholdForQueue) }
}

// WithPullThresholdSizeForQueue is how many MiB of a queue are kept; default 64.
func WithPullThresholdSizeForQueue(pullThresholdSizeForQueue int) Option {
	return func(o *options) { o.core.CachedBytesPerQueue = pullThresholdSizeForQueue << 20 }
}

// WithInterceptor runs functions around every call, the first outermost.
func WithInterceptor(fs ...primitive.Interceptor) Option {
	return func(o *options) { o.interceptor = primitive.ChainInterceptors(fs...) }
}

// The following have no effect: every consumer has an id of its own, there is one port, the core stores the offsets
// itself, spreads the queues evenly, and limits what it keeps by queue.

// WithInstance has no effect.
func WithInstance(string) Option { return func(*options) {} }

// WithUnitName has no effect.
func WithUnitName(string) Option { return func(*options) {} }

// WithVIPChannel has no effect.
func WithVIPChannel(bool) Option { return func(*options) {} }

// WithAutoCommit has no effect.
func WithAutoCommit(bool) Option { return func(*options) {} }

// WithRetry has no effect.
func WithRetry(int) Option { return func(*options) {} }

// WithPullInterval has no effect.
func WithPullInterval(time.Duration) Option { return func(*options) {} }

// WithConsumeConcurrentlyMaxSpan has no effect.
func WithConsumeConcurrentlyMaxSpan(int) Option { return func(*options) {} }

// WithPullThresholdForTopic has no effect.
func WithPullThresholdForTopic(int) Option { return func(*options) {} }

// WithPullThresholdSizeForTopic has no effect.
func WithPullThresholdSizeForTopic(int) Option { return func(*options) {} }

// WithRebalanceLockInterval has no effect.
func WithRebalanceLockInterval(time.Duration) Option { return func(*options) {} }

// WithSuspendCurrentQueueTimeMillis has no effect.
func WithSuspendCurrentQueueTimeMillis(time.Duration) Option { return func(*options) {} }

// WithTrace is not supported: NewPushConsumer says so.
func WithTrace(*primitive.TraceConfig) Option {
	return func(o *options) { o.unsupported = "message trace (WithTrace)" }
}
