// Package producer makes producers by the names of rocketmq-client-go v2.
package producer

import (
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/rocketmq/internal/client"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
)

// Option changes how a producer is made.
type Option func(*options)

type options struct {
	client      client.Options
	core        tminus.ProducerOptions
	selector    QueueSelector
	interceptor primitive.Interceptor
	unsupported string
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

// WithGroupName is the producer group; default DEFAULT_PRODUCER.
func WithGroupName(group string) Option { return func(o *options) { o.core.Group = group } }

// WithRetry is how many further attempts a send has, each on another broker if there is one; default 2.
func WithRetry(retries int) Option {
	return func(o *options) {
		if o.core.Retries = retries; retries <= 0 {
			o.core.Retries = -1
		}
	}
}

// WithSendMsgTimeout bounds all attempts of a send; default 3 s.
func WithSendMsgTimeout(duration time.Duration) Option {
	return func(o *options) { o.core.SendTimeout = duration }
}

// WithCredentials signs the requests.
func WithCredentials(c primitive.Credentials) Option {
	return func(o *options) { o.client.Credentials = c }
}

// WithNamespace is put before topics and groups.
func WithNamespace(namespace string) Option {
	return func(o *options) { o.client.Namespace = namespace }
}

// WithTls encrypts the connections. The server is verified when an authority is configured, by WithTlsConfig or by the
// environment variable TMINUS_TLS_CA (a PEM file; TMINUS_TLS_SERVER_NAME overrides the name to expect); otherwise a
// warning says once that it was not.
func WithTls(useTls bool) Option { return func(o *options) { o.client.TLS = useTls } }

// WithTlsConfig encrypts and verifies as config says.
func WithTlsConfig(config tminus.TLSConfig) Option {
	return func(o *options) { o.client.TLSConfig = &config }
}

// WithQueueSelector picks the queue of each message; default round robin.
func WithQueueSelector(s QueueSelector) Option { return func(o *options) { o.selector = s } }

// WithInterceptor runs functions around every send, the first outermost.
func WithInterceptor(f ...primitive.Interceptor) Option {
	return func(o *options) { o.interceptor = primitive.ChainInterceptors(f...) }
}

// WithDefaultTopicQueueNums is the number of queues of a topic that the first send creates; default 4.
func WithDefaultTopicQueueNums(queueNum int) Option {
	return func(o *options) { o.core.DefaultTopicQueues = queueNum }
}

// WithCompressMsgBodyOverHowmuch is the size in bytes from which bodies are compressed; default 4096.
func WithCompressMsgBodyOverHowmuch(threshold int) Option {
	return func(o *options) { o.core.CompressAboveBytes = threshold }
}

// WithCompressLevel is the zlib level 1 to 9; default 5.
func WithCompressLevel(level int) Option { return func(o *options) { o.core.CompressLevel = level } }

// WithInstanceName has no effect: every producer has an id of its own.
func WithInstanceName(string) Option { return func(*options) {} }

// WithUnitName has no effect.
func WithUnitName(string) Option { return func(*options) {} }

// WithVIPChannel has no effect: there is one port.
func WithVIPChannel(bool) Option { return func(*options) {} }

// WithCreateTopicKey has no effect: new topics are made after the server's default topic.
func WithCreateTopicKey(string) Option { return func(*options) {} }

// WithTrace is not supported: NewDefaultProducer says so.
func WithTrace(*primitive.TraceConfig) Option {
	return func(o *options) { o.unsupported = "message trace (WithTrace)" }
}
