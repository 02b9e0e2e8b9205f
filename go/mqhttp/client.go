package mq_http_sdk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/internal/environment"
)

// DefaultTimeout of a call, in seconds: the longest wait for messages and five more.
const DefaultTimeout int64 = 35

// MQClient makes producers and consumers.
type MQClient interface {
	GetProducer(instanceId string, topicName string) MQProducer
	GetTransProducer(instanceId string, topicName string, groupId string) MQTransProducer
	GetConsumer(instanceId string, topicName string, consumer string, messageTag string) MQConsumer
	GetCredential() Credential
	GetEndpoint() string
}

// AliyunMQClient is the [MQClient] of this package. Its producers and consumers share its connections; any number of
// goroutines may use it.
type AliyunMQClient struct {
	endpoint string
	timeout  time.Duration
	// open ends with Close.
	open  context.Context
	close context.CancelFunc

	mutex      sync.Mutex
	credential *MQCredential
	// instances by id: the id is a matter of the client in the core.
	instances map[string]*tminus.HTTPClient
}

// NewAliyunMQClient makes a client for an http:// or https:// endpoint whose calls take [DefaultTimeout] at most. Nothing is
// sent and nothing checked: a missing or wrong argument is the error of the first call.
func NewAliyunMQClient(endpoint, accessKeyId, accessKeySecret, securityToken string) MQClient {
	return NewAliyunMQClientWithTimeout(endpoint, accessKeyId, accessKeySecret, securityToken,
		time.Duration(DefaultTimeout)*time.Second)
}

// NewAliyunMQClientWithTimeout is [NewAliyunMQClient] with another limit for each call. A call that waits for messages
// has five seconds more than its wait in any case, because what an abandoned call was given stays hidden from the group.
func NewAliyunMQClientWithTimeout(
	endpoint, accessKeyId, accessKeySecret, securityToken string, timeout time.Duration,
) MQClient {
	if timeout <= 0 {
		timeout = time.Duration(DefaultTimeout) * time.Second
	}
	open, cancel := context.WithCancel(context.Background())
	return &AliyunMQClient{
		endpoint:   endpoint,
		timeout:    timeout,
		open:       open,
		close:      cancel,
		credential: NewMQCredential(accessKeyId, accessKeySecret, securityToken),
		instances:  make(map[string]*tminus.HTTPClient),
	}
}

// GetProducer makes a producer of a topic. instanceId "": the instance has no namespace of its own.
func (p *AliyunMQClient) GetProducer(instanceId string, topicName string) MQProducer {
	return &AliyunMQProducer{resource{p, instanceId, topicName}}
}

// GetTransProducer makes a producer of transactions; groupId is that of the producer.
func (p *AliyunMQClient) GetTransProducer(instanceId string, topicName string, groupId string) MQTransProducer {
	return &AliyunMQTransProducer{AliyunMQProducer{resource{p, instanceId, topicName}}, groupId}
}

// GetConsumer makes a consumer. messageTag: tags separated by "||"; "" or "*": all.
func (p *AliyunMQClient) GetConsumer(
	instanceId string, topicName string, consumer string, messageTag string,
) MQConsumer {
	return &AliyunMQConsumer{resource{p, instanceId, topicName}, consumer, messageTag}
}

// GetCredential is what requests are signed with now.
func (p *AliyunMQClient) GetCredential() Credential {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.credential
}

// GetEndpoint is the URL as it was given.
func (p *AliyunMQClient) GetEndpoint() string { return p.endpoint }

// SetCredential signs all requests from now on with other keys, as temporary ones ask for.
func (p *AliyunMQClient) SetCredential(accessKeyId, accessKeySecret, securityToken string) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.credential = NewMQCredential(accessKeyId, accessKeySecret, securityToken)
	for _, instance := range p.instances {
		if err := instance.SetCredentials(p.credential.native()); err != nil {
			return failed(err, p.endpoint)
		}
	}
	return nil
}

// Close ends the calls under way and closes the connections. Later calls are [tminus.ErrClosed]; a second Close does
// nothing.
func (p *AliyunMQClient) Close() error {
	p.close()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var err error
	for id, instance := range p.instances {
		err = errors.Join(err, instance.Close(context.Background()))
		delete(p.instances, id)
	}
	return err
}

// instance is the client of an instance id in the core, made with its first call.
func (p *AliyunMQClient) instance(id string) (*tminus.HTTPClient, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.open.Err() != nil {
		return nil, &tminus.Error{Kind: tminus.ErrClosed, Text: "the client was closed; make a new one"}
	}
	if instance, ok := p.instances[id]; ok {
		return instance, nil
	}
	for _, given := range [...]struct{ what, value string }{
		{"endpoint", p.endpoint},
		{"access key id", p.credential.accessKeyId},
		{"access key secret", p.credential.accessKeySecret},
	} {
		if given.value == "" {
			return nil, missing(given.what)
		}
	}
	credentials := p.credential.native()
	options := &tminus.ClientOptions{Credentials: &credentials, Namespace: id, RequestTimeout: p.timeout}
	if strings.HasPrefix(p.endpoint, "https://") {
		var err error
		if options.TLS, err = environment.TLS(); err != nil {
			return nil, err
		}
	}
	instance, err := tminus.NewHTTPClient(p.endpoint, options)
	if err == nil {
		p.instances[id] = instance
	}
	return instance, err
}

// limit is how long a call may take of which the service holds the answer for wait.
func (p *AliyunMQClient) limit(wait time.Duration) time.Duration {
	if wait > 0 {
		return max(p.timeout, wait+5*time.Second)
	}
	return p.timeout
}

func (p *MQCredential) native() tminus.Credentials {
	return tminus.Credentials{
		AccessKey:     p.accessKeyId,
		SecretKey:     p.accessKeySecret,
		SecurityToken: p.securityToken,
	}
}

// missing is the error of an argument that was not given.
func missing(what string) error {
	return &tminus.Error{
		Kind: tminus.ErrInvalidArgument,
		Text: fmt.Sprintf("the %s is empty; give it when the client, producer or consumer is made", what),
	}
}

// resource is a topic of an instance.
type resource struct {
	client     *AliyunMQClient
	instanceId string
	topicName  string
}

// TopicName is the topic.
func (r *resource) TopicName() string { return r.topicName }

// InstanceId is the id of the instance; "": it has no namespace of its own.
func (r *resource) InstanceId() string { return r.instanceId }

// path of the requests, for errors.
func (r *resource) path() string { return "topics/" + r.topicName + "/messages" }

// do runs a call of the core in the time it has.
func (r *resource) do(
	ctx context.Context, wait time.Duration, call func(context.Context, *tminus.HTTPClient) error,
) error {
	if r.topicName == "" {
		return failed(missing("topic"), r.path())
	}
	instance, err := r.client.instance(r.instanceId)
	if err != nil {
		return failed(err, r.path())
	}
	ctx, cancel := context.WithTimeout(ctx, r.client.limit(wait))
	defer cancel()
	return failed(call(ctx, instance), r.path())
}
