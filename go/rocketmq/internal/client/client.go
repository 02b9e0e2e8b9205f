// Package client holds what the options of producers and consumers share: where to connect, as whom, and TLS.
package client

import (
	"log/slog"
	"strings"
	"sync"

	tminus "github.com/tminus-mq/tminus/go"
	"github.com/tminus-mq/tminus/go/internal/environment"
	"github.com/tminus-mq/tminus/go/rocketmq/primitive"
)

// Options are what producers and consumers share.
type Options struct {
	Resolver    primitive.NsResolver
	Credentials primitive.Credentials
	Namespace   string
	TLS         bool
	TLSConfig   *tminus.TLSConfig
}

// Endpoint is the list of name servers.
func (o *Options) Endpoint() (string, error) {
	resolver := o.Resolver
	if resolver == nil {
		resolver = primitive.NewEnvResolver()
	}
	addresses := primitive.NamesrvAddr(resolver.Resolve())
	if err := addresses.Check(); err != nil {
		return "", &tminus.Error{Kind: tminus.ErrInvalidArgument, Operation: "start",
			Text: "start: " + resolver.Description() + ": " + err.Error()}
	}
	return strings.Join(addresses, ";"), nil
}

// Client is the options of the core.
func (o *Options) Client() (tminus.ClientOptions, error) {
	options := tminus.ClientOptions{Namespace: o.Namespace}
	if !o.Credentials.IsEmpty() {
		options.Credentials = &tminus.Credentials{
			AccessKey:     o.Credentials.AccessKey,
			SecretKey:     o.Credentials.SecretKey,
			SecurityToken: o.Credentials.SecurityToken,
		}
	}
	if o.TLSConfig != nil {
		options.TLS = o.TLSConfig
		return options, nil
	}
	if !o.TLS {
		return options, nil
	}
	config, err := environment.TLS()
	if err != nil {
		return options, err
	}
	if len(config.CA) == 0 {
		// The services these programs were written for use private certificates and the documented call names no
		// authority: encrypt all the same, and say once what that does not give.
		config.InsecureSkipVerify = true
		warnUnverified()
	}
	options.TLS = config
	return options, nil
}

var warnUnverified = sync.OnceFunc(func() {
	slog.Warn("WithTls(true) encrypts, but the server was not verified: no certificate authority is configured; " +
		"use WithTlsConfig, or name a PEM file in the environment variable " + environment.CA)
})

// Unsupported is the error for what this package does not offer.
func Unsupported(operation, what string) error {
	return &tminus.Error{Kind: tminus.ErrUnsupported, Operation: operation,
		Text: operation + ": " + what + " is not supported by this package"}
}
