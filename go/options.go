package tminus

import (
	"context"
	"time"

	"github.com/tminus-mq/tminus/go/internal/capi"
)

// Credentials sign the requests. The secret key never travels.
type Credentials struct {
	AccessKey, SecretKey string
	// SecurityToken of temporary credentials; "": none.
	SecurityToken string
}

// String keeps the secrets out of logs.
func (c Credentials) String() string { return "Credentials(" + c.AccessKey + ")" }

// GoString keeps the secrets out of %#v.
func (c Credentials) GoString() string { return c.String() }

// TLSConfig says how connections are encrypted. Its zero value verifies the server's certificate against the
// authorities of the system.
type TLSConfig struct {
	// CA is the PEM text of the authorities to trust in place of the system's.
	CA []byte
	// ClientCert and ClientKey are the PEM texts of the client's certificate chain and private key.
	ClientCert, ClientKey []byte
	// ServerName to verify the certificate against; "": the host that is dialled.
	ServerName string
	// InsecureSkipVerify encrypts without verifying who answers.
	InsecureSkipVerify bool
}

// ServerKind is the kind of server, which decides the property that carries a delivery time.
type ServerKind int32

const (
	// ServerAuto suits every server that keeps arbitrary delivery times.
	ServerAuto ServerKind = iota
	// ServerApache5 is Apache RocketMQ 5.x.
	ServerApache5
	// ServerApache4 is Apache RocketMQ 4.x, which keeps delay levels only: a time is refused with [ErrDelayUnsupported].
	ServerApache4
	// ServerHuawei is Huawei Cloud DMS for RocketMQ.
	ServerHuawei
	// ServerAlibaba is Alibaba Cloud ApsaraMQ for RocketMQ.
	ServerAlibaba
)

// ClientOptions are what producers and consumers share. The zero value of every field is its default.
type ClientOptions struct {
	// Credentials; nil: requests are not signed.
	Credentials *Credentials
	// TLS; nil: off, unless the endpoint says remotings://, grpcs:// or https://.
	TLS *TLSConfig
	// Namespace is put before topics and groups, over HTTP it is the instance id; "": none.
	Namespace string
	// ClientID in place of the generated host@pid@random.
	ClientID string
	// ServerKind; default [ServerAuto].
	ServerKind ServerKind
	// ConnectTimeout for one address; default 3 s.
	ConnectTimeout time.Duration
	// RequestTimeout for one request other than a send; default 3 s.
	RequestTimeout time.Duration
	// HTTPProxy of an http:// or https:// endpoint: "http://[user:password@]host:port", or "direct" for none; "": what
	// HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say, never for addresses of this machine.
	HTTPProxy string
	// Clock by which relative delivery times are computed; nil: the machine's. Tests get one from package tminustest.
	Clock *Clock
}

// Clock is the time of a loopback broker.
type Clock struct{ broker *capi.Broker }

// ClockOf is the clock of a loopback broker, for package tminustest.
func ClockOf(broker *capi.Broker) *Clock { return &Clock{broker} }

func (o *ClientOptions) client(endpoint string) *capi.Client {
	c := &capi.Client{
		Endpoint:       endpoint,
		Namespace:      o.Namespace,
		ClientID:       o.ClientID,
		ServerKind:     int32(o.ServerKind),
		ConnectTimeout: o.ConnectTimeout,
		RequestTimeout: o.RequestTimeout,
		HTTPProxy:      o.HTTPProxy,
	}
	if o.Credentials != nil {
		c.Credentials = capi.Credentials(*o.Credentials)
	}
	if o.TLS != nil {
		c.TLS, c.Insecure, c.ServerName = true, o.TLS.InsecureSkipVerify, o.TLS.ServerName
		c.CA, c.ClientCert, c.ClientKey = string(o.TLS.CA), string(o.TLS.ClientCert), string(o.TLS.ClientKey)
	}
	if o.Clock != nil {
		c.ClockOf = o.Clock.broker
	}
	return c
}

