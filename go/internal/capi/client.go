package capi

// #include "message.h"
import "C"

import "time"

// Client is what producers and consumers share. Zero values are the defaults of the core.
type Client struct {
	Endpoint                              string
	Credentials                           Credentials
	TLS, Insecure                         bool
	CA, ClientCert, ClientKey, ServerName string
	Namespace, ClientID                   string
	ServerKind                            int32
	ConnectTimeout, RequestTimeout        time.Duration
	// HTTPProxy is a URL, "direct", or "": as the environment says.
	HTTPProxy string
	// ClockOf computes relative delivery times by this broker's clock.
	ClockOf *Broker
}

func (c *Client) options(a *arena) (*C.tminus_client_options_t, error) {
	if err := handshake(); err != nil {
		return nil, err
	}
	options := (*C.tminus_client_options_t)(a.zeroed(1, C.sizeof_tminus_client_options_t))
	var e *C.tminus_error_t
	if status := C.tminus_client_options_init(options, C.sizeof_tminus_client_options_t, &e); status != C.TMINUS_OK {
		return nil, failure(status, e)
	}
	options.endpoint = a.text(c.Endpoint)
	options.server_kind = C.int32_t(c.ServerKind)
	options.credentials = *a.credentials(&c.Credentials)
	options.tls.enabled = flag(c.TLS)
	options.tls.insecure = flag(c.Insecure)
	options.tls.ca_pem = a.text(c.CA)
	options.tls.client_cert_pem = a.text(c.ClientCert)
	options.tls.client_key_pem = a.text(c.ClientKey)
	options.tls.server_name = a.text(c.ServerName)
	options.name_space = a.text(c.Namespace)
	options.client_id = a.text(c.ClientID)
	options.http_proxy = a.text(c.HTTPProxy)
	if c.ConnectTimeout > 0 {
		options.connect_timeout_ms = ms(c.ConnectTimeout)
	}
	if c.RequestTimeout > 0 {
		options.request_timeout_ms = ms(c.RequestTimeout)
	}
	if c.ClockOf != nil {
		options.clock_of = c.ClockOf.p
	}
	return options, nil
}

// Credentials sign requests.
type Credentials struct{ AccessKey, SecretKey, SecurityToken string }

func (a *arena) credentials(c *Credentials) *C.tminus_credentials_t {
	credentials := (*C.tminus_credentials_t)(a.zeroed(1, C.sizeof_tminus_credentials_t))
	credentials.access_key = a.text(c.AccessKey)
	credentials.secret_key = a.text(c.SecretKey)
	credentials.security_token = a.text(c.SecurityToken)
	return credentials
}

// Queue is one queue of a topic on one broker.
type Queue struct {
	Topic, Broker string
	ID            int32
}

// copyQueues copies and frees a list of queues.
func copyQueues(list *C.tminus_message_queues_t) []Queue {
	defer C.tminus_message_queues_free(list)
	queues := make([]Queue, 0, list.size)
	for _, q := range cSlice(list.queues, list.size) {
		queues = append(queues, Queue{Topic: copyText(q.topic), Broker: copyText(q.broker), ID: int32(q.id)})
	}
	return queues
}