// ProducerOptions are how a producer sends. The zero value of every field is its default.
type ProducerOptions struct {
	ClientOptions
	// Group of the producer; default DEFAULT_PRODUCER.
	Group string
	// SendTimeout bounds all attempts of a send whose context has no deadline; default 3 s.
	SendTimeout time.Duration
	// Retries are further attempts, each on another broker if there is one; 0: the default of 2, negative: none. Over HTTP
	// only of what the server did not get or was too busy for, see AllowDuplicates.
	Retries int
	// MaxBodyBytes; default 4 MiB.
	MaxBodyBytes int
	// CompressAboveBytes is the size from which bodies are compressed; 0: the default of 4096, negative: never.
	CompressAboveBytes int
	// CompressLevel 1 to 9; default 5.
	CompressLevel int
	// DefaultTopicQueues is the number of queues of a topic that the first send creates; default 4.
	DefaultTopicQueues int
	// MaxDelay is how far ahead a message may be scheduled; default 365 days.
	MaxDelay time.Duration
	// RefusePast refuses a delivery time in the past; default: such a message is delivered at once.
	RefusePast bool
	// AllowBeyond sends what lies beyond MaxDelay and lets the server decide; default: it is refused.
	AllowBeyond bool
	// Topics that are looked up at the start, so that it fails early; others are looked up by the first send. Over gRPC a
	// producer of transactions is asked about those of its topics only, so name them here.
	Topics []string
	// Checker tells how a transaction ended that was neither committed nor rolled back, when a server asks; m is its half
	// message. It is called for one question at a time; ctx ends when the producer is closed. A checker that panics, which
	// is logged to slog, counts as [Unknown]. nil: servers are told that nothing is known.
	Checker func(ctx context.Context, m *MessageView) Resolution
	// AllowDuplicates repeats, over HTTP, a send whose message may have been stored, so that it may be stored twice. Default:
	// such a send fails with [MaybeSent].
	AllowDuplicates bool
	// BodyEncoding of bodies that are no text, over HTTP; default [BodyText].
	BodyEncoding BodyEncoding
	// TransactionCheckAfter is how long after a half message the server asks first, over HTTP, in whole seconds from 10 s to
	// 300 s; default 10 s.
	TransactionCheckAfter time.Duration
}

// BodyEncoding is how a body travels that XML cannot carry: one with control characters, or that is not UTF-8.
type BodyEncoding int32

const (
	// BodyText refuses it with [ErrInvalidMessage].
	BodyText BodyEncoding = capi.BodyText
	// BodyBase64 sends it in base64, marked by the property __BODY_ENCODING, by which consumers of this library decode it
	// over every protocol.
	BodyBase64 BodyEncoding = capi.BodyBase64
)

// Filter is which messages of a topic a group wants.
type Filter struct {
	// Tags separated by "||"; "" or "*": all.
	Tags string
	// SQL is an SQL92 expression over properties, in place of Tags; the broker must allow it.
	SQL string
}

// AllMessages filters nothing out.
var AllMessages = Filter{}

// ConsumeFrom is where a group without a stored offset starts.
type ConsumeFrom int32

const (
	// LastOffset starts after what is there already.
	LastOffset ConsumeFrom = iota
	// FirstOffset starts at the oldest message.
	FirstOffset
	// FromTimestamp starts at the first message stored at or after ConsumeTimestamp.
	FromTimestamp
)

// PushConsumerOptions are how a push consumer consumes. The zero value of every field is its default.
type PushConsumerOptions struct {
	ClientOptions
	// Subscriptions by topic; more can be added later.
	Subscriptions map[string]Filter
	// Broadcasting gives every consumer of the group every message; default: each message goes to one of them.
	Broadcasting bool
	// Orderly keeps the order within a queue, one message of a queue at a time.
	Orderly bool
	// ConsumeFrom; default [LastOffset].
	ConsumeFrom ConsumeFrom
	// ConsumeTimestamp for [FromTimestamp].
	ConsumeTimestamp time.Time
	// Concurrency is how many messages are handled at the same time; default 20.
	Concurrency int
	// MaxReconsumeTimes is how often a message is delivered again before it becomes a dead letter; 0: the default of
	// 16, negative: never again.
	MaxReconsumeTimes int
	// ConsumeTimeout after which a message that is still being handled is given back for retry; default 15 min.
	ConsumeTimeout time.Duration
	// PullBatch is the number of messages of one pull; default 32.
	PullBatch int
	// CachedMessagesPerQueue and CachedBytesPerQueue bound what waits to be handled; default 1024 and 64 MiB.
	CachedMessagesPerQueue, CachedBytesPerQueue int
	// LongPoll is how long the broker may hold a pull without messages; default 15 s.
	LongPoll time.Duration
}

// SimpleConsumerOptions are how a simple consumer receives. The zero value of every field is its default.
type SimpleConsumerOptions struct {
	ClientOptions
	// Subscriptions by topic; more can be added later.
	Subscriptions map[string]Filter
	// AwaitDuration is how long a receive waits for a message at most; default 15 s.
	AwaitDuration time.Duration
	// Orderly receives in order, over HTTP: the next messages of a message group come when all that were delivered of it are
	// acknowledged. Over gRPC that is a matter of the group on the server.
	Orderly bool
}
